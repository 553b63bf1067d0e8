import {
  chmodSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CacheEntry } from '../../src/credentials/cache/entry.ts';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { type CacheHome, cacheHome, cachedLine, sessionsOf } from '../support/cache.ts';
import { PKI, type CliResult, runCli } from '../support/cli.ts';
import { startTestEmulator } from '../support/vending.ts';

let emulator: Emulator;
let home: CacheHome;
let before: ReturnType<typeof sessionsOf>;
beforeAll(async () => {
  emulator = await startTestEmulator();
});
afterAll(() => emulator.close());
beforeEach(() => {
  home = cacheHome();
  before = sessionsOf(emulator);
});
afterEach(() => home.remove());

/** The sessions that a test has cost. */
function sessions(): { given: number; refused: number } {
  const { given, refused } = sessionsOf(emulator);
  return { given: given - before.given, refused: refused - before.refused };
}

function run(args: readonly string[], env: Record<string, string> = {}, cwd?: string): Promise<CliResult> {
  return runCli(args, { env: { ...home.env, ...env }, ...(cwd === undefined ? {} : { cwd }) });
}

interface Printed {
  readonly AccessKeyId: string;
  readonly Expiration: string;
  readonly AccountId?: string;
}

/** What a run that is all right printed. */
async function printed(args: readonly string[], env?: Record<string, string>, cwd?: string): Promise<Printed> {
  const { status, stdout, stderr } = await run(args, env, cwd);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout) as Printed;
}

function pem(kind: string): string {
  return readFileSync(`${PKI}${kind}.crt.pem`, 'utf8') + readFileSync(`${PKI}${kind}.key.pem`, 'utf8');
}

