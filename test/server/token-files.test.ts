import { execFileSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  existsSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLog, createLog } from '../../src/platform/log.ts';
import {
  checkTokenFile,
  createAuthorization,
  generateToken,
  readToken,
  writeTokenFile,
} from '../../src/server/authorization.ts';
import { defaultTokenFile, prepareTokens } from '../../src/server/token-files.ts';
import type { TokensOptions } from '../../src/server/token-files.ts';
import { pkiText } from '../support/pki.ts';
import { refusal, refusalCode } from '../support/refusal.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ra-token-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const at = (name: string): string => join(dir, name);

describe('a token file', () => {
  test('holds the token and nothing else, for its owner alone', async () => {
    const file = await writeTokenFile(at('deep/er/token'), 'the-token');
    expect(readFileSync(file.path, 'utf8')).toBe('the-token');
    expect(statSync(file.path).mode & 0o777).toBe(0o600);
    expect(statSync(at('deep')).mode & 0o777).toBe(0o700);
    expect(readdirSync(at('deep/er'))).toEqual(['token']);
  });

  test('replaces the one of a server that was killed, even where it is open to all', async () => {
    writeFileSync(at('open'), generateToken(), { mode: 0o666 });
    await checkTokenFile(at('open'));
    await writeTokenFile(at('open'), 'new');
    expect(readFileSync(at('open'), 'utf8')).toBe('new');
    expect(statSync(at('open')).mode & 0o777).toBe(0o600);
  });

  test.each<[string, (path: string) => unknown]>([
    ['a private key', (path) => writeFileSync(path, pkiText('ec-p256.key.pem'), { mode: 0o600 })],
    ['an empty file', (path) => writeFileSync(path, '')],
    ['a word', (path) => writeFileSync(path, 'hunter2', { mode: 0o600 })],
    ['a token and a line end', (path) => writeFileSync(path, `${generateToken()}\n`, { mode: 0o600 })],
    ['a file that starts like a token', (path) => writeFileSync(path, `${generateToken()}\nand more\n`)],
    ['a large file', (path) => writeFileSync(path, 'x'.repeat(5_000_000))],
    ['a folder', (path) => mkdirSync(path)],
    ['a pipe', (path) => execFileSync('mkfifo', [path])],
    ['a link to a token', (path) => (writeFileSync(at('target'), generateToken()), symlinkSync(at('target'), path))],
    ['a link to nothing', (path) => symlinkSync(at('nothing'), path)],
  ])('never takes the place of %s', async (_what, make) => {
    make(at('precious'));
    const before = lstatSync(at('precious'));
    const names = readdirSync(dir);
    for (const sourced of [false, true])
      for (const call of [checkTokenFile, (path: string) => writeTokenFile(path, generateToken(), { sourced })]) {
        const error = await refusal(() => call(at('precious'), { sourced }));
        expect(error.code).toBe('ERR_TOKEN_FILE');
        expect(error.message).toBe(`${at('precious')} exists and holds no token`);
        expect(error.hint).toContain('name a new file');
      }
    const after = lstatSync(at('precious'));
    expect([after.ino, after.size, after.mtimeMs]).toEqual([before.ino, before.size, before.mtimeMs]);
    expect(readdirSync(dir)).toEqual(names);
  });

  test('replaces a token of another form only where tokens come from a source, and only a private one', async () => {
    writeFileSync(at('copy'), 'an-older-token-of-the-source', { mode: 0o600 });
    expect(await refusalCode(() => writeTokenFile(at('copy'), 'new'))).toBe('ERR_TOKEN_FILE');
    await checkTokenFile(at('copy'), { sourced: true });
    await writeTokenFile(at('copy'), 'new', { sourced: true });
    expect(readFileSync(at('copy'), 'utf8')).toBe('new');
    writeFileSync(at('public'), 'some-word-that-anyone-can-read', { mode: 0o644 });
    expect(await refusalCode(() => writeTokenFile(at('public'), 'new', { sourced: true }))).toBe('ERR_TOKEN_FILE');
  });

  test('is checked for without a trace, but for its folder', async () => {
    await checkTokenFile(at('deep/token'));
    expect(readdirSync(at('deep'))).toEqual([]);
    writeFileSync(at('file'), '');
    expect(await refusalCode(() => checkTokenFile(at('file/token')))).toBe('ERR_TOKEN_FILE');
  });

  // Node 20's recursive mkdir would go on for ever there.
  test.runIf(process.platform === 'linux')('where no folder can be made is an error', async () => {
    expect((await refusal(() => checkTokenFile('/proc/none/token'))).message).toContain('ENOENT');
  });

  test('is removed by the process that wrote it, and by no other', async () => {
    const own = generateToken();
    const first = await writeTokenFile(at('token'), generateToken());
    const second = await writeTokenFile(at('token'), own);
    await first.remove();
    expect(readFileSync(at('token'), 'utf8')).toBe(own);
    await second.remove();
    expect(existsSync(at('token'))).toBe(false);
    await second.remove();
  });

  test('with the same token in it stays when another process wrote it', async () => {
    const same = generateToken();
    const first = await writeTokenFile(at('token'), same);
    await writeTokenFile(at('token'), same);
    await first.remove();
    expect(existsSync(at('token'))).toBe(true);
  });

  test('that cannot be written is an error, and leaves nothing behind', async () => {
    writeFileSync(at('file'), '');
    expect((await refusal(() => writeTokenFile(at('file/token'), 'secret'))).code).toBe('ERR_TOKEN_FILE');
    const { message } = await refusal(() => writeTokenFile(dir, 'secret'));
    expect(message).not.toContain('secret');
    expect(readdirSync(dir)).toEqual(['file']);
  });
});

