import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { choosePinSource } from '../../../src/identity/pkcs11/pin.ts';
import type { PinSettings } from '../../../src/identity/pkcs11/pin.ts';
import { parsePkcs11Uri } from '../../../src/identity/pkcs11/uri.ts';
import { refusal } from '../../support/refusal.ts';

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
