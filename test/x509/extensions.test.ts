import { describe, expect, it } from 'vitest';
import { readCertificate } from '../../src/x509/certificate.ts';
import { DerError, readDer } from '../../src/x509/der.ts';
import {
  EXTENSION,
  KEY_USAGE,
  issuerKeyIdentifier,
  ownKeyIdentifier,
  readExtensions,
  readIsAuthority,
  readKeyUsage,
} from '../../src/x509/extensions.ts';
import { readAlternativeNames, readName } from '../../src/x509/names.ts';
import { pssDigest, rsaBits } from '../../src/x509/rules.ts';
import { readPem } from '../../src/x509/pem.ts';
import { openssl, pkiText } from '../support/pki.ts';
import { requireTool } from '../support/tools.ts';

const hasOpenssl = requireTool('openssl');
const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(' ', ''), 'hex');
/** DER of a value with a tag and this content. */
function value(tag: number, ...contents: Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  const length =
    content.length < 0x80
      ? [content.length]
      : content.length < 0x1_00
        ? [0x81, content.length]
        : content.length < 0x1_00_00
          ? [0x82, content.length >> 8, content.length & 0xff]
          : [0x83, content.length >> 16, (content.length >> 8) & 0xff, content.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}
const extension = (oid: string, ...rest: Uint8Array[]): Buffer => value(0x30, value(0x06, bytes(oid)), ...rest);
const CRITICAL = bytes('01 01 ff');
const wrapped = (...extensions: Uint8Array[]) => readExtensions(readDer(value(0xa3, value(0x30, ...extensions))));

describe('readExtensions', () => {
  it('reads none where there are none', () => {
    expect(readExtensions(undefined).size).toBe(0);
  });

  it('reads them with and without a critical mark', () => {
    const found = wrapped(
      extension('55 1d 13', CRITICAL, value(0x04, bytes('30 00'))),
      extension('55 1d 0f', value(0x04, bytes('03 02 07 80'))),
    );
    expect(Array.from(found, ([name, inner]) => [name, Buffer.from(inner).toString('hex')])).toEqual([
      [EXTENSION.basicConstraints, '3000'],
      [EXTENSION.keyUsage, '03020780'],
    ]);
  });

  it.each([
    ['one that occurs twice', () => wrapped(extension('55 1d 0f', value(0x04)), extension('55 1d 0f', value(0x04)))],
    ['one without a value', () => wrapped(extension('55 1d 0f'))],
    ['one without a name', () => wrapped(value(0x30, value(0x04)))],
    ['a critical mark that is none', () => wrapped(extension('55 1d 0f', bytes('02 01 01'), value(0x04)))],
    ['a value that is no OCTET STRING', () => wrapped(extension('55 1d 0f', value(0x03, bytes('00'))))],
    ['a list that is none', () => readExtensions(readDer(value(0xa3, value(0x31))))],
    ['nothing in the wrapper', () => readExtensions(readDer(value(0xa3)))],
    [
      'sixty-five of them',
      () =>
        wrapped(
          ...Array.from({ length: 65 }, (_, at) => extension(Buffer.from([0x2a, at]).toString('hex'), value(0x04))),
        ),
    ],
  ])('refuses %s', (_name, read) => {
    expect(read).toThrow(DerError);
  });
});

describe('readIsAuthority', () => {
  it.each([
    ['no extension', undefined, false],
    ['the default', '30 00', false],
    ['FALSE, which DER leaves out and people write', '30 03 01 01 00', false],
    ['TRUE', '30 03 01 01 ff', true],
    ['TRUE with a path length', '30 06 01 01 ff 02 01 00', true],
    ['TRUE in BER', '30 03 01 01 01', true],
    ['a path length alone', '30 03 02 01 00', false],
  ])('reads %s', (_name, hex, expected) => {
    expect(readIsAuthority(hex === undefined ? undefined : bytes(hex))).toBe(expected);
  });

  it.each(['', '30', '30 01', '31 00', '30 00 00'])('refuses %j', (hex) => {
    expect(() => readIsAuthority(bytes(hex))).toThrow(DerError);
  });
});

describe('readKeyUsage', () => {
  it.each([
    ['03 02 07 80', KEY_USAGE.digitalSignature],
    ['03 02 05 a0', KEY_USAGE.digitalSignature | KEY_USAGE.keyEncipherment],
    ['03 02 01 06', KEY_USAGE.keyCertSign | KEY_USAGE.cRLSign],
    ['03 03 07 80 80', KEY_USAGE.digitalSignature | KEY_USAGE.decipherOnly],
    ['03 01 00', 0],
    ['03 04 00 80 00 00', KEY_USAGE.digitalSignature],
    ['03 05 00 06 00 00 00', KEY_USAGE.keyCertSign | KEY_USAGE.cRLSign],
  ])('reads %s', (hex, usages) => {
    expect(readKeyUsage(bytes(hex))).toBe(usages);
  });

  it.each(['', '03 00', '03 02 08 80', '04 02 07 80', '03 02 07'])('refuses %j', (hex) => {
    expect(() => readKeyUsage(bytes(hex))).toThrow(DerError);
  });
});

const identifiers = (own: string, issuer: string) => {
  const extensions = new Map([
    [EXTENSION.subjectKeyIdentifier, bytes(own)],
    [EXTENSION.authorityKeyIdentifier, bytes(issuer)],
  ] as [string, Uint8Array][]);
  return [ownKeyIdentifier(extensions), issuerKeyIdentifier(extensions)].map(
    (found) => found && Buffer.from(found).toString('hex'),
  );
};

describe('key identifiers', () => {
  it('are read', () => {
    expect(identifiers('04 02 01 02', '30 04 80 02 03 04')).toEqual(['0102', '0304']);
  });

  it.each([
    ['that are broken', '04 09', '30 09'],
    ['of another form', '03 01 00', '30 04 82 02 03 04'],
    ['that are empty bytes', '', ''],
  ])('%s count as none', (_name, own, issuer) => {
    expect(identifiers(own, issuer)).toEqual([undefined, undefined]);
  });
});

describe('what is well-formed and hostile', () => {
  /** Each parser of this folder that reads what a certificate's owner wrote. */
  const parsers: [string, (der: Uint8Array) => unknown][] = [
    ['extensions', (der) => readExtensions(readDer(der))],
    ['basicConstraints', readIsAuthority],
    ['keyUsage', readKeyUsage],
    ['names', readName],
    ['alternative names', readAlternativeNames],
    ['RSA key sizes', (publicKey) => rsaBits({ publicKey, keyAlgorithm: { name: 'RSA', keyType: 'RSA' } })],
    ['RSASSA-PSS parameters', (parameters) => pssDigest({ objectIdentifier: '1.2.840.113549.1.1.10', parameters })],
  ];
  const nested = (tag: number, depth: number): Buffer => {
    let inner: Buffer = Buffer.alloc(0);
    for (let at = 0; at < depth; at++) inner = value(tag, inner);
    return inner;
  };
  const subjects: [string, Buffer][] = [
    ['nested ten thousand deep', nested(0x30, 10_000)],
    ['sets nested ten thousand deep', nested(0x31, 10_000)],
    ['directory names nested a thousand deep', nested(0xa4, 1000)],
    ['a hundred thousand empty fields', value(0x30, Buffer.alloc(200_000, bytes('05 00')))],
    ['a hundred thousand empty names', value(0x30, Buffer.alloc(200_000, bytes('82 00')))],
    ['a length beyond the end', bytes('30 84 7f ff ff ff 00')],
    ['an indefinite length', bytes('30 80 00 00')],
  ];

  it.each(parsers)('does not trouble the parser of %s', (_name, parse) => {
    for (const [what, der] of subjects) {
      const started = performance.now();
      const result = attempt(() => parse(der));
      expect([what, result, performance.now() - started < 1000]).toEqual([
        what,
        expect.stringMatching(/^(read|refused)$/),
        true,
      ]);
    }
  });

  it.each(parsers)('and neither does anything cut off or changed: %s', (_name, parse) => {
    const der = readPem(Buffer.from(pkiText('rsa-2048.crt.pem')), 'x')[0]?.der ?? new Uint8Array();
    const { extensions, subject, publicKey } = readCertificate(der, 'x');
    const results = new Set<string>();
    for (const whole of [...extensions.values(), subject, publicKey]) {
      for (let length = 0; length < whole.length; length++)
        results.add(attempt(() => parse(whole.subarray(0, length))));
      for (let at = 0; at < Math.min(whole.length, 80); at++)
        for (const octet of [0x00, 0x01, 0x7f, 0x80, 0xff]) {
          const changed = Buffer.from(whole);
          changed[at] = octet;
          results.add(attempt(() => parse(changed)));
        }
    }
    expect(results.size).toBeGreaterThan(0);
  });
});

/** A parser's own error is a refusal; any other is thrown on. */
function attempt(parse: () => unknown): 'read' | 'refused' {
  try {
    parse();
    return 'read';
  } catch (error) {
    if (error instanceof DerError) return 'refused';
    throw error;
  }
}

describe.skipIf(!hasOpenssl)('a certificate with a critical extension that nobody knows', () => {
  it('is read', () => {
    const pem = openssl([
      ...'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -subj /CN=x'.split(' '),
      '-addext',
      '1.2.3.4=critical,DER:0500',
    ]);
    const certificate = readCertificate(readPem(pem, 'x')[0]?.der ?? new Uint8Array(), 'x');
    expect(Buffer.from(certificate.extensions.get('1.2.3.4') ?? []).toString('hex')).toBe('0500');
  });
});
