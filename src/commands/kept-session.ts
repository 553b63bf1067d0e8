/** `--cache`: from the options of a line to the key that its credentials are kept under. */
// Tests: test/cli/cache.test.ts
import { createHash } from 'node:crypto';
import { basename, isAbsolute, resolve } from 'node:path';
import { CACHE_VERSION, DEFAULT_MIN_REMAINING_MS } from '../credentials/cache/entry.ts';
import { createFileStore, openFolder, tidy, writeLine } from '../credentials/cache/file-store.ts';
import { cacheFolder } from '../credentials/cache/folder.ts';
import { keepCredentials } from '../credentials/cache/keep.ts';
import { deviceVariables, withoutPin } from '../credentials/cache/line.ts';
import { isFoundFromHere, libraryPlace, modulePathsOf } from '../credentials/cache/place.ts';
import { bootOf, stampOf, stampOfPlace } from '../credentials/cache/safe-file.ts';
import type { CredentialsStore } from '../credentials/cache/store.ts';
import type { SessionCredentials } from '../credentials/credentials.ts';
import { configPath } from '../options/config/shared.ts';
import type { ConnectionSettings } from '../options/connection.ts';
import type { FlagsOf, FlagValues } from '../options/flag-values.ts';
import { isChained } from '../options/flags.ts';
import type { VendingOptions } from '../options/vending.ts';
import { currentLine } from '../output/kept-answer.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { awaited } from '../platform/waits.ts';
import type { Io } from './command.ts';

const DEFAULT_TIMEOUT_MS = 60_000;
/** Of the time for all, so much is kept for a request of one's own, should the others come to nothing: one attempt's. */
const OWN_MS = 15_000;
const LEAST_SECONDS = 1;
const MOST_SECONDS = 43_200;
/** A file that changed so shortly ago may change again and look the same. */
const SETTLED_MS = 2000;

type Flags = FlagsOf<'credential-process'>;

type CacheFlags = FlagValues<'cache-min-remaining' | 'no-account-id'>;

/** What is kept for a line, and how it is obtained. */
export interface Keeping {
  /** All that decides which credentials these are. Secrets apart: they open what is named here. */
  readonly effective: () => Promise<unknown>;
  /** The role that is asked for. */
  readonly role: string;
  /** The absolute path of what is shown to the service, a certificate or a token, or a folder to choose from; undefined where it is in none. */
  readonly file: string | undefined;
  /** The time for all, in milliseconds. Default 60,000. */
  readonly timeoutMs: number | undefined;
  /**
   * The paths that the line names, if what it comes to follows from nothing but its words, its variables and the config
   * file; undefined otherwise: then each run of it is read as ever.
   */
  readonly paths: readonly (string | undefined)[] | undefined;
  /** Whether it comes to something else on each machine. Default false. */
  readonly isOfMachine?: boolean | undefined;
  /**
   * Asks the service.
   *
   * @param timeoutMs the time that is left for it
   */
  readonly vend: (timeoutMs: number | undefined) => Promise<Vended>;
}

/** Credentials, and how far the service's clock is ahead. */
export interface Vended {
  readonly credentials: SessionCredentials;
  readonly clockOffset: number;
}

/**
 * Gives the credentials that are kept for a line of `credential-process`, or gets them and keeps them.
 *
 * @param vend asks the service, with the options as they are after the wait for others
 * @throws RolesAnywhereError `ERR_FLAG_VALUE`, `ERR_FLAG_CONFLICT`, and those of `vend`
 */
