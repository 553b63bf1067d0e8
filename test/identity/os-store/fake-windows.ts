/**
 * The bindings of Windows by node:crypto: they note each call in order, hand out handles that must all be let go of, and
 * fail where they are told to.
 */
import { type KeyObject, constants, privateEncrypt, sign as signWith } from 'node:crypto';
import type { WindowsBindings } from '../../../src/identity/os-store/windows-bindings.ts';

/** A certificate in the fake store. */
export interface FakeEntry {
  readonly der: Uint8Array;
  /** Absent: the store has no key for it. */
  readonly key?: KeyObject | undefined;
  readonly home?: 'cng' | 'capi' | 'old-capi' | undefined;
  /** Whether the key handle is the caller's to free. Default true. */
  readonly isOwn?: boolean | undefined;
}

export interface FakeWindows {
  readonly windows: WindowsBindings;
  /** Each call, with what matters of its arguments. */
  readonly calls: string[];
  /** Handles that nobody has let go of, by what they are of. */
  left(): string[];
  /** Fails the next call of a function with a status. */
  readonly fail: Map<string, number>;
}

const HASHES = { 0x800c: 'SHA256', 0x800d: 'SHA384', 0x800e: 'SHA512' } as const;
/** DER of DigestInfo before the digest (RFC 8017, section 9.2, note 1). */
const DIGEST_INFO: Readonly<Record<string, string>> = {
  SHA256: '3031300d060960864801650304020105000420',
  SHA384: '3041300d060960864801650304020205000430',
  SHA512: '3051300d060960864801650304020305000440',
};

