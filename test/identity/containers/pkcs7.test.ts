/** PKCS#7 with certificates alone, as openssl writes it, and what else comes under its name. */
import { X509Certificate } from 'node:crypto';
import * as pkijs from 'pkijs';
import { describe, expect, it } from 'vitest';
import { loadCertificates, loadIdentity } from '../../../src/identity/load.ts';
import type { ReadMaterial } from '../../../src/identity/material.ts';
import { integer, octets, oid, replacements, sequence, tlv, truncations } from '../../support/der.ts';
import { openssl, pkiPath, pkiText } from '../../support/pki.ts';
import { refusal, refusalCode } from '../../support/refusal.ts';
import { requireTool } from '../../support/tools.ts';

const derOf = (name: string): Buffer => new X509Certificate(pkiText(name)).raw;
const LEAF = derOf('ec-p256.crt.pem');
const INTERMEDIATE = derOf('intermediate.pem');

const reader =
  (bytes: Uint8Array): ((...args: Parameters<ReadMaterial>) => ReturnType<ReadMaterial> | undefined) =>
  (flag, value) =>
    value === 'p7' ? { flag, source: `${flag} p7`, bytes: Uint8Array.from(bytes), rereadable: true } : undefined;

async function certificates(bytes: Uint8Array) {
  const found = await loadCertificates('p7', { read: reader(bytes) });
  return found.map(({ der }) => Buffer.from(der));
}

const SIGNED_DATA = oid('1.2.840.113549.1.7.2');
const DATA = sequence(oid('1.2.840.113549.1.7.1'));
const content = (...set: Uint8Array[]): Buffer =>
  sequence(SIGNED_DATA, tlv(0xa0, sequence(integer(1), tlv(0x31), DATA, ...set, tlv(0x31))));
const BUNDLE = content(tlv(0xa0, LEAF, INTERMEDIATE));
const base64 = (bytes: Buffer): string => bytes.toString('base64').replaceAll(/.{64}/g, '$&\n');
const pem = (label: string): Buffer =>
  Buffer.from(`-----BEGIN ${label}-----\n${base64(BUNDLE)}\n-----END ${label}-----\n`);
/** With lengths that are not known before the end, as BouncyCastle writes it. */
const BER = Buffer.concat([
  Buffer.from('3080', 'hex'),
  SIGNED_DATA,
  Buffer.from('a0803080', 'hex'),
  integer(1),
  tlv(0x31),
  DATA,
  Buffer.from('a080', 'hex'),
  LEAF,
  INTERMEDIATE,
  Buffer.from('0000', 'hex'),
  tlv(0x31),
  Buffer.from('000000000000', 'hex'),
]);

/** As a library writes it that shares nothing with the reader. */
function byPkijs(): Buffer {
  const signed = new pkijs.SignedData({
    version: 1,
    encapContentInfo: new pkijs.EncapsulatedContentInfo({ eContentType: pkijs.ContentInfo.DATA }),
    certificates: [LEAF, INTERMEDIATE].map((der) => pkijs.Certificate.fromBER(der)),
  });
  const info = new pkijs.ContentInfo({ contentType: pkijs.ContentInfo.SIGNED_DATA, content: signed.toSchema(true) });
  return Buffer.from(info.toSchema().toBER());
}

const FORMS: [string, Buffer][] = [
  ['as pkijs writes it', byPkijs()],
  ['in DER', BUNDLE],
  ['in BER', BER],
  ['in base64 without labels, as EST servers answer', Buffer.from(base64(BUNDLE))],
  ['in base64 with line ends of Windows', Buffer.from(base64(BUNDLE).replaceAll('\n', '\r\n'))],
  ...['PKCS7', 'CMS', 'PKCS #7 SIGNED DATA', 'CERTIFICATE'].map((label): [string, Buffer] => [
    `under the label ${label}`,
    pem(label),
  ]),
];

