/**
 * The functions of macOS that a keychain is read and signed with, one method each, named after it; the logic is in macos.ts.
 * References are addresses; 0n is none.
 */
// Tests: test/identity/os-store/macos.test.ts
import type { Binding, NativeFunction } from '../pkcs11/binding.ts';

/** Constants whose value is a reference, by name. */
export type MacosConstant =
  | 'kSecClass'
  | 'kSecClassIdentity'
  | 'kSecClassCertificate'
  | 'kSecReturnRef'
  | 'kSecMatchLimit'
  | 'kSecMatchLimitAll'
  | 'kSecKeyAlgorithmRSASignatureDigestPKCS1v15SHA256'
  | 'kSecKeyAlgorithmRSASignatureDigestPKCS1v15SHA384'
  | 'kSecKeyAlgorithmRSASignatureDigestPKCS1v15SHA512'
  | 'kSecKeyAlgorithmECDSASignatureDigestX962SHA256'
  | 'kSecKeyAlgorithmECDSASignatureDigestX962SHA384'
  | 'kSecKeyAlgorithmECDSASignatureDigestX962SHA512'
  | 'kCFBooleanTrue';

export interface MacosBindings {
  /** Not to be released. */
  constant(name: MacosConstant): bigint;

  // CoreFoundation
  /** With the callbacks of CFType. */
  CFDictionaryCreate(keys: readonly bigint[], values: readonly bigint[]): bigint;
  CFArrayGetCount(array: bigint): number;
  /** Not to be released. */
  CFArrayGetValueAtIndex(array: bigint, index: number): bigint;
  CFDataCreate(bytes: Uint8Array): bigint;
  /** A copy of what a CFData holds. */
  dataBytes(data: bigint): Uint8Array;
  CFErrorGetCode(error: bigint): number;
  CFRetain(reference: bigint): void;
  CFRelease(reference: bigint): void;

  // Security
  SecItemCopyMatching(query: bigint): { readonly status: number; readonly result: bigint };
  SecIdentityCopyCertificate(identity: bigint): { readonly status: number; readonly certificate: bigint };
  SecIdentityCopyPrivateKey(identity: bigint): { readonly status: number; readonly key: bigint };
  SecCertificateCopyData(certificate: bigint): bigint;
  /** @returns one of the two; both are the caller's to release */
  SecKeyCreateSignature(
    key: bigint,
    algorithm: bigint,
    digest: bigint,
  ): { readonly signature: bigint; readonly error: bigint };
}

const FRAMEWORKS = '/System/Library/Frameworks';

/** @param koffi see pkcs11/binding.ts */
export function macosBindings(koffi: Binding): MacosBindings {
  const framework = (name: string) => {
    const loaded = koffi.load(`${FRAMEWORKS}/${name}.framework/${name}`);
    return (call: string, args: string, result = 'uintptr_t'): NativeFunction =>
      loaded.func(
        call,
        result,
        args.split('').map((kind) => TYPES[kind] ?? kind),
      );
  };
  const [foundation, security] = [framework('CoreFoundation'), framework('Security')];
  // dlsym(3): constants are variables, which koffi's own functions do not show as addresses.
  const dlopen = koffi.load(null).func('dlopen', 'uintptr_t', ['void *', 'int']);
  const dlsym = koffi.load(null).func('dlsym', 'uintptr_t', ['uintptr_t', 'void *']);
  const symbol = (name: string): bigint => {
    const owner = name.startsWith('kCF') ? 'CoreFoundation' : 'Security';
    return BigInt(dlsym(dlopen(text(`${FRAMEWORKS}/${owner}.framework/${owner}`), RTLD_LAZY), text(name)));
  };

  const CFDictionaryCreate = foundation('CFDictionaryCreate', 'pbbnpp');
  const CFArrayGetCount = foundation('CFArrayGetCount', 'p');
  const CFArrayGetValueAtIndex = foundation('CFArrayGetValueAtIndex', 'pn');
  const CFDataCreate = foundation('CFDataCreate', 'pbn');
  const CFDataGetBytePtr = foundation('CFDataGetBytePtr', 'p');
  const CFDataGetLength = foundation('CFDataGetLength', 'p');
  const CFErrorGetCode = foundation('CFErrorGetCode', 'p', 'intptr_t');
  const CFRetain = foundation('CFRetain', 'p');
  const CFRelease = foundation('CFRelease', 'p', 'void');
  const SecItemCopyMatching = security('SecItemCopyMatching', 'pb', 'int32_t');
  const SecIdentityCopyCertificate = security('SecIdentityCopyCertificate', 'pb', 'int32_t');
  const SecIdentityCopyPrivateKey = security('SecIdentityCopyPrivateKey', 'pb', 'int32_t');
  const SecCertificateCopyData = security('SecCertificateCopyData', 'p');
  const SecKeyCreateSignature = security('SecKeyCreateSignature', 'pppb');

  return {
    constant: (name) => addressAt(new Uint8Array(koffi.view(symbol(name), 8)).slice()),
    CFDictionaryCreate: (keys, values) =>
      BigInt(
        CFDictionaryCreate(
          0n,
          addresses(keys),
          addresses(values),
          keys.length,
          symbol('kCFTypeDictionaryKeyCallBacks'),
          symbol('kCFTypeDictionaryValueCallBacks'),
        ),
      ),
    CFArrayGetCount: (array) => Number(CFArrayGetCount(array)),
    CFArrayGetValueAtIndex: (array, index) => BigInt(CFArrayGetValueAtIndex(array, index)),
    CFDataCreate: (bytes) => BigInt(CFDataCreate(0n, bytes, bytes.length)),
    dataBytes: (data) =>
      new Uint8Array(koffi.view(BigInt(CFDataGetBytePtr(data)), Number(CFDataGetLength(data)))).slice(),
    CFErrorGetCode: (error) => Number(CFErrorGetCode(error)),
    CFRetain: (reference) => void CFRetain(reference),
    CFRelease: (reference) => void CFRelease(reference),
    SecItemCopyMatching(query) {
      const result = new Uint8Array(8);
      return { status: Number(SecItemCopyMatching(query, result)), result: addressAt(result) };
    },
    SecIdentityCopyCertificate(identity) {
      const certificate = new Uint8Array(8);
      return {
        status: Number(SecIdentityCopyCertificate(identity, certificate)),
        certificate: addressAt(certificate),
      };
    },
    SecIdentityCopyPrivateKey(identity) {
      const key = new Uint8Array(8);
      return { status: Number(SecIdentityCopyPrivateKey(identity, key)), key: addressAt(key) };
    },
    SecCertificateCopyData: (certificate) => BigInt(SecCertificateCopyData(certificate)),
    SecKeyCreateSignature(key, algorithm, digest) {
      const error = new Uint8Array(8);
      const signature = BigInt(SecKeyCreateSignature(key, algorithm, digest, error));
      return { signature, error: addressAt(error) };
    },
  };
}

const RTLD_LAZY = 1;

/** Types of arguments by letter: a reference, a CFIndex, a buffer. */
const TYPES: Readonly<Record<string, string>> = { p: 'uintptr_t', n: 'intptr_t', b: 'void *' };

function text(value: string): Uint8Array {
  return Uint8Array.from(Buffer.from(`${value}\0`));
}

function addresses(values: readonly bigint[]): Uint8Array {
  return new Uint8Array(BigUint64Array.from(values).buffer);
}

function addressAt(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer).getBigUint64(0, true);
}
