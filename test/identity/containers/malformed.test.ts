import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PASSWORD } from '../../../certs-dev/containers.ts';
import { openContainer, unlockKey } from '../../../src/identity/containers/unlock.ts';
import { MAX_ITERATIONS, MAX_SCRYPT_BYTES, WorkBudget } from '../../../src/identity/containers/budget.ts';
import { readPkcs12 } from '../../../src/identity/containers/pkcs12.ts';
import { WrongPasswordError } from '../../../src/identity/containers/secret.ts';
import { loadIdentity, loadSigningKey } from '../../../src/identity/load.ts';
import { readMlDsaKey } from '../../../src/identity/ml-dsa.ts';
import type { PemBlock } from '../../../src/x509/pem.ts';
import { readPem } from '../../../src/x509/pem.ts';
import { headerOf, integer, octets, oid, replacements, sequence, tlv, truncations } from '../../support/der.ts';
import { openssl, pkiPath, pkiText } from '../../support/pki.ts';
import { outcome, refusal, refusalCode } from '../../support/refusal.ts';
import { requireTool } from '../../support/tools.ts';

const DATA = '1.2.840.113549.1.7.1';
const ENCRYPTED_DATA = '1.2.840.113549.1.7.6';
const PBES2 = '1.2.840.113549.1.5.13';
const PBKDF2 = '1.2.840.113549.1.5.12';
const SCRYPT = '1.3.6.1.4.1.11591.4.11';
const AES_256 = '2.16.840.1.101.3.4.1.42';
const PBE_3DES = '1.2.840.113549.1.12.1.3';
const SHA256 = '2.16.840.1.101.3.4.2.1';
const CERTIFICATE_BAG = '1.2.840.113549.1.12.10.1.3';
const SAFE_CONTENTS_BAG = '1.2.840.113549.1.12.10.1.6';
const SHROUDED_KEY_BAG = '1.2.840.113549.1.12.10.1.2';

const hasOpenssl = requireTool('openssl');
const passwords = { pkcs8: { password: PASSWORD, from: 'a' }, pkcs12: { password: PASSWORD, from: 'b' } };
const open = async (der: Uint8Array) => await openContainer(der, '--certificate c.p12', { passwords });
const unlock = async (der: Uint8Array) =>
  await unlockKey(block('ENCRYPTED PRIVATE KEY', der), '--private-key k', { passwords });

function block(label: string, der: Uint8Array, headers: Record<string, string> = {}): PemBlock {
  return { label, headers: new Map(Object.entries(headers)), der };
}

/** Code of the refusal, or `opened`; any other error fails the test, and so does more than a second. */
async function verdict(call: () => Promise<unknown>): Promise<string> {
  const started = performance.now();
  try {
    await call();
    return 'opened';
  } catch (error) {
    const answer = outcome(() => {
      throw error;
    });
    return 'code' in answer ? answer.code : 'unreachable';
  } finally {
    expect(performance.now() - started).toBeLessThan(1000);
  }
}

async function verdicts(
  inputs: Iterable<Uint8Array>,
  call: (input: Uint8Array) => Promise<unknown>,
): Promise<Set<string>> {
  const seen = new Set<string>();
  for (const input of inputs) seen.add(await verdict(async () => await call(input)));
  return seen;
}

const explicit = (...contents: Buffer[]): Buffer => tlv(0xa0, ...contents);
const pbes2 = (derivation: Buffer): Buffer =>
  sequence(oid(PBES2), sequence(derivation, sequence(oid(AES_256), octets(Buffer.alloc(16)))));
const pbkdf2 = (iterations: bigint | number): Buffer =>
  sequence(oid(PBKDF2), sequence(octets(Buffer.alloc(8)), integer(iterations)));
const scrypt = (N: number, r: number, p: number): Buffer =>
  sequence(oid(SCRYPT), sequence(octets(Buffer.alloc(8)), integer(N), integer(r), integer(p)));
const pbe3des = (iterations: number): Buffer =>
  sequence(oid(PBE_3DES), sequence(octets(Buffer.alloc(8)), integer(iterations)));
const encryptedKey = (scheme: Buffer): Buffer => sequence(scheme, octets(Buffer.alloc(32)));

const plainPart = (...bags: Uint8Array[]): Buffer => sequence(oid(DATA), explicit(octets(sequence(...bags))));
const encryptedPart = (scheme: Buffer): Buffer =>
  sequence(
    oid(ENCRYPTED_DATA),
    explicit(sequence(integer(0), sequence(oid(DATA), scheme, tlv(0x80, Buffer.alloc(32))))),
  );
