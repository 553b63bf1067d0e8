/**
 * Certificate stores of Windows: [CertOpenStore](https://learn.microsoft.com/windows/win32/api/wincrypt/nf-wincrypt-certopenstore)
 * and what follows. Each handle is let go of in the function that got it, but for the certificate's own.
 */
// Tests: test/identity/os-store/windows.test.ts, test/identity/os-store/wine.heavy.test.ts
import type { KeyObject } from 'node:crypto';
import { RolesAnywhereError } from '../../platform/errors.ts';
import type { ErrorCode } from '../../platform/errors.ts';
import { type Certificate, readCertificate } from '../../x509/certificate.ts';
import type { Digest } from '../identity.ts';
import {
  type Store,
  type StoreContents,
  type StoreEntry,
  type StoreSettings,
  ecdsaDer,
  signatureBytes,
} from './store.ts';
import type { AcquiredKey, WindowsBindings } from './windows-bindings.ts';

// wincrypt.h
const LOCATIONS = { CurrentUser: 0x1_0000, LocalMachine: 0x2_0000 } as const; // CERT_SYSTEM_STORE_...
const CERT_STORE_OPEN_EXISTING_FLAG = 0x4000;
const CERT_STORE_READONLY_FLAG = 0x8000;
const CERT_KEY_PROV_INFO_PROP_ID = 2;
const CRYPT_ACQUIRE_SILENT_FLAG = 0x40;
const CRYPT_ACQUIRE_PREFER_NCRYPT_KEY_FLAG = 0x2_0000;
const CERT_NCRYPT_KEY_SPEC = 0xffff_ffff;
const PP_CONTAINER = 6;
const PP_KEYSET_TYPE = 27;
const CRYPT_MACHINE_KEYSET = 0x20;
const CRYPT_SILENT = 0x40;
const PROV_RSA_AES = 24;
const CALG = { SHA256: 0x800c, SHA384: 0x800d, SHA512: 0x800e } as const;
// ncrypt.h
const NCRYPT_SILENT_FLAG = 0x40;
const BCRYPT_PAD_PKCS1 = 2;

/** Most certificates of a store that are looked at. */
const MAX_CERTIFICATES = 10_000;

/** Certificates of authorities are in the store of this name. */
const AUTHORITIES = 'CA';

