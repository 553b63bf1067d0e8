/** Two more writers at every call that changes a file: `renew` of a PKCS#12 file, and `init`; and links in the place of its file. */
import { createPrivateKey } from 'node:crypto';
import {
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HOUR_MS } from '../../certs-dev/authority.ts';
import { loadIdentity } from '../../src/identity/load.ts';
import { writePkcs12 } from '../../src/renewal/pkcs12.ts';
import { flagsOf } from '../clients/serve-process.ts';
import { writeIdentity } from '../renewal/support/ca.ts';
import { CLI, type CliResult, PKI, cleanEnv, runProgram } from '../support/cli.ts';
import { requireTool } from '../support/tools.ts';
import { type AtCall, buildAtCall } from './support/at-call.ts';
import { ROLES, type World, makeWorld } from './support/world.ts';

const LONG = process.env['ROLES_ANYWHERE_LONG'] === '1';
const AT_ONCE = 4;
const PASSWORD = 'of the container, 1234';

let world: World;
let atCall: AtCall;
beforeAll(async () => {
  world = await makeWorld();
  atCall = buildAtCall(world.folder);
});
afterAll(() => world.close());

/** What one run, and a run after it, came to: a word, or what is wrong. */
type Attempt = (call: number, does: string, count?: string) => Promise<string>;

/** A program that may be killed. */
async function run(args: readonly string[], env: Record<string, string>): Promise<CliResult | undefined> {
  // Node gives no status of a child that a signal ended; a shell does.
  const script = '"$@"; status=$?; exit $status';
  const result = await runProgram('/bin/sh', ['-c', script, 'sh', process.execPath, CLI, ...args], {
    env: cleanEnv(env),
  });
  return result.status === 128 + constants.signals.SIGKILL ? undefined : result;
}

const renewContainer: Attempt = async (call, does, count) => {
  const files = await writeIdentity(world.ca, { lifeMs: 3 * HOUR_MS });
  const place = mkdtempSync(join(world.folder, 'container-'));
  const file = join(place, 'web.p12');
  const { certificate, chain } = await loadIdentity(files);
  const pkcs8 = createPrivateKey(readFileSync(files.privateKey)).export({ type: 'pkcs8', format: 'der' });
  const before = await writePkcs12(pkcs8, [certificate, ...chain], Buffer.from(PASSWORD));
  writeFileSync(file, before, { mode: 0o600 });
  rmSync(files.folder, { recursive: true });
  const est = await world.startEst();
  const line = [
    'renew',
    '--force',
    '--new-key',
    '--certificate',
    file,
    ...flagsOf({ 'renew-from': `est:${est.origin}`, 'renew-ca': world.roots }),
  ];
  const env = { ROLES_ANYWHERE_PKCS12_PASSWORD: PASSWORD };
  const faulty = atCall.env({ under: place, reads: false, call, does, from: place, count });
  try {
    const ended = await run(line, { ...env, ...faulty });
    const now = readFileSync(file);
    const isOld = now.equals(before);
    // Fails unless the file is whole, and its key that of the certificate.
    await loadIdentity({ certificate: file }, { passwords: { pkcs12: { password: PASSWORD, from: 'the test' } } });
    if ((lstatSync(file).mode & 0o777) !== 0o600) return 'the file can be read by others';
    if (ended?.status === 0 && isOld) return 'status 0, and the file is the old one';
    if (ended !== undefined && ended.status !== 0 && !isOld) return `failed, and the file is new: ${ended.stderr}`;
    if (ended !== undefined && ended.status !== 0 && !/\[ERR_[A-Z0-9_]+\]/.test(ended.stderr))
      return `an error without a code: ${ended.stderr}`;
    // What is left must do no harm to the next one, and be gone after it.
    est.current = undefined;
    const next = await run(line, env);
    if (next?.status !== 0) return `the next one: ${next?.stderr ?? 'killed'}`;
    const left = readdirSync(place).filter((name) => !/^web\.p12(?:\.previous)?$/.test(name));
    if (left.length > 0) return `left behind: ${left.join(', ')}`;
    return isOld ? 'old' : 'new';
  } finally {
    await est.close();
    rmSync(place, { recursive: true, force: true });
  }
};

const MINE = '# mine\n[default]\noutput = json\n';

function initLine(): string[] {
  const { emulator, roots } = world;
  return [
    'init',
    '--yes',
    '--profile',
    'work',
    ...flagsOf({
      certificate: `${PKI}ec-p256.crt.pem`,
      'private-key': `${PKI}ec-p256.key.pem`,
      intermediates: `${PKI}intermediate.pem`,
      'trust-anchor-arn': emulator.trustAnchorArns[0] ?? '',
      'profile-arn': emulator.profileArns[0] ?? '',
      'role-arn': ROLES.workload,
      endpoint: emulator.tlsUrl ?? '',
      'ca-bundle': roots,
    }),
  ];
}

/** Whether a config file has what was there, and a whole profile. */
function isWritten(text: string): boolean {
  return text.startsWith(MINE) && /# >>> [^]*\[profile work\][^]*credential_process = [^]*\n# <<< .*\n$/.test(text);
}

