/** PBMAC1 in PKCS#12: the vectors of RFC 9879, appendix A, and what its rules forbid. */
import { createHmac, pbkdf2Sync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { openContainer } from '../../../src/identity/containers/unlock.ts';
import { integer, octets, oid, sequence, tlv } from '../../support/der.ts';
import { fixture } from '../../support/fixtures.ts';
import { refusal } from '../../support/refusal.ts';

const PASSWORD = '1234';

async function open(bytes: Uint8Array, password = PASSWORD) {
  const deps = { passwords: { pkcs12: { password, from: 'the test' } } };
  return await openContainer(bytes, 'c.p12', deps);
}

describe('the vectors of RFC 9879, appendix A', () => {
  it.each(['a1', 'a2', 'a3'])('%s opens', async (name) => {
    const blocks = await open(fixture(`rfc9579-${name}.p12`));
    expect(blocks.map(({ label }) => label)).toEqual(['CERTIFICATE', 'PRIVATE KEY']);
  });

  it.each(['a1', 'a2', 'a3'])('%s stays shut for another password', async (name) => {
    const error = await refusal(async () => await open(fixture(`rfc9579-${name}.p12`), '12345'));
    expect(error.code).toBe('ERR_PASSWORD_INCORRECT');
  });

  it.each([
    ['a4', 'its MAC is not'],
    ['a5', 'its MAC is not'],
    ['a6', 'does not name the length of its key'],
  ])('%s is refused', async (name, why) => {
    const error = await refusal(async () => await open(fixture(`rfc9579-${name}.p12`)));
    expect(error.code).toBe('ERR_PKCS12_MALFORMED');
    expect(error.message).toContain(why);
  });
});

const PBMAC1 = '1.2.840.113549.1.5.14';
const PBKDF2 = '1.2.840.113549.1.5.12';
const HMACS = {
  sha1: 7,
  sha224: 8,
  sha256: 9,
  sha384: 10,
  sha512: 11,
  'sha512-224': 12,
  'sha512-256': 13,
} as const;
type Digest = keyof typeof HMACS;
const hmac = (digest: Digest): Buffer => sequence(oid(`1.2.840.113549.2.${HMACS[digest]}`), tlv(0x05));
const DATA = oid('1.2.840.113549.1.7.1');

const ITERATIONS = 10;

interface Shape {
  prf?: Digest;
  digest?: Digest;
  keyLength?: number;
  /** The iteration count that is written down. */
  declared?: number;
  /** Changes the MAC that is right. */
  mac?: (right: Buffer) => Buffer;
  derivation?: string;
}

/** A container of nothing, under PBMAC1. */
function container({ prf = 'sha256', digest = 'sha256', ...shape }: Shape): Buffer {
  const { keyLength = 32, declared = ITERATIONS, mac = (right) => right, derivation = PBKDF2 } = shape;
  const content = sequence();
  const salt = Buffer.from('a salt');
  const key = pbkdf2Sync(PASSWORD, salt, ITERATIONS, keyLength, prf);
  const kdf = sequence(oid(derivation), sequence(octets(salt), integer(declared), integer(keyLength), hmac(prf)));
  const info = sequence(
    sequence(oid(PBMAC1), sequence(kdf, hmac(digest))),
    octets(mac(createHmac(digest, key).update(content).digest())),
  );
  // Of MacData, salt and iteration count mean nothing.
  const macData = sequence(info, octets(Buffer.from('NOT USED')), integer(1));
  return sequence(integer(3), sequence(DATA, tlv(0xa0, octets(content))), macData);
}

describe('a container under PBMAC1', () => {
  const digests = Object.keys(HMACS) as Digest[];
  it.each(digests)('opens with HMAC and PBKDF2 by %s', async (digest) => {
    expect(await open(container({ prf: digest, digest }))).toEqual([]);
  });

  it.each([20, 64, 128])('opens with a key of %d octets', async (keyLength) => {
    expect(await open(container({ keyLength }))).toEqual([]);
  });

  it('asks for its password, where none is given', async () => {
    const deps = { ask: async () => undefined };
    const error = await refusal(async () => await openContainer(container({}), 'c.p12', deps));
    expect(error.code).toBe('ERR_PASSWORD_REQUIRED');
  });

  it.each([1, 16, 19, 129])('is refused with a key of %d octets', async (keyLength) => {
    const error = await refusal(async () => await open(container({ keyLength })));
    expect(error.code).toBe('ERR_PKCS12_MALFORMED');
    expect(error.message).toContain(`${keyLength} octets`);
  });

  it.each<[string, (mac: Buffer) => Buffer]>([
    ['cut by an octet', (mac) => mac.subarray(0, -1)],
    ['cut to half', (mac) => mac.subarray(0, mac.length / 2)],
    ['cut to nothing', () => Buffer.alloc(0)],
    ['longer by an octet', (mac) => Buffer.concat([mac, Buffer.alloc(1)])],
    ['wrong in its last bit', (mac) => Buffer.concat([mac.subarray(0, -1), Buffer.from([(mac.at(-1) ?? 0) ^ 1])])],
  ])('stays shut with a MAC that is %s', async (_name, mac) => {
    const error = await refusal(async () => await open(container({ mac })));
    expect(error.code).toBe('ERR_PASSWORD_INCORRECT');
  });

  it('is refused where the key derivation is not PBKDF2', async () => {
    const error = await refusal(async () => await open(container({ derivation: '1.3.6.1.4.1.11591.4.11' })));
    expect(error.code).toBe('ERR_ENCRYPTION_UNSUPPORTED');
  });

  it('is refused before any work where that is too much, counted by the length of its key', async () => {
    // Seven blocks of SHA-1 for each iteration.
    const bytes = container({ keyLength: 128, prf: 'sha1', declared: 2_000_000 });
    const error = await refusal(async () => await open(bytes));
    expect(error.code).toBe('ERR_KDF_TOO_COSTLY');
  });
});
