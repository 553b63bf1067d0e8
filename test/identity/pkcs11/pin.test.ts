import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { choosePinSource } from '../../../src/identity/pkcs11/pin.ts';
import type { PinSettings } from '../../../src/identity/pkcs11/pin.ts';
import { parsePkcs11Uri } from '../../../src/identity/pkcs11/uri.ts';
import type { RolesAnywhereError } from '../../../src/platform/errors.ts';
import * as files from '../../../src/platform/files.ts';
import { killTree } from '../../../src/platform/process-tree.ts';
import { refusal, refusalOf } from '../../support/refusal.ts';

vi.mock('../../../src/platform/files.ts', { spy: true });
vi.mock('../../../src/platform/process-tree.ts', { spy: true });
afterEach(() => {
  vi.useRealTimers();
  vi.clearAllMocks();
});

const directory = mkdtempSync(join(tmpdir(), 'pin-'));
afterAll(() => rmSync(directory, { recursive: true }));

function file(name: string, content: string | Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

function source(uri: string, settings: Partial<PinSettings> = {}) {
  return choosePinSource({ uris: [{ uri: parsePkcs11Uri(uri).uri, flag: '--certificate' }], env: {}, ...settings });
}

async function read(uri: string, settings?: Partial<PinSettings>): Promise<string | undefined> {
  const pin = await source(uri, settings)?.read();
  return pin && Buffer.from(pin.bytes).toString();
}

describe('a PIN comes from', () => {
  it('pin-value, decoded', async () => expect(await read('pkcs11:?pin-value=a%20%C3%A9')).toBe('a é'));
  it.each([
    ['without a line end', '1234', '1234'],
    ['with a line end', '1234\n', '1234'],
    ['with a line end of Windows', '1234\r\n', '1234'],
    ['with a mark of UTF-8, as editors on Windows write it', '\ufeff1234\r\n', '1234'],
    ["with spaces, which may be the PIN's", ' 12 34 ', ' 12 34 '],
  ])('a file %s', async (_name, content, expected) => {
    const path = file('pin', content);
    expect(await read(`pkcs11:?pin-source=${path}`)).toBe(expected);
    expect(await read(`pkcs11:?pin-source=file:${path}`)).toBe(expected);
    expect(await read(`pkcs11:?pin-source=file://${path}`)).toBe(expected);
    expect(await read('pkcs11:', { pinFile: path })).toBe(expected);
  });
  it('a command, where commands are allowed', async () => {
    expect(await read("pkcs11:?pin-source=|echo%2012'34'", { allowCommand: true })).toBe('1234');
  });
  it('the environment, last of all', async () => {
    const env = { ROLES_ANYWHERE_PKCS11_PIN: 'from-env' };
    expect(await read('pkcs11:', { env })).toBe('from-env');
    expect(await read('pkcs11:', { env, pinFile: file('pin', 'from-file') })).toBe('from-file');
    expect(await read('pkcs11:?pin-value=from-uri', { env, pinFile: file('pin', 'from-file') })).toBe('from-uri');
  });
  it('nowhere, when no source is given', () => expect(source('pkcs11:')).toBeUndefined());
  it('the first URI that has one', async () => {
    const uris = ['pkcs11:', 'pkcs11:?pin-value=b'].map((uri) => ({
      uri: parsePkcs11Uri(uri).uri,
      flag: '--private-key',
    }));
    expect(Buffer.from((await choosePinSource({ uris, env: {} })?.read())?.bytes ?? []).toString()).toBe('b');
  });
});

function pipe(name: string): string {
  execFileSync('mkfifo', [join(directory, name)]);
  return join(directory, name);
}

describe('refused is', () => {
  const cases: [name: string, code: string, uri: string, settings?: Partial<PinSettings>][] = [
    ['a command that is not allowed', 'ERR_PIN_SOURCE', 'pkcs11:?pin-source=|echo%201'],
    [
      'a command that fails',
      'ERR_PIN_SOURCE',
      'pkcs11:?pin-source=|echo%20secret;exit%203'.replace(';', '%3B'),
      { allowCommand: true },
    ],
    ['a command that prints too much', 'ERR_PIN_SOURCE', 'pkcs11:?pin-source=|seq%20999', { allowCommand: true }],
    ['a command that prints nothing', 'ERR_PIN_EMPTY', 'pkcs11:?pin-source=|true', { allowCommand: true }],
    ['a scheme other than file', 'ERR_PIN_SOURCE', 'pkcs11:?pin-source=https://example.com/pin'],
    ['a file: URI of another host', 'ERR_PIN_SOURCE', 'pkcs11:?pin-source=file://host/pin'],
    ['an empty pin-source', 'ERR_PIN_SOURCE', 'pkcs11:?pin-source='],
    ['a file that is not there', 'ERR_PIN_SOURCE', `pkcs11:?pin-source=${directory}/none`],
    ['a pipe that nobody writes to', 'ERR_PIN_EMPTY', `pkcs11:?pin-source=${pipe('pipe')}`],
    ['a folder', 'ERR_PIN_SOURCE', `pkcs11:?pin-source=${directory}`],
    ['an empty file', 'ERR_PIN_EMPTY', `pkcs11:?pin-source=${file('empty', '')}`],
    ['a file with a line end only', 'ERR_PIN_EMPTY', `pkcs11:?pin-source=${file('newline', '\n')}`],
    ['a file that is too long', 'ERR_PIN_SOURCE', `pkcs11:?pin-source=${file('long', 'x'.repeat(2000))}`],
    ['a file with two lines', 'ERR_PIN_SOURCE', `pkcs11:?pin-source=${file('lines', '1234\nsecret\n')}`],
    ['a file with an empty second line', 'ERR_PIN_SOURCE', `pkcs11:?pin-source=${file('empty-line', '1234\n\n')}`],
    [
      'a file in UTF-16',
      'ERR_PIN_SOURCE',
      `pkcs11:?pin-source=${file('utf-16', Buffer.from('\ufeff1234', 'utf16le'))}`,
    ],
    ['a pin-value with a zero byte', 'ERR_PIN_SOURCE', 'pkcs11:?pin-value=12%0034'],
    ['an empty pin-value', 'ERR_PIN_EMPTY', 'pkcs11:?pin-value='],
    ['an empty variable', 'ERR_PIN_EMPTY', 'pkcs11:', { env: { ROLES_ANYWHERE_PKCS11_PIN: '' } }],
  ];
  it.each(cases)('%s', async (_name, code, uri, settings) => {
    const error = await refusal(() => read(uri, settings));
    expect(error.code).toBe(code);
    expect(JSON.stringify([error.message, error.hint, String(error.cause)])).not.toContain('secret');
  });
});

it("a file's stamp changes when it is written again", async () => {
  const path = file('stamped', '1');
  utimesSync(path, 1, 1);
  const before = await source(`pkcs11:?pin-source=${path}`)?.read();
  utimesSync(path, 2, 2);
  const after = await source(`pkcs11:?pin-source=${path}`)?.read();
  expect(before?.stamp).not.toBe(after?.stamp);
});

it('a source names itself without its PIN or its command', () => {
  const sources = [
    source('pkcs11:?pin-value=98765'),
    source('pkcs11:?pin-source=|echo%2098765', { allowCommand: true }),
    source('pkcs11:', { env: { ROLES_ANYWHERE_PKCS11_PIN: '98765' } }),
  ];
  for (const one of sources) expect(`${one?.key} ${one?.description}`).not.toContain('98765');
});

const named = (uri: string, settings?: Partial<PinSettings>) => {
  const { key, description } = source(uri, settings) ?? {};
  return [key, description];
};

describe('a source', () => {
  it('has a name for the records of the guard, and one for people', () => {
    const path = join(directory, 'named');
    const digest = createHash('sha256').update('echo 98765').digest('hex').slice(0, 16);
    const where = 'in the URI of --certificate';
    expect([
      named('pkcs11:?pin-value=1'),
      named(`pkcs11:?pin-source=${path}`),
      named('pkcs11:', { pinFile: path }),
      named('pkcs11:?pin-source=|echo%2098765', { allowCommand: true }),
      named('pkcs11:', { env: { ROLES_ANYWHERE_PKCS11_PIN: '1' } }),
    ]).toEqual([
      ['uri:pin-value', `pin-value ${where}`],
      [`file:${path}`, `the file ${path}`],
      [`file:${path}`, `the file ${path}`],
      [`command:${digest}`, `the command of pin-source ${where}`],
      ['environment:ROLES_ANYWHERE_PKCS11_PIN', 'ROLES_ANYWHERE_PKCS11_PIN'],
    ]);
  });

  it('is a command only where that is said, and is refused before it is read', () => {
    for (const allowCommand of [undefined, false])
      expect(refusalOf(() => source('pkcs11:?pin-source=|echo%201', { allowCommand })).message).toBe(
        'pin-source in the URI of --certificate is a command, which is not run by default',
      );
  });

  it.each(['https://example.com/pin', 'x+y.z-1:pin', ''])('is neither a file nor a command: %j', (value) => {
    expect(refusalOf(() => source(`pkcs11:?pin-source=${value}`)).message).toBe(
      'pin-source in the URI of --certificate is neither a file name, a file: URI nor a command',
    );
  });

  it.each(['file:pin', 'a:pin', 'https:pin'])('is a file by a path with this in it: %s', async (name) => {
    expect(await read(`pkcs11:?pin-source=${file(name, '1234')}`)).toBe('1234');
  });

  it('that is a file which is not there is named, with where that was said', async () => {
    const path = join(directory, 'none');
    const { message, hint } = await refusal(() => read('pkcs11:', { pinFile: path }));
    expect(message).toContain(`the PIN file ${path} of --pkcs11-pin-file`);
    expect(hint).toBe('the file holds the PIN and nothing else, and this user may read it');
    const other = await refusal(() => read(`pkcs11:?pin-source=${path}`));
    expect(other.message).toContain(`the PIN file ${path} of pin-source in the URI of --certificate`);
    const empty = await refusal(() => read('pkcs11:', { pinFile: file('empty', '') }));
    expect(empty.message).toBe(`the PIN in the file ${join(directory, 'empty')} is empty`);
  });
});

const ofVariable = (value: string) => read('pkcs11:', { env: { ROLES_ANYWHERE_PKCS11_PIN: value } });

const contents = (): Uint8Array[] =>
  vi.mocked(files.readNamedFile).mock.results.map(({ value }) => (value as files.FileContent).bytes);

describe('the bytes of a PIN', () => {
  it('are 1024 at most', async () => {
    expect(await ofVariable('x'.repeat(1024))).toHaveLength(1024);
    expect((await refusal(() => ofVariable('x'.repeat(1025)))).message).toContain('is longer than 1024 bytes');
  });

  it.each(['\u0000', '\u001f', '\u007f', '\t'])('are no control characters: %j', async (character) => {
    const { message } = await refusal(() => ofVariable(`1${character}2`));
    expect(message).toContain('holds a line end or another control character');
  });

  it.each([' ', '~', '\u0080', '\u00ff'])('may be any others: %j', async (character) => {
    expect(await ofVariable(`1${character}2`)).toBe(`1${character}2`);
  });

  it.each([
    ['a carriage return alone is no line end', '12\r', 'ERR_PIN_SOURCE'],
    ['two line ends are not one', '12\r\n\n', 'ERR_PIN_SOURCE'],
    ['a letter that begins as the mark of UTF-8 does', '\uff11', '\uff11'],
    ['another one', '\ufec0', '\ufec0'],
    ['one with the last byte of that mark', 'a\u00bf', 'a\u00bf'],
    ['a mark alone', '\ufeff\r\n', 'ERR_PIN_EMPTY'],
  ])('in a file: %s', async (_what, content, expected) => {
    const path = file('bytes', content);
    const got = await read(`pkcs11:?pin-source=${path}`).catch((error: RolesAnywhereError) => error.code);
    expect(got).toEqual(expected);
  });

  it('are left nowhere but with the caller', async () => {
    const path = file('wiped', '1234\n');
    const pin = await source(`pkcs11:?pin-source=${path}`)?.read();
    expect(contents()).toEqual([new Uint8Array(5)]);
    expect(Buffer.from(pin?.bytes ?? []).toString()).toBe('1234');
    writeFileSync(path, '12\n34');
    await refusal(() => read(`pkcs11:?pin-source=${path}`));
    expect(contents().every((bytes) => bytes.every((byte) => byte === 0))).toBe(true);
    const copies = vi.mocked(files.secretBytes).mock.results.map(({ value }) => value as Uint8Array);
    expect(copies.filter((bytes) => bytes !== pin?.bytes && bytes.some((byte) => byte !== 0))).toEqual([]);
  });
});

const run = (command: string) => read(`pkcs11:?pin-source=|${encodeURIComponent(command)}`, { allowCommand: true });

describe('a command', () => {
  it.each([
    ['exit 3', 'ended with status 3'],
    ['kill -9 $$', 'did not end as it should'],
    ["printf '%1027s' 1", 'did not end as it should'],
  ])('that fails is told of, and not what it printed: %s', async (command, words) => {
    const { message } = await refusal(() => run(command));
    expect(message).toBe(`the command of pin-source in the URI of --certificate ${words}`);
  });

  it('may print a PIN of any length that there is, with a line end of any kind', async () => {
    expect(await run(String.raw`printf '%1024s\r\n' 1`)).toHaveLength(1024);
  });

  it('has no input to wait for, and leaves nothing to wait for', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    expect(await run('cat; echo 1')).toBe('1');
    expect(vi.getTimerCount()).toBe(0);
  });

  it.runIf(process.platform === 'linux').each(['>/dev/null', '2>/dev/null'])(
    'is ended after half a minute, though what it has started holds its output: %s',
    async (other) => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      const pid = join(directory, `pid${other.length}`);
      const away = `(setsid sh -c 'echo $$ >${pid}; exec sleep 600' ${other} &)`;
      const result = refusal(() => run(`${away}; exec sleep 600`));
      while (!existsSync(pid) || readFileSync(pid, 'utf8') === '') await setImmediate();
      try {
        vi.advanceTimersByTime(29_999);
        expect(killTree).not.toHaveBeenCalled();
        vi.advanceTimersByTime(1);
        expect(killTree).toHaveBeenCalledTimes(1);
        expect((await result).message).toContain('did not end as it should');
      } finally {
        process.kill(Number(readFileSync(pid, 'utf8')), 'SIGKILL');
      }
    },
  );
});