export function fakeWindows(
  stores: Readonly<Record<string, readonly FakeEntry[]>>,
  tamper: (signature: Uint8Array) => Uint8Array = (signature) => signature,
): FakeWindows {
  const calls: string[] = [];
  const open = new Map<bigint, string>();
  const fail = new Map<string, number>();
  /** Keys that Windows keeps open for itself. */
  const shared = new Set<bigint>();
  const values = new Map<bigint, unknown>();
  let last = 0x1000n;
  let status = 0;
  const give = (what: string, value: unknown): bigint => {
    last += 16n;
    open.set(last, what);
    values.set(last, value);
    return last;
  };
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- what a handle is of, the caller knows
  const take = <T>(handle: bigint, ...kinds: string[]): T => {
    if (!kinds.includes(open.get(handle) ?? '')) throw new Error(`${handle} is no open ${kinds.join(' or ')}`);
    return values.get(handle) as T;
  };
  const drop = (handle: bigint, ...kinds: string[]): void => {
    take(handle, ...kinds);
    open.delete(handle);
  };
  /** Notes a call; whether it is to fail. */
  const called = (name: string, what = ''): boolean => {
    calls.push(what === '' ? name : `${name} ${what}`);
    const planned = fail.get(name);
    if (planned === undefined) return false;
    fail.delete(name);
    status = planned;
    return true;
  };
  /** RSASSA-PKCS1-v1_5 or ECDSA over a digest that was made elsewhere, in Windows' form. */
  const signed = (key: KeyObject, hash: string, digest: Uint8Array): Uint8Array => {
    if (key.asymmetricKeyType === 'rsa') {
      const info = Buffer.concat([Buffer.from(DIGEST_INFO[hash] ?? '', 'hex'), digest]);
      return tamper(privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, info));
    }
    throw new Error('an EC key signs messages');
  };
  const isCapi = (entry: FakeEntry): boolean => entry.home === 'capi' || entry.home === 'old-capi';

  const windows: WindowsBindings = {
    GetLastError: () => status,
    CertOpenStore(flags, name) {
      if (called('CertOpenStore', `${flags.toString(16)} ${name}`)) return 0n;
      const entries = stores[name];
      if (entries === undefined) {
        status = 2;
        return 0n;
      }
      return give('store', entries);
    },
    CertEnumCertificatesInStore(store, previous) {
      const entries = take<readonly FakeEntry[]>(store, 'store');
      const at = previous === 0n ? 0 : entries.indexOf(take<FakeEntry>(previous, 'context')) + 1;
      if (previous !== 0n) drop(previous, 'context');
      const entry = entries[at];
      return entry === undefined ? 0n : give('context', entry);
    },
    CertDuplicateCertificateContext: (context) => give('own context', take(context, 'context')),
    CertFreeCertificateContext(context) {
      calls.push('CertFreeCertificateContext');
      drop(context, 'context', 'own context');
    },
    CertCloseStore: (store) => drop(store, 'store'),
    CertGetCertificateContextProperty: (context, property) =>
      property === 2 && take<FakeEntry>(context, 'context').key !== undefined,
    encodedCertificate: (context) => Uint8Array.from(take<FakeEntry>(context, 'context').der),
    CryptAcquireCertificatePrivateKey(context, flags) {
      if (called('CryptAcquireCertificatePrivateKey', flags.toString(16))) return undefined;
      const entry = take<FakeEntry>(context, 'own context');
      const { isOwn = true } = entry;
      const handle = give(isCapi(entry) ? 'provider' : 'key', entry);
      if (!isOwn) shared.add(handle);
      return { handle, keySpec: isCapi(entry) ? 1 : 0xffff_ffff, isOwn };
    },
    NCryptSignHash(key, hash, digest, signatureBytes, flags) {
      if (called('NCryptSignHash', `${hash ?? 'none'} ${flags.toString(16)}`))
        return { status, signature: new Uint8Array() };
      const entry = take<FakeEntry>(key, 'key');
      if (entry.key === undefined) throw new Error('no key');
      const signature =
        hash === undefined
          ? tamper(signWith(digestName(digest), fakeMessages.current, { key: entry.key, dsaEncoding: 'ieee-p1363' }))
          : signed(entry.key, hash, digest);
      if (signature.length !== signatureBytes) throw new Error('NTE_BUFFER_TOO_SMALL');
      return { status: 0, signature };
    },
    NCryptFreeObject(handle) {
      calls.push('NCryptFreeObject');
      drop(handle, 'key');
    },
    CryptGetProvParam(provider, parameter) {
      take(provider, 'provider');
      if (called('CryptGetProvParam', String(parameter))) return undefined;
      return parameter === 6 ? Uint8Array.from(Buffer.from('container\0')) : Uint8Array.of(0x20, 0, 0, 0);
    },
    CryptAcquireContextA(container, type, flags) {
      if (
        called(
          'CryptAcquireContextA',
          `${Buffer.from(container).toString().slice(0, -1)} ${type} ${flags.toString(16)}`,
        )
      )
        return 0n;
      const entry = Object.values(stores)
        .flat()
        .find(({ home }) => home === 'old-capi');
      return give('provider', { ...entry, home: 'capi' });
    },
    CryptReleaseContext(provider) {
      calls.push('CryptReleaseContext');
      drop(provider, 'provider');
    },
    CryptCreateHash(provider, algorithm) {
      if (called('CryptCreateHash', algorithm.toString(16))) return 0n;
      const entry = take<FakeEntry>(provider, 'provider');
      if (entry.home === 'old-capi') {
        status = 0x8009_0008;
        return 0n;
      }
      return give('hash', { entry, hash: HASHES[algorithm as keyof typeof HASHES], digest: new Uint8Array() });
    },
    CryptSetHashParam(hash, digest) {
      const object = take<{ digest: Uint8Array }>(hash, 'hash');
      if (called('CryptSetHashParam')) return false;
      object.digest = digest;
      return true;
    },
    CryptSignHashW(hash, keySpec) {
      const { entry, hash: name, digest } = take<{ entry: FakeEntry; hash: string; digest: Uint8Array }>(hash, 'hash');
      if (called('CryptSignHashW', String(keySpec)) || entry.key === undefined) return undefined;
      return signed(entry.key, name, digest).toReversed();
    },
    CryptDestroyHash(hash) {
      calls.push('CryptDestroyHash');
      drop(hash, 'hash');
    },
  };
  return {
    windows,
    calls,
    fail,
    left: () => [...open].flatMap(([handle, what]) => (shared.has(handle) ? [] : [what])),
  };
}

/** The message whose digest is signed next: ECDSA of node:crypto makes its own digest. */
export const fakeMessages = { current: Buffer.alloc(0) };

function digestName(digest: Uint8Array): string {
  return `SHA${8 * digest.length}`;
}
