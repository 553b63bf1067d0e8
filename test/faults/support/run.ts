/** Runs one command under a fault, looks at everything that it printed and left, and says in a word of the matrix what that was. */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { X509Certificate, createPrivateKey, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { HOUR_MS } from '../../../certs-dev/authority.ts';
import { openJournal } from '../../../src/emulator/state/journal.ts';
import { createState } from '../../../src/emulator/state/state.ts';
import { ERROR_CLASSES, EXIT_STATUS, type ErrorCode, RolesAnywhereError } from '../../../src/platform/errors.ts';
import { type ServeProcess, flagsOf, runLines, spawnCommand, spawnServe } from '../../clients/serve-process.ts';
import { sdkDriver } from '../../emulator/services/control/drivers.ts';
import { writeIdentity } from '../../renewal/support/ca.ts';
import { captureOutput } from '../../support/capture.ts';
import { CLI, PKI, cleanEnv } from '../../support/cli.ts';
import type { Command } from '../matrix.ts';
import { ROLES, USER, type World } from './world.ts';

const LIBRARY = fileURLToPath(new URL('library.mjs', import.meta.url));

/** Longer than any wait of the program. */
const PATIENCE_MS = 60_000;

/** How a command is run. */
export interface Run {
  readonly world: World;
  /** Where the service is, or the CA for `renew`, as a URL. */
  readonly endpoint: string;
  /** What runs the program, whose words follow. */
  readonly prefix?: readonly string[] | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Seconds that all requests may take. Default 20. */
  readonly timeout?: number | undefined;
  /** Where the command writes. Default: a folder of its own. */
  readonly place?: string | undefined;
  /** Whether `serve` is started under the fault, with a token file in {@link place}, instead of being asked to renew under it. */
  readonly beforeStart?: boolean | undefined;
  /** Whether Node itself may not start, which has no code of this program's. */
  readonly mayNotStart?: boolean | undefined;
  /** Whether what `prefix` runs in has a network of its own. */
  readonly inside?: boolean | undefined;
  /** Done when everything is ready, and the fault is to begin. */
  readonly begin?: (() => unknown) | undefined;
  /** Takes the certificate and key from there. Default: the development PKI's. */
  readonly identity?: { readonly certificate: string; readonly privateKey: string } | undefined;
}

interface Ended {
  readonly status: number | NodeJS.Signals;
  readonly stdout: string;
  readonly stderr: string;
}

interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiration?: string | undefined;
}

/** What came of it, in the words of the matrix. Anything that the matrix has no word for is told in full, and fails the test. */
export async function observe(command: Command, run: Run): Promise<string> {
  const place = run.place ?? mkdtempSync(join(run.world.folder, `${command}-`));
  return await OBSERVERS[command](run, place);
}

