import { X509Certificate } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../src/platform/errors.ts';
import { loadCertificates, loadIdentity } from '../../src/identity/load.ts';
import { isPath, materialReader, refuseStdinTwice } from '../../src/identity/source.ts';
import { pkiPath, pkiText } from '../support/pki.ts';
import { refusal, refusalCode } from '../support/refusal.ts';

const [LEAF, KEY, INTERMEDIATE] = ['ec-p256.crt.pem', 'ec-p256.key.pem', 'intermediate.pem'].map(pkiText) as [
  string,
  string,
  string,
];
const base64 = (text: string | Uint8Array): string => Buffer.from(text).toString('base64');
const serial = BigInt(`0x${new X509Certificate(LEAF).serialNumber}`).toString();
const paths = { certificate: pkiPath('ec-p256.crt.pem'), privateKey: pkiPath('ec-p256.key.pem') };

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'ra-sources-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

const certificateFrom = async (stdin: number) => await loadIdentity({ ...paths, certificate: '-' }, { stdin });

/** Calls with a file descriptor that gives these bytes, once. */
async function withStdin<T>(bytes: string | Uint8Array, use: (stdin: number) => T | Promise<T>): Promise<T> {
  const path = join(dir, 'stdin');
  writeFileSync(path, bytes);
  const stdin = openSync(path, 'r');
  try {
    return await use(stdin);
  } finally {
    closeSync(stdin);
  }
}

describe('a variable', () => {
  const folded = base64(KEY).replaceAll(/.{64}/g, '$&\n');
  it.each([
    ['PEM', KEY],
    ['PEM with text around it', `text\r\n${KEY}\nmore`],
    ['base64 of PEM', base64(KEY)],
    ['base64 of PEM in lines', folded],
    ['base64 of PEM in lines with carriage returns', folded.replaceAll('\n', '\r\n')],
    ['base64 of PEM without padding', base64(KEY).replaceAll('=', '')],
    ['base64url', Buffer.from(KEY).toString('base64url')],
    ['base64 with a final line feed', `${base64(KEY)}\n`],
  ])('may hold %s', async (_name, value) => {
    const identity = await loadIdentity({ ...paths, privateKey: 'env:THE_KEY' }, { env: { THE_KEY: value } });
    expect(identity.serialNumber).toBe(serial);
  });

  it('may hold the certificate, also in base64 of DER, and the intermediates', async () => {
    const env = { LEAF: base64(new X509Certificate(LEAF).raw), KEY, CHAIN: base64(INTERMEDIATE) };
    const spec = { certificate: 'env:LEAF', privateKey: 'env:KEY', intermediates: 'env:CHAIN' };
    const { serialNumber, chain } = await loadIdentity(spec, { env });
    expect([serialNumber, chain.length]).toEqual([serial, 1]);
  });

  it('may hold everything', async () => {
    const env = { ALL: LEAF + INTERMEDIATE + KEY };
    expect((await loadIdentity({ certificate: 'env:ALL' }, { env })).chain).toHaveLength(1);
  });

  it('is read by loadCertificates', async () => {
    expect(await loadCertificates('env:ALL', { env: { ALL: LEAF + INTERMEDIATE } })).toHaveLength(2);
  });

  const secret = base64(KEY).slice(20, 60);
  it.each<[string, ErrorCode, string, string | undefined]>([
    ['is not set', 'ERR_VARIABLE_NOT_SET', 'env:THE_KEY', undefined],
    ['is empty', 'ERR_PEM_EMPTY', 'env:THE_KEY', ''],
    ['is blank', 'ERR_PEM_EMPTY', 'env:THE_KEY', ' \n'],
    ['is neither PEM nor base64', 'ERR_FORMAT_UNKNOWN', 'env:THE_KEY', `${secret}!`],
    ['is base64 of something else', 'ERR_FORMAT_UNKNOWN', 'env:THE_KEY', base64(`${secret} is no key`)],
    ['is a path', 'ERR_FORMAT_UNKNOWN', 'env:THE_KEY', '/etc/key.pem'],
    ['has lost its line ends', 'ERR_PEM_MALFORMED', 'env:THE_KEY', KEY.replaceAll('\n', ' ')],
    ['has its line ends escaped', 'ERR_PEM_MALFORMED', 'env:THE_KEY', KEY.replaceAll('\n', '\\n')],
    ['is cut off', 'ERR_PEM_TRUNCATED', 'env:THE_KEY', KEY.slice(0, 120)],
    ['holds more than a file may', 'ERR_FILE_TOO_LARGE', 'env:THE_KEY', 'A'.repeat(2 * 1024 * 1024 + 1)],
    ['has no name', 'ERR_FLAG_VALUE', 'env:', KEY],
    ['has a name that is none', 'ERR_FLAG_VALUE', 'env:$KEY', KEY],
    ['was expanded by the shell, as PEM', 'ERR_FLAG_VALUE', `env:${KEY}`, KEY],
    ['was expanded by the shell, as base64', 'ERR_FLAG_VALUE', `env:${base64(KEY).replaceAll('=', '')}`, KEY],
  ])('that %s is an error that shows nothing of it', async (_name, code, value, content) => {
    const error = await refusal(
      async () => await loadIdentity({ ...paths, privateKey: value }, { env: { THE_KEY: content } }),
    );
    expect(error.code).toBe(code);
    expect(error.message).toContain('--private-key');
    expect(error.hint).toBeTruthy();
    const shown = `${error.message} ${error.hint}`;
    expect(shown).not.toContain(secret);
    expect(shown).not.toContain(KEY.split('\n')[1]);
    expect(shown).not.toContain('/etc/key.pem');
  });

  it('gives bytes of their own, which wiping reaches', () => {
    for (const value of [KEY, base64(KEY)]) {
      const { bytes, rereadable } = materialReader({ env: { K: value } })('--private-key', 'env:K');
      expect(Buffer.from(bytes).toString()).toBe(KEY);
      expect([bytes.byteOffset, bytes.buffer.byteLength, rereadable]).toEqual([0, bytes.length, false]);
    }
  });
});

