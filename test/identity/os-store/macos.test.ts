import { KeyObject, X509Certificate, constants, privateEncrypt, sign as signWith } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Authority, type KeyKind, generateKeys, issueAuthority, issueLeaf } from '../../../certs-dev/authority.ts';
import type { Identity } from '../../../src/identity/identity.ts';
import { loadIdentity } from '../../../src/identity/load.ts';
import { macosStore } from '../../../src/identity/os-store/macos.ts';
import type { MacosBindings } from '../../../src/identity/os-store/macos-bindings.ts';
import { refusal } from '../../support/refusal.ts';
import { verifyWithCertificate } from '../../support/verify.ts';

const MESSAGE = Buffer.from('to be signed');
const SHA256_INFO = Buffer.from('3031300d060960864801650304020105000420', 'hex');

interface Item {
  readonly der: Uint8Array;
  readonly key?: KeyObject | undefined;
}

/**
 * The bindings of macOS by node:crypto: references are counted, and what was released too often, or is used afterwards,
 * throws.
 */
function fakeMacos(identities: readonly Item[], certificates: readonly Item[], tamper = false) {
  const counts = new Map<bigint, number>();
  const values = new Map<bigint, unknown>();
  const fail = new Map<string, number>();
  const algorithms: string[] = [];
  const names = new Map<bigint, string>();
  let last = 0n;
  const make = (value: unknown): bigint => {
    last += 8n;
    counts.set(last, 1);
    values.set(last, value);
    return last;
  };
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- what a reference is of, the caller knows
  const value = <T>(reference: bigint): T => {
    if ((counts.get(reference) ?? 0) <= 0) throw new Error(`${reference} is released`);
    return values.get(reference) as T;
  };
  const copy = <T extends object>(call: string, made: () => T, empty: T): T & { readonly status: number } => {
    const status = fail.get(call) ?? 0;
    fail.delete(call);
    return status === 0 ? { status, ...made() } : { status, ...empty };
  };
  const macos: MacosBindings = {
    constant(name) {
      const known = [...names].find(([, other]) => other === name)?.[0] ?? BigInt(1_000_001 + 8 * names.size);
      names.set(known, name);
      return known;
    },
    CFDictionaryCreate: (_keys, wanted) => make(wanted.map((one) => names.get(one))),
    CFArrayGetCount: (array) => value<readonly bigint[]>(array).length,
    CFArrayGetValueAtIndex: (array, index) => value<readonly bigint[]>(array)[index] ?? 0n,
    CFDataCreate: (bytes) => make(bytes),
    dataBytes: (data) => Uint8Array.from(value<Uint8Array>(data)),
    CFErrorGetCode: (error) => value<number>(error),
    CFRetain: (reference) => void counts.set(reference, (counts.get(reference) ?? 0) + 1),
    CFRelease(reference) {
      const held = value<unknown>(reference);
      counts.set(reference, (counts.get(reference) ?? 0) - 1);
      // An array lets go of what is in it.
      if (Array.isArray(held) && held.every((one) => typeof one === 'bigint') && counts.get(reference) === 0)
        for (const one of held) macos.CFRelease(one);
    },
    SecItemCopyMatching(query) {
      const items = value<readonly string[]>(query).includes('kSecClassIdentity') ? identities : certificates;
      if (items.length === 0) return { status: -25_300, result: 0n };
      return copy('SecItemCopyMatching', () => ({ result: make(items.map((one) => make(one))) }), { result: 0n });
    },
    SecIdentityCopyCertificate: (identity) =>
      copy('SecIdentityCopyCertificate', () => ({ certificate: make(value<Item>(identity)) }), { certificate: 0n }),
    SecIdentityCopyPrivateKey: (identity) =>
      copy('SecIdentityCopyPrivateKey', () => ({ key: make(value<Item>(identity).key) }), { key: 0n }),
    SecCertificateCopyData: (certificate) => make(value<Item>(certificate).der),
    SecKeyCreateSignature(reference, algorithm, data) {
      const [key, digest] = [value<KeyObject>(reference), value<Uint8Array>(data)];
      algorithms.push(names.get(algorithm) ?? '');
      const status = fail.get('SecKeyCreateSignature');
      fail.delete('SecKeyCreateSignature');
      if (status !== undefined) return { signature: 0n, error: make(status) };
      const signature =
        key.asymmetricKeyType === 'rsa'
          ? privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, Buffer.concat([SHA256_INFO, digest]))
          : signWith('SHA256', MESSAGE, key);
      if (tamper) signature[20] = (signature[20] ?? 0) ^ 1;
      return { signature: make(signature), error: 0n };
    },
  };
  return { macos, fail, algorithms, left: () => [...counts.values()].filter((count) => count > 0).length };
}

let authority: Authority;

beforeAll(async () => {
  const root = await issueAuthority({ subject: 'CN=Root', keys: await generateKeys('ec-p256') });
  authority = await issueAuthority({ subject: 'CN=Issuing', keys: await generateKeys('ec-p256'), issuer: root });
});