const shroudedKey = (scheme: Buffer): Buffer => sequence(oid(SHROUDED_KEY_BAG), explicit(encryptedKey(scheme)));
const macData = (iterations: bigint | number): Buffer =>
  sequence(sequence(sequence(oid(SHA256)), octets(Buffer.alloc(32))), octets(Buffer.alloc(8)), integer(iterations));
const container = (parts: Buffer[], ...more: Buffer[]): Buffer =>
  sequence(integer(3), sequence(oid(DATA), explicit(octets(sequence(...parts)))), ...more);

const leaf = new X509Certificate(pkiText('ec-p256.crt.pem')).raw;
const certificateBag = sequence(
  oid(CERTIFICATE_BAG),
  explicit(sequence(oid('1.2.840.113549.1.9.22.1'), explicit(octets(leaf)))),
);

it('what is well-formed opens, in this suite too', async () => {
  const blocks = await open(container([plainPart(certificateBag)]));
  expect(blocks).toEqual([{ label: 'CERTIFICATE', headers: new Map(), der: Uint8Array.from(leaf) }]);
});

describe('what asks for too much work is refused before any', () => {
  const over = MAX_ITERATIONS + 1;
  const half = MAX_ITERATIONS / 2;
  it.each([
    ['a key by PBKDF2', () => unlock(encryptedKey(pbes2(pbkdf2(over))))],
    ['a key by PBKDF2, out of all range', () => unlock(encryptedKey(pbes2(pbkdf2(2n ** 4000n))))],
    ["a key by PKCS#12's own scheme", () => unlock(encryptedKey(pbe3des(over)))],
    ['a key by the memory of scrypt', () => unlock(encryptedKey(pbes2(scrypt(2 ** 18, 8, 1))))],
    ['a key by the block size of scrypt', () => unlock(encryptedKey(pbes2(scrypt(2, 2 ** 24, 1))))],
    ['a key by the passes of scrypt', () => unlock(encryptedKey(pbes2(scrypt(2 ** 14, 8, 1000))))],
    ['a container by its MAC', () => open(container([plainPart(certificateBag)], macData(over)))],
    ['a container by its MAC, out of all range', () => open(container([plainPart()], macData(2n ** 4000n)))],
    ['a container by a part', () => open(container([encryptedPart(pbes2(pbkdf2(over)))]))],
    ['a container by a key', () => open(container([plainPart(shroudedKey(pbes2(pbkdf2(over))))]))],
    ['a container by the sum of parts', () => open(container([1, 2, 3].map(() => encryptedPart(pbes2(pbkdf2(half))))))],
    [
      'a container by the sum of all',
      () =>
        open(container([encryptedPart(pbes2(pbkdf2(half))), plainPart(shroudedKey(pbes2(pbkdf2(half))))], macData(1))),
    ],
    [
      'a container by many keys',
      () => open(container([plainPart(...Array.from({ length: 200 }, () => shroudedKey(pbes2(pbkdf2(100_000)))))])),
    ],
    [
      'a container by scrypt again and again',
      () => open(container(Array.from({ length: 20 }, () => encryptedPart(pbes2(scrypt(2 ** 17, 8, 1)))))),
    ],
  ])('%s', async (_name, call) => {
    const started = process.cpuUsage();
    const error = await refusal(call);
    const { user } = process.cpuUsage(started);
    expect(error.code).toBe('ERR_KDF_TOO_COSTLY');
    expect(error.message).toMatch(/^--(certificate c\.p12|private-key k) asks for /);
    expect(user).toBeLessThan(500_000);
  });

  it.each<[string, Buffer, number]>([
    // Absent and empty passwords differ in the MAC, so it is made for both; what is encrypted, for the last question.
    ["with a MAC of PKCS#12's own", container([encryptedPart(pbes2(pbkdf2(200)))], macData(300)), 2 * 300 + 400],
    ['with a part of its own scheme', container([encryptedPart(pbe3des(100))]), 3 * 100 * 3],
    ['where no more than one can be afforded', container([encryptedPart(pbe3des(100))], macData(700)), 700 + 300],
    // PBKDF2 tells no absent password from an empty one; 32 octets take two blocks of SHA-1.
    ['with PBKDF2 alone', container([encryptedPart(pbes2(pbkdf2(300)))]), 600 + 600],
    ['with PBKDF2 alone, and one try', container([encryptedPart(pbes2(pbkdf2(400)))]), 800],
  ])('all that one password costs stays within the budget, %s', async (_name, bytes, expected) => {
    const budgets: WorkBudget[] = [];
    const pkcs12 = readPkcs12(bytes, 'c.p12', () => {
      const budget = new WorkBudget('c.p12', 1500);
      budgets.push(budget);
      return budget;
    });
    await expect(pkcs12.open(new Uint8Array())).rejects.toThrow(WrongPasswordError);
    // The first is the question before any work.
    expect(budgets.slice(1).map(({ iterations }) => iterations)).toEqual([expected]);
  });

  it('up to the limits it is not', () => {
    const budget = new WorkBudget('f');
    budget.takeIterations(MAX_ITERATIONS);
    budget.takeScrypt(MAX_SCRYPT_BYTES, 1);
    expect(outcome(() => budget.takeIterations(1))).toEqual({ code: 'ERR_KDF_TOO_COSTLY' });
  });
});

