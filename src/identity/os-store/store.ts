/** What the stores of all systems have in common. */
// Tests: test/identity/os-store/windows.test.ts
import { X509Certificate, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { RolesAnywhereError } from '../../platform/errors.ts';
import type { Certificate } from '../../x509/certificate.ts';
import type { Digest } from '../identity.ts';

/** A certificate in a store, with a private key. */
export interface StoreEntry {
  readonly leaf: Certificate;
  /** Signs a digest: EC as a DER SEQUENCE. Opens the key and closes it again. */
  sign(digest: Uint8Array, name: Digest, publicKey: KeyObject): Uint8Array;
  /** Lets go of it. Safe to call twice. */
  close(): void;
}

/** What is in a store, as it is now. The entries are the caller's to close. */
export interface StoreContents {
  readonly entries: readonly StoreEntry[];
  /** For the chain: those with a private key among them. */
  readonly certificates: readonly Certificate[];
}

/** Where the store of a system is looked for: values of the flags of the same names. */
export interface StoreSettings {
  /** `--system-store-name`, on Windows. Default `MY`. */
  readonly storeName?: string | undefined;
  /** `--system-store-location`, on Windows. Default `CurrentUser`. */
  readonly storeLocation?: 'CurrentUser' | 'LocalMachine' | undefined;
  /** `--system-store-interactive`: whether the system may ask a person. Default false. */
  readonly interactive?: boolean | undefined;
}

/** A store that can be looked at, again and again. */
export interface Store {
  /** How errors name it. */
  readonly name: string;
  /** @throws RolesAnywhereError of class `identity` */
  read(): StoreContents;
}

/** The key of a certificate, which must be one that stores sign with here. */
export function signingKeyOf(leaf: Certificate, where: string): { keyType: 'RSA' | 'EC'; publicKey: KeyObject } {
  const { keyType, name } = leaf.keyAlgorithm;
  if (keyType === 'RSA' || keyType === 'EC') return { keyType, publicKey: new X509Certificate(leaf.der).publicKey };
  throw new RolesAnywhereError(
    'ERR_KEY_UNSUPPORTED',
    `the certificate in ${where} has a key of the type ${name}, which the system's store cannot sign with here`,
    { flag: '--cert-selector', hint: 'select a certificate with an RSA, P-256, P-384 or P-521 key' },
  );
}

/** @throws RolesAnywhereError `ERR_SIGN` for a signature that the certificate's key does not verify */
export function checked(signature: Uint8Array, message: Uint8Array, name: Digest, publicKey: KeyObject): Uint8Array {
  if (verify(name, message, publicKey, signature)) return signature;
  throw new RolesAnywhereError('ERR_SIGN', "the signature of the system's store is not by the certificate's key", {
    flag: '--cert-selector',
    hint: 'the store links the certificate with the key of another: import certificate and key again',
  });
}

/** Bytes of a signature by this key: of RSA the modulus, of EC two numbers of the size of the order. */
export function signatureBytes(publicKey: KeyObject): number {
  const { modulusLength, namedCurve } = publicKey.asymmetricKeyDetails ?? {};
  if (modulusLength !== undefined) return Math.ceil(modulusLength / 8);
  return 2 * (CURVE_BYTES[namedCurve ?? ''] ?? 66);
}

/** By OpenSSL's name of the curve. */
const CURVE_BYTES: Readonly<Record<string, number>> = { prime256v1: 32, secp384r1: 48, secp521r1: 66 };

/** ECDSA-Sig-Value (RFC 3279, section 2.2.3) of r and s side by side. */
export function ecdsaDer(signature: Uint8Array): Uint8Array {
  const half = signature.length / 2;
  const numbers = [signature.subarray(0, half), signature.subarray(half)].map((bytes) => {
    const first = bytes.findIndex((byte) => byte !== 0);
    const magnitude = first < 0 ? Uint8Array.of(0) : bytes.subarray(first);
    // A sign bit in front of it would make it negative.
    return value(0x02, (magnitude[0] ?? 0) < 0x80 ? magnitude : Buffer.concat([Uint8Array.of(0), magnitude]));
  });
  return value(0x30, Buffer.concat(numbers));
}

/** DER of a value that is no longer than 255 octets, as signatures on these curves are. */
function value(tag: number, content: Uint8Array): Uint8Array {
  const length = content.length < 0x80 ? [content.length] : [0x81, content.length];
  return Uint8Array.from(Buffer.concat([Uint8Array.of(tag, ...length), content]));
}
