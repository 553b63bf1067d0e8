import { execFileSync } from 'node:child_process';
import {
  chmodSync,
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
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { generateToken } from '../../src/server/authorization.ts';
import { checkTokenFile, readToken, writeTokenFile } from '../../src/server/token-file.ts';
import { pkiText } from '../support/pki.ts';
import { refusal, refusalCode } from '../support/refusal.ts';
import { requireTool } from '../support/tools.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ra-token-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const at = (name: string): string => join(dir, name);

describe('a token file', () => {
  it('holds the token and nothing else, for its owner alone', async () => {
    const file = await writeTokenFile(at('deep/er/token'), 'the-token');
    expect(readFileSync(file.path, 'utf8')).toBe('the-token');
    expect(statSync(file.path).mode & 0o777).toBe(0o600);
    expect(statSync(at('deep')).mode & 0o777).toBe(0o700);
    expect(readdirSync(at('deep/er'))).toEqual(['token']);
  });

  it('replaces the one of a server that was killed, even where it is open to all', async () => {
    writeFileSync(at('open'), generateToken(), { mode: 0o666 });
    await checkTokenFile(at('open'));
    await writeTokenFile(at('open'), 'new');
    expect(readFileSync(at('open'), 'utf8')).toBe('new');
    expect(statSync(at('open')).mode & 0o777).toBe(0o600);
  });

  it.each<[string, (path: string) => unknown]>([
    ['a private key', (path) => writeFileSync(path, pkiText('ec-p256.key.pem'), { mode: 0o600 })],
    ['an empty file', (path) => writeFileSync(path, '')],
    ['a word', (path) => writeFileSync(path, 'hunter2', { mode: 0o600 })],
    ['a token and a line end', (path) => writeFileSync(path, `${generateToken()}\n`, { mode: 0o600 })],
    ['a file that starts like a token', (path) => writeFileSync(path, `${generateToken()}\nand more\n`)],
    ['a file that ends like a token', (path) => writeFileSync(path, `x${generateToken()}`)],
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

  it('replaces a token of another form only where tokens come from a source, and only a private one', async () => {
    writeFileSync(at('copy'), 'an-older-token-of-the-source', { mode: 0o600 });
    expect(await refusalCode(() => writeTokenFile(at('copy'), 'new'))).toBe('ERR_TOKEN_FILE');
    await checkTokenFile(at('copy'), { sourced: true });
    await writeTokenFile(at('copy'), 'new', { sourced: true });
    expect(readFileSync(at('copy'), 'utf8')).toBe('new');
    writeFileSync(at('long'), 'x'.repeat(1024), { mode: 0o600 });
    await checkTokenFile(at('long'), { sourced: true });
    writeFileSync(at('public'), 'some-word-that-anyone-can-read', { mode: 0o644 });
    for (const mode of [0o644, 0o620, 0o601, 0o700]) {
      chmodSync(at('public'), mode);
      expect(await refusalCode(() => writeTokenFile(at('public'), 'new', { sourced: true }))).toBe('ERR_TOKEN_FILE');
    }
  });

  it('is checked for without a trace, but for its folder', async () => {
    await checkTokenFile(at('deep/token'));
    expect(readdirSync(at('deep'))).toEqual([]);
    writeFileSync(at('file'), '');
    expect((await refusal(() => checkTokenFile(at('file/token')))).message).toContain('ENOTDIR');
  });

  it.runIf(process.platform === 'linux')('is checked for by writing: modes do not tell everything', async () => {
    expect(await refusalCode(() => checkTokenFile('/proc/self/token'))).toBe('ERR_TOKEN_FILE');
  });

  it('leaves nothing behind where something else comes into its place meanwhile', async () => {
    const written = refusal(() => writeTokenFile(at('token'), 'secret'));
    while (readdirSync(dir).length === 0) await setImmediate();
    mkdirSync(at('token'));
    expect((await written).code).toBe('ERR_TOKEN_FILE');
    expect(readdirSync(dir)).toEqual(['token']);
  });

  // Node 20's recursive mkdir would go on for ever there.
  it.runIf(process.platform === 'linux')('where no folder can be made is an error', async () => {
    expect((await refusal(() => checkTokenFile('/proc/none/token'))).message).toContain('ENOENT');
  });

  it('is removed by the process that wrote it, and by no other', async () => {
    const own = generateToken();
    const first = await writeTokenFile(at('token'), generateToken());
    const second = await writeTokenFile(at('token'), own);
    await first.remove();
    expect(readFileSync(at('token'), 'utf8')).toBe(own);
    await second.remove();
    expect(existsSync(at('token'))).toBe(false);
    await second.remove();
  });

  it('with the same token in it stays when another process wrote it', async () => {
    const same = generateToken();
    const first = await writeTokenFile(at('token'), same);
    await writeTokenFile(at('token'), same);
    await first.remove();
    expect(existsSync(at('token'))).toBe(true);
  });

  it('that cannot be written is an error, and leaves nothing behind', async () => {
    writeFileSync(at('file'), '');
    expect((await refusal(() => writeTokenFile(at('file/token'), 'secret'))).code).toBe('ERR_TOKEN_FILE');
    const { message } = await refusal(() => writeTokenFile(dir, 'secret'));
    expect(message).not.toContain('secret');
    expect(readdirSync(dir)).toEqual(['file']);
  });
});

describe('a token that is read', () => {
  it.each(['a-good-token-0123456789', 'a-good-token-0123456789\n', 'a-good-token-0123456789\r\n'])(
    'may have one line end: %j',
    (text) => {
      writeFileSync(at('source'), text);
      const endsLine = text.endsWith('\n');
      expect(readToken(at('source'))).toEqual({ token: 'a-good-token-0123456789', endsLine });
    },
  );

  it.each([16, 1024])('may have %i characters', (length) => {
    writeFileSync(at('source'), 'x'.repeat(length));
    expect(readToken(at('source')).token).toHaveLength(length);
  });

  it.each([
    '',
    'short',
    'x'.repeat(15),
    'two-lines-of\na-token-0123456789',
    'two words in the token',
    'two-lines-of-text\n\n',
    'x'.repeat(1025),
    'ümlaut-0123456789',
  ])('is refused when no client could send it or anyone could guess it: %j', async (text) => {
    writeFileSync(at('source'), text);
    const { code, message } = await refusal(() => readToken(at('source')));
    expect(code).toBe('ERR_TOKEN_FILE');
    expect(message).not.toContain(text === '' ? 'token: ' : text);
  });

  it.runIf(requireTool('mkfifo'))('is not waited for where it is to come from a pipe', async () => {
    execFileSync('mkfifo', [at('source')]);
    expect(await refusalCode(() => readToken(at('source')))).toBe('ERR_TOKEN_FILE');
  });

  it('is refused when it is not there', async () => {
    expect(await refusal(() => readToken(at('none')))).toMatchObject({
      code: 'ERR_TOKEN_FILE',
      flag: '--token-source',
      message: expect.stringMatching(/the token file .*none.*ENOENT/) as string,
    });
  });
});
