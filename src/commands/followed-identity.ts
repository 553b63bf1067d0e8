/** What long-running commands share: an identity that follows its files, and a provider that vends with it. */
// Tests: test/clients/serve-rotation.test.ts
import { createSession } from '../aws/create-session.ts';
import type { SessionCredentials } from '../credentials/credentials.ts';
import type { CredentialsProvider } from '../credentials/provider.ts';
import type { RefreshSettings } from '../credentials/refresh-policy.ts';
import { createProvider } from '../credentials/refresher.ts';
import { isInHardware, isSpiffe, loadIdentity } from '../identity/load.ts';
import type { LoadDeps } from '../identity/load.ts';
import { watchIdentity } from '../identity/reload.ts';
import type { IdentityWatcher } from '../identity/reload.ts';
import { isPath } from '../identity/source.ts';
import type { SvidStream } from '../identity/spiffe/index.ts';
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
export async function followIdentity(
  { identity: spec, passwords }: VendingOptions,
  { loading }: Pick<Vending, 'loading'>,
  log: Log,
  onChange: () => void,
): Promise<IdentityWatcher> {
  const stream =
    spec.certificate !== undefined && isSpiffe(spec.certificate)
      ? await svidStream(spec.certificate, loading, log)
      : undefined;
  const named = [spec.certificate, spec.privateKey, spec.intermediates].filter((value) => value !== undefined);
  const selector = spec.choice?.selector;
  const selectorFile = selector?.startsWith('file://') === true ? [selector.slice('file://'.length)] : [];
  return await watchIdentity({
    async load() {
      const identity = await loadIdentity(spec, { ...loading, spiffe: { ...loading.spiffe, stream } });
      return stream === undefined ? identity : stream.guard(identity);
    },
    changes: stream,
    // Not the file of a PIN: it is read for each login, and writing it is no reason to log in.
    paths: [
      ...named.filter((value) => isPath(value) && !isInHardware(value) && !isSpiffe(value)),
      ...selectorFile,
      ...passwordFiles(passwords),
    ],
    onChange(identity) {
      log.info('a new certificate is in use', { serialNumber: identity.serialNumber });
      onChange();
    },
    onRecovered: () =>
      log.info(
        stream === undefined
          ? 'the files of the certificate are good again'
          : 'what the SPIFFE agent gives can be used again',
      ),
    onUnwatched: (directory, reason) =>
      log.warn('changes of the files in a folder are noticed within a minute, not at once: it cannot be watched', {
        directory,
        reason,
      }),
    onError: ({ message, code, hint }) => log.error(`the new certificate is not used: ${message}`, { code, hint }),
  });
}

/** The stream of SVIDs behind a `spiffe:` value. */
async function svidStream(value: string, { spiffe, env, now }: LoadDeps, log: Log): Promise<SvidStream> {
  const { openSvidStream } = await import('../identity/spiffe/index.ts');
  return await openSvidStream(value, {
    ...spiffe,
    env,
    now,
    onLost: ({ message, code, hint }) =>
      log.warn(`the stream of SVIDs ended, and the last one stays in use while it is valid: ${message}`, {
        code,
        hint,
      }),
    onBack: () => log.info('the stream of SVIDs is back'),
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
    vend: further === undefined ? vend : further(vend, () => identity.current()),
  });
}