async function item(kind: KeyKind = 'ec-p256', subject = 'CN=web', serialNumber = '01'): Promise<Item> {
  const keys = await generateKeys(kind);
  const leaf = await issueLeaf({ subject, serialNumber, issuer: authority, publicKey: keys.publicKey });
  return { der: new Uint8Array(leaf.rawData), key: KeyObject.from(keys.privateKey) };
}

function load({ macos }: ReturnType<typeof fakeMacos>, latest?: boolean): Promise<Identity> {
  return loadIdentity(
    { choice: { selector: 'Key=x509Subject,Value=CN=web', latest } },
    { openStore: async () => macosStore(macos) },
  );
}

const issuing = (): Item => ({ der: new Uint8Array(authority.certificate.rawData) });

describe('an identity in a keychain', () => {
  it.each([
    ['rsa-2048', 'kSecKeyAlgorithmRSASignatureDigestPKCS1v15SHA256'],
    ['ec-p256', 'kSecKeyAlgorithmECDSASignatureDigestX962SHA256'],
    ['ec-p384', 'kSecKeyAlgorithmECDSASignatureDigestX962SHA256'],
  ] as const)('with %s signs by %s, has its chain, and leaves nothing', async (kind, algorithm) => {
    const fake = fakeMacos([await item('ec-p256', 'CN=other', '02'), await item(kind)], [issuing()]);
    const identity = await load(fake);
    expect(identity.chain.map((der) => new X509Certificate(der).subject)).toEqual(['CN=Issuing']);
    expect(fake.left()).toBe(1);
    const signature = await identity.signer.sign(MESSAGE);
    expect(verifyWithCertificate(identity.certificate, MESSAGE, signature)).toBe(true);
    expect(fake.algorithms).toEqual([algorithm]);
    expect(await identity.isCurrent?.()).toBe(true);
    expect(fake.left()).toBe(1);
    await identity.close();
    await identity.close();
    expect(fake.left()).toBe(0);
    expect(await refusal(() => identity.signer.sign(MESSAGE))).toMatchObject({ code: 'ERR_SIGN' });
  });

  it('several are refused, and the last to expire is taken', async () => {
    const fake = fakeMacos([await item(), await item('ec-p256', 'CN=web', '02')], []);
    expect(await refusal(() => load(fake))).toMatchObject({ code: 'ERR_CERTIFICATE_AMBIGUOUS' });
    expect(fake.left()).toBe(0);
    await (await load(fake, true)).close();
    expect(fake.left()).toBe(0);
  });

  it('none in an empty keychain', async () => {
    const fake = fakeMacos([], []);
    expect(await refusal(() => load(fake))).toMatchObject({ code: 'ERR_CERTIFICATE_NOT_FOUND' });
    expect(fake.left()).toBe(0);
  });

  it.each([
    ['SecItemCopyMatching', -25_308, 'ERR_STORE_KEY', 'errSecInteractionNotAllowed'],
    ['SecItemCopyMatching', -50, 'ERR_STORE_FAILED', '-50'],
    ['SecIdentityCopyCertificate', -50, 'ERR_STORE_FAILED', '-50'],
  ] as const)('%s says %i: %s', async (call, status, code, words) => {
    const fake = fakeMacos([await item()], [issuing()]);
    fake.fail.set(call, status);
    expect(await refusal(() => load(fake))).toMatchObject({ code, message: expect.stringContaining(words) as string });
    expect(fake.left()).toBe(0);
  });

  it.each([
    ['SecIdentityCopyPrivateKey', -25_300, 'ERR_STORE_KEY', 'errSecItemNotFound'],
    ['SecKeyCreateSignature', -128, 'ERR_STORE_KEY', 'errSecUserCanceled'],
    ['SecKeyCreateSignature', -25_293, 'ERR_STORE_KEY', 'errSecAuthFailed'],
    ['SecKeyCreateSignature', -1, 'ERR_SIGN', '-1'],
  ] as const)('%s says %i: %s, and nothing is left', async (call, status, code, words) => {
    const fake = fakeMacos([await item()], [issuing()]);
    const identity = await load(fake);
    fake.fail.set(call, status);
    const refused = await refusal(() => identity.signer.sign(MESSAGE));
    expect(refused).toMatchObject({ code, message: expect.stringContaining(words) as string });
    expect(fake.left()).toBe(1);
    await identity.close();
    expect(fake.left()).toBe(0);
  });

  it('a signature that the certificate does not verify never leaves', async () => {
    for (const kind of ['rsa-2048', 'ec-p256'] as const) {
      const fake = fakeMacos([await item(kind)], [], true);
      const identity = await load(fake);
      expect(await refusal(() => identity.signer.sign(MESSAGE))).toMatchObject({ code: 'ERR_SIGN' });
      await identity.close();
      expect(fake.left()).toBe(0);
    }
  });
});