describe('containers that are cut, stretched and twisted', () => {
  const whole = container([plainPart(certificateBag)]);

  it('are refused at every length', async () => {
    expect(await verdicts(truncations(whole), open)).toEqual(new Set(['ERR_PKCS12_MALFORMED']));
    const locked = readFileSync(pkiPath('ec-p256.p12'));
    expect(await verdicts(truncations(locked), open)).toEqual(new Set(['ERR_PKCS12_MALFORMED']));
  });

  it('are refused with anything behind them', async () => {
    expect(await refusalCode(async () => await open(Buffer.concat([whole, Buffer.alloc(1)])))).toBe(
      'ERR_PKCS12_MALFORMED',
    );
    const inside = sequence(
      integer(3),
      sequence(oid(DATA), explicit(octets(Buffer.concat([sequence(), Buffer.alloc(2)])))),
    );
    expect(await refusalCode(async () => await open(inside))).toBe('ERR_PKCS12_MALFORMED');
  });

  it('never lead to anything but a refusal, whichever octet is wrong', async () => {
    const seen = await verdicts(replacements(whole, [0x00, 0x30, 0x7f, 0x80, 0xff]), open);
    expect([...seen].toSorted()).toEqual(['ERR_PKCS12_MALFORMED', 'opened']);
  });

  it.each([
    ['a length of 4 GiB', Buffer.from('308400ffffffff020103', 'hex')],
    ['a length of a length of 127', Buffer.concat([Buffer.from([0x30, 0xff]), Buffer.alloc(127, 0xff)])],
    ['an indefinite length without an end', Buffer.from('3080020103', 'hex')],
    ['no content', sequence(integer(3))],
    ['nothing', sequence()],
    ['another version', sequence(integer(4), sequence(oid(DATA), explicit(octets(sequence()))))],
    [
      'a version that is text',
      sequence(tlv(0x0c, Buffer.from('3')), sequence(oid(DATA), explicit(octets(sequence())))),
    ],
    [
      'a negative iteration count',
      container(
        [plainPart()],
        sequence(sequence(sequence(oid(SHA256)), octets(Buffer.alloc(32))), octets(Buffer.alloc(8)), tlv(0x02, [0xff])),
      ),
    ],
    ['an iteration count of 0', container([plainPart()], macData(0))],
    ['a content of another type', sequence(integer(3), sequence(oid('1.2.3'), explicit(octets(sequence()))))],
    ['a part of another type', container([sequence(oid('1.2.3'), explicit(octets(sequence())))])],
    [
      'a certificate that is no OCTET STRING',
      container([
        plainPart(
          sequence(oid(CERTIFICATE_BAG), explicit(sequence(oid('1.2.840.113549.1.9.22.1'), explicit(integer(1))))),
        ),
      ]),
    ],
    [
      'attributes that are no SET',
      container([plainPart(Buffer.concat([sequence(oid(CERTIFICATE_BAG), explicit(sequence()), integer(1))]))]),
    ],
    ['an object identifier of 10,000 octets', container([sequence(tlv(0x06, Buffer.alloc(10_000, 0x81)), explicit())])],
  ])('are refused for %s', async (_name, der) => {
    expect(await verdict(async () => await open(der))).toBe('ERR_PKCS12_MALFORMED');
  });

  it.each([
    ['100,000 sequences in each other', () => nested(0x30, 100_000)],
    ['300,000 sequences of indefinite length', () => Buffer.alloc(600_000, Buffer.from([0x30, 0x80]))],
    [
      '200,000 octet strings of indefinite length',
      () => Buffer.concat([Buffer.from('3080020103', 'hex'), Buffer.alloc(400_000, Buffer.from([0x24, 0x80]))]),
    ],
    ['500,000 nulls', () => sequence(Buffer.alloc(1_000_000, Buffer.from([0x05, 0x00])))],
    ['500,000 nulls as content', () => container([Buffer.alloc(1_000_000, Buffer.from([0x05, 0x00]))])],
    ['300 certificates', () => container([plainPart(...Array.from({ length: 300 }, () => certificateBag))])],
    ['bags in bags', () => container([plainPart(bagsInBags(6))])],
    ['bags in bags, far beyond reason', () => container([plainPart(bagsInBags(1000))])],
  ])('are refused for %s, soon and without much memory', async (_name, make) => {
    const der = make();
    const before = process.memoryUsage().rss;
    expect(await verdict(async () => await open(der))).toBe('ERR_PKCS12_MALFORMED');
    expect(process.memoryUsage().rss - before).toBeLessThan(150 * 1024 * 1024);
  });
});

