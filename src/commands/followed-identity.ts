/** What long-running commands share: an identity that follows its files, and a provider that vends with it. */
// Tests: test/clients/serve-rotation.test.ts
import { createSession } from '../aws/create-session.ts';
import type { SessionCredentials } from '../credentials/credentials.ts';
import type { CredentialsProvider } from '../credentials/provider.ts';
import type { RefreshSettings } from '../credentials/refresh-policy.ts';
import { createProvider } from '../credentials/refresher.ts';
import { isInHardware, loadIdentity } from '../identity/load.ts';
import { watchIdentity } from '../identity/reload.ts';
import type { IdentityWatcher } from '../identity/reload.ts';
import { isPath } from '../identity/source.ts';
import { passwordFiles } from '../identity/passwords.ts';
import type { VendingOptions } from '../options/vending.ts';
import { systemClock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { Vending } from './vending.ts';

/**
 * Loads an identity and keeps it up to date; what happens to it is logged.
 *
 * @param onChange called when a new certificate is in use
 * @throws RolesAnywhereError of class `identity`
 */
export function followIdentity(
  { identity: spec, passwords }: VendingOptions,
  { loading }: Pick<Vending, 'loading'>,
  log: Log,
  onChange: () => void,
): Promise<IdentityWatcher> {
  const named = [spec.certificate, spec.privateKey, spec.intermediates].filter((value) => value !== undefined);
  const selector = spec.choice?.selector;
  const selectorFile = selector?.startsWith('file://') === true ? [selector.slice('file://'.length)] : [];
  return watchIdentity({
    load: () => loadIdentity(spec, loading),
    // Not the file of a PIN: it is read for each login, and writing it is no reason to log in.
    paths: [
      ...named.filter((value) => isPath(value) && !isInHardware(value)),
      ...selectorFile,
      ...passwordFiles(passwords),
    ],
    onChange(identity) {
      log.info('a new certificate is in use', { serialNumber: identity.serialNumber });
      onChange();
    },
    onRecovered: () => log.info('the files of the certificate are good again'),
    onUnwatched: (directory, reason) =>
      log.warn('changes of the files in a folder are noticed within a minute, not at once: it cannot be watched', {
        directory,
        reason,
      }),
    onError: ({ message, code, hint }) => log.error(`the new certificate is not used: ${message}`, { code, hint }),
  });
}

/**
 * A provider of a role's credentials, each set asked for with the newest good certificate.
 *
 * @param refresh default: the provider's own numbers
 */
export function sessionProvider(
  { session }: VendingOptions,
  identity: IdentityWatcher,
  { connection, further }: Pick<Vending, 'connection' | 'further'>,
  refresh?: Partial<RefreshSettings>,
): CredentialsProvider {
  const vend = (signal: AbortSignal): Promise<SessionCredentials> =>
    identity.use((current) => createSession({ ...session, identity: current }, { ...connection(), signal }));
  const { clock, retry } = connection();
  return createProvider({
    // Expiry is judged by the service's time, where that is known.
    clock: { ...systemClock, now: clock.now },
    vendTimeoutMs: retry?.timeoutMs,
    refresh,
    vend: further === undefined ? vend : further(vend),
  });
}
