/** What commands share that obtain credentials with a certificate: identity, connection and the roles to go on to. */
import type { Connection } from '../aws/connection.ts';
import { createSession } from '../aws/create-session.ts';
import { endpointOf } from '../aws/endpoints.ts';
import type { SessionCredentials } from '../credentials/credentials.ts';
import { loadIdentity } from '../identity/load.ts';
import type { LoadDeps } from '../identity/load.ts';
import type { FlagsOf } from '../options/flag-values.ts';
import { isChained } from '../options/flags.ts';
import { tokenOptions } from '../options/token.ts';
import type { VendingOptions } from '../options/vending.ts';
import type { ChainFrom } from './chain.ts';
import type { Io } from './command.ts';
import { openConnection } from './connection.ts';
import type { CommandConnection } from './connection.ts';

/** What it takes to obtain credentials. */
export interface Vending {
  readonly connection: CommandConnection;
  /** Goes on to other roles; undefined where there are none. */
  readonly further: ChainFrom | undefined;
  /** What the identity is loaded with. */
  readonly loading: LoadDeps;
}

/** How a command obtains credentials. */
export interface VendingHooks {
  /** Whether credentials are asked for once. */
  readonly once: boolean;
  /** Told what is waited for from now on, in words that follow `waiting for`. */
  readonly awaiting?: ((what: string) => void) | undefined;
  /** The connection, once files were read again. Default: the one that was opened. */
  readonly current?: ((opened: CommandConnection) => Connection) | undefined;
}

/**
 * Opens all that can be opened before the identity is loaded.
 *
 * @throws RolesAnywhereError of class `usage`; `ERR_CA_BUNDLE`
 */
export async function openVending(
  { connection: settings, session: { region }, partition, passwords }: VendingOptions,
  flags: FlagsOf<'credential-process'> | FlagsOf<'serve'>,
  io: Io,
  { once, awaiting, current = (opened) => opened }: VendingHooks,
): Promise<Vending> {
  const { env, log } = io;
  const connection = await openConnection(settings, io, awaiting);
  const further = isChained(flags)
    ? (await import('./chain.ts')).chainOf(flags, {
        region,
        connection: () => current(connection),
        fromRole: true,
        once,
      })
    : undefined;
  const warn = (message: string): void => log.warn(message);
  return {
    connection,
    further,
    loading: {
      passwords,
      env,
      now: connection.clock.now,
      async correctClock() {
        const { correctByService } = await import('../aws/clock-offset.ts');
        return await correctByService(current(connection), endpointOf(connection, 'rolesanywhere', partition, region));
      },
      warn: ({ message }) => warn(message),
      token: { ...tokenOptions(flags), mode: once ? 'in-process' : undefined, env, warn },
    },
  };
}

/**
 * Obtains credentials once.
 *
 * @throws RolesAnywhereError the identity's, the network's and the service's
 */
export async function vendOnce(
  { identity: spec, session, partition }: VendingOptions,
  { connection, further, loading }: Vending,
  { log }: Pick<Io, 'log'>,
): Promise<SessionCredentials> {
  // Loading may ask a person for a password: that is no wait to be told of.
  const identity = await loadIdentity(spec, loading);
  try {
    const { signer, serialNumber, chain } = identity;
    log.debug(`certificate ${serialNumber}, ${signer.keyType}, ${chain.length} intermediate certificates`);
    log.debug(`CreateSession in ${session.region} at ${endpointOf(connection, 'rolesanywhere', partition, session.region).href}`);
    const vend = (): Promise<SessionCredentials> => createSession({ ...session, identity }, connection);
    const credentials = await (further === undefined ? vend() : further(vend)(new AbortController().signal));
    log.debug(`credentials until ${credentials.expiration.toISOString()}`);
    return credentials;
  } finally {
    await identity.close();
  }
}