const OBSERVERS: Readonly<Record<Command, (run: Run, place: string) => Promise<string>>> = {
  async 'credential-process'(run) {
    await run.begin?.();
    return await printed(run, await start(run, ['credential-process', ...vending(run)]));
  },
  async 'assume-role'(run) {
    await run.begin?.();
    const line = ['assume-role', '--assume-role-arn', ROLES.operator, '--region', 'us-east-1'];
    const ended = await start(run, [...line, ...flagsOf({ 'sts-endpoint': run.endpoint }), ...limits(run)], USER);
    return await printed(run, ended, ROLES.operator);
  },
  async 'web-identity'(run) {
    await run.begin?.();
    const line = [
      'web-identity',
      '--region',
      'us-east-1',
      ...flagsOf({ 'sts-endpoint': run.endpoint }),
      ...limits(run),
    ];
    const token = { 'role-arn': ROLES.federated, 'web-identity-token-file': run.world.webIdentity };
    return await printed(run, await start(run, [...line, ...flagsOf(token)]), ROLES.federated);
  },
  async export(run) {
    await run.begin?.();
    const ended = await start(run, ['export', '--format', 'env', ...vending(run)]);
    const failed = failureOf(ended, run);
    if (failed !== undefined) return ended.stdout === '' ? failed : told('failed, and printed', ended);
    const env = runLines(ended.stdout);
    const keys = {
      accessKeyId: env['AWS_ACCESS_KEY_ID'] ?? '',
      secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? '',
      sessionToken: env['AWS_SESSION_TOKEN'] ?? '',
    };
    return await judged(run, keys, ended);
  },
  async whoami(run) {
    await run.begin?.();
    const ended = await start(run, ['whoami', '--json', ...vending(run), ...flagsOf({ 'sts-endpoint': run.endpoint })]);
    const failed = failureOf(ended, run);
    if (failed !== undefined) return ended.stdout === '' ? failed : told('failed, and printed', ended);
    const { Arn } = JSON.parse(ended.stdout) as Record<string, string | undefined>;
    return isOf(ROLES.workload, Arn) ? rightly(ended) : told(`credentials of ${Arn}`, ended);
  },
  async exec(run) {
    await run.begin?.();
    const started = join(mkdtempSync(join(run.world.folder, 'exec-')), 'started');
    const script = `: >'${started}'; printf '{"AccessKeyId":"%s","SecretAccessKey":"%s","SessionToken":"%s"}' "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" "$AWS_SESSION_TOKEN"`;
    const ended = await start(run, ['exec', ...vending(run), '--', 'sh', '-c', script]);
    if (ended.status !== 0 && existsSync(started)) return told('started after all', ended);
    return await printed(run, ended);
  },
  async library(run) {
    await run.begin?.();
    const { certificate, privateKey } = identityOf(run);
    const options = {
      certificate,
      privateKey,
      intermediates: `${PKI}intermediate.pem`,
      ...arns(run.world),
      endpoint: run.endpoint,
      caBundle: run.world.roots,
      retry: { timeoutMs: seconds(run) * 1000 },
    };
    return await printed(run, await start(run, [JSON.stringify(options)], {}, [process.execPath, LIBRARY]));
  },
  async update(run, place) {
    const file = join(place, 'credentials');
    const before =
      '# ours\n[default]\naws_access_key_id = ASIAOLD\nregion = x\n\n[other]\naws_access_key_id = AKIDOTHER\n';
    writeFileSync(file, before, { mode: 0o600 });
    await run.begin?.();
    const ended = await start(run, ['update', '--once', ...vending(run)], { AWS_SHARED_CREDENTIALS_FILE: file });
    const after = readFileSync(file, 'utf8');
    if (ended.stdout !== '') return told('something on standard output', ended);
    const failed = failureOf(ended, run);
    if (failed !== undefined && after === before) return failed;
    // Killed when the file was in place already, it has done all that it should.
    if (failed !== undefined && failed !== 'none') return told(`failed, and the file is another: ${after}`, ended);
    const value = (name: string): string => new RegExp(`^${name} = (\\S+)$`, 'm').exec(after)?.[1] ?? '';
    const keys = {
      accessKeyId: value('aws_access_key_id'),
      secretAccessKey: value('aws_secret_access_key'),
      sessionToken: value('aws_session_token'),
    };
    const rest = after.replace(/^aws_(?:secret_access_key|session_token) = .*\n/gm, '');
    if (rest !== before.replace('ASIAOLD', keys.accessKeyId)) return told(`the file is ${after}`, ended);
    return await judged(run, keys, ended);
  },
  async cache(run, place) {
    // Set up by a run of its own; then made to look as if it had lived for nine tenths of its life.
    const folder = join(place, 'cache');
    mkdirSync(folder, { mode: 0o700 });
    const env = { XDG_RUNTIME_DIR: folder };
    const line = ['credential-process', '--cache', ...vending(run)];
    const plain = { ...run, env: {}, prefix: run.inside === true ? run.prefix : undefined };
    const first = await start(plain, line, env);
    const kept = readKeys(first.stdout)?.accessKeyId;
    if (kept === undefined) return told('nothing to keep', first);
    age(join(folder, 'roles-anywhere'));
    await run.begin?.();
    const ended = await start(run, line, env);
    if (isKill(ended)) {
      // What it left must do no harm to the next one.
      const next = await printed(run, await start(plain, line, env));
      if (next !== 'right') return `killed, and then: ${next}`;
    }
    const keys = readKeys(ended.stdout);
    if (keys !== undefined && keys.accessKeyId === kept) {
      const verdict = await judged(run, keys, ended);
      return verdict === 'right, warned' ? 'kept' : told(`kept, and ${verdict}`, ended);
    }
    return await printed(run, ended);
  },
  async renew(run, place) {
    const files = await writeIdentity(run.world.ca, { lifeMs: 3 * HOUR_MS });
    const at = { certificate: join(place, 'web.crt'), privateKey: join(place, 'web.key') };
    copyFileSync(files.certificate, at.certificate);
    copyFileSync(files.privateKey, at.privateKey);
    rmSync(files.folder, { recursive: true });
    const read = (): { certificate: string; key: string } => ({
      certificate: readFileSync(at.certificate, 'utf8'),
      key: readFileSync(at.privateKey, 'utf8'),
    });
    const before = read();
    await run.begin?.();
    const line = [
      'renew',
      '--force',
      '--new-key',
      ...flagsOf({ certificate: at.certificate, 'private-key': at.privateKey }),
    ];
    const ended = await start(run, [
      ...line,
      ...flagsOf({ 'renew-from': `est:${run.endpoint}`, 'renew-ca': run.world.roots }),
    ]);
    const after = read();
    if (!belong(after)) return told('certificate and key do not belong together', ended);
    const isNew = after.certificate !== before.certificate && after.key !== before.key;
    const failed = failureOf(ended, run);
    if (failed === 'none' && isNew) return 'right';
    if (failed !== undefined)
      return after.certificate === before.certificate && after.key === before.key && ended.stdout === ''
        ? failed
        : told('failed, and the files are others, or something was printed', ended);
    return isNew ? 'right' : told('status 0, and the files are as they were', ended);
  },
  async serve(run, place) {
    if (run.beforeStart === true) await run.begin?.();
    const token = join(place, 'token');
    const serve = spawnServe(
      // Renewed when asked, be it a second after the last time.
      [...vending(run), '--port', '0', '--no-imds', '--refresh-before', '1', '--token-file', token],
      { env: { ...run.env }, command: run.prefix ?? [] },
    );
    try {
      const ready = serve.until('AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=').then(() => 'ready');
      const state = await Promise.race([
        ready.catch(() => 'ended'),
        sleep(run.mayNotStart === true ? PATIENCE_MS / 4 : PATIENCE_MS, 'late', { ref: false }),
      ]);
      // It goes on trying.
      if (state === 'late' && run.mayNotStart === true && serve.lines() === '') return 'none';
      if (state === 'late') return `not ready: ${serve.log()}`;
      if (state === 'ended') {
        const ended = { status: await serve.exited, stdout: serve.lines(), stderr: serve.log() };
        if (existsSync(token) && !/^[\w-]{43}$/.test(readFileSync(token, 'utf8')))
          return told('left half a token', ended);
        return ended.stdout === '' || isKill(ended)
          ? (failureOf(ended, run) ?? told('it ended', ended))
          : told('it ended', ended);
      }
      const ask = async (): Promise<string> => {
        const env = runLines(serve.lines());
        const url = env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] ?? '';
        const authorization = readFileSync(token, 'utf8');
        const text =
          run.inside === true
            ? execFileSync(
                run.prefix?.[0] ?? '',
                [...(run.prefix ?? []).slice(1), 'curl', '-s', '-H', `Authorization: ${authorization}`, url],
                { encoding: 'utf8' },
              )
            : await (await fetch(url, { headers: { authorization } })).text();
        return text.replace('"Token"', '"SessionToken"');
      };
      const first = readKeys(await ask().catch(() => ''));
      if (first === undefined && (await hasEnded(serve))) return 'none';
      if (first === undefined) return 'no set to begin with';
      if (run.beforeStart !== true) await run.begin?.();
      const already = serve.log().length;
      let unanswered = false;
      serve.kill('SIGHUP');
      for (const end = performance.now() + PATIENCE_MS; performance.now() < end;) {
        const text = await ask().catch(() => '');
        if (text === '' && (await hasEnded(serve))) return 'none';
        // With no descriptor left for it, the connection is cut: a client asks again, and gets the right set or nothing.
        if (text === '' && run.mayNotStart === true) {
          unanswered = true;
          await sleep(200);
          continue;
        }
        const keys = readKeys(text);
        if (keys === undefined) return `answered ${text} ${serve.log()}`;
        const verdict = await judged(run, keys, { status: 0, stdout: '', stderr: '' });
        if (verdict !== 'right') return verdict;
        if (keys.accessKeyId !== first.accessKeyId) return 'right';
        const code = codesIn(serve.log().slice(already))[0];
        if (code !== undefined) return `kept ${code}`;
        await sleep(50);
      }
      return unanswered ? 'none' : `nothing came of it: ${serve.log()}`;
    } finally {
      serve.kill('SIGTERM');
      await serve.exited;
    }
  },
  async console(run, place) {
    if (run.beforeStart === true) await run.begin?.();
    const token = join(place, 'token');
    const serve = spawnServe([...vending(run), '--port', '0', '--no-imds', '--console', '--token-file', token], {
      env: { ...run.env },
      command: run.prefix ?? [],
    });
    try {
      const ready = serve.until('AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=').then(() => 'ready');
      const state = await Promise.race([
        ready.catch(() => 'ended'),
        sleep(run.mayNotStart === true ? PATIENCE_MS / 4 : PATIENCE_MS, 'late', { ref: false }),
      ]);
      if (state === 'late') return run.mayNotStart === true ? 'none' : `not ready: ${serve.log()}`;
      if (state === 'ended') {
        const ended = { status: await serve.exited, stdout: serve.lines(), stderr: serve.log() };
        return ended.stdout === '' || isKill(ended)
          ? (failureOf(ended, run) ?? told('it ended', ended))
          : told('it ended', ended);
      }
      const [, base = '', secret = ''] = /(http:\S+\/console)#([\w-]{43})/.exec(serve.log()) ?? [];
      const call = async (path: string, body: object, headers: Record<string, string> = {}): Promise<PageAnswer> =>
        await asPage(run, `${base}/api/${path}`, body, { Origin: new URL(base).origin, ...headers });
      const unlocked = await call('unlock', { code: secret }).catch(() => undefined);
      if (unlocked === undefined && run.mayNotStart === true) return 'none';
      const { csrf = '' } = (unlocked?.body ?? {}) as { csrf?: string };
      if (csrf === '') return `not unlocked: ${JSON.stringify(unlocked)} ${serve.log()}`;
      if (run.beforeStart !== true) await run.begin?.();
      const asked = await call(
        'credentials',
        { role: 'Workload', durationSeconds: 900 },
        { Cookie: unlocked?.cookie ?? '', 'X-CSRF-Token': csrf },
      ).catch(() => undefined);
      if (asked === undefined && run.mayNotStart === true) return 'none';
      // Whatever became of that, it goes on: the next call of the page is answered.
      const again = await call('unlock', { code: 'x'.repeat(43) }).catch(() => undefined);
      if (again === undefined && run.mayNotStart !== true) return `ended: ${serve.log()}`;
      const { accessKeyId, secretAccessKey, sessionToken, expiration, code } = (asked?.body ?? {}) as Partial<
        Keys & { code: string }
      >;
      if (accessKeyId === undefined || secretAccessKey === undefined || sessionToken === undefined)
        return code !== undefined && code in ERROR_CLASSES ? code : `answered ${JSON.stringify(asked)}`;
      const keys = { accessKeyId, secretAccessKey, sessionToken, expiration };
      return await judged(run, keys, { status: 0, stdout: '', stderr: '' });
    } finally {
      serve.kill('SIGTERM');
      await serve.exited;
    }
  },
  async init(run, place) {
    const folder = join(place, '.aws');
    const file = join(folder, 'config');
    mkdirSync(folder, { mode: 0o700 });
    const before = '# ours\n[default]\nregion = x\n\n[profile other]\noutput = json\n';
    writeFileSync(file, before, { mode: 0o600 });
    await run.begin?.();
    const ended = await start(run, ['init', '--yes', '--profile', 'work', ...vending(run)], { HOME: place });
    const after = readFileSync(file, 'utf8');
    const failed = failureOf(ended, run);
    if (failed !== undefined && after === before) return ended.stdout === '' ? failed : told('printed', ended);
    // Killed when the file was in place already, it has done all that it should.
    if (failed !== undefined && failed !== 'none') return told(`failed, and the file is another: ${after}`, ended);
    const isWhole = /^# >>> [^]*\[profile work\][^]*\ncredential_process = [^]*\n# <<< .*\n$/m;
    if (!after.startsWith(before) || !isWhole.test(after.slice(before.length)))
      return told(`the file is ${after}`, ended);
    return rightly(ended);
  },
  async emulator(run, place) {
    const folder = join(place, 'state');
    await keepState(folder, ['old']);
    // What may come into its place at one of its calls.
    await keepState(join(place, 'next'), ['other']);
    if (run.beforeStart === true || run.place !== undefined) await run.begin?.();
    const line = ['--port', '0', '--trust-anchor', `${PKI}root.pem`, '--state-dir', folder];
    const emulator = spawnCommand('emulator', line, { env: { ...run.env }, command: run.prefix ?? [] });
    const stop = setTimeout(() => emulator.kill('SIGKILL'), PATIENCE_MS / 2);
    const state = await emulator.until('"url"').then(
      () => 'ready',
      () => 'ended',
    );
    let acknowledged = false;
    if (state === 'ready') {
      const { url = '' } = JSON.parse(emulator.lines().split('\n')[0] ?? '') as { url?: string };
      acknowledged = await makeProfile(url, 'new');
    }
    emulator.kill('SIGTERM');
    const ended = { status: await emulator.exited, stdout: emulator.lines(), stderr: emulator.log() };
    clearTimeout(stop);
    const failed = failureOf(ended, run);
    if (state === 'ended' && ended.stdout !== '' && !isKill(ended)) return told('it ended', ended);
    const kept = await keptProfiles(run.world, folder);
    const isWhole = /^(?:old|other)(?: new)?$/.test(kept);
    // A file that somebody cut short is refused, and left as it is for whoever has to mend it.
    const isRefused = kept === 'ERR_STATE' && run.env?.['AT_DOES'] === 'cut';
    if (!isWhole && !isRefused) return told(`the state is ${kept}`, ended);
    // Whoever puts another file in the place of the one that is written takes away what is written from then on.
    if (acknowledged && kept === 'old') return told(`answered, and the state is ${kept}`, ended);
    if (acknowledged) return 'right';
    return failed ?? (/ERR_STATE/.test(ended.stderr) ? 'ERR_STATE' : 'none');
  },
};