describe('standard input', () => {
  it.each([
    ['the certificate', { ...paths, certificate: '-' }, LEAF],
    ['the key', { ...paths, privateKey: '-' }, KEY],
    ['the intermediates', { ...paths, intermediates: '-' }, INTERMEDIATE],
    ['everything', { certificate: '-' }, LEAF + INTERMEDIATE + KEY],
    ['a certificate in DER', { ...paths, certificate: '-' }, new X509Certificate(LEAF).raw],
  ])('may hold %s', async (_name, spec, bytes) => {
    const identity = await withStdin(bytes, async (stdin) => await loadIdentity(spec, { stdin }));
    expect(identity.serialNumber).toBe(serial);
  });

  it.each([
    [{ certificate: '-', privateKey: '-' }, '--certificate and --private-key'],
    [{ ...paths, certificate: '-', intermediates: '-' }, '--certificate and --intermediates'],
    [{ ...paths, privateKey: '-', intermediates: '-' }, '--private-key and --intermediates'],
  ])('is refused twice, before it is read: %o', async (spec, flags) => {
    const error = await refusal(async () => await loadIdentity(spec, { stdin: 999 }));
    expect(error).toMatchObject({ code: 'ERR_FLAG_CONFLICT', message: expect.stringContaining(flags) as string });
  });

  it('is not refused once', () => {
    expect(() => refuseStdinTwice({ a: '-', b: undefined, c: './-' })).not.toThrow();
  });

  it.each<[string, string | Uint8Array, ErrorCode]>([
    ['empty', '', 'ERR_PEM_EMPTY'],
    ['too long', Buffer.alloc(1024 * 1024 + 1, 65), 'ERR_FILE_TOO_LARGE'],
    ['something else', 'hello\n', 'ERR_FORMAT_UNKNOWN'],
  ])('that is %s is an error that names it', async (_name, bytes, code) => {
    const error = await refusal(async () => await withStdin(bytes, certificateFrom));
    expect(error.code).toBe(code);
    expect(error.message).toContain('--certificate - (standard input)');
  });

  it('that is closed is an error that names it', async () => {
    const error = await refusal(async () => await loadIdentity({ ...paths, certificate: '-' }, { stdin: 999 }));
    expect(error).toMatchObject({ code: 'ERR_FILE_UNREADABLE', message: expect.stringContaining('EBADF') as string });
  });

  it('does not look for a rotation, since it gives its bytes once', async () => {
    const pauses: string[] = [];
    const pause = async () => pauses.push('one');
    const spec = { certificate: pkiPath('ec-p384.crt.pem'), privateKey: '-' };
    const load = async (stdin: number) => await loadIdentity(spec, { stdin, pause });
    expect(await refusalCode(async () => await withStdin(KEY, load))).toBe('ERR_KEY_MISMATCH');
    expect(pauses).toEqual([]);
  });
});

describe('a value that was meant for a PKCS#11 URI', () => {
  it.each([
    ' pkcs11:token=t?pin-value=31415926',
    "'pkcs11:token=t'",
    '\u2018pkcs11:token=t\u2019',
    'pkcs11;token=t',
    'PKCS#11:token=t',
    'pkcs11%3atoken=t',
    'token=t?pin-value=31415926',
    'object=k;PIN-SOURCE=/pin',
  ])('is no file, and is not shown: %s', async (value) => {
    const error = await refusal(() => materialReader()('--certificate', value));
    expect(error.code).toBe('ERR_PKCS11_URI');
    expect(`${error.message} ${error.hint}`).not.toContain('3141');
    expect(await refusalCode(() => loadIdentity({ certificate: value }))).toBe('ERR_PKCS11_URI');
  });

  it.each(['keys/pkcs11.pem', 'pkcs11/leaf.pem', 'leaf.pkcs12', 'pin-value'])(
    'is a file when it is %s',
    async (value) => {
      expect(await refusalCode(() => materialReader()('--certificate', value))).toBe('ERR_FILE_NOT_FOUND');
    },
  );
});

describe('the material itself in place of a file', () => {
  it.each([
    ['PEM', KEY],
    ['PEM on one line', KEY.replaceAll('\n', ' ')],
    ['base64 of PEM', base64(KEY)],
    ['base64 of DER', KEY.split('\n').slice(1, -2).join('')],
  ])('%s is refused and not shown', async (_name, value) => {
    const error = await refusal(async () => await loadIdentity({ ...paths, privateKey: value }));
    expect(error.code).toBe('ERR_FLAG_VALUE');
    expect(`${error.message} ${error.hint}`).not.toContain(value.slice(40, 60));
  });

  it('is not seen in a long path', async () => {
    const code = await refusalCode(async () => await loadIdentity({ certificate: `${dir}/${'Mx/'.repeat(100)}c.pem` }));
    expect(code).toBe('ERR_FILE_NOT_FOUND');
  });
});

it.each([
  ['key.pem', true],
  ['./-', true],
  ['./env:A', true],
  ['-', false],
  ['env:A', false],
])('isPath(%j) is %s', (value, expected) => {
  expect(isPath(value)).toBe(expected);
});
