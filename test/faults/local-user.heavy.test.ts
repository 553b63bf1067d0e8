/** Another user of the same machine, and an environment that is not as it should be: what docs/security.md promises. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { HOUR_MS } from '../../certs-dev/authority.ts';
import { type ServeProcess, flagsOf, identityFlags, runLines, spawnServe } from '../clients/serve-process.ts';
import { type TestCa, makeCa, writeIdentity } from '../renewal/support/ca.ts';
import { startEst } from '../renewal/support/est-server.ts';
import { PKI, PROGRAM, runProgram } from '../support/cli.ts';
import { requireTool } from '../support/tools.ts';
import { startTestEmulator } from '../support/vending.ts';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { certificatePem } from '../../certs-dev/authority.ts';

/** The user whose credentials they are, and the one who wants them. */
const [OWNER, OTHER] = [65_533, 65_532];
const isRoot = process.geteuid?.() === 0;
const as = (uid: number): string[] => ['setpriv', '--reuid', String(uid), '--regid', String(uid), '--clear-groups'];
/** Runs what follows with a umask. */
const withUmask = (umask: string): string[] => ['sh', '-c', `umask ${umask}; exec "$@"`, 'sh'];

let emulator: Emulator;
let ca: TestCa;
let dir: string;
const running: ServeProcess[] = [];
beforeAll(async () => {
  emulator = await startTestEmulator();
  ca = await makeCa();
});
afterAll(() => emulator.close());
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ra-local-'));
  chmodSync(dir, 0o755);
});
afterEach(async () => {
  for (const serve of running.splice(0)) {
    serve.kill('SIGKILL');
    await serve.exited;
  }
  rmSync(dir, { recursive: true, force: true });
});

/** The program's line, run by what comes before it. */
async function run(
  before: readonly string[],
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ status: number; stdout: string; stderr: string }> {
  const [file = '', ...rest] = [...before, ...PROGRAM, ...args];
  return await runProgram(file, rest, { env: { HOME: dir, ...env }, cwd: '/' });
}

/** The identity in files of the owner's own. */
function ownIdentity(): string[] {
  const home = join(dir, 'owner');
  mkdirSync(home, { mode: 0o700 });
  for (const name of ['ec-p256.crt.pem', 'ec-p256.key.pem', 'intermediate.pem']) {
    copyFileSync(`${PKI}${name}`, join(home, name));
    chmodSync(join(home, name), 0o600);
    chownSync(join(home, name), OWNER, OWNER);
  }
  chownSync(home, OWNER, OWNER);
  return identityFlags(emulator).map((word) => word.replace(PKI, `${home}/`));
}

/** A server of the owner's, with everything that it keeps in the owner's folder. */
async function serveAsOwner(): Promise<{ pid: number; url: string; token: string; home: string }> {
  const flags = ownIdentity();
  const home = join(dir, 'owner');
  const token = join(home, 'token');
  const pidFile = join(home, 'pid');
  const serve = spawnServe([...flags, '--port', '0', '--no-imds', '--token-file', token], {
    command: [...as(OWNER), 'sh', '-c', `echo $$ >'${pidFile}'; exec "$@"`, 'sh'],
    env: { ROLES_ANYWHERE_PKCS12_PASSWORD: 'a secret of the environment' },
  });
  running.push(serve);
  await serve.until('AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=');
  const url = runLines(serve.lines())['AWS_CONTAINER_CREDENTIALS_FULL_URI'] ?? '';
  return { pid: Number(readFileSync(pidFile, 'utf8')), url, token, home };
}
function asOther(...words: string[]): { status: number | null; stdout: string; stderr: string } {
  const [file = '', ...rest] = [...as(OTHER), ...words];
  return spawnSync(file, rest, { encoding: 'utf8', cwd: '/' });
}