const init: Attempt = async (call, does, count) => {
  const home = mkdtempSync(join(world.folder, 'init-'));
  const [folder, file] = [join(home, '.aws'), join(home, '.aws/config')];
  mkdirSync(folder, { mode: 0o700 });
  writeFileSync(file, MINE, { mode: 0o600 });
  try {
    const faulty = atCall.env({ under: folder, reads: false, call, does, from: folder, count });
    const ended = await run(initLine(), { HOME: home, ...faulty });
    const now = readFileSync(file, 'utf8');
    const isOld = now === MINE;
    if (!isOld && !isWritten(now)) return `the file is ${now}`;
    if (ended?.status === 0 && isOld) return 'status 0, and the file is the old one';
    if (ended !== undefined && ended.status !== 0 && !isOld) return `failed, and the file is new: ${ended.stderr}`;
    if (ended !== undefined && ended.status !== 0 && !/\[ERR_[A-Z0-9_]+\]/.test(ended.stderr))
      return `an error without a code: ${ended.stderr}`;
    const next = await run(initLine(), { HOME: home });
    if (next?.status !== 0) return `the next one: ${next?.stderr ?? 'killed'}`;
    if (!isWritten(readFileSync(file, 'utf8'))) return `after the next one the file is ${readFileSync(file, 'utf8')}`;
    return isOld ? 'old' : 'new';
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
};

const FAULTS = ['kill', 'killed', `fail ${constants.errno.ENOSPC}`, `fail ${constants.errno.EIO}`] as const;

describe.skipIf(!requireTool('gcc'))('at every call that changes a file', () => {
  it.each([
    ['renew of a PKCS#12 file', renewContainer],
    ['init', init],
  ] as const)(
    '%s leaves the old file or the new one, whole, and does no harm to the next',
    async (name, attempt) => {
      const counted = join(world.folder, `calls-${name.replaceAll(/\W/g, '-')}`);
      expect(await attempt(0, 'kill', counted)).toBe('new');
      const calls = Number(readFileSync(counted, 'utf8'));
      expect(calls).toBeGreaterThan(1);
      const all = FAULTS.flatMap((does) => Array.from({ length: calls }, (_, index) => ({ call: index + 1, does })));
      const chosen = LONG ? all : all.filter((_, index) => index % Math.ceil(all.length / 8) === 0);
      const seen: string[] = [];
      for (let from = 0; from < chosen.length; from += AT_ONCE)
        seen.push(
          ...(await Promise.all(chosen.slice(from, from + AT_ONCE).map(({ call, does }) => attempt(call, does)))),
        );
      const told = seen.map((one, index) => `${chosen[index]?.does} at ${chosen[index]?.call}: ${one}`);
      expect(told.filter((one) => !/: (?:old|new)$/.test(one))).toEqual([]);
      console.log(`${name}: ${calls} calls, ${chosen.length} runs, ${seen.filter((one) => one === 'old').length} old`);
    },
    600_000,
  );
});

function linkWorld(): { home: string; file: string; other: string } {
  const home = mkdtempSync(join(world.folder, 'links-'));
  mkdirSync(join(home, '.aws'), { mode: 0o700 });
  return { home, file: join(home, '.aws/config'), other: join(home, 'other') };
}

describe('links in the place of ~/.aws/config', () => {
  it('a hard link keeps what was there: the file is replaced, and not written into', async () => {
    const { home, file, other } = linkWorld();
    writeFileSync(other, MINE, { mode: 0o600 });
    linkSync(other, file);
    expect((await run(initLine(), { HOME: home }))?.status).toBe(0);
    expect(readFileSync(other, 'utf8')).toBe(MINE);
    expect(isWritten(readFileSync(file, 'utf8'))).toBe(true);
    expect(lstatSync(file).nlink).toBe(1);
  });

  it('a symbolic link stays one, and its file is written', async () => {
    const { home, file, other } = linkWorld();
    writeFileSync(other, MINE, { mode: 0o600 });
    symlinkSync(other, file);
    expect((await run(initLine(), { HOME: home }))?.status).toBe(0);
    expect(readlinkSync(file)).toBe(other);
    expect(isWritten(readFileSync(other, 'utf8'))).toBe(true);
  });

  it.each(['symbolic', 'hard'])('a %s link in the place of the lock is not written through', async (kind) => {
    const { home, file, other } = linkWorld();
    writeFileSync(file, MINE, { mode: 0o600 });
    writeFileSync(other, 'not a lock\n', { mode: 0o600 });
    if (kind === 'hard') linkSync(other, `${file}.lock`);
    else symlinkSync(other, `${file}.lock`);
    await run([...initLine(), '--timeout', '5'], { HOME: home });
    expect(readFileSync(other, 'utf8')).toBe('not a lock\n');
    const now = readFileSync(file, 'utf8');
    expect(now === MINE || isWritten(now)).toBe(true);
  });

  it('a link to nowhere, and one to itself, are followed to a file or refused with a code', async () => {
    for (const target of ['nowhere', 'config']) {
      const { home, file } = linkWorld();
      symlinkSync(target, file);
      const ended = await run(initLine(), { HOME: home });
      expect(readlinkSync(file)).toBe(target);
      const outcome = ended?.status === 0 ? readFileSync(file, 'utf8') : ended?.stderr;
      expect(outcome).toMatch(/\[profile work\]|\[ERR_[A-Z0-9_]+\]/);
    }
  });
});