describe('credential-process --cache', () => {
  it('gives out again what the first run got, byte for byte', async () => {
    const line = cachedLine(emulator);
    const first = await run(line);
    expect({ status: first.status, stderr: first.stderr }).toEqual({ status: 0, stderr: '' });
    const plain = await run(line.filter((word) => word !== '--cache'));
    expect(Object.keys(JSON.parse(first.stdout) as object)).toEqual(Object.keys(JSON.parse(plain.stdout) as object));
    for (let turn = 0; turn < 3; turn++) expect(await run(line)).toEqual(first);
    expect(sessions()).toEqual({ given: 2, refused: 0 });
  });

  it('keeps nothing without the flag', async () => {
    const line = cachedLine(emulator).filter((word) => word !== '--cache');
    await printed(line);
    await printed([...line, '--cache=false']);
    expect(() => home.files()).toThrow('ENOENT');
  });

  it('keeps it in files of mode 0600, in a folder of mode 0700', async () => {
    await printed(cachedLine(emulator));
    expect((statSync(home.folder).mode & 0o777).toString(8)).toBe('700');
    expect(home.files()).toEqual([...home.files('line'), ...home.files('session')]);
    for (const name of home.files()) {
      expect(name).toMatch(/^(?:line-1-[0-9a-f]{16}|session-1-[0-9a-f]{32})\.json$/);
      expect((statSync(join(home.folder, name)).mode & 0o777).toString(8)).toBe('600');
    }
  });

  it('shares one session between all ways to say the same', async () => {
    const line = cachedLine(emulator);
    const { AccessKeyId } = await printed(line);
    const config = join(home.dir, 'config');
    writeFileSync(
      config,
      `[profile work]\nrolesanywhere_cache = true\nrolesanywhere_certificate = ${PKI}ec-p256.crt.pem\nrolesanywhere_private_key = ${PKI}ec-p256.key.pem\n`,
    );
    utimesSync(config, 1e9, 1e9);
    const settings = { AWS_CONFIG_FILE: config };
    const short = [
      ...line.slice(0, 1),
      '--config-profile',
      'work',
      ...line.slice(5).filter((word) => word !== '--cache'),
    ];
    for (const [args, env] of [
      [[...line.slice(0, 1), ...line.slice(5), ...line.slice(1, 5)], {}],
      [line.filter((word) => word !== '--cache'), { ROLES_ANYWHERE_CACHE: 'true' }],
      [[...line, '--region', emulator.region, '--timeout', '59', '--no-account-id'], {}],
      [short, settings],
      [short, settings],
    ] as const)
      expect(await printed(args, env)).toMatchObject({ AccessKeyId });
    expect(sessions().given).toBe(1);
    expect(home.files('session')).toHaveLength(1);
  });

  it('prints what the line asks for: with or without the account and the line feed', async () => {
    const line = cachedLine(emulator, '--session-duration', '3600');
    expect((await run(line)).stdout).toMatch(/"AccountId":"\d{12}"\}\n$/);
    for (let turn = 0; turn < 2; turn++) {
      expect((await run([...line, '--no-account-id'])).stdout).toMatch(/Z"\}\n$/);
      expect((await run([...line, '--compat'])).stdout).toMatch(/Z"\}$/);
    }
    expect(sessions().given).toBe(1);
  });

  it.each([
    ['another role session', ['--session-duration', '1800']],
    ['other intermediates', ['--intermediates', `${PKI}rsa-2048.chain.pem`]],
    ['an endpoint that is said otherwise', ['--no-verify-ssl']],
    ['another duration', ['--session-duration', '900']],
  ])('asks anew for %s', async (_, more) => {
    const line = cachedLine(emulator);
    const { AccessKeyId } = await printed(line);
    const { status, stdout } = await run([...line, ...more]);
    expect(status).toBe(0);
    expect((JSON.parse(stdout) as Printed).AccessKeyId).not.toBe(AccessKeyId);
    expect(await printed(line)).toMatchObject({ AccessKeyId });
  });

  it('asks anew when the certificate was replaced, and follows a relative path', async () => {
    for (const name of ['one', 'two']) mkdirSync(join(home.dir, name));
    for (const kind of ['crt', 'key']) copyFileSync(`${PKI}ec-p256.${kind}.pem`, join(home.dir, 'one', `${kind}.pem`));
    for (const kind of ['crt', 'key']) copyFileSync(`${PKI}rsa-2048.${kind}.pem`, join(home.dir, 'two', `${kind}.pem`));
    const line = [...cachedLine(emulator)];
    line.splice(1, 4, '--certificate', 'crt.pem', '--private-key', 'key.pem');
    const one = await printed(line, {}, join(home.dir, 'one'));
    const two = await printed(line, {}, join(home.dir, 'two'));
    expect(await printed(line, {}, join(home.dir, 'one'))).toEqual(one);
    expect(await printed(line, {}, join(home.dir, 'two'))).toEqual(two);
    expect(sessions().given).toBe(2);
    for (const kind of ['crt', 'key'])
      renameSync(join(home.dir, 'two', `${kind}.pem`), join(home.dir, 'one', `${kind}.pem`));
    const three = await printed(line, {}, join(home.dir, 'one'));
    expect([one.AccessKeyId, two.AccessKeyId]).not.toContain(three.AccessKeyId);
  });

  it('opens no private key on a hit, and needs none', async () => {
    const key = join(home.dir, 'key.pem');
    copyFileSync(`${PKI}ec-p256.key.pem`, key);
    const line = cachedLine(emulator);
    line[4] = key;
    const first = await printed(line);
    rmSync(key);
    expect(await printed(line)).toEqual(first);
    // Another line to the same entry: it is read in full, and the key is not either.
    expect(await printed([...line, '--timeout', '50'])).toEqual(first);
  });

  it('follows a change of the config file at once', async () => {
    const config = join(home.dir, 'config');
    const write = (duration: number): void => {
      writeFileSync(config, `[profile work]\nrolesanywhere_session_duration = ${duration}\n`);
      utimesSync(config, 1e9, 1e9 + duration);
    };
    const line = cachedLine(emulator, '--config-profile', 'work');
    write(1800);
    const first = await printed(line, { AWS_CONFIG_FILE: config });
    expect(await printed(line, { AWS_CONFIG_FILE: config })).toEqual(first);
    write(3600);
    expect(await printed(line, { AWS_CONFIG_FILE: config })).not.toEqual(first);
    write(1800);
    expect(await printed(line, { AWS_CONFIG_FILE: config })).toEqual(first);
  });

  it('remembers no line while the config file may change unseen', async () => {
    const config = join(home.dir, 'config');
    writeFileSync(config, '[default]\n');
    await printed(cachedLine(emulator), { AWS_CONFIG_FILE: config });
    expect(home.files('line')).toEqual([]);
  });

  it('renews by what is left: a third of the life at most, else --cache-min-remaining', async () => {
    const line = cachedLine(emulator, '--session-duration', '900');
    const first = await printed(line);
    home.age(570);
    expect(await printed(line)).toMatchObject({ AccessKeyId: first.AccessKeyId });
    home.age(60);
    expect(await printed([...line, '--cache-min-remaining', '60'])).toMatchObject({ AccessKeyId: first.AccessKeyId });
    expect((await printed(line)).AccessKeyId).not.toBe(first.AccessKeyId);
    expect(sessions().given).toBe(2);
  });

  it.skipIf(process.platform !== 'linux')('renews by what has passed, also where the clock was set back', async () => {
    const line = cachedLine(emulator);
    const { AccessKeyId } = await printed(line);
    // By the clock that nobody sets, 50 minutes ago; by the other one, now.
    home.edit((entry) => ({ ...entry, counted: entry.counted && [entry.counted[0], entry.counted[1] - 3_000_000] }));
    expect((await printed(line)).AccessKeyId).not.toBe(AccessKeyId);
    home.edit((entry) => ({ ...entry, counted: ['another start', (entry.counted?.[1] ?? 0) - 3_000_000] }));
    const again = (await printed(line)).AccessKeyId;
    expect((await printed(line)).AccessKeyId).toBe(again);
    expect(sessions()).toEqual({ given: 2, refused: 0 });
  });

  it('gives out a set that is still valid when it cannot be renewed, says so, and leaves the service alone for a while', async () => {
    const line = cachedLine(emulator);
    const { AccessKeyId } = await printed(line);
    home.edit((entry) => ({
      ...entry,
      obtained: entry.obtained - 3_000_000,
      credentials: {
        ...entry.credentials,
        expiration: `${new Date(Date.now() + 300_000).toISOString().slice(0, 19)}Z`,
      },
    }));
    emulator.inject({ path: '/sessions', status: 403, code: 'AccessDeniedException' });
    const { status, stdout, stderr } = await run(line);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ AccessKeyId });
    expect(stderr).toContain('stay in use');
    expect(await printed(line)).toMatchObject({ AccessKeyId });
    expect(sessions()).toEqual({ given: 1, refused: 1 });
    home.edit((entry) => ({ ...entry, holdUntil: Date.now() - 1 }));
    expect((await printed(line)).AccessKeyId).not.toBe(AccessKeyId);
  });

  it('fails as ever when there is nothing to fall back to', async () => {
    emulator.inject({ path: '/sessions', status: 403, code: 'AccessDeniedException' });
    const { status, stdout, stderr } = await run(cachedLine(emulator));
    expect({ status, stdout }).toEqual({ status: 4, stdout: '' });
    expect(stderr).toContain('ERR_ACCESS_DENIED');
    expect(home.files()).toEqual([]);
  });

  it.each<[string, (entry: CacheEntry) => unknown]>([
    ['of a newer version', (entry) => ({ ...entry, version: 2 })],
    [
      'that has expired',
      (entry) => ({ ...entry, credentials: { ...entry.credentials, expiration: '2020-01-01T00:00:00Z' } }),
    ],
    ['from the future, since the clock was set back', (entry) => ({ ...entry, obtained: entry.obtained + 3_600_000 })],
    [
      'that would live for a year',
      (entry) => ({ ...entry, credentials: { ...entry.credentials, expiration: '2999-01-01T00:00:00Z' } }),
    ],
    ['without a secret', (entry) => ({ ...entry, credentials: { ...entry.credentials, secretAccessKey: '' } })],
    ['that is a list', (entry) => [entry]],
  ])('ignores and replaces an entry %s', async (_, change) => {
    const line = cachedLine(emulator);
    const first = await printed(line);
    home.edit(change);
    const second = await printed(line);
    expect(second.AccessKeyId).not.toBe(first.AccessKeyId);
    expect(await printed(line)).toEqual(second);
    expect(sessions().given).toBe(2);
  });

  it.each<[string, (path: string) => void]>([
    ['torn', (path) => writeFileSync(path, readFileSync(path, 'utf8').slice(0, 300))],
    ['empty', (path) => writeFileSync(path, '')],
    ['readable for others', (path) => chmodSync(path, 0o644)],
    ['large', (path) => writeFileSync(path, ' '.repeat(300_000))],
    ['a folder', (path) => (rmSync(path), mkdirSync(path))],
    ['a symbolic link', (path) => (renameSync(path, `${path}.away`), symlinkSync(`${path}.away`, path))],
    ['a hard link', (path) => linkSync(path, `${path}.second-name`)],
  ])('ignores and replaces an entry that is %s, and a line too', async (_, spoil) => {
    const line = cachedLine(emulator);
    const first = await printed(line);
    spoil(home.entry());
    const second = await printed(line);
    expect(second.AccessKeyId).not.toBe(first.AccessKeyId);
    expect(await printed(line)).toEqual(second);
    spoil(join(home.folder, home.files('line')[0] ?? ''));
    expect(await printed(line)).toEqual(second);
    expect(sessions().given).toBe(2);
  });

  it('uses no folder that is not its own, and goes on without', async () => {
    mkdirSync(home.folder, { mode: 0o755 });
    const { status, stdout, stderr } = await run(cachedLine(emulator));
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ Version: 1 });
    expect(stderr).toContain("is not this user's alone");
    expect(home.files()).toEqual([]);
    rmSync(home.folder, { recursive: true });
    mkdirSync(join(home.dir, 'elsewhere'), { mode: 0o700 });
    symlinkSync(join(home.dir, 'elsewhere'), home.folder);
    expect((await run(cachedLine(emulator))).stderr).toContain("is not this user's alone");
    expect(home.files()).toEqual([]);
  });

  it('goes on where no file can be written', async () => {
    const { status, stdout, stderr } = await run(cachedLine(emulator), { XDG_RUNTIME_DIR: '', HOME: '/proc/nowhere' });
    expect({ status, printed: stdout.length > 0 }).toEqual({ status: 0, printed: true });
    expect(stderr).toContain('--cache has no effect');
  });

  it('writes no secret into what it remembers of a line', async () => {
    const line = cachedLine(
      emulator,
      '--proxy',
      'http://user:hidden-word@127.0.0.1:1',
      '--pkcs8-password',
      'hidden-word',
    );
    await run(line);
    const env = { ROLES_ANYWHERE_PKCS8_PASSWORD: 'hidden-word', ROLES_ANYWHERE_PKCS11_PIN: 'hidden-word' };
    await printed(cachedLine(emulator), env);
    const [name, ...others] = home.files('line');
    expect(others).toEqual([]);
    expect(readFileSync(join(home.folder, name ?? ''), 'utf8')).not.toContain('hidden-word');
    await printed(cachedLine(emulator), { ...env, ROLES_ANYWHERE_PKCS8_PASSWORD: 'other' });
    expect(home.files('line')).toEqual([name]);
    expect(sessions().given).toBe(1);
  });

  it('takes a certificate of a variable for what is in it, and none from standard input', async () => {
    const line = cachedLine(emulator);
    line.splice(2, 3, 'env:IDENTITY');
    const first = await printed(line, { IDENTITY: pem('ec-p256') });
    expect(await printed(line, { IDENTITY: pem('ec-p256') })).toEqual(first);
    expect(await printed(line, { IDENTITY: pem('rsa-2048') })).not.toEqual(first);
    for (const name of home.files()) expect(readFileSync(join(home.folder, name), 'utf8')).not.toContain('PRIVATE KEY');
    line[2] = '-';
    const { status, stderr } = await run(line);
    expect({ status, conflict: stderr.includes('ERR_FLAG_CONFLICT') }).toEqual({ status: 2, conflict: true });
  });

  it('refuses a lifetime that no session has', async () => {
    const { status, stderr } = await run(cachedLine(emulator, '--cache-min-remaining', '0'));
    expect({ status, code: /ERR_\w+/.exec(stderr)?.[0] }).toEqual({ status: 2, code: 'ERR_FLAG_VALUE' });
  });

  it('removes what has expired when it gets a new set', async () => {
    await printed(cachedLine(emulator));
    home.edit((entry) => ({ ...entry, credentials: { ...entry.credentials, expiration: '2020-01-01T00:00:00Z' } }));
    const old = home.files('session');
    await printed(cachedLine(emulator, '--session-duration', '1800'));
    expect(home.files('session')).not.toEqual(expect.arrayContaining(old));
  });
});

