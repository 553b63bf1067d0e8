/**
 * The web console of `serve --console`: from what the command has to what the console needs, and its link.
 * Tests: test/console/console.heavy.test.ts
 */
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { pathToFileURL } from 'node:url';
import type { Connection } from '../../aws/connection.ts';
import { signinEndpoint, signinUrl } from '../../aws/signin-url.ts';
import { createActivity } from '../../console/activity.ts';
import { createConsole, noteVends } from '../../console/console.ts';
import type { Console } from '../../console/console.ts';
import { readPageFiles } from '../../console/files.ts';
import { browserNames } from '../../console/guard.ts';
import { identityFacts } from '../../console/identity.ts';
import { CODE_MS } from '../../console/lock.ts';
import { connectionSettings } from '../../options/connection.ts';
import type { FlagsOf } from '../../options/flag-values.ts';
import { COMMANDS, commandRow, flagRow } from '../../options/flags.ts';
import type { FlagItem, FlagName } from '../../options/flags.ts';
import { RolesAnywhereError, withoutPin } from '../../platform/errors.ts';
import { mkdtemp, rm, writeFile } from '../../platform/file-system.ts';
import { readNamedFile } from '../../platform/files.ts';
import { VERSION } from '../../platform/version.ts';
import { originOf } from '../../server/export-lines.ts';
import { openBrowser } from '../browser.ts';
import type { Io } from '../command.ts';
import { tlsSettings } from '../connection.ts';
import type { ConsoleBeginning, ServeConsole, Serving } from './serving.ts';

const LOOPBACK_NAMES = ['127.0.0.1', 'localhost', '::1'];
const PHRASE_FLAG = '--console-passphrase-file';
const LEAST_PHRASE = 8;

/** Flags that every session has its own of, or that are given for each by the page. */
const PER_SESSION: ReadonlySet<FlagName> = new Set([
  'trust-anchor-arn',
  'profile-arn',
  'role-arn',
  'session-duration',
  'role-session-name',
]);

/**
 * Checks the flags of the console and reads its files.
 *
 * @throws RolesAnywhereError `ERR_PASSWORD_SOURCE`, `ERR_ENDPOINT`; with a code that begins with `ERR_FILE`
 */
export async function beginConsole(flags: FlagsOf<'serve'>, io: Io): Promise<ConsoleBeginning> {
  const { env, log } = io;
  const path = flags['console-passphrase-file'];
  const passphrase = path === undefined ? undefined : readPassphrase(path, io);
  const files = readPageFiles();
  const settings = connectionSettings(flags, env, ['rolesanywhere', 'sts', 'signin']);
  const activity = createActivity();
  if (flags['audit-log'] !== undefined) activity.readAuditLog(flags['audit-log']);
  return {
    activity,
    vended: noteVends(activity),
    countIn: (metrics) => ({
      ...metrics,
      request(route, status) {
        activity.countRequest();
        metrics.request(route, status);
      },
    }),
    async finish(serving) {
      const { roles, identity, vending, audit, furtherRoleArn, options } = serving;
      const [{ vending: first }] = options.roles;
      const tls = await tlsSettings(settings, env);
      // What was opened for Roles Anywhere need not have read what a connection to the other services takes.
      const connection = (): Connection => ({ ...vending.connection(), endpoints: settings.endpoints, tls });
      const { further } = vending;
      const console = createConsole({
        files,
        passphrase,
        activity,
        log,
        roles: roles.map(({ name, vending: { session }, provider }) => ({ name, session, provider })),
        useIdentity: (task) => identity.use(task),
        connection,
        further:
          further === undefined || furtherRoleArn === undefined
            ? undefined
            : { roleArn: furtherRoleArn, goOn: (vend) => further(vend) },
        flags: lineOf(flags),
        overview: () => ({
          version: VERSION,
          identity: identityFacts(identity.current(), first.identity, first.session.trustAnchorArn),
          roles: roles.map(({ name, vending: { session } }) => ({
            name,
            roleArn: session.roleArn,
            profileArn: session.profileArn,
            region: session.region,
            durationSeconds: session.durationSeconds,
          })),
          furtherRoleArn,
          auditLog: audit !== undefined,
        }),
        health: () => ({
          certificateEnd: new Date(serving.certificateValidity().notAfter).toISOString(),
          connections: serving.server?.connections() ?? 0,
          roles: roles.map(({ name, provider }) => {
            const { state, refreshing, refreshedAt, nextAttempt, expiration, failures, lastError } = provider.status();
            return {
              name,
              state,
              refreshing,
              refreshedAt: refreshedAt?.toISOString(),
              nextAttempt: nextAttempt && toSecond(nextAttempt),
              expiration: expiration?.toISOString(),
              failures,
              lastError: lastError && { code: lastError.code, message: lastError.message, hint: lastError.hint },
            };
          }),
        }),
        async signIn({ credentials, region, sessionDuration }, signal) {
          const { partition } = first;
          signinEndpoint({ endpoints: settings.endpoints }, partition);
          return await signinUrl({ credentials, region, sessionDuration, partition }, { ...connection(), signal });
        },
        record:
          audit === undefined
            ? undefined
            : (roleArn, credentials, socket, facts) => audit.record({ roleArn }, credentials, socket, facts),
      });
      return consoleAt(console, serving, flags['console-open'] === true, io);
    },
  };
}

