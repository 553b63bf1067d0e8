import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { certificatesIn, readCaBundle } from '../../src/http/ca-bundle.ts';
import { openssl, pkiPath, pkiText } from '../support/pki.ts';
import { makeAuthority } from './support/pki.ts';

const derOf = (name: string): Buffer => Buffer.from(pkiText(name).replaceAll(/-----.*-----|\n/g, ''), 'base64');

describe('readCaBundle', () => {
  let root: string;
  let dir: string;
  const file = (content: string): string => {
    const path = join(dir, 'bundle.pem');
    writeFileSync(path, content);
    return path;
  };

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'ca-bundle-'));
    ({ root } = await makeAuthority('Root'));
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  it('reads certificates with comments around them', () => {
    const text = `# first\n${root}\n# sécond\r\n${root.replaceAll('\n', '\r\n')}`;
    expect(readCaBundle(file(text)).match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
  });

  it.each([['X509 CERTIFICATE'], ['TRUSTED CERTIFICATE']])('reads the label %s', (label) => {
    expect(readCaBundle(file(root.replaceAll('CERTIFICATE', label)))).toContain(label);
  });

  it.each<[string, (text: string) => string]>([
    ['a byte order mark', (text) => `\ufeff${text}`],
    ['CR as line ends', (text) => text.replaceAll('\n', '\r')],
    ['indented', (text) => text.replaceAll(/^/gm, '  ')],
    ['in quotes', (text) => `"${text}"`],
    ['blanks for line ends', (text) => text.replaceAll('\n', ' ')],
    ['no line end between two', (text) => `${text.trimEnd()}${text}`],
    ['a private key behind it', (text) => `${text}-----BEGIN PRIVATE KEY-----\nMC4=\n-----END PRIVATE KEY-----\n`],
  ])('gives OpenSSL what it reads whole, of a file with %s', (_what, change) => {
    const text = change(root);
    const count = text.split('BEGIN CERTIFICATE').length - 1;
    // OpenSSL wants each line to begin where the mark or the text does, and an end to it.
    const plain = /^-----BEGIN CERTIFICATE-----\n(?:[A-Za-z0-9+/=]{1,64}\n)+-----END CERTIFICATE-----$/gm;
    const path = file(text);
    for (const read of [readCaBundle(path), certificatesIn(path).join('\n')]) {
      const blocks = read.match(plain) ?? [];
      expect(blocks.map((block) => new X509Certificate(block).raw)).toEqual(
        Array.from({ length: count }, () => new X509Certificate(root).raw),
      );
      expect(read).not.toContain('PRIVATE');
    }
  });

  it.each<[string, string | Buffer, RegExp]>([
    [String.raw`\n as line ends`, 'escaped', /printf '%b/],
    ['UTF-16', 'wide', /iconv -f UTF-16/],
    ['a page of the web', '<!DOCTYPE html><p>403', /error page/],
    ['base64 without a label', 'bare', /-----BEGIN CERTIFICATE-----/],
    [
      'base64 without a label, with its padding and a line end',
      `${'A'.repeat(70)}==\r\n`,
      /-----BEGIN CERTIFICATE-----/,
    ],
    [
      'what begins so, with half a megabyte of blanks in it',
      `${'A'.repeat(70)}${' '.repeat(500_000)}!`,
      /PEM|certificate/,
    ],
    [
      'a private key',
      '-----BEGIN EC PRIVATE KEY-----\nMC4=\n-----END EC PRIVATE KEY-----\n',
      /private key has no place/,
    ],
    ['a private key in DER', derOf('ec-p256.key.pem'), /private key has no place/],
    ['a certificate in DER', derOf('ec-p256.crt.pem'), /openssl x509 -inform DER/],
    ['PKCS#12', readFileSync(pkiPath('ec-p256.p12')), /openssl pkcs12/],
    ['PKCS#7', '-----BEGIN PKCS7-----\nMAA=\n-----END PKCS7-----\n', /openssl pkcs7 -in/],
    ['PKCS#7 in DER', 'pkcs7', /openssl pkcs7 -inform DER/],
    ['a request', '-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n', /request/],
    ['nothing but a line end', '\n', /empty/],
    ['JSON', 'json', /jq -r/],
  ])('says of %s what to do', (_what, given, hint) => {
    const contents: Record<string, string | Buffer> = {
      escaped: root.replaceAll('\n', String.raw`\n`),
      wide: Buffer.from(`\ufeff${root}`, 'utf16le'),
      bare: root.replaceAll(/-----.*-----|\n/g, ''),
      pkcs7: openssl(['crl2pkcs7', '-nocrl', '-certfile', pkiPath('root.pem'), '-outform', 'DER']),
      json: JSON.stringify({ ca: root }),
    };
    const path = join(dir, 'unusual.pem');
    writeFileSync(path, contents[String(given)] ?? given);
    expect(() => readCaBundle(path)).toThrow(
      expect.objectContaining({ code: 'ERR_CA_BUNDLE', hint: expect.stringMatching(hint) as string }) as Error,
    );
  });

  it.each([
    ['an empty file', () => '', /holds no certificate/],
    ['a private key', () => '-----BEGIN PRIVATE KEY-----\nMC4=\n-----END PRIVATE KEY-----\n', /holds no certificate/],
    ['garbage', () => '\0\x01\x02', /holds no certificate/],
    ['a certificate cut off', () => root.slice(0, -60), /certificate 1 .* malformed/],
    [
      'a malformed certificate after a good one',
      () => `${root}\n-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n`,
      /certificate 2 .* malformed/,
    ],
    ['more than 4 MiB', () => root + '#'.repeat(4 * 1024 * 1024), /larger than 4 MiB/],
  ])('refuses %s', (_what, content, message) => {
    const path = file(content());
    expect(() => readCaBundle(path, 'AWS_CA_BUNDLE')).toThrow(
      expect.objectContaining({
        code: 'ERR_CA_BUNDLE',
        message: expect.stringMatching(message) as string,
      }) as Error,
    );
    expect(() => readCaBundle(path, 'AWS_CA_BUNDLE')).toThrow(/^AWS_CA_BUNDLE: /);
  });

  it.each([
    ['a missing file', 'missing.pem', /cannot be read \(ENOENT\)/],
    ['a directory', '.', /is a directory/],
  ])('refuses %s', (_what, path, message) => {
    expect(() => readCaBundle(join(dir, path))).toThrow(
      expect.objectContaining({ code: 'ERR_CA_BUNDLE', message: expect.stringMatching(message) as string }) as Error,
    );
  });
});
