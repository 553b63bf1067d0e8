/**
 * The functions of Windows that a certificate store is read and signed with, one method each, named after it; the logic is
 * in windows.ts. Handles and addresses are numbers of 64 bits; 0n is none.
 */
// Tests: test/identity/os-store/wine.heavy.test.ts
import type { Binding, NativeFunction } from '../pkcs11/binding.ts';

/** A key, as CryptAcquireCertificatePrivateKey gives it. */
export interface AcquiredKey {
  /** NCRYPT_KEY_HANDLE where `keySpec` is CERT_NCRYPT_KEY_SPEC, or else HCRYPTPROV. */
  readonly handle: bigint;
  readonly keySpec: number;
  /** Whether it is the caller's to free. */
  readonly isOwn: boolean;
}

export interface WindowsBindings {
  /** kernel32: of the last call that failed, as a number without sign. */
  GetLastError(): number;

  // crypt32
  /** With CERT_STORE_PROV_SYSTEM_W. */
  CertOpenStore(flags: number, name: string): bigint;
  /** Frees `previous`, also where there is no further. */
  CertEnumCertificatesInStore(store: bigint, previous: bigint): bigint;
  CertDuplicateCertificateContext(context: bigint): bigint;
  CertFreeCertificateContext(context: bigint): void;
  CertCloseStore(store: bigint): void;
  /** Whether the property is there: CERT_KEY_PROV_INFO_PROP_ID says that there is a private key. */
  CertGetCertificateContextProperty(context: bigint, property: number): boolean;
  /** A copy of the certificate of a CERT_CONTEXT. */
  encodedCertificate(context: bigint): Uint8Array;
  CryptAcquireCertificatePrivateKey(context: bigint, flags: number): AcquiredKey | undefined;

  // ncrypt
  /** @param hash the name of the digest in BCRYPT_PKCS1_PADDING_INFO; undefined: no padding information */
  NCryptSignHash(
    key: bigint,
    hash: string | undefined,
    digest: Uint8Array,
    signatureBytes: number,
    flags: number,
  ): { readonly status: number; readonly signature: Uint8Array };
  NCryptFreeObject(handle: bigint): void;

  // advapi32
  CryptGetProvParam(provider: bigint, parameter: number): Uint8Array | undefined;
  /** With the default provider of a type. `container` ends with a zero. */
  CryptAcquireContextA(container: Uint8Array, type: number, flags: number): bigint;
  CryptReleaseContext(provider: bigint): void;
  CryptCreateHash(provider: bigint, algorithm: number): bigint;
  /** With HP_HASHVAL. */
  CryptSetHashParam(hash: bigint, digest: Uint8Array): boolean;
  /** The signature in Windows' order of bytes. */
  CryptSignHashW(hash: bigint, keySpec: number, signatureBytes: number): Uint8Array | undefined;
  CryptDestroyHash(hash: bigint): void;
}

const CERT_STORE_PROV_SYSTEM_W = 10;
const HP_HASHVAL = 2;

/** Offsets in CERT_CONTEXT on systems of 64 bits: pbCertEncoded, cbCertEncoded. */
const [CERT_ENCODED, CERT_ENCODED_BYTES, CERT_CONTEXT_BYTES] = [8, 16, 20];

