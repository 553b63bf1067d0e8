/** `credential-process --cache`: from the options of a line to the key that its credentials are kept under. */
// Tests: test/cli/cache.test.ts
import { createHash } from 'node:crypto';
import { basename, isAbsolute, resolve } from 'node:path';
import { CACHE_VERSION, DEFAULT_MIN_REMAINING_MS } from '../credentials/cache/entry.ts';
import { createFileStore, openFolder, tidy, writeLine } from '../credentials/cache/file-store.ts';
import { cacheFolder } from '../credentials/cache/folder.ts';
import { keepCredentials } from '../credentials/cache/keep.ts';
import { deviceVariables, withoutPin } from '../credentials/cache/line.ts';
import { libraryPlace } from '../credentials/cache/place.ts';
import { stampOf } from '../credentials/cache/safe-file.ts';
import type { SessionCredentials } from '../credentials/credentials.ts';
import { configPath } from '../options/config/shared.ts';
import type { FlagsOf } from '../options/flag-values.ts';
import { isChained } from '../options/flags.ts';
import type { VendingOptions } from '../options/vending.ts';
import { currentLine } from '../output/kept-answer.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import type { Io } from './command.ts';

const DEFAULT_TIMEOUT_MS = 60_000;
/** Of the time for all, so much is kept for a request of one's own, should the others come to nothing: one attempt's. */
const OWN_MS = 15_000;
const LEAST_SECONDS = 1;
const MOST_SECONDS = 43_200;
/** A file that changed so shortly ago may change again and look the same. */
const SETTLED_MS = 2000;

type Flags = FlagsOf<'credential-process'>;

/**
 * Gives the credentials that are kept for a line, or gets them and keeps them.
 *
 * @param vend asks the service, with the options as they are after the wait for others
 * @throws RolesAnywhereError `ERR_FLAG_VALUE`, `ERR_FLAG_CONFLICT`, and those of `vend`
 */
export async function keptSession(
  options: VendingOptions,
  flags: Flags,
  io: Io,
  vend: (options: VendingOptions) => Promise<{ credentials: SessionCredentials; clockOffset: number }>,
): Promise<SessionCredentials> {
  const { log, env } = io;
  const minRemainingMs = minRemaining(flags);
  const { certificate } = options.identity;
  if (certificate === '-')
    throw new RolesAnywhereError('ERR_FLAG_CONFLICT', '--cache and --certificate - exclude each other', {
      hint: 'what comes from standard input cannot be told from what came before: give the certificate in a file',
      flag: ['--cache', '--certificate'],
    });
  const file = certificate !== undefined && placeOf(certificate) === 'file' ? resolve(certificate) : undefined;
  if (file !== undefined && stampOf(file) === undefined) return (await vend(options)).credentials;
  let folder: string;
  try {
    folder = await openFolder(cacheFolder(env));
  } catch (error) {
    if (!(error instanceof RolesAnywhereError)) throw error;
    log.warn(`--cache has no effect: ${error.message}`);
    return (await vend(options)).credentials;
  }
  const key = `session-${CACHE_VERSION}-${digest(JSON.stringify(await effective(options, flags, env)))}`;
  const timeoutMs = options.connection.retry.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const credentials = await keepCredentials({
    store: createFileStore(folder),
    key,
    role: options.session.roleArn,
    certificate: file,
    minRemainingMs,
    waitMs: timeoutMs - Math.min(OWN_MS, timeoutMs / 4),
    onWarning: (message) => log.warn(message),
    async vend(waitedMs) {
      const { connection } = options;
      const retry = { ...connection.retry, timeoutMs: timeoutMs - waitedMs };
      const got = await vend({ ...options, connection: { ...connection, retry } });
      await tidy(folder, Date.now()).catch(() => 0);
      return got;
    },
  });
  await remember(folder, key, minRemainingMs, flags, io).catch(() => {
    // Then the next run reads its line as this one did.
  });
  return credentials;
}

function minRemaining(flags: Flags): number {
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
  const { endpoints, trust } = connection;
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
    // URLs, and which of AWS's own endpoints.
    endpoints,
    [trust.verify, trust.caBundle === undefined ? undefined : resolve(trust.caBundle.path), trust.caStore],
    isChained(flags) ? (await import('../options/hops.ts')).hopsOf(flags, true).map(({ input }) => input) : [],
  ];
}

/** Where a certificate or key is: a path of a file, a variable, standard input, a token or a TPM. */
function placeOf(text: string): 'file' | 'variable' | 'other' {
  if (text.startsWith('env:')) return 'variable';
  return text === '-' || /^(?:pkcs11|nv|handle):/i.test(text) ? 'other' : 'file';
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
async function remember(folder: string, entry: string, minRemainingMs: number, flags: Flags, io: Io): Promise<void> {
  const { env, tokens } = io;
  if (tokens === undefined || io.log.level === 'debug') return;
  const values = Object.values(flags).flat();
  const said = values.map((value) => (typeof value === 'object' ? JSON.stringify(value) : String(value)));
  if (said.some((text) => /file:\/\/|^env:/.test(text))) return;
  const config = configPath(env);
  const stamp = stampOf(config);
  if (stamp !== undefined && Date.now() - Number(stamp.split(' ').at(-1)) / 1e6 < SETTLED_MS) return;
  const paths = [
    flags.certificate,
    flags['private-key'],
    flags.intermediates,
    flags['ca-bundle'],
    env['AWS_CA_BUNDLE'],
  ];
  const isRelative = [...paths, config, libraryPlace(flags['pkcs11-lib']) === flags['pkcs11-lib'] ? '' : '.'].some(
    (path) => path !== undefined && path !== '' && placeOf(path) === 'file' && !isAbsolute(path),
  );
  const line = currentLine(basename(io.program), tokens, env);
  await writeLine(folder, line.name, {
    version: CACHE_VERSION,
    text: line.text,
    directory: isRelative ? process.cwd() : undefined,
    config: stamp === undefined ? [config] : [config, stamp],
    entry,
    minRemainingMs,
    accountId: flags['no-account-id'] !== true,
    lineFeed: !io.compat,
  });
}
