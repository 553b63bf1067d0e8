/**
 * What every kind of identity gives the rest of the program: one certificate,
 * its chain, and something that can sign with the certificate's private key.
 * A file, a PKCS#12 container, a token or a TPM each makes one of these.
 */
// Tests: test/identity/load.test.ts
import type { KeyType } from '../x509/algorithms.ts';

/** The digest that a signature is made over. ML-DSA takes the message itself and ignores it. */
export type Digest = 'SHA256' | 'SHA384' | 'SHA512';

/** Something that holds a private key and signs with it, here or far away. */
export interface Signer {
  readonly keyType: KeyType;
  /**
   * Signs `message` (not its digest).
   *
   * RSA: RSASSA-PKCS1-v1_5 (RFC 8017, section 8.2). EC: ECDSA, as a DER
   * `SEQUENCE { r, s }` (RFC 3279, section 2.2.3), whatever the key's home
   * gives. ML-DSA: pure, with an empty context (FIPS 204, section 5.2).
   *
   * @param digest default `SHA256`, the one that Roles Anywhere takes
   * @throws RolesAnywhereError `ERR_SIGN` when the key's home refuses
   */
  sign(message: Uint8Array, digest?: Digest): Promise<Uint8Array>;
}

/**
 * One snapshot of certificate, chain and key, loaded together and checked to
 * belong together. It never changes; a rotated certificate is a new Identity.
 */
export interface Identity {
  /** The end-entity certificate's exact DER. */
  readonly certificate: Uint8Array;
  /** Its serial number as the service wants it: decimal, without leading zeros. */
  readonly serialNumber: string;
  /** Exact DER of the intermediates, issuer of the leaf first, without the leaf and without a self-signed root; at most 5. */
  readonly chain: readonly Uint8Array[];
  readonly signer: Signer;
  /** The most telling rule that the certificate breaks, in words, where checks were skipped: what a refusal is likely about. */
  readonly skippedRule?: string | undefined;
  /**
   * Whether certificate and chain are still what their home outside the file system holds, such as a token. Asks nobody
   * for a PIN. Absent where there is no such home.
   */
  isCurrent?: (() => Promise<boolean>) | undefined;
  /** Lets go of what the key's home needs (sessions, handles). Safe to call twice. */
  close(): Promise<void>;
}
