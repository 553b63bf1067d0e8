/** What long-running commands share: an identity that follows its files, and a provider that vends with it. */
import { systemClock } from '../platform/clock.ts';
import type { SessionCredentials } from '../credentials/credentials.ts';
import { createProvider } from '../credentials/provider.ts';
import type { CredentialsProvider } from '../credentials/provider.ts';
import type { RefreshSettings } from '../credentials/refresh-policy.ts';
import { isPkcs11, loadIdentity } from '../identity/load.ts';
import { watchIdentity } from '../identity/reload.ts';
import type { IdentityWatcher } from '../identity/reload.ts';
import { isPath } from '../identity/source.ts';
import type { Log } from '../platform/log.ts';
import { passwordFiles } from '../options/passwords.ts';
import type { TokenOptions } from '../options/token.ts';
import type { VendingOptions } from '../options/vending.ts';
import { createSession } from '../aws/create-session.ts';
import type { ChainFrom } from './chain.ts';
import type { Io } from './command.ts';
import type { Network } from './network.ts';

export interface FollowOptions {
  readonly token: TokenOptions;
  readonly env: Io['env'];
  readonly log: Log;
  readonly network: Pick<Network, 'clock' | 'correctClock'>;
  /** A new certificate is in use. */
  readonly onChange: () => void;
}

/**
 * Loads an identity and keeps it up to date; what happens to it is logged.
 *
 * @throws RolesAnywhereError of class `identity`
 */
export function followIdentity(
  { identity: spec, passwords }: VendingOptions,
  { token, env, log, network, onChange }: FollowOptions,
): Promise<IdentityWatcher> {
  // What was typed once is not asked for again when a file changes.
  const typed = new Map<string, Uint8Array>();
  const warn = (message: string): void => log.warn(message);
  const named = [spec.certificate, spec.privateKey, spec.intermediates].filter((value) => value !== undefined);
  return watchIdentity({
    load: () =>
      loadIdentity(spec, {
        passwords,
        typed,
        env,
        now: network.clock.now,
        correctClock: network.correctClock,
        warn: ({ message }) => warn(message),
        token: { ...token, env, warn },
      }),
    paths: [
      ...named.filter((value) => isPath(value) && !isPkcs11(value)),
      ...passwordFiles(passwords),
      ...(token.pinFile === undefined ? [] : [token.pinFile]),
    ],
    onChange(identity) {
      log.info('a new certificate is in use', { serialNumber: identity.serialNumber });
      onChange();
    },
    onError: (error) => log.error(`the new certificate is not used: ${error.message}`, { code: error.code }),
  });
}

export interface SessionProviderOptions {
  /** Goes on to other roles from there. */
  readonly further?: ChainFrom | undefined;
  /** Default: the provider's own numbers. */
  readonly refresh?: Partial<RefreshSettings> | undefined;
}

/** A provider of a role's credentials, each set asked for with the newest good certificate. */
export function sessionProvider(
  { session }: VendingOptions,
  identity: IdentityWatcher,
  network: Network,
  { further, refresh }: SessionProviderOptions = {},
): CredentialsProvider {
  const vend = (signal: AbortSignal): Promise<SessionCredentials> =>
    identity.use((current) => createSession({ ...session, ...network, identity: current, signal }));
  const { timeoutMs } = network.retry;
  return createProvider({
    // Expiry is judged by the service's time, where that is known.
    clock: { ...systemClock, now: network.clock.now },
    vendTimeoutMs: timeoutMs,
    refresh,
    vend: further === undefined ? vend : further(vend),
  });
}