interface PageAnswer {
  readonly status: number;
  readonly cookie: string;
  readonly body: unknown;
}

function pageAnswer(status: number, cookie: string, text: string): PageAnswer {
  return { status, cookie: cookie.split(';')[0] ?? '', body: JSON.parse(text) as unknown };
}

/** A call as the page of the web console makes it, from where the server is. */
async function asPage(run: Run, url: string, body: object, headers: Record<string, string>): Promise<PageAnswer> {
  const all = { ...headers, 'Content-Type': 'application/json' };
  if (run.inside === true) {
    const options = Object.entries(all).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
    const [command, ...words] = [...(run.prefix ?? []), 'curl', '-s', '-i', '--data', JSON.stringify(body)];
    // Not in one go: the service that the server asks is in this process.
    const { stdout } = await promisify(execFile)(command, [...words, ...options, url], { encoding: 'utf8' });
    const [head = '', text = ''] = stdout.split(/\r\n\r\n(?=[{[])/);
    const cookie = /^set-cookie: (.*)$/im.exec(head)?.[1] ?? '';
    return pageAnswer(Number(head.split(' ')[1]), cookie, text);
  }
  // fetch() sets the origin itself.
  const asked = request(url, { method: 'POST', headers: all, agent: false });
  asked.end(JSON.stringify(body));
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const cookie = response.headers['set-cookie']?.[0] ?? '';
  return pageAnswer(response.statusCode ?? 0, cookie, Buffer.concat(chunks).toString('utf8'));
}

/** Writes a state with these profiles, as an emulator that has ended leaves it. */
async function keepState(folder: string, names: readonly string[]): Promise<void> {
  const state = createState();
  const journal = await openJournal(folder, state);
  const now = new Date().toISOString();
  for (const name of names)
    state.apply({
      op: 'put',
      kind: 'profiles',
      record: {
        arn: `arn:aws:rolesanywhere:us-east-1:123456789012:profile/${randomUUID()}`,
        name,
        enabled: true,
        createdBy: '',
        roleArns: [],
        durationSeconds: 3600,
        acceptRoleSessionName: false,
        requireInstanceProperties: false,
        managedPolicyArns: [],
        attributeMappings: [],
        tags: [],
        createdAt: now,
        updatedAt: now,
      },
    });
  await journal.kept();
  await journal.close();
  // In one line, as a start leaves it: of several, the last may be cut short by a crash, and is dropped.
  await (await openJournal(folder, createState())).close();
}

/** Which of these profiles a next emulator finds, or the code of what it says. It is given a copy: the disk may be full. */
async function keptProfiles(world: World, folder: string): Promise<string> {
  const copy = mkdtempSync(join(world.folder, 'kept-'));
  cpSync(folder, copy, { recursive: true });
  const state = createState();
  try {
    await (await openJournal(copy, state)).close();
    const names = new Set(state.list('profiles').map(({ name }) => name));
    return ['old', 'other', 'new'].filter((name) => names.has(name)).join(' ');
  } catch (error) {
    return error instanceof RolesAnywhereError ? error.code : String(error);
  } finally {
    rmSync(copy, { recursive: true });
  }
}

/** Whether an emulator has answered that it has made a profile. */
async function makeProfile(url: string, name: string): Promise<boolean> {
  const client = sdkDriver(url);
  try {
    await client.call('CreateProfile', { name, roleArns: [ROLES.workload] });
    return true;
  } catch {
    return false;
  } finally {
    client.close();
  }
}

function seconds({ timeout = 20 }: Run): number {
  return timeout;
}

function limits(run: Run): string[] {
  return ['--ca-bundle', run.world.roots, '--timeout', String(seconds(run))];
}

function identityOf({ identity }: Run): { certificate: string; privateKey: string } {
  return identity ?? { certificate: `${PKI}ec-p256.crt.pem`, privateKey: `${PKI}ec-p256.key.pem` };
}

function arns({ emulator }: World): { trustAnchorArn: string; profileArn: string; roleArn: string } {
  return {
    trustAnchorArn: emulator.trustAnchorArns[0] ?? '',
    profileArn: emulator.profileArns[0] ?? '',
    roleArn: ROLES.workload,
  };
}

/** The flags of a command that gets credentials with the certificate. */
function vending(run: Run): string[] {
  const { certificate, privateKey } = identityOf(run);
  const { trustAnchorArn, profileArn, roleArn } = arns(run.world);
  return [
    ...flagsOf({
      certificate,
      'private-key': privateKey,
      intermediates: `${PKI}intermediate.pem`,
      'trust-anchor-arn': trustAnchorArn,
      'profile-arn': profileArn,
      'role-arn': roleArn,
      endpoint: run.endpoint,
    }),
    ...limits(run),
  ];
}

async function start(
  { prefix = [], env = {} }: Run,
  args: readonly string[],
  more: Readonly<Record<string, string>> = {},
  program: readonly string[] = [process.execPath, CLI],
): Promise<Ended> {
  const [file = '', ...before] = [...prefix, ...program];
  const child = spawn(file, [...before, ...args], {
    env: cleanEnv({ ...env, ...more }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    captureOutput(text);
    stderr += text;
  });
  const [status, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { status: status ?? signal ?? 1, stdout, stderr };
}

/** The outcome of a command that prints credentials. */
async function printed(run: Run, ended: Ended, role: string = ROLES.workload): Promise<string> {
  const failed = failureOf(ended, run);
  if (failed !== undefined) return ended.stdout === '' ? failed : told('failed, and printed', ended);
  const keys = readKeys(ended.stdout);
  return keys === undefined ? told('status 0, and no credentials', ended) : await judged(run, keys, ended, role);
}

/** Asks the service whose credentials these are. */
async function judged({ world }: Run, keys: Keys, ended: Ended, role: string = ROLES.workload): Promise<string> {
  if (keys.expiration !== undefined && !(Date.parse(keys.expiration) > Date.now()))
    return told('past their end', ended);
  const { accessKeyId, secretAccessKey, sessionToken } = keys;
  const client = new STSClient({
    endpoint: world.emulator.url,
    region: 'us-east-1',
    credentials: { accessKeyId, secretAccessKey, sessionToken },
    maxAttempts: 1,
  });
  try {
    const { Arn = '' } = await client.send(new GetCallerIdentityCommand({}));
    return isOf(role, Arn) ? rightly(ended) : told(`credentials of ${Arn}`, ended);
  } catch (error) {
    return told(`credentials that are not taken: ${String(error)}`, ended);
  } finally {
    client.destroy();
  }
}

function isOf(role: string, arn = ''): boolean {
  return arn.startsWith(`${role.replace(':iam:', ':sts:').replace(':role/', ':assumed-role/')}/`);
}

function rightly({ stderr }: Ended): string {
  return /warning/.test(stderr) ? 'right, warned' : 'right';
}

/** Whether it was killed a moment ago. */
async function hasEnded(serve: ServeProcess): Promise<boolean> {
  return (await Promise.race([serve.exited, sleep(2000, 'goes on', { ref: false })])) === 'SIGKILL';
}

/** The code of a clean failure; undefined when it did not fail. */
function failureOf(ended: Ended, { mayNotStart = false }: Run): string | undefined {
  const { status, stderr } = ended;
  if (status === 0) return undefined;
  if (isKill(ended)) return 'none';
  const code = codesIn(stderr).at(-1);
  if (code === undefined) return mayNotStart ? 'none' : told('an error without a code', ended);
  return EXIT_STATUS[ERROR_CLASSES[code]] === status ? code : told(`the status of ${code} is another`, ended);
}

function isKill({ status }: Ended): boolean {
  return typeof status === 'string';
}

function codesIn(text: string): ErrorCode[] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it was looked up
  return [...text.matchAll(/\bERR_[A-Z0-9_]+\b/g)]
    .map(([code]) => code as ErrorCode)
    .filter((code) => code in ERROR_CLASSES);
}

function readKeys(text: string): Keys | undefined {
  try {
    const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = JSON.parse(text) as Record<
      string,
      string | undefined
    >;
    if (AccessKeyId === undefined || SecretAccessKey === undefined || SessionToken === undefined) return undefined;
    return {
      accessKeyId: AccessKeyId,
      secretAccessKey: SecretAccessKey,
      sessionToken: SessionToken,
      expiration: Expiration,
    };
  } catch {
    return undefined;
  }
}

function told(what: string, { status, stdout, stderr }: Ended): string {
  return `${what} (status ${status}): ${JSON.stringify({ stdout, stderr })}`;
}

/** Whether a certificate and a key are a pair. */
function belong({ certificate, key }: { certificate: string; key: string }): boolean {
  return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key));
}

/** Makes what is kept an hour old but for some minutes, by its own word: it is due, and valid. */
function age(folder: string): void {
  for (const name of readdirSync(folder).filter((one) => /^session-.*\.json$/.test(one))) {
    const path = join(folder, name);
    const entry = JSON.parse(readFileSync(path, 'utf8')) as {
      obtained: number;
      counted?: [boot: string, at: number];
      credentials: { expiration: string };
    };
    entry.obtained -= 3_000_000;
    if (entry.counted !== undefined) entry.counted[1] -= 3_000_000;
    entry.credentials.expiration = `${new Date(Date.now() + 600_000).toISOString().slice(0, 19)}Z`;
    writeFileSync(`${path}.new`, JSON.stringify(entry), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }
}
