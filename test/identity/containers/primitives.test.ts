import { X509Certificate, createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { iterateHash } from '../../../src/identity/containers/iterated-hash.ts';
import { bmpPassword } from '../../../src/identity/containers/pkcs12-kdf.ts';
import { readPkcs12 } from '../../../src/identity/containers/pkcs12.ts';
import { decryptRc2Cbc } from '../../../src/identity/containers/rc2.ts';
import { pkiText } from '../../support/pki.ts';
import { integer, oid, sequence, tlv } from '../../support/der.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('decryptRc2Cbc', () => {
  // RFC 2268, section 5: those whose effective key length is that of the key.
  it.each([
    ['88bca90e90875a7f0f79c384627bafb2', '2269552ab0f85ca6', '0000000000000000'],
    ['ffffffffffffffff', '278b27e42e2f0d49', 'ffffffffffffffff'],
    ['3000000000000000', '30649edf9be7d2c2', '1000000000000001'],
  ])('key %s', (key, cipherText, plain) => {
    expect(Buffer.from(decryptRc2Cbc(hex(key), Buffer.alloc(8), hex(cipherText))).toString('hex')).toBe(plain);
  });

  it('chains blocks', () => {
    const [key, block, iv] = [hex('3000000000000000'), hex('30649edf9be7d2c2'), hex('0102030405060708')];
    const plain = Buffer.from(decryptRc2Cbc(key, iv, Buffer.concat([block, block])));
    const expected = hex('1000000000000001');
    expect(plain.subarray(0, 8)).toEqual(Buffer.from(expected.map((octet, index) => octet ^ (iv[index] ?? 0))));
    expect(plain.subarray(8)).toEqual(Buffer.from(expected.map((octet, index) => octet ^ (block[index] ?? 0))));
  });
});

describe('iterateHash', () => {
  it.each(['sha1', 'sha224', 'sha256', 'sha384', 'sha512'])('%s is what node:crypto makes of it', (name) => {
    const start = createHash(name).update('start').digest();
    const expected = [start];
    for (let times = 1; times <= 300; times++)
      expected.push(
        createHash(name)
          .update(expected.at(-1) ?? '')
          .digest(),
      );
    expect([0, 1, 2, 299, 300].map((times) => Buffer.from(iterateHash(name, start, times)))).toEqual(
      [0, 1, 2, 299, 300].map((times) => expected[times]),
    );
  });
});

describe('bmpPassword', () => {
  it.each([
    ['Beavis', '0042006500610076006900730000'],
    ['', '0000'],
    ['ä🔑', '00e4d83ddd110000'],
  ])('writes %j as UTF-16', (text, expected) => {
    expect(Buffer.from(bmpPassword(Buffer.from(text))).toString('hex')).toBe(expected);
  });

  it('takes what is not UTF-8 as Latin-1', () => {
    expect(Buffer.from(bmpPassword(Buffer.from([0xe4, 0x41]))).toString('hex')).toBe('00e400410000');
  });
});

/** A value of indefinite length. */
const indefinite = (tag: number, ...contents: readonly Uint8Array[]): Buffer =>
  Buffer.concat([Buffer.from([tag, 0x80]), ...contents, Buffer.alloc(2)]);
/** An OCTET STRING in pieces. */
const pieces = (content: Uint8Array): Buffer => {
  const middle = Math.floor(content.length / 3);
  return indefinite(0x24, tlv(0x04, content.subarray(0, middle)), tlv(0x04, content.subarray(middle)));
};
const data = oid('1.2.840.113549.1.7.1');
const leaf = new X509Certificate(pkiText('ec-p256.crt.pem')).raw;
const certificate = indefinite(0x30, oid('1.2.840.113549.1.9.22.1'), indefinite(0xa0, pieces(leaf)));
const bag = indefinite(0x30, oid('1.2.840.113549.1.12.10.1.3'), indefinite(0xa0, certificate));
const part = indefinite(0x30, data, indefinite(0xa0, pieces(indefinite(0x30, bag))));

describe('PKCS#12 in BER', () => {
  it('opens, with lengths that are not known before the end and strings in pieces', async () => {
    const container = indefinite(
      0x30,
      integer(3),
      indefinite(0x30, data, indefinite(0xa0, pieces(indefinite(0x30, part)))),
    );
    const pkcs12 = readPkcs12(container, 'c.p12');
    expect(pkcs12.locked).toBe(false);
    const [block] = await pkcs12.open(new Uint8Array());
    expect(Buffer.from(block?.der ?? [])).toEqual(leaf);
  });

  it('may be mixed with DER', async () => {
    const container = sequence(integer(3), sequence(data, tlv(0xa0, pieces(sequence(part)))));
    const [block] = await readPkcs12(container, 'c.p12').open(new Uint8Array());
    expect(Buffer.from(block?.der ?? [])).toEqual(leaf);
  });
});