describe('cache', () => {
  it('lists what is kept, without a secret, and removes it', async () => {
    const line = cachedLine(emulator);
    const { Expiration } = await printed(line);
    const listed = await run(['cache', 'list']);
    expect(listed).toEqual({
      status: 0,
      stderr: '',
      stdout: `${Expiration}  valid  ${emulator.roleArns[0]}  ${PKI}ec-p256.crt.pem\n`,
    });
    const { stdout } = await run(['cache', 'list', '--json']);
    expect(JSON.parse(stdout)).toMatchObject([{ state: 'valid', role: emulator.roleArns[0], expiration: Expiration }]);
    const entry = JSON.parse(readFileSync(home.entry(), 'utf8')) as CacheEntry;
    expect(stdout).not.toContain(entry.credentials.secretAccessKey);
    expect(stdout).not.toContain(entry.credentials.sessionToken);
    writeFileSync(join(home.folder, 'of-somebody-else'), '');
    expect(await run(['cache', 'clear'])).toMatchObject({ status: 0, stdout: '' });
    expect(home.files()).toEqual(['of-somebody-else']);
    expect((await run(['cache', 'list'])).stdout).toBe('');
  });

  it('says where it is: the runtime directory, else the cache directory', async () => {
    expect((await run(['cache', 'path'])).stdout).toBe(`${home.folder}\n`);
    expect((await run(['cache', 'path'], { XDG_RUNTIME_DIR: '' })).stdout).toBe(`${home.dir}/.cache/roles-anywhere\n`);
    expect((await run(['cache', 'list'], { XDG_RUNTIME_DIR: '' })).stdout).toBe('');
  });

  it.each([[], ['other'], ['list', 'more']])('takes one argument of three: not %j', async (...args) => {
    expect(await run(['cache', ...args])).toMatchObject({ status: 2, stdout: '' });
  });
});
