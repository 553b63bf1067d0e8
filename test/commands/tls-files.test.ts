import { X509Certificate, createPrivateKey } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readTls } from '../../src/commands/tls-files.ts';
import type { ErrorCode } from '../../src/platform/errors.ts';
import { openssl, pkiPath, pkiText } from '../support/pki.ts';
import { refusal } from '../support/refusal.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ra-serve-tls-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** A file with a text in it; what is the name of a file of the development PKI is that file. */
function file(name: string, text: string | Buffer): string {
  const path = join(dir, name);
  writeFileSync(
    path,
    typeof text === 'string' && /^[\w-]+(?:\.[\w-]+)+$/.test(text) ? readFileSync(pkiPath(text)) : text,
  );
  return path;
}

it.each([
  ['a pair', 'tls-server.crt.pem', 'tls-server.key.pem'],
  ['one file with both', 'rsa-2048.combined.pem', 'rsa-2048.combined.pem'],
  ['a key in the older form of RSA', 'rsa-2048.crt.pem', 'rsa-2048.pkcs1.pem'],
  ['a key in the older form of EC', 'ec-p384.crt.pem', 'ec-p384.sec1.pem'],
  ['text around the blocks', 'ec-p256.text.pem', 'ec-p256.key.pem'],
])('%s is read', async (_what, cert, key) => {
  expectPair(await readTls({ cert: pkiPath(cert), key: pkiPath(key) }), cert, key);
});

/** PEM that OpenSSL overlooks, or takes for something else, in part. */
const FORMS: readonly (readonly [string, (text: string) => string | Buffer])[] = [
  ['CR as line ends', (text) => text.replaceAll('\n', '\r')],
  ['a byte order mark', (text) => `\ufeff${text}`],
  ['indented', (text) => text.replaceAll(/^/gm, '   ')],
  ['DER', (text) => Buffer.from(text.replaceAll(/-----.*-----|\n/g, ''), 'base64')],
];
const forms = FORMS.flatMap(([what, change]) => [
  [what, 'certificate', change] as const,
  [what, 'key', change] as const,
]);

it.each(forms)('%s: the %s is read as that of an identity is', async (_what, which, change) => {
  const [cert, key] = [pkiText('ec-p256.crt.pem'), pkiText('ec-p256.key.pem')];
  const changed = { cert: which === 'certificate' ? change(cert) : cert, key: which === 'key' ? change(key) : key };
  const read = await readTls({ cert: file('crt', changed.cert), key: file('key', changed.key) });
  expectPair(read, 'ec-p256.crt.pem', 'ec-p256.key.pem');
});

it('a chain in such a form is there whole', async () => {
  const chain = `${pkiText('ec-p256.crt.pem')}${pkiText('intermediate.pem')}`.replaceAll(/^/gm, ' ');
  const { cert } = await readTls({ cert: file('crt', chain), key: pkiPath('ec-p256.key.pem') });
  expect(cert.toString().match(/^-----BEGIN CERTIFICATE-----$/gm)).toHaveLength(2);
});

