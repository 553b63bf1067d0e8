/** What commands share that obtain credentials with a certificate: identity, connection and the roles to go on to. */
// Tests: test/cli/refusals.test.ts, test/network/clock.test.ts
import { createSession } from '../aws/create-session.ts';
import { endpointOf } from '../aws/endpoints.ts';
import { presumedNow } from '../aws/service-clock.ts';
import type { SessionCredentials } from '../credentials/credentials.ts';
import type { Identity } from '../identity/identity.ts';
import { loadIdentity } from '../identity/load.ts';
import type { LoadDeps } from '../identity/load.ts';
import type { Warn } from '../identity/warnings.ts';
import type { FlagsOf } from '../options/flag-values.ts';
import { isChained } from '../options/flags.ts';
import { tokenOptions } from '../options/token.ts';
import { tpmOptions } from '../options/tpm.ts';
import { oneShotToken } from './one-shot-token.ts';
import type { VendingOptions } from '../options/vending.ts';
import type { ChainFrom } from './chain.ts';
import type { Io } from './command.ts';
import { openConnection, tlsSettings } from './connection.ts';
import type { CommandConnection } from './connection.ts';

/** What it takes to obtain credentials. */
export interface Vending {
  /** The connection, with the roots that were read last. */
  readonly connection: () => CommandConnection;
  /**
   * Reads the roots of trust again.
   *
   * @throws RolesAnywhereError `ERR_CA_BUNDLE`; the connection stays as it was
   */
  readonly readRootsAgain: () => Promise<void>;
  /** Goes on to other roles; undefined where there are none. */
  readonly further: ChainFrom | undefined;
  /** Checks what the hops ask against what the session of a certificate (DER) has; throws of class `usage`. */
  readonly checkHops?: ((certificate: Uint8Array) => void) | undefined;
  /** What the identity is loaded with. */
  readonly loading: LoadDeps;
}

/**
 * Opens all that can be opened before the identity is loaded.
 *
 * @param once whether credentials are asked for once
 * @throws RolesAnywhereError of class `usage`; `ERR_CA_BUNDLE`
 */
export async function openVending(
  { connection: settings, session: { region }, partition, passwords, warnings }: VendingOptions,
  flags: FlagsOf<'credential-process'> | FlagsOf<'serve'> | FlagsOf<'update'>,
  io: Io,
  once: boolean,
): Promise<Vending> {
  const { env, log, compat } = io;
  if (!compat) for (const warning of warnings) log.warn(warning);
  const early = once ? endpointOf(settings, 'rolesanywhere', partition, region) : undefined;
  let opened = await openConnection(settings, io, once, early);
  const connection = (): CommandConnection => opened;
  const chain = isChained(flags) ? await import('./chain.ts') : undefined;
  const warn = (message: string): void => log.warn(message);
  return {
    connection,
    async readRootsAgain() {
      opened = { ...opened, tls: await tlsSettings(settings, env) };
    },
    further: chain?.chainOf(flags, { region, connection, fromRole: true, once }),
    checkHops: (certificate) => chain?.checkSourceIdentity(flags, certificate),
    loading: {
      // What was typed once is not asked for again when a file changes.
      typed: once ? undefined : new Map<string, Uint8Array>(),
      passwords,
      env,
      now: () => presumedNow(opened.clock),
      async correctClock() {
        const { correctByService } = await import('../aws/clock-offset.ts');
        return await correctByService(opened, endpointOf(opened, 'rolesanywhere', partition, region));
      },
      warn: once ? ({ message }) => warn(message) : warnOnce(warn),
      token: once ? oneShotToken(flags, io) : { ...tokenOptions(flags), env, warn },
      tpm: tpmOptions(flags),
      spiffe: { timeoutMs: opened.budget?.remaining ?? waitOf(settings.retry.timeoutMs) },
    },
  };
}

/** A function of a number that may be given. */
function waitOf(timeoutMs: number | undefined): (() => number) | undefined {
  return timeoutMs === undefined ? undefined : () => timeoutMs;
}

/** Most warnings that are kept in mind. */
const MAX_SAID = 1000;

/**
 * Says each warning once, however often files are read again. That a certificate ends is for its own watch to say.
 *
 * @returns for {@link LoadDeps}
 */
function warnOnce(warn: (message: string) => void): Warn {
  const said = new Set<string>();
  return ({ code, message }) => {
    if (code === 'WARN_CERTIFICATE_EXPIRES_SOON' || said.has(message)) return;
    if (said.size >= MAX_SAID) said.clear();
    said.add(message);
    warn(message);
  };
}

/**
 * Obtains credentials once.
 *
 * @throws RolesAnywhereError the identity's, the network's and the service's
 */
export async function vendOnce(
  options: VendingOptions,
  vending: Vending,
  io: Pick<Io, 'log'>,
): Promise<SessionCredentials> {
  const identity = await loadIdentity(options.identity, vending.loading);
  try {
    return await vendWith(identity, options, vending, io);
  } finally {
    await identity.close();
  }
}

/**
 * Obtains credentials of one role with an identity that is loaded.
 *
 * @throws RolesAnywhereError the network's and the service's
 */
export async function vendWith(
  identity: Identity,
  { session, partition }: VendingOptions,
  { connection, further, checkHops }: Vending,
  { log }: Pick<Io, 'log'>,
): Promise<SessionCredentials> {
  const current = connection();
  checkHops?.(identity.certificate);
  const { signer, serialNumber, chain } = identity;
  log.debug(`certificate ${serialNumber}, ${signer.keyType}, ${chain.length} intermediate certificates`);
  log.debug(
    `CreateSession in ${session.region} at ${endpointOf(current, 'rolesanywhere', partition, session.region).href}`,
  );
  const vend = (): Promise<SessionCredentials> => createSession({ ...session, identity }, current);
  const credentials = await (further === undefined ? vend() : further(vend)(new AbortController().signal));
  log.debug(`credentials until ${credentials.expiration.toISOString()}`);
  return credentials;
}