describe('a token that is read', () => {
  test.each(['a-good-token-0123456789', 'a-good-token-0123456789\n', 'a-good-token-0123456789\r\n'])(
    'may have one line end: %j',
    async (text) => {
      writeFileSync(at('source'), text);
      expect(await readToken(at('source'))).toBe('a-good-token-0123456789');
    },
  );

  test.each(['', 'short', 'two words in the token', 'two-lines-of-text\n\n', 'x'.repeat(1025), 'ümlaut-0123456789'])(
    'is refused when no client could send it or anyone could guess it: %j',
    async (text) => {
      writeFileSync(at('source'), text);
      const { code, message } = await refusal(() => readToken(at('source')));
      expect(code).toBe('ERR_TOKEN_FILE');
      expect(message).not.toContain(text === '' ? 'token: ' : text);
    },
  );

  test('is refused when it is not there', async () => {
    expect((await refusal(() => readToken(at('none')))).message).toContain('ENOENT');
  });
});

test('generated tokens differ, and fit a header', () => {
  const tokens = new Set(Array.from({ length: 100 }, generateToken));
  expect(tokens.size).toBe(100);
  for (const token of tokens) expect(token).toMatch(/^[\w-]{43}$/);
});

test('an authorization takes its token again and again, and nothing in between', () => {
  const authorization = createAuthorization('0123456789abcdef');
  for (let i = 0; i < 3; i++) {
    expect(authorization.accepts('0123456789abcdef')).toBe(true);
    expect(authorization.accepts('0123456789abcdeg')).toBe(false);
    expect(authorization.accepts('')).toBe(false);
  }
});