it.each<[string, (text: string) => string | Buffer, RegExp]>([
  [String.raw`\n for line ends`, (text) => text.replaceAll('\n', String.raw`\n`), /printf '%b/],
  ['UTF-16', (text) => Buffer.from(`\ufeff${text}`, 'utf16le'), /iconv -f UTF-16/],
  ['JSON', (text) => JSON.stringify({ one: text }), /jq -r '\.one'/],
])('of %s the hint says what to do', async (_what, change, hint) => {
  const [cert, key] = [
    file('crt', change(pkiText('ec-p256.crt.pem'))),
    file('key', change(pkiText('ec-p256.key.pem'))),
  ];
  const wrongCert = await refusal(async () => await readTls({ cert, key: pkiPath('ec-p256.key.pem') }));
  const wrongKey = await refusal(async () => await readTls({ cert: pkiPath('ec-p256.crt.pem'), key }));
  expect([wrongCert.hint, wrongKey.hint]).toEqual([expect.stringMatching(hint), expect.stringMatching(hint)]);
});

/** What was read is that certificate and that key, and OpenSSL sees them. */
function expectPair(read: { cert: Buffer; key: Buffer }, cert: string, key: string): void {
  expect(new X509Certificate(read.cert).raw).toEqual(new X509Certificate(pkiText(cert)).raw);
  expect(createPrivateKey(read.key).equals(createPrivateKey(pkiText(key)))).toBe(true);
}

const GARBAGE = (label: string): string => `-----BEGIN ${label}-----\nAAAA\n-----END ${label}-----\n`;

it.each<[string, string, string, ErrorCode]>([
  ['the key of another certificate', 'tls-server.crt.pem', 'ec-p256.key.pem', 'ERR_KEY_MISMATCH'],
  ['a key of another kind', 'rsa-2048.crt.pem', 'ec-p256.key.pem', 'ERR_KEY_MISMATCH'],
  ['swapped files', 'tls-server.key.pem', 'tls-server.crt.pem', 'ERR_PEM_LABEL'],
  ['PKCS#12', 'ec-p256.p12', 'ec-p256.key.pem', 'ERR_PEM_LABEL'],
  ['a certificate for a key', 'tls-server.crt.pem', 'tls-server.crt.pem', 'ERR_KEY_MISSING'],
  ['an encrypted key', 'ec-p256.crt.pem', 'ec-p256.encrypted.pem', 'ERR_KEY_ENCRYPTED'],
  ['a damaged certificate', GARBAGE('CERTIFICATE'), 'ec-p256.key.pem', 'ERR_CERTIFICATE_MALFORMED'],
  ['a damaged key', 'ec-p256.crt.pem', GARBAGE('PRIVATE KEY'), 'ERR_KEY_MALFORMED'],
  ['a damaged chain', 'CHAIN', 'ec-p256.key.pem', 'ERR_CERTIFICATE_MALFORMED'],
  ['no PEM', 'some text', 'ec-p256.key.pem', 'ERR_FORMAT_UNKNOWN'],
  ['an empty certificate file', '', 'ec-p256.key.pem', 'ERR_PEM_EMPTY'],
  ['an empty key file', 'ec-p256.crt.pem', '', 'ERR_PEM_EMPTY'],
  ['a chain without its leaf first', 'intermediate.pem', 'ec-p256.key.pem', 'ERR_KEY_MISMATCH'],
])('%s: refused with a code and a hint', async (what, cert, key, code) => {
  const text = cert === 'CHAIN' ? pkiText('ec-p256.crt.pem') + GARBAGE('CERTIFICATE') : cert;
  const error = await refusal(async () => await readTls({ cert: file('crt', text), key: file('key', key) }));
  expect([error.code, error.class]).toEqual([code, 'identity']);
  expect(error.message).toMatch(/^--tls-(?:cert|key) /);
  expect(error.hint).toMatch(what === 'swapped files' ? /seem swapped/ : what === 'PKCS#12' ? /openssl pkcs12/ : /./);
});

it('a chain may follow the certificate', async () => {
  const cert = file('crt', pkiText('ec-p256.crt.pem') + pkiText('intermediate.pem'));
  const read = await readTls({ cert, key: pkiPath('ec-p256.key.pem') });
  expect(read.cert).toHaveLength(pkiText('ec-p256.crt.pem').length + pkiText('intermediate.pem').length);
});

it('a key under the encryption of PEM itself is said to be encrypted', async () => {
  const plain = pkiText('rsa-2048.pkcs1.pem');
  const key = openssl(['rsa', '-aes128', '-traditional', '-passout', 'pass:not-a-secret'], plain).toString();
  expect(key).toContain('4,ENCRYPTED');
  const error = await refusal(async () => await readTls({ cert: pkiPath('rsa-2048.crt.pem'), key: file('key', key) }));
  expect(error.code).toBe('ERR_KEY_ENCRYPTED');
});

it('files that cannot be read are refused as those of identities are', async () => {
  const key = pkiPath('ec-p256.key.pem');
  const missing = await refusal(async () => await readTls({ cert: join(dir, 'none'), key }));
  expect([missing.code, missing.hint]).toEqual(['ERR_FILE_NOT_FOUND', expect.stringContaining('--tls-cert')]);
  const folder = await refusal(async () => await readTls({ cert: pkiPath('ec-p256.crt.pem'), key: dir }));
  expect(folder.code).toBe('ERR_FILE_IS_DIRECTORY');
});