function nested(tag: number, depth: number): Buffer {
  const headers: Buffer[] = [];
  let length = 0;
  for (let i = 0; i < depth; i++) {
    const header = headerOf(tag, length);
    headers.push(header);
    length += header.length;
  }
  return Buffer.concat(headers.toReversed());
}

function bagsInBags(depth: number): Uint8Array {
  let bag: Uint8Array = certificateBag;
  for (let i = 0; i < depth; i++) bag = sequence(oid(SAFE_CONTENTS_BAG), explicit(sequence(bag)));
  return bag;
}

describe('encrypted keys that are cut, stretched and twisted', () => {
  const [pem] = readPem(readFileSync(pkiPath('ec-p256.encrypted.pem')), 'k');
  const whole = pem?.der ?? new Uint8Array();

  it('are refused at every length, and with anything behind them', async () => {
    const seen = await verdicts([...truncations(whole), Buffer.concat([whole, Buffer.alloc(1)])], unlock);
    expect(seen).toEqual(new Set(['ERR_KEY_MALFORMED']));
  });

  it('never lead to anything but a refusal, whichever octet is wrong', async () => {
    const seen = await verdicts(replacements(whole, [0x00, 0x30, 0xff]), unlock);
    // Octets of the last block's padding alone change nothing else, and those of the key are not looked at here.
    expect([...seen].toSorted()).toEqual([
      'ERR_ENCRYPTION_UNSUPPORTED',
      'ERR_KEY_MALFORMED',
      'ERR_PASSWORD_INCORRECT',
      'opened',
    ]);
  });

  it.each([
    ['nothing', sequence()],
    ['no data', sequence(pbes2(pbkdf2(1)))],
    ['data of half a block', sequence(pbes2(pbkdf2(1)), octets(Buffer.alloc(24)))],
    ['no data in the data', sequence(pbes2(pbkdf2(1)), octets(Buffer.alloc(0)))],
    ['an iteration count of 0', encryptedKey(pbes2(pbkdf2(0)))],
    [
      'a salt of 2000 octets',
      encryptedKey(pbes2(sequence(oid(PBKDF2), sequence(octets(Buffer.alloc(2000)), integer(1))))),
    ],
    [
      'a key length of another cipher',
      encryptedKey(pbes2(sequence(oid(PBKDF2), sequence(octets(Buffer.alloc(8)), integer(1), integer(16))))),
    ],
    ['a scrypt cost that is no power of two', encryptedKey(pbes2(scrypt(1000, 8, 1)))],
    ['a scrypt cost of 0', encryptedKey(pbes2(scrypt(0, 8, 1)))],
    [
      'a short initialization vector',
      encryptedKey(sequence(oid(PBES2), sequence(pbkdf2(1), sequence(oid(AES_256), octets(Buffer.alloc(8)))))),
    ],
  ])('are refused for %s', async (_name, der) => {
    expect(await verdict(async () => await unlock(der))).toBe('ERR_KEY_MALFORMED');
  });

  it.each([
    ['no DEK-Info', {}, 'ERR_KEY_MALFORMED'],
    ['a DEK-Info without a vector', { 'DEK-Info': 'AES-128-CBC' }, 'ERR_KEY_MALFORMED'],
    ['a DEK-Info with a short vector', { 'DEK-Info': 'AES-128-CBC,0011' }, 'ERR_KEY_MALFORMED'],
    ['a DEK-Info that is not hexadecimal', { 'DEK-Info': `AES-128-CBC,${'zz'.repeat(16)}` }, 'ERR_KEY_MALFORMED'],
    ['single DES', { 'DEK-Info': `DES-CBC,${'00'.repeat(8)}` }, 'ERR_ENCRYPTION_UNSUPPORTED'],
    ['a cipher in another mode', { 'DEK-Info': `AES-128-GCM,${'00'.repeat(12)}` }, 'ERR_ENCRYPTION_UNSUPPORTED'],
    ['an unknown cipher', { 'DEK-Info': `__proto__,${'00'.repeat(8)}` }, 'ERR_ENCRYPTION_UNSUPPORTED'],
  ])('in traditional PEM are refused for %s', async (_name, headers, code) => {
    const key = block('RSA PRIVATE KEY', Buffer.alloc(32), { 'Proc-Type': '4,ENCRYPTED', ...headers });
    expect(await verdict(async () => await unlockKey(key, 'k', { passwords }))).toBe(code);
  });
});

