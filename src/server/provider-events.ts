/**
 * Tells of the providers' events: lines of the log, and the status that `systemctl status` shows.
 * Tests: test/clients/serve-operation.test.ts, serve-outage.test.ts
 */
import type { CredentialsProvider, ProviderEvent } from '../credentials/provider.ts';
import type { RolesAnywhereError } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import type { Notifier } from './systemd.ts';

/**
 * Logs one event of a role's provider.
 *
 * @param explain adds to a failure where its values are from. Default: nothing
 */
export function logEvent(
  log: Log,
  role: string,
  event: ProviderEvent,
  explain: (error: RolesAnywhereError) => RolesAnywhereError = (error) => error,
): void {
  switch (event.type) {
    case 'attempt':
      log.debug('asking for credentials', { role, reason: event.reason });
      break;
    case 'refreshed':
      log.info('new credentials', {
        role,
        reason: event.reason,
        expiration: event.expiration.toISOString(),
        durationMs: Math.round(event.durationMs),
      });
      break;
    case 'failed':
      log.warn(`no new credentials: ${explain(event.error).message}`, {
        role,
        code: event.error.code,
        hint: event.error.hint,
        reason: event.reason,
        failures: event.failures,
        retryInMs: event.retryInMs === undefined ? undefined : Math.round(event.retryInMs),
        inUseUntil: event.expiration?.toISOString(),
      });
      break;
    case 'expired':
      log.error('the last credentials have expired and there are no others', { role });
      break;
    case 'clock-jump':
      log.warn('the clock was set, or the machine was suspended', { byMs: Math.round(event.byMs) });
      break;
  }
}

export interface StatusRole {
  readonly name: string;
  readonly provider: Pick<CredentialsProvider, 'status'>;
}

/** One line with the state of each role, such as `Deploy: valid until 2026-01-01T00:00:00Z`. */
function statusLine(roles: readonly StatusRole[]): string {
  return roles
    .map(({ name, provider }) => {
      const { state, expiration, lastError } = provider.status();
      const until = expiration === undefined ? '' : ` until ${expiration.toISOString().slice(0, 19)}Z`;
      return `${name}: ${state}${until}${lastError === undefined ? '' : ` (${lastError.code})`}`;
    })
    .join('; ');
}

/** Makes the function that tells systemd of the status when it has changed. */
export function statusReporter(roles: readonly StatusRole[], notifier: Notifier | undefined): () => void {
  let shown = '';
  return () => {
    if (notifier === undefined) return;
    const line = statusLine(roles);
    if (line === shown) return;
    shown = line;
    void notifier.notify(`STATUS=${line}`);
  };
}