describe('certificates in PKCS#7', () => {
  it.each(FORMS)('are read for --certificate, %s', async (_name, bytes) => {
    expect(await certificates(bytes)).toEqual([LEAF, INTERMEDIATE]);
    const spec = { certificate: 'p7', privateKey: pkiPath('ec-p256.key.pem') };
    const identity = await loadIdentity(spec, { read: reader(bytes) });
    expect(Buffer.from(identity.certificate)).toEqual(LEAF);
    expect(identity.chain.map((der) => Buffer.from(der))).toEqual([INTERMEDIATE]);
  });

  it.each(FORMS)('are read for --intermediates, %s', async (_name, bytes) => {
    const spec = {
      certificate: pkiPath('ec-p256.crt.pem'),
      privateKey: pkiPath('ec-p256.key.pem'),
      intermediates: 'p7',
    };
    const identity = await loadIdentity(spec, { read: reader(bytes) });
    expect(identity.chain.map((der) => Buffer.from(der))).toEqual([INTERMEDIATE]);
  });

  it.skipIf(!requireTool('openssl'))('are read as openssl writes them, with a revocation list beside', async () => {
    const files = ['-certfile', pkiPath('ec-p256.crt.pem'), '-certfile', pkiPath('intermediate.pem')];
    const written = openssl(['crl2pkcs7', '-in', pkiPath('crl.pem'), ...files]);
    expect(await certificates(written)).toEqual([LEAF, INTERMEDIATE]);
  });

  it('keep beside them what is no certificate of X.509 out', async () => {
    const attributes = tlv(0xa3, oid('1.2.3.4'), integer(1));
    expect(await certificates(content(tlv(0xa0, LEAF, attributes)))).toEqual([LEAF]);
  });
});

describe('PKCS#7 that gives no certificate', () => {
  it.each([
    ['without certificates', 'ERR_PEM_LABEL', 'holds no certificate', content()],
    ['with an empty set', 'ERR_PEM_LABEL', 'holds no certificate', content(tlv(0xa0))],
    [
      'that is encrypted',
      'ERR_PKCS7_MALFORMED',
      'encrypted for a recipient',
      sequence(oid('1.2.840.113549.1.7.3'), tlv(0xa0, sequence(integer(0), tlv(0x31), sequence()))),
    ],
    [
      'that is bare data',
      'ERR_PKCS7_MALFORMED',
      'bare data',
      sequence(oid('1.2.840.113549.1.7.1'), tlv(0xa0, octets(LEAF))),
    ],
    [
      'with too many certificates',
      'ERR_PKCS7_MALFORMED',
      'not well-formed',
      content(tlv(0xa0, ...Array.from({ length: 400 }, () => INTERMEDIATE))),
    ],
  ])('%s is refused with a word', async (_name, code, words, bytes) => {
    const error = await refusal(async () => await certificates(bytes));
    expect(error.code).toBe(code);
    expect(error.message).toContain(words);
    expect(error.hint).not.toBe('');
  });

  it('is not taken for a key', async () => {
    const spec = { certificate: pkiPath('ec-p256.crt.pem'), privateKey: 'p7' };
    expect(await refusalCode(async () => await loadIdentity(spec, { read: reader(BUNDLE) }))).toBe('ERR_PEM_LABEL');
  });

  it('is refused at every length, and never fails otherwise whichever octet is wrong', async () => {
    const small = content(tlv(0xa0, sequence(octets(Buffer.alloc(4)))));
    const refusals = [...truncations(small), ...replacements(small, [0x00, 0x30, 0x7f, 0x80, 0xff])].slice(1);
    for (const bytes of refusals)
      expect(await refusalCode(async () => await certificates(bytes))).toMatch(
        /^ERR_(?:PKCS7_MALFORMED|PKCS12_MALFORMED|FORMAT_UNKNOWN|PEM_LABEL|CERTIFICATE_MALFORMED)$/,
      );
  });
});