describe('the tokens of a server', () => {
  test('are shared, but for the roles with their own file', async () => {
    const tokens = await prepareTokens({
      roles: [{ name: 'a' }, { name: 'b' }, { name: 'c', tokenFile: at('own') }],
      tokenFile: at('shared'),
      env: {},
      log: silentLog,
    });
    expect(existsSync(at('shared'))).toBe(false);
    await tokens.write(9911);
    expect(tokens.of('a')).toBe(tokens.of('b'));
    expect(readFileSync(tokens.fileOf('b') ?? '', 'utf8')).toBe(tokens.of('b').token);
    expect(readFileSync(tokens.fileOf('c') ?? '', 'utf8')).toBe(tokens.of('c').token);
    expect(tokens.of('c').token).not.toBe(tokens.of('a').token);
    await tokens.remove();
    expect(readdirSync(dir)).toEqual([]);
  });

  test('are checked for before they are written: their own, the shared one, and the usual place', async () => {
    const roles = [{ name: 'a' }, { name: 'b', tokenFile: at('own') }];
    const check = async (options: Partial<TokensOptions>): Promise<void> =>
      (await prepareTokens({ roles, env: {}, log: silentLog, ...options })).check(9911);
    await check({ tokenFile: at('shared') });
    expect(readdirSync(dir)).toEqual([]);
    writeFileSync(at('note'), 'not a token');
    expect(await refusalCode(() => check({ tokenFile: at('note') }))).toBe('ERR_TOKEN_FILE');
    expect(await refusalCode(() => check({ roles: [{ name: 'a', tokenFile: at('note') }] }))).toBe('ERR_TOKEN_FILE');
    expect(await refusalCode(() => check({ env: { RUNTIME_DIRECTORY: at('note') } }))).toBe('ERR_TOKEN_FILE');
    // The usual place is not used when every role has its own file, nor when clients read the source.
    await check({ roles: [{ name: 'a', tokenFile: at('own') }], env: { RUNTIME_DIRECTORY: at('note') } });
    writeFileSync(at('source'), 'first-token-0123456789\n');
    await check({ tokenSource: at('source'), env: { RUNTIME_DIRECTORY: at('note') } });
    expect(readFileSync(at('note'), 'utf8')).toBe('not a token');
  });

  test('go to a folder of their own where there is no runtime directory, which goes with them', async () => {
    const tokens = await prepareTokens({ roles: [{ name: 'a' }], env: {}, log: silentLog });
    await tokens.write(9911);
    const path = tokens.fileOf('a') ?? '';
    expect(statSync(join(path, '..')).mode & 0o777).toBe(0o700);
    await tokens.remove();
    expect(existsSync(join(path, '..'))).toBe(false);
  });

  test('follow their source when it is read again, and stay when it is bad', async () => {
    const logged: string[] = [];
    const log = createLog({ write: (line) => void logged.push(line) });
    writeFileSync(at('source'), 'first-token-0123456789\n');
    const tokens = await prepareTokens({
      roles: [{ name: 'a' }],
      tokenSource: at('source'),
      tokenFile: at('copy'),
      env: {},
      log,
    });
    await tokens.write(9911);
    writeFileSync(at('source'), 'second-token-0123456789');
    await tokens.reload();
    expect(tokens.of('a').accepts('second-token-0123456789')).toBe(true);
    expect(readFileSync(at('copy'), 'utf8')).toBe('second-token-0123456789');
    writeFileSync(at('source'), 'bad');
    await tokens.reload();
    expect(tokens.of('a').accepts('second-token-0123456789')).toBe(true);
    expect(logged.join('')).toContain('the token stays as it was');
    expect(logged.join('')).not.toContain('-token-0123456789');
    await tokens.remove();
    expect(readdirSync(dir)).toEqual(['source']);
  });

  test('of a source that clients read too must not end with a line end', async () => {
    const logged: string[] = [];
    writeFileSync(at('source'), 'first-token-0123456789\n');
    const log = createLog({ write: (line) => void logged.push(line) });
    const tokens = await prepareTokens({ roles: [{ name: 'a' }], tokenSource: at('source'), env: {}, log });
    await tokens.write(9911);
    expect(tokens.fileOf('a')).toBe(at('source'));
    expect(logged.join('')).toContain('--token-file');
    await tokens.remove();
    expect(existsSync(at('source'))).toBe(true);
  });

  test('have a usual place: of the service, of the user, or none', () => {
    expect(defaultTokenFile({ RUNTIME_DIRECTORY: '/run/x:/run/y', XDG_RUNTIME_DIR: '/run/user/1' }, 1)).toBe(
      '/run/x/token',
    );
    expect(defaultTokenFile({ XDG_RUNTIME_DIR: '/run/user/1' }, 9911)).toBe(
      '/run/user/1/roles-anywhere/serve-9911.token',
    );
    expect(defaultTokenFile({}, 9911)).toBeUndefined();
  });
});