const loadKey = async (bytes: Uint8Array) =>
  await loadSigningKey('k', {
    passwords,
    read: (flag) => ({ flag, source: `${flag} k`, bytes: Uint8Array.from(bytes), rereadable: true }),
  });

describe('keys in DER that are cut', () => {
  it.each(['ec-p256.key.der', 'rsa-2048.key.der', 'ec-p256.encrypted.der', 'ml-dsa-44.key.der'])(
    '%s: are refused at every length',
    async (name) => {
      const whole = readFileSync(pkiPath(name));
      expect(await verdict(async () => await loadKey(whole))).toBe('opened');
      expect(await verdicts(truncations(whole), loadKey)).toEqual(new Set(['ERR_FORMAT_UNKNOWN']));
    },
  );
});

const derOf = (name: string): Uint8Array => readPem(readFileSync(pkiPath(name)), 'k')[0]?.der ?? new Uint8Array();
const readMlDsa44 = (der: Uint8Array): string => {
  const answer = outcome(() => readMlDsaKey(block('PRIVATE KEY', Uint8Array.from(der)), 'ML-DSA-44', 'k', false));
  return 'code' in answer ? answer.code : 'read';
};

describe('ML-DSA keys that are cut, stretched and twisted', () => {
  it.each(['seed', 'key', 'expanded'])('%s: are refused at every length', (form) => {
    const whole = derOf(`ml-dsa-44.${form}.pem`);
    expect(readMlDsa44(whole)).toBe('read');
    expect(new Set([...truncations(whole)].map(readMlDsa44))).toEqual(new Set(['ERR_KEY_MALFORMED']));
  });

  it('are refused when the seed and the expanded key are of two keys', () => {
    const whole = derOf('ml-dsa-44.key.pem');
    const at = Buffer.from(whole).indexOf(derOf('ml-dsa-44.seed.pem').slice(-32));
    whole[at] = (whole[at] ?? 0) ^ 1;
    expect(readMlDsa44(whole)).toBe('ERR_KEY_MALFORMED');
  });

  it('are refused when they are of another parameter set', () => {
    expect(readMlDsa44(derOf('ml-dsa-65.expanded.pem'))).toBe('ERR_KEY_MALFORMED');
  });
});

const loadContainer = async (bytes: Uint8Array, password: string) =>
  await loadIdentity(
    { certificate: 'c.p12' },
    {
      read: (flag) => ({ flag, source: `${flag} c.p12`, bytes: Uint8Array.from(bytes), rereadable: true }),
      passwords: { pkcs12: { password, from: '--pkcs12-password' } },
      pause: async () => {},
    },
  );
const makeContainer = (...options: string[]): Buffer =>
  openssl(['pkcs12', '-export', '-in', pkiPath('ec-p256.combined.pem'), '-passout', `pass:${PASSWORD}`, ...options]);

describe.skipIf(!hasOpenssl)('a damaged container is told from a wrong password', () => {
  it('by a MAC that does not match although the password opens what is encrypted', async () => {
    const bytes = makeContainer();
    // In the MAC itself, which stands last, before its salt and iterations.
    bytes[bytes.length - 20] = (bytes.at(-20) ?? 0) ^ 1;
    const error = await refusal(async () => await loadContainer(bytes, PASSWORD));
    expect(error.code).toBe('ERR_PKCS12_MALFORMED');
    expect(error.message).toContain('password is right');
    expect(await refusalCode(async () => await loadContainer(bytes, 'another'))).toBe('ERR_PASSWORD_INCORRECT');
  });

  it('not where nothing is encrypted', async () => {
    const bytes = makeContainer('-keypbe', 'NONE', '-certpbe', 'NONE');
    expect(await refusalCode(async () => await loadContainer(bytes, 'another'))).toBe('ERR_PASSWORD_INCORRECT');
  });
});