describe.runIf(isRoot && requireTool('setpriv') && requireTool('curl'))('another user', () => {
  it('gets nothing from the port without the token, which is not to be read', async () => {
    const { url, token } = await serveAsOwner();
    expect(asOther('cat', token)).toMatchObject({ stdout: '', stderr: expect.stringContaining('Permission denied') });
    for (const header of [[], ['-H', `Authorization: ${'x'.repeat(43)}`], ['-H', 'Authorization;']])
      expect(asOther('curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', ...header, url).stdout).toBe('401');
    // It is the owner's to get, and theirs alone.
    const authorization = `Authorization: ${readFileSync(token, 'utf8')}`;
    expect(execFileSync('curl', ['-s', '-H', authorization, url], { encoding: 'utf8' })).toContain('AccessKeyId');
  });

  it('reads neither environment, memory nor descriptors in /proc, and the command line there has no secret', async () => {
    const { pid, token } = await serveAsOwner();
    for (const name of ['environ', 'mem', 'maps', 'fd'])
      expect([name, asOther(name === 'fd' ? 'ls' : 'cat', `/proc/${pid}/${name}`).status]).not.toEqual([name, 0]);
    const line = asOther('cat', `/proc/${pid}/cmdline`);
    expect(line.status).toBe(0);
    expect(line.stdout).toContain('serve');
    expect(line.stdout).not.toContain(readFileSync(token, 'utf8'));
    expect(line.stdout).not.toContain('a secret of the environment');
  });

  it('can neither open the debugger, end it, nor make it leave its memory in a file', async () => {
    const { pid, url, token } = await serveAsOwner();
    for (const signal of ['USR1', 'USR2', 'QUIT', 'HUP', 'TERM'])
      expect(asOther('kill', `-${signal}`, String(pid)).status).not.toBe(0);
    const authorization = `Authorization: ${readFileSync(token, 'utf8')}`;
    expect(execFileSync('curl', ['-s', '-H', authorization, url], { encoding: 'utf8' })).toContain('AccessKeyId');
  });

  it('whose folder HOME names is written to by nobody else: a clean error', async () => {
    const flags = ownIdentity();
    const home = join(dir, 'theirs');
    mkdirSync(home, { mode: 0o700 });
    chownSync(home, OTHER, OTHER);
    const result = await run(as(OWNER), ['update', '--once', ...flags], { HOME: home });
    expect(result).toMatchObject({ status: 2, stdout: '', stderr: expect.stringContaining('ERR_CREDENTIALS_FILE') });
    expect(readdirSync(home)).toEqual([]);
    const cached = await run(as(OWNER), ['credential-process', '--cache', ...flags], {
      HOME: home,
      XDG_RUNTIME_DIR: home,
    });
    expect(cached).toMatchObject({ status: 0, stderr: expect.stringContaining('--cache has no effect') });
    expect(readdirSync(home)).toEqual([]);
  });

  it('who made the folder of the cache beforehand, or a link in its place, gets nothing into it', async () => {
    const flags = ownIdentity();
    for (const kind of ['folder', 'link']) {
      const runtime = join(dir, `runtime-${kind}`);
      mkdirSync(runtime, { mode: 0o700 });
      chownSync(runtime, OWNER, OWNER);
      const trap = join(dir, `trap-${kind}`);
      mkdirSync(trap, { mode: 0o777 });
      chownSync(trap, OTHER, OTHER);
      if (kind === 'link') symlinkSync(trap, join(runtime, 'roles-anywhere'));
      else {
        mkdirSync(join(runtime, 'roles-anywhere'), { mode: 0o777 });
        chownSync(join(runtime, 'roles-anywhere'), OTHER, OTHER);
      }
      const result = await run(as(OWNER), ['credential-process', '--cache', ...flags], { XDG_RUNTIME_DIR: runtime });
      expect(result).toMatchObject({ status: 0, stderr: expect.stringContaining('--cache has no effect') });
      expect(readdirSync(trap)).toEqual([]);
      expect(readdirSync(join(runtime, 'roles-anywhere'))).toEqual([]);
    }
  });
});

/** Everything below a folder. */
function below(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name));
}

/** Whoever reads any file of it finds a secret key there. */
function holdsSecret(path: string): boolean {
  return /SecretAccessKey|secretAccessKey|aws_secret_access_key|PRIVATE KEY/.test(readFileSync(path, 'utf8'));
}