/** @param koffi see pkcs11/binding.ts */
export function windowsBindings(koffi: Binding): WindowsBindings {
  const library = (name: string) => {
    const loaded = koffi.load(`${name}.dll`);
    return (call: string, args: string, result = 'uint32_t'): NativeFunction =>
      loaded.func(
        call,
        result,
        args.split('').map((kind) => TYPES[kind] ?? kind),
      );
  };
  const [crypt32, ncrypt, advapi32] = [library('crypt32'), library('ncrypt'), library('advapi32')];

  const GetLastError = library('kernel32')('GetLastError', '');
  const CertOpenStore = crypt32('CertOpenStore', 'hdhdb', 'uintptr_t');
  const CertEnumCertificatesInStore = crypt32('CertEnumCertificatesInStore', 'hh', 'uintptr_t');
  const CertDuplicateCertificateContext = crypt32('CertDuplicateCertificateContext', 'h', 'uintptr_t');
  const CertFreeCertificateContext = crypt32('CertFreeCertificateContext', 'h');
  const CertCloseStore = crypt32('CertCloseStore', 'hd');
  const CertGetCertificateContextProperty = crypt32('CertGetCertificateContextProperty', 'hdbb');
  const CryptAcquireCertificatePrivateKey = crypt32('CryptAcquireCertificatePrivateKey', 'hdbbbb');
  const NCryptSignHash = ncrypt('NCryptSignHash', 'hbbdbdbd');
  const NCryptFreeObject = ncrypt('NCryptFreeObject', 'h');
  const CryptGetProvParam = advapi32('CryptGetProvParam', 'hdbbd');
  const CryptAcquireContextA = advapi32('CryptAcquireContextA', 'bbbdd');
  const CryptReleaseContext = advapi32('CryptReleaseContext', 'hd');
  const CryptCreateHash = advapi32('CryptCreateHash', 'hdhdb');
  const CryptSetHashParam = advapi32('CryptSetHashParam', 'hdbd');
  const CryptSignHashW = advapi32('CryptSignHashW', 'hdbdbb');
  const CryptDestroyHash = advapi32('CryptDestroyHash', 'h');

  return {
    GetLastError: () => Number(GetLastError()) >>> 0,
    CertOpenStore: (flags, name) => BigInt(CertOpenStore(CERT_STORE_PROV_SYSTEM_W, 0, 0n, flags, wide(name))),
    CertEnumCertificatesInStore: (store, previous) => BigInt(CertEnumCertificatesInStore(store, previous)),
    CertDuplicateCertificateContext: (context) => BigInt(CertDuplicateCertificateContext(context)),
    CertFreeCertificateContext: (context) => void CertFreeCertificateContext(context),
    CertCloseStore: (store) => void CertCloseStore(store, 0),
    CertGetCertificateContextProperty: (context, property) =>
      isTrue(CertGetCertificateContextProperty(context, property, null, new Uint8Array(4))),
    encodedCertificate(context) {
      const fields = new DataView(koffi.view(context, CERT_CONTEXT_BYTES));
      const address = fields.getBigUint64(CERT_ENCODED, true);
      return new Uint8Array(koffi.view(address, fields.getUint32(CERT_ENCODED_BYTES, true))).slice();
    },
    CryptAcquireCertificatePrivateKey(context, flags) {
      const [handle, keySpec, isOwn] = [new Uint8Array(8), new Uint8Array(4), new Uint8Array(4)];
      if (!isTrue(CryptAcquireCertificatePrivateKey(context, flags, null, handle, keySpec, isOwn))) return undefined;
      return { handle: number64(handle), keySpec: number32(keySpec), isOwn: number32(isOwn) !== 0 };
    },
    NCryptSignHash(key, hash, digest, signatureBytes, flags) {
      const [signature, length] = [new Uint8Array(signatureBytes), new Uint8Array(4)];
      // BCRYPT_PKCS1_PADDING_INFO is a pointer to the name, and nothing else.
      const name = wide(hash ?? '');
      const padding = new Uint8Array(8);
      new DataView(padding.buffer).setBigUint64(0, koffi.address(name), true);
      const info = hash === undefined ? null : padding;
      const status = NCryptSignHash(key, info, digest, digest.length, signature, signature.length, length, flags);
      return { status: Number(status) >>> 0, signature: signature.subarray(0, number32(length)) };
    },
    NCryptFreeObject: (handle) => void NCryptFreeObject(handle),
    CryptGetProvParam(provider, parameter) {
      const [value, length] = [new Uint8Array(1024), new Uint8Array(4)];
      new DataView(length.buffer).setUint32(0, value.length, true);
      return isTrue(CryptGetProvParam(provider, parameter, value, length, 0))
        ? value.subarray(0, number32(length))
        : undefined;
    },
    CryptAcquireContextA(container, type, flags) {
      const provider = new Uint8Array(8);
      return isTrue(CryptAcquireContextA(provider, container, null, type, flags)) ? number64(provider) : 0n;
    },
    CryptReleaseContext: (provider) => void CryptReleaseContext(provider, 0),
    CryptCreateHash(provider, algorithm) {
      const hash = new Uint8Array(8);
      return isTrue(CryptCreateHash(provider, algorithm, 0n, 0, hash)) ? number64(hash) : 0n;
    },
    CryptSetHashParam: (hash, digest) => isTrue(CryptSetHashParam(hash, HP_HASHVAL, digest, 0)),
    CryptSignHashW(hash, keySpec, signatureBytes) {
      const [signature, length] = [new Uint8Array(signatureBytes), new Uint8Array(4)];
      new DataView(length.buffer).setUint32(0, signatureBytes, true);
      return isTrue(CryptSignHashW(hash, keySpec, null, 0, signature, length))
        ? signature.subarray(0, number32(length))
        : undefined;
    },
    CryptDestroyHash: (hash) => void CryptDestroyHash(hash),
  };
}

/** Types of arguments by letter: a handle or an address, a DWORD, a buffer. */
const TYPES: Readonly<Record<string, string>> = { h: 'uintptr_t', d: 'uint32_t', b: 'void *' };

/** A BOOL. */
function isTrue(value: number | bigint): boolean {
  return Number(value) !== 0;
}

function number32(bytes: Uint8Array): number {
  return new DataView(bytes.buffer).getUint32(0, true);
}

function number64(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer).getBigUint64(0, true);
}

/** UTF-16 with a zero behind it. */
function wide(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(`${text}\0`, 'utf16le'));
}