/** The console at the addresses of a server. */
function consoleAt(console: Console, { options }: Serving, open: boolean, io: Io): ServeConsole {
  const { env, log } = io;
  const scheme = options.tls === undefined ? 'http' : 'https';
  let opened: { readonly folder: string; readonly timer: NodeJS.Timeout } | undefined;
  const forget = async (): Promise<void> => {
    if (opened === undefined) return;
    const { folder, timer } = opened;
    opened = undefined;
    clearTimeout(timer);
    await rm(folder, { recursive: true, force: true });
  };
  return {
    at({ address, port, kind }) {
      const names = [...(kind === 'loopback' ? LOOPBACK_NAMES : []), address, ...options.allowedHosts];
      const known = browserNames(names, port, scheme);
      return (request, response) => console.handle(known, request, response);
    },
    async announce(address) {
      const link = `${originOf(address, options.tls !== undefined, options.allowedHosts[0])}/console#${console.newCode()}`;
      io.announce(`console: ${link}\n`);
      if (!open) return;
      await forget();
      try {
        const folder = await mkdtemp(join(env['XDG_RUNTIME_DIR'] || tmpdir(), 'roles-anywhere-console-'));
        const timer = setTimeout(() => void forget(), CODE_MS);
        timer.unref();
        opened = { folder, timer };
        // Not the link itself: a program's arguments are in sight of every user of the machine.
        const file = join(folder, 'open.html');
        await writeFile(file, `<!doctype html><meta http-equiv="refresh" content="0;url=${link}">\n`, { mode: 0o600 });
        await openBrowser(pathToFileURL(file).href, env);
      } catch (error) {
        const reason = error instanceof Error ? error.message : 'unknown error';
        log.warn('the browser was not opened: open the link of the console by hand', { reason });
      }
    },
    identityChanged: () => console.identityChanged(),
    async close() {
      console.close();
      await forget();
    },
  };
}

/** The first line of a file. */
function readPassphrase(path: string, { log }: Io): string {
  const { bytes, stats } = readNamedFile({ path, name: `${PHRASE_FLAG} ${path}`, flag: PHRASE_FLAG, streams: 'open' });
  const [line = ''] = Buffer.from(bytes).toString('utf8').split(/\r?\n/, 1);
  bytes.fill(0);
  if (Array.from(line).length < LEAST_PHRASE)
    throw new RolesAnywhereError('ERR_PASSWORD_SOURCE', `the first line of ${path} is too short for a passphrase`, {
      flag: PHRASE_FLAG,
      hint: `give ${LEAST_PHRASE} characters at least, better five words: it opens all that serve can get`,
    });
  if ((stats.mode & 0o044) !== 0 && process.platform !== 'win32')
    log.warn('others can read the passphrase of the console: chmod 600', { path });
  return line;
}

/** The second is enough for a person, and what is computed anew each time must not look new each time. */
function toSecond(date: Date): string {
  return new Date(Math.round(date.getTime() / 1000) * 1000).toISOString();
}

/** The flags of a line for a one-shot command that are the same for all sessions. None of them is a secret. */
function lineOf(flags: FlagsOf<'serve'>): string[] {
  const { defaults = {} } = commandRow('credential-process');
  const given: Readonly<Record<string, unknown>> = flags;
  return COMMANDS['credential-process'].flags.flatMap((name) => {
    const value = given[name];
    if (value === undefined || value === false || PER_SESSION.has(name) || flagRow(name).secret === true) return [];
    if (value === defaults[name]) return [];
    if (value === true) return [`--${name}`];
    const values: readonly unknown[] = Array.isArray(value) ? value : [value];
    return values.flatMap((one) => [`--${name}`, textOf(one)]);
  });
}

function textOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return withoutPin(String(value));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- of lists, the table has text and items alone
  const { name, head, settings } = value as FlagItem;
  return [`${name === undefined ? '' : `${name}=`}${head}`, ...settings.map(([key, own]) => `${key}=${own}`)].join(',');
}