export async function keptSession(
  options: VendingOptions,
  flags: Flags,
  io: Io,
  vend: (options: VendingOptions) => Promise<Vended>,
): Promise<SessionCredentials> {
  const { env } = io;
  const { certificate } = options.identity;
  if (certificate === '-')
    throw new RolesAnywhereError('ERR_FLAG_CONFLICT', '--cache and --certificate - exclude each other', {
      hint: 'what comes from standard input cannot be told from what came before: give the certificate in a file',
      flag: ['--cache', '--certificate'],
    });
  const isHere = isOfDevice(certificate) && isFoundFromHere(devicePlaces(flags, env));
  return await keptCredentials(flags, io, {
    effective: async () => [
      await effective(options, flags, env),
      isHere ? process.cwd() : '',
      // Machines that share a home directory have a device of that name each.
      isOfDevice(certificate) ? bootOf() : '',
    ],
    role: options.session.roleArn,
    file: certificate !== undefined && placeOf(certificate) === 'file' ? resolve(certificate) : undefined,
    timeoutMs: options.connection.retry.timeoutMs,
    paths: [
      flags.certificate,
      flags['private-key'],
      flags.intermediates,
      flags['ca-bundle'],
      env['AWS_CA_BUNDLE'],
      // A bare name is for the system to find, wherever the line is run.
      flags['pkcs11-lib']?.includes('/') === true ? flags['pkcs11-lib'] : undefined,
      isHere ? '.' : undefined,
    ],
    isOfMachine: isOfDevice(certificate),
    async vend(timeoutMs) {
      const { connection } = options;
      return await vend({ ...options, connection: { ...connection, retry: { ...connection.retry, timeoutMs } } });
    },
  });
}

/**
 * Gives the credentials that are kept for a line, or gets them and keeps them. Nothing is kept where the certificate
 * or token is in no plain file, nor in a folder that can be kept track of.
 *
 * @throws RolesAnywhereError `ERR_FLAG_VALUE`, and those of `vend`
 */
export async function keptCredentials(flags: CacheFlags, io: Io, keeping: Keeping): Promise<SessionCredentials> {
  const { log, env } = io;
  const { role, file } = keeping;
  const minRemainingMs = minRemaining(flags);
  const plain = async (): Promise<SessionCredentials> => (await keeping.vend(keeping.timeoutMs)).credentials;
  if (file !== undefined && stampOfPlace(file) === undefined) return await plain();
  let folder: string;
  try {
    folder = await openFolder(cacheFolder(env));
  } catch (error) {
    if (!(error instanceof RolesAnywhereError)) throw error;
    log.warn(`--cache has no effect: ${error.message}`);
    return await plain();
  }
  const key = `session-${CACHE_VERSION}-${digest(JSON.stringify(await keeping.effective()))}`;
  const timeoutMs = keeping.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const credentials = await keepCredentials({
    store: toldOf(createFileStore(folder)),
    key,
    role,
    certificate: file,
    minRemainingMs,
    waitMs: timeoutMs - Math.min(OWN_MS, timeoutMs / 4),
    onWarning: (message) => log.warn(message),
    async vend(waitedMs) {
      const got = await keeping.vend(timeoutMs - waitedMs);
      await tidy(folder, Date.now()).catch(() => 0);
      return got;
    },
  });
  await remember(folder, key, minRemainingMs, flags, keeping, io).catch(() => {
    // Then the next run reads its line as this one did.
  });
  return credentials;
}

/** A store that tells of its wait for others. */
function toldOf(store: CredentialsStore): CredentialsStore {
  return {
    ...store,
    lock: async (key, request) =>
      await awaited('another process to get the same credentials', async () => await store.lock?.(key, request)),
  };
}

function minRemaining(flags: CacheFlags): number {
  const { 'cache-min-remaining': seconds } = flags;
  if (seconds === undefined) return DEFAULT_MIN_REMAINING_MS;
  if (seconds >= LEAST_SECONDS && seconds <= MOST_SECONDS) return seconds * 1000;
  throw new RolesAnywhereError('ERR_FLAG_VALUE', `--cache-min-remaining is out of range: ${seconds}`, {
    hint: `give ${LEAST_SECONDS} to ${MOST_SECONDS}`,
    flag: '--cache-min-remaining',
  });
}

