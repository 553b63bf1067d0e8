/**
 * Keychains of macOS: [SecItemCopyMatching](https://developer.apple.com/documentation/security/secitemcopymatching(_:_:))
 * and what follows. What a function with Copy or Create in its name gives is released where it was got, but for an entry's
 * own identity.
 */
// Tests: test/identity/os-store/macos.test.ts
import { RolesAnywhereError } from '../../platform/errors.ts';
import type { ErrorCode } from '../../platform/errors.ts';
import { type Certificate, readCertificate } from '../../x509/certificate.ts';
import type { MacosBindings, MacosConstant } from './macos-bindings.ts';
import type { Store, StoreContents, StoreEntry } from './store.ts';

// SecBase.h
const errSecSuccess = 0;
const errSecItemNotFound = -25_300;

const NAME = 'the keychain';

export function macosStore(macos: MacosBindings): Store {
  return {
    name: NAME,
    read(): StoreContents {
      const entries: StoreEntry[] = [];
      const certificates: Certificate[] = [];
      try {
        forEach(macos, 'kSecClassIdentity', (identity) => {
          const certificate = certificateOf(macos, identity);
          if (certificate === undefined) return;
          certificates.push(certificate);
          macos.CFRetain(identity);
          entries.push(entryOf(macos, identity, certificate));
        });
        forEach(macos, 'kSecClassCertificate', (reference) => {
          const certificate = readable(macos, reference);
          if (certificate !== undefined) certificates.push(certificate);
        });
      } catch (error) {
        for (const entry of entries) entry.close();
        throw error;
      }
      return { entries, certificates };
    },
  };
}

/** Shows each item of a class, whose reference is good during the call. */
function forEach(
  macos: MacosBindings,
  itemClass: 'kSecClassIdentity' | 'kSecClassCertificate',
  see: (reference: bigint) => void,
): void {
  const query = macos.CFDictionaryCreate(
    [macos.constant('kSecClass'), macos.constant('kSecReturnRef'), macos.constant('kSecMatchLimit')],
    [macos.constant(itemClass), macos.constant('kCFBooleanTrue'), macos.constant('kSecMatchLimitAll')],
  );
  let found: { readonly status: number; readonly result: bigint };
  try {
    found = macos.SecItemCopyMatching(query);
  } finally {
    macos.CFRelease(query);
  }
  if (found.status === errSecItemNotFound) return;
  if (found.status !== errSecSuccess)
    throw failed('SecItemCopyMatching', found.status, `${NAME} cannot be read`, 'ERR_STORE_FAILED');
  try {
    const count = macos.CFArrayGetCount(found.result);
    for (let index = 0; index < count; index++) see(macos.CFArrayGetValueAtIndex(found.result, index));
  } finally {
    macos.CFRelease(found.result);
  }
}

function certificateOf(macos: MacosBindings, identity: bigint): Certificate | undefined {
  const { status, certificate } = macos.SecIdentityCopyCertificate(identity);
  if (status !== errSecSuccess)
    throw failed('SecIdentityCopyCertificate', status, `${NAME} cannot be read`, 'ERR_STORE_FAILED');
  try {
    return readable(macos, certificate);
  } finally {
    macos.CFRelease(certificate);
  }
}

/** One that cannot be read is none that was asked for. */
function readable(macos: MacosBindings, certificate: bigint): Certificate | undefined {
  const data = macos.SecCertificateCopyData(certificate);
  if (data === 0n) return undefined;
  try {
    return readCertificate(macos.dataBytes(data), NAME);
  } catch (error) {
    if (error instanceof RolesAnywhereError) return undefined;
    throw error;
  } finally {
    macos.CFRelease(data);
  }
}

/** @param identity the entry's own, which {@link StoreEntry.close} releases */
function entryOf(macos: MacosBindings, identity: bigint, leaf: Certificate): StoreEntry {
  let isOpen = true;
  return {
    leaf,
    sign(digest, name, publicKey) {
      if (!isOpen) throw new RolesAnywhereError('ERR_SIGN', 'the certificate of the keychain is closed');
      const { status, key } = macos.SecIdentityCopyPrivateKey(identity);
      if (status !== errSecSuccess)
        throw failed(
          'SecIdentityCopyPrivateKey',
          status,
          'the private key of the certificate in the keychain cannot be opened',
          'ERR_STORE_KEY',
        );
      try {
        const scheme =
          publicKey.asymmetricKeyType === 'rsa' ? 'RSASignatureDigestPKCS1v15' : 'ECDSASignatureDigestX962';
        return signWith(macos, key, `kSecKeyAlgorithm${scheme}${name}`, digest);
      } finally {
        macos.CFRelease(key);
      }
    },
    close() {
      if (isOpen) macos.CFRelease(identity);
      isOpen = false;
    },
  };
}

function signWith(macos: MacosBindings, key: bigint, algorithm: MacosConstant, digest: Uint8Array): Uint8Array {
  const data = macos.CFDataCreate(digest);
  try {
    const { signature, error } = macos.SecKeyCreateSignature(key, macos.constant(algorithm), data);
    try {
      if (signature !== 0n) return macos.dataBytes(signature);
      const status = error === 0n ? 0 : macos.CFErrorGetCode(error);
      throw failed('SecKeyCreateSignature', status, 'the keychain does not sign', 'ERR_SIGN');
    } finally {
      if (signature !== 0n) macos.CFRelease(signature);
      if (error !== 0n) macos.CFRelease(error);
    }
  } finally {
    macos.CFRelease(data);
  }
}

/** What status codes mean that people meet (SecBase.h), with what to do. */
const STATUS: Readonly<Record<string, readonly [meaning: string, hint: string, code?: ErrorCode]>> = {
  '-128': ['errSecUserCanceled', 'allow the access when macOS asks for it', 'ERR_STORE_KEY'],
  '-25293': [
    'errSecAuthFailed',
    'allow this program to use the key: Keychain Access, the key, Access Control',
    'ERR_STORE_KEY',
  ],
  '-25308': ['errSecInteractionNotAllowed', 'unlock the keychain: security unlock-keychain', 'ERR_STORE_KEY'],
  '-25300': ['errSecItemNotFound', 'the key is gone: import certificate and key again', 'ERR_STORE_KEY'],
};

function failed(call: string, status: number, what: string, code: ErrorCode): RolesAnywhereError {
  const [meaning, hint, own] = STATUS[String(status)] ?? [];
  return new RolesAnywhereError(own ?? code, `${what}: ${call} says ${meaning ?? status}`, {
    flag: '--cert-selector',
    hint: hint ?? `security error ${status} says what that is`,
  });
}