/** @param storeName see {@link StoreSettings} */
export function windowsStore(
  windows: WindowsBindings,
  { storeName = 'MY', storeLocation = 'CurrentUser', interactive = false }: StoreSettings,
): Store {
  const name = `the store ${storeLocation}\\${storeName}`;
  return {
    name,
    read(): StoreContents {
      const entries: StoreEntry[] = [];
      const certificates: Certificate[] = [];
      try {
        forEach(windows, storeName, storeLocation, name, (context) => {
          const certificate = readable(windows.encodedCertificate(context), name);
          if (certificate === undefined) return;
          certificates.push(certificate);
          if (windows.CertGetCertificateContextProperty(context, CERT_KEY_PROV_INFO_PROP_ID))
            entries.push(entryOf(windows, windows.CertDuplicateCertificateContext(context), certificate, interactive));
        });
        forEach(windows, AUTHORITIES, storeLocation, name, (context) => {
          const certificate = readable(windows.encodedCertificate(context), name);
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

/** Shows each certificate of a store, whose context is good during the call. */
function forEach(
  windows: WindowsBindings,
  storeName: string,
  location: keyof typeof LOCATIONS,
  name: string,
  see: (context: bigint) => void,
): void {
  const flags = LOCATIONS[location] | CERT_STORE_OPEN_EXISTING_FLAG | CERT_STORE_READONLY_FLAG;
  const store = windows.CertOpenStore(flags, storeName);
  if (store === 0n) {
    // A machine need not have certificates of authorities.
    if (storeName === AUTHORITIES) return;
    throw failed('CertOpenStore', windows.GetLastError(), `${name} cannot be opened`, 'ERR_STORE_FAILED');
  }
  let context = 0n;
  try {
    for (let seen = 0; seen < MAX_CERTIFICATES; seen++) {
      context = windows.CertEnumCertificatesInStore(store, context);
      if (context === 0n) break;
      see(context);
    }
  } finally {
    if (context !== 0n) windows.CertFreeCertificateContext(context);
    windows.CertCloseStore(store);
  }
}

/** One that cannot be read is none that was asked for. */
function readable(der: Uint8Array, name: string): Certificate | undefined {
  try {
    return readCertificate(der, name);
  } catch (error) {
    if (error instanceof RolesAnywhereError) return undefined;
    throw error;
  }
}

/** @param context the entry's own, which {@link StoreEntry.close} frees */
function entryOf(windows: WindowsBindings, context: bigint, leaf: Certificate, interactive: boolean): StoreEntry {
  let isOpen = true;
  return {
    leaf,
    sign(digest, name, publicKey) {
      if (!isOpen) throw new RolesAnywhereError('ERR_SIGN', 'the certificate of the store is closed');
      const flags = CRYPT_ACQUIRE_PREFER_NCRYPT_KEY_FLAG | (interactive ? 0 : CRYPT_ACQUIRE_SILENT_FLAG);
      const key = windows.CryptAcquireCertificatePrivateKey(context, flags);
      if (key === undefined)
        throw failed(
          'CryptAcquireCertificatePrivateKey',
          windows.GetLastError(),
          'the private key of the certificate in the store cannot be opened',
          'ERR_STORE_KEY',
        );
      const isCng = key.keySpec === CERT_NCRYPT_KEY_SPEC;
      try {
        return isCng
          ? signByCng(windows, key, { digest, name, publicKey, interactive })
          : signByCapi(windows, key, { digest, name, publicKey, interactive });
      } finally {
        if (key.isOwn && isCng) windows.NCryptFreeObject(key.handle);
        else if (key.isOwn) windows.CryptReleaseContext(key.handle);
      }
    },
    close() {
      if (isOpen) windows.CertFreeCertificateContext(context);
      isOpen = false;
    },
  };
}

/** What is signed. */
interface Signing {
  readonly digest: Uint8Array;
  readonly name: Digest;
  readonly publicKey: KeyObject;
  readonly interactive: boolean;
}

/** Cryptography API: Next Generation. */
function signByCng(windows: WindowsBindings, key: AcquiredKey, signing: Signing): Uint8Array {
  const { digest, name, publicKey, interactive } = signing;
  const isRsa = publicKey.asymmetricKeyType === 'rsa';
  const flags = (isRsa ? BCRYPT_PAD_PKCS1 : 0) | (interactive ? 0 : NCRYPT_SILENT_FLAG);
  const bytes = signatureBytes(publicKey);
  const { status, signature } = windows.NCryptSignHash(key.handle, isRsa ? name : undefined, digest, bytes, flags);
  if (status !== 0) throw refused('NCryptSignHash', status);
  return isRsa ? signature : ecdsaDer(signature);
}

/** CryptoAPI, the one before it, for keys in its providers. */
function signByCapi(windows: WindowsBindings, key: AcquiredKey, signing: Signing): Uint8Array {
  const hash = windows.CryptCreateHash(key.handle, CALG[signing.name]);
  if (hash !== 0n) return signWithHash(windows, hash, key.keySpec, signing);
  // Providers of an older type know no SHA-256; the same container opens with one that does.
  const status = windows.GetLastError();
  const container = windows.CryptGetProvParam(key.handle, PP_CONTAINER);
  if (container === undefined) throw refused('CryptCreateHash', status);
  const keyset = windows.CryptGetProvParam(key.handle, PP_KEYSET_TYPE)?.[0] ?? 0;
  const flags = (keyset & CRYPT_MACHINE_KEYSET) | (signing.interactive ? 0 : CRYPT_SILENT);
  const provider = windows.CryptAcquireContextA(container, PROV_RSA_AES, flags);
  if (provider === 0n) throw refused('CryptAcquireContext', windows.GetLastError());
  try {
    const again = windows.CryptCreateHash(provider, CALG[signing.name]);
    if (again === 0n) throw refused('CryptCreateHash', windows.GetLastError());
    return signWithHash(windows, again, key.keySpec, signing);
  } finally {
    windows.CryptReleaseContext(provider);
  }
}

/** @param hash freed here */
function signWithHash(windows: WindowsBindings, hash: bigint, keySpec: number, signing: Signing): Uint8Array {
  try {
    if (!windows.CryptSetHashParam(hash, signing.digest)) throw refused('CryptSetHashParam', windows.GetLastError());
    const signature = windows.CryptSignHashW(hash, keySpec, signatureBytes(signing.publicKey));
    if (signature === undefined) throw refused('CryptSignHash', windows.GetLastError());
    // Its numbers have the lowest byte first.
    return signature.toReversed();
  } finally {
    windows.CryptDestroyHash(hash);
  }
}

function refused(call: string, status: number): RolesAnywhereError {
  return failed(call, status, 'the store does not sign', 'ERR_SIGN');
}

/** What status codes mean that people meet (winerror.h), with what to do. */
const STATUS: Readonly<Record<number, readonly [meaning: string, hint: string, code?: ErrorCode]>> = {
  2: [
    'ERROR_FILE_NOT_FOUND',
    'check --system-store-name and --system-store-location: certutil -store shows the names',
    'ERR_STORE_NOT_FOUND',
  ],
  5: ['ERROR_ACCESS_DENIED', 'run as a user who may read the store', 'ERR_STORE_ACCESS'],
  0x8009_000d: ['NTE_NO_KEY', 'the key is gone: import certificate and key again'],
  0x8009_0010: [
    'NTE_PERM',
    'give this user the right to read the private key: certlm.msc, All Tasks, Manage Private Keys',
  ],
  0x8009_0016: [
    'NTE_BAD_KEYSET',
    'the key is gone, or this user may not read it: certlm.msc, All Tasks, Manage Private Keys',
  ],
  0x8009_0022: [
    'NTE_SILENT_CONTEXT',
    'the key asks a person: add --system-store-interactive, or import it without strong protection',
  ],
  0x8009_2004: ['CRYPT_E_NOT_FOUND', 'the key is gone: import certificate and key again'],
  0x8010_006e: ['SCARD_W_CANCELLED_BY_USER', 'enter the PIN when Windows asks for it'],
  0x8010_0069: ['SCARD_W_REMOVED_CARD', 'insert the smart card'],
  0x8010_000c: ['SCARD_E_NO_SMARTCARD', 'insert the smart card'],
};

function failed(call: string, status: number, what: string, code: ErrorCode): RolesAnywhereError {
  const [meaning, hint, own] = STATUS[status] ?? [];
  const shown = `0x${status.toString(16).padStart(8, '0')}`;
  return new RolesAnywhereError(own ?? code, `${what}: ${call} says ${meaning ?? shown}`, {
    flag: '--cert-selector',
    hint: hint ?? `certutil -error ${shown} says what that is`,
  });
}