/** All that decides which credentials a line gets, passwords and codes apart: they open what is named here. */
async function effective(options: VendingOptions, flags: Flags, env: Io['env']): Promise<unknown> {
  const { identity, session, partition, connection } = options;
  return [
    CACHE_VERSION,
    session,
    partition,
    [identity.certificate, identity.privateKey, identity.intermediates].map((place) => placeText(place, env)),
    identity.skipChecks,
    libraryPlace(flags['pkcs11-lib']),
    [flags['tpm-device'], flags['tpm-policy-pcr'], identity.store],
    deviceVariables(env),
    // Modules have their settings below it.
    [identity.certificate, identity.privateKey].some((place) => placeOf(place ?? '') === 'other') ? env['HOME'] : '',
    [identity.choice, selectorStamp(identity.choice?.selector)],
    reachedBy(connection),
    isChained(flags) ? (await import('../options/hops.ts')).hopsOf(flags, true).map(({ input }) => input) : [],
  ];
}

/** Whose answers are believed: URLs, which of AWS's own endpoints, and roots. */
export function reachedBy({ endpoints, trust }: ConnectionSettings): readonly unknown[] {
  const { verify, caBundle, caStore } = trust;
  return [endpoints, [verify, caBundle === undefined ? undefined : resolve(caBundle.path), caStore]];
}

/** Where a certificate or key is: a path of a file, a variable, standard input, a token or a TPM. */
function placeOf(text: string): 'file' | 'variable' | 'other' {
  if (text.startsWith('env:')) return 'variable';
  return text === '-' || /^(?:pkcs11|nv|handle):/i.test(text) ? 'other' : 'file';
}

/** Whether a certificate is taken from a token or a TPM, which may mean another one with each device. */
function isOfDevice(certificate: string | undefined): boolean {
  return certificate === undefined || placeOf(certificate) === 'other';
}

/** All by which such a device is found. */
function devicePlaces(flags: Flags, env: Io['env']): (string | undefined)[] {
  const modules = [flags.certificate, flags['private-key']].flatMap((place) => modulePathsOf(place));
  // The flag of the module is a path from the root by now, or for the system to find.
  return [...deviceVariables(env), flags['tpm-device'], ...modules];
}

/** Of a selector in a file, which file that is. */
function selectorStamp(selector: string | undefined): string | undefined {
  return selector?.startsWith('file://') === true ? stampOf(selector.slice('file://'.length)) : undefined;
}

/** What is in a variable is known by its digest; where a token is, without the PIN. */
function placeText(text: string | undefined, env: Io['env']): string | undefined {
  if (text === undefined) return undefined;
  const place = placeOf(text);
  if (place === 'variable') return `${text} ${digest(env[text.slice('env:'.length)] ?? '')}`;
  return place === 'file' ? resolve(text) : withoutPin(text);
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

/**
 * Remembers what a line comes to, so that the next run of it need not find out. Not where that follows from more than its
 * words, its variables and the config file: from files that are named in them, or from variables that hold the certificate.
 */
async function remember(
  folder: string,
  entry: string,
  minRemainingMs: number,
  flags: CacheFlags,
  { paths, isOfMachine = false }: Keeping,
  io: Io,
): Promise<void> {
  const { env, tokens } = io;
  if (tokens === undefined || paths === undefined || io.log.level === 'debug') return;
  const values = Object.values(flags).flat();
  const said = values.map((value) => (typeof value === 'object' ? JSON.stringify(value) : String(value)));
  if (said.some((text) => /file:\/\/|^env:/.test(text))) return;
  const config = configPath(env);
  const stamp = stampOf(config);
  if (stamp !== undefined && Date.now() - Number(stamp.split(' ').at(-1)) / 1e6 < SETTLED_MS) return;
  const isRelative = [...paths, config].some(
    (path) => path !== undefined && path !== '' && placeOf(path) === 'file' && !isAbsolute(path),
  );
  const line = currentLine(basename(io.program), tokens, env);
  await writeLine(folder, line.name, {
    version: CACHE_VERSION,
    text: line.text,
    directory: isRelative ? process.cwd() : undefined,
    boot: isOfMachine ? bootOf() : undefined,
    config: stamp === undefined ? [config] : [config, stamp],
    entry,
    minRemainingMs,
    accountId: flags['no-account-id'] !== true,
    lineFeed: !io.compat,
  });
}