describe('links in the places of what is written', () => {
  const victimText = 'of somebody else\n';

  it('a hard link of the credentials file keeps what was there: the file is replaced, and not written into', async () => {
    const [file, other] = [join(dir, 'credentials'), join(dir, 'other')];
    writeFileSync(file, '# before\n', { mode: 0o600 });
    linkSync(file, other);
    const { status } = await run([], ['update', '--once', ...identityFlags(emulator)], {
      AWS_SHARED_CREDENTIALS_FILE: file,
    });
    expect(status).toBe(0);
    expect(readFileSync(other, 'utf8')).toBe('# before\n');
    expect(holdsSecret(file)).toBe(true);
  });

  it.each(['symbolic', 'hard'])('a %s link in the place of the lock is not followed', async (kind) => {
    const [file, victim] = [join(dir, 'credentials'), join(dir, 'victim')];
    writeFileSync(victim, victimText);
    if (kind === 'hard') linkSync(victim, `${file}.lock`);
    else symlinkSync(victim, `${file}.lock`);
    const { status } = await run([], ['update', '--once', ...identityFlags(emulator)], {
      AWS_SHARED_CREDENTIALS_FILE: file,
    });
    expect(status).toBe(0);
    expect(readFileSync(victim, 'utf8')).toBe(victimText);
    expect(readdirSync(dir).toSorted()).toEqual(['credentials', 'victim']);
  });

  it.each(['symbolic', 'hard'])('%s links in the places of what the cache keeps are replaced', async (kind) => {
    const folder = join(dir, 'roles-anywhere');
    const line = ['credential-process', '--cache', ...identityFlags(emulator)];
    expect((await run([], line, { XDG_RUNTIME_DIR: dir })).status).toBe(0);
    const names = readdirSync(folder);
    expect(names.length).toBeGreaterThan(0);
    const victim = join(dir, 'victim');
    for (const name of names) {
      rmSync(join(folder, name));
      writeFileSync(victim, victimText, { mode: 0o600 });
      if (kind === 'hard') linkSync(victim, join(folder, name));
      else symlinkSync(victim, join(folder, name));
    }
    const again = await run([], line, { XDG_RUNTIME_DIR: dir });
    expect(again).toMatchObject({ status: 0, stdout: expect.stringContaining('AccessKeyId') });
    expect(readFileSync(victim, 'utf8')).toBe(victimText);
    for (const name of readdirSync(folder))
      expect(lstatSync(join(folder, name))).toMatchObject({ nlink: 1, mode: 0o100_600 });
  });

  it.each(['symbolic', 'hard'])("a %s link in the place of serve's token file ends the start", async (kind) => {
    const [token, victim] = [join(dir, 'token'), join(dir, 'victim')];
    writeFileSync(victim, victimText);
    if (kind === 'hard') linkSync(victim, token);
    else symlinkSync(victim, token);
    const serve = spawnServe([...identityFlags(emulator), '--port', '0', '--no-imds', '--token-file', token]);
    expect(await serve.exited).toBe(2);
    expect(serve.log()).toContain('ERR_TOKEN_FILE');
    expect(readFileSync(victim, 'utf8')).toBe(victimText);
  });

  it('links in the places of what a renewal writes beside the files are replaced', async () => {
    const est = await startEst(ca);
    const files = await writeIdentity(ca, { lifeMs: HOUR_MS });
    try {
      const victim = join(files.folder, 'victim');
      writeFileSync(victim, victimText);
      for (const name of ['web.crt.previous', 'web.key.previous', '.web.crt.renewal.lock', '.web.crt.pair'])
        symlinkSync(victim, join(files.folder, name));
      const roots = join(dir, 'roots.pem');
      writeFileSync(roots, certificatePem(ca.root.certificate));
      const line = [
        'renew',
        '--force',
        '--new-key',
        ...flagsOf({ certificate: files.certificate, 'private-key': files.privateKey }),
      ];
      const result = await run([], [...line, ...flagsOf({ 'renew-from': `est:${est.origin}`, 'renew-ca': roots })]);
      expect(readFileSync(victim, 'utf8')).toBe(victimText);
      expect(result).toMatchObject({ status: 0 });
      expect(lstatSync(join(files.folder, 'web.key.previous')).isSymbolicLink()).toBe(false);
    } finally {
      await est.close();
      rmSync(files.folder, { recursive: true });
    }
  });
});

