import {
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
import { silentLog, createLog } from '../../src/log.ts';
import { createAuthorization, generateToken, readToken, writeTokenFile } from '../../src/server/authorization.ts';
import { defaultTokenFile, prepareTokens } from '../../src/server/token-files.ts';
import { refusal } from '../support/refusal.ts';

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

  test('replaces one that was open to all, and a link rather than what it points to', async () => {
    writeFileSync(at('open'), 'old', { mode: 0o666 });
    await writeTokenFile(at('open'), 'new');
    expect(statSync(at('open')).mode & 0o777).toBe(0o600);
    writeFileSync(at('target'), 'untouched');
    symlinkSync(at('target'), at('link'));
    await writeTokenFile(at('link'), 'new');
    expect(readFileSync(at('target'), 'utf8')).toBe('untouched');
  });

  test('is removed by the process that wrote it, and by no other', async () => {
    const first = await writeTokenFile(at('token'), 'first');
    const second = await writeTokenFile(at('token'), 'second');
    await first.remove();
    expect(readFileSync(at('token'), 'utf8')).toBe('second');
    await second.remove();
    expect(existsSync(at('token'))).toBe(false);
    await second.remove();
  });

  test('with the same token in it stays when another process wrote it', async () => {
    const first = await writeTokenFile(at('token'), 'same');
    await writeTokenFile(at('token'), 'same');
    await first.remove();
    expect(existsSync(at('token'))).toBe(true);
  });

  test('that cannot be written is an error, and leaves nothing behind', async () => {
    writeFileSync(at('file'), '');
    expect((await refusal(() => writeTokenFile(at('file/token'), 'secret'))).code).toBe('ERR_OUTPUT');
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