describe.each(['000', '077'])('umask %s', (umask) => {
  it('what has a secret in it is for its owner alone', async () => {
    const before = withUmask(umask);
    const flags = identityFlags(emulator);
    const runtime = join(dir, 'runtime');
    mkdirSync(runtime, { mode: 0o700 });
    const env = { XDG_RUNTIME_DIR: runtime };
    expect((await run(before, ['update', '--once', ...flags], env)).status).toBe(0);
    expect((await run(before, ['credential-process', '--cache', ...flags], env)).status).toBe(0);
    const audit = join(dir, 'audit');
    const token = join(dir, 'new', 'token');
    const serve = spawnServe([...flags, '--port', '0', '--no-imds', '--audit-log', audit, '--token-file', token], {
      command: before,
      env: { HOME: dir },
    });
    running.push(serve);
    await serve.until('AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=');
    const open = below(dir).filter((path) => (statSync(path).mode & 0o077) !== 0);
    expect(open).toEqual([]);
    expect([existsSync(token), existsSync(audit), existsSync(join(dir, '.aws/credentials'))]).toEqual([
      true,
      true,
      true,
    ]);
    expect(readdirSync(join(runtime, 'roles-anywhere')).length).toBeGreaterThan(0);
  });
});

describe.runIf(isRoot && requireTool('setpriv'))('HOME', () => {
  it('that is not set is looked up in the list of users, and an error says where nothing could be written', async () => {
    const [file = '', ...rest] = [...as(OWNER), ...PROGRAM, 'update', '--once', ...ownIdentity()];
    const result = await runProgram('env', ['-u', 'HOME', file, ...rest], { cwd: '/' });
    expect(result).toMatchObject({ stdout: '' });
    expect(result.status).not.toBe(0);
    expect(result.stderr).toMatch(/\[ERR_\w+\]/);
  });
});

describe('what a child is given', () => {
  it('credentials are in its environment and in no command line', async () => {
    const script =
      'tr "\\0" " " </proc/$PPID/cmdline; tr "\\0" " " </proc/$$/cmdline; printf "\\n%s %s" "$AWS_SECRET_ACCESS_KEY" "$AWS_SESSION_TOKEN"';
    const { status, stdout } = await run([], ['exec', ...identityFlags(emulator), '--', 'sh', '-c', script]);
    expect(status).toBe(0);
    const [lines = '', secrets = ''] = stdout.split('\n');
    expect(lines).toContain('exec');
    for (const secret of secrets.split(' ')) {
      expect(secret.length).toBeGreaterThan(30);
      expect(lines).not.toContain(secret);
    }
  });
});

describe('an environment that somebody has a hand in', () => {
  it('runs their code before the first line of this program: NODE_OPTIONS and LD_PRELOAD are no boundary', async () => {
    const preload = join(dir, 'preload.cjs');
    writeFileSync(preload, `require('node:fs').writeFileSync('${join(dir, 'ran')}', '');`);
    const env = { NODE_OPTIONS: `--require ${preload}` };
    expect((await run([], ['version'], env)).status).toBe(0);
    expect(existsSync(join(dir, 'ran'))).toBe(true);
  });

  it('without it no signal makes a heap snapshot or a report', async () => {
    for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) {
      const folder = join(dir, signal);
      mkdirSync(folder);
      const serve = spawnServe([...identityFlags(emulator), '--port', '0', '--no-imds'], {
        command: ['sh', '-c', 'cd "$0"; exec "$@"', folder],
      });
      await serve.until('AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=');
      serve.kill(signal);
      serve.kill('SIGTERM');
      // SIGUSR2 has no handler, and ends it as the system has it.
      expect(await serve.exited).toBe(signal === 'SIGUSR2' ? 'SIGUSR2' : 0);
      expect(serve.log()).not.toContain('Debugger listening');
      expect(readdirSync(folder)).toEqual([]);
    }
  });

  it.runIf(requireTool('prlimit'))(
    'a process that ends amid its work leaves no core where the limit is 0',
    async () => {
      const folder = join(dir, 'core');
      mkdirSync(folder);
      const serve = spawnServe([...identityFlags(emulator), '--port', '0', '--no-imds'], {
        command: ['prlimit', '--core=0', 'sh', '-c', 'cd "$0"; exec "$@"', folder],
      });
      await serve.until('AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=');
      serve.kill('SIGABRT');
      expect(await serve.exited).toBe('SIGABRT');
      expect(readdirSync(folder)).toEqual([]);
    },
  );
});
