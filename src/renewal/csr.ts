/** Certification requests (PKCS#10, RFC 2986), signed by any signer of ours. */
// Tests: test/renewal/csr.test.ts
import { type KeyObject, type webcrypto, createPublicKey } from 'node:crypto';
import { isIP } from 'node:net';
import type { Signer } from '../identity/identity.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { x509 } from '../platform/x509-library.ts';
import { type Certificate, sameBytes } from '../x509/certificate.ts';
import { EXTENSION } from '../x509/extensions.ts';

/** What a request asks for. */
export interface CsrContents {
  /** DER of a Name, or text in the form of RFC 4514. */
  readonly subject: Uint8Array | string;
  readonly extensions: readonly x509.Extension[];
}

/** Signature algorithms with SHA-256 (RFC 8017, appendix A.2.4; RFC 5758, section 3.2), and ML-DSA (RFC 9881). */
const SIGNATURE: Readonly<Record<Signer['keyType'], string>> = {
  RSA: '1.2.840.113549.1.1.11',
  EC: '1.2.840.10045.4.3.2',
  'ML-DSA-44': '2.16.840.1.101.3.4.3.17',
  'ML-DSA-65': '2.16.840.1.101.3.4.3.18',
  'ML-DSA-87': '2.16.840.1.101.3.4.3.19',
};

const DER_NULL = Uint8Array.of(0x05, 0x00);

/**
 * What a certificate says of its subject, to be asked for again: subject and alternative names, as RFC 7030 (section
 * 4.2.2) has it, and the usages of the key, for a CA that takes them from the request.
 */
export function contentsOf({ subject, extensions }: Certificate): CsrContents {
  const kept = [EXTENSION.keyUsage, EXTENSION.extendedKeyUsage, EXTENSION.subjectAltName];
  return {
    subject,
    extensions: kept.flatMap((oid) => {
      const value = extensions.get(oid);
      return value === undefined ? [] : [new x509.Extension(oid, oid === EXTENSION.keyUsage, value)];
    }),
  };
}

/** The kinds of alternative names that can be asked for, by what stands before the colon. */
const NAME_KINDS: ReadonlyMap<string, x509.GeneralNameType> = new Map([
  ['dns', 'dns'],
  ['ip', 'ip'],
  ['email', 'email'],
  ['uri', 'url'],
]);

/**
 * What a first request asks for.
 *
 * @param subject as in RFC 4514, for example `CN=web,O=Example`
 * @param names each `dns:NAME`, `ip:ADDRESS`, `email:ADDRESS` or `uri:URI`
 * @throws RolesAnywhereError `ERR_FLAG_VALUE`
 */
export function contentsFor(subject: string, names: readonly string[]): CsrContents {
  const general = names.map((text) => {
    const [, kind = '', value = ''] = /^(\w+):(.+)$/.exec(text) ?? [];
    const type = NAME_KINDS.get(kind);
    if (type !== undefined && value !== '') return { type, value };
    throw new RolesAnywhereError('ERR_FLAG_VALUE', `--san is not an alternative name: ${JSON.stringify(text)}`, {
      flag: '--san',
      hint: 'give dns:NAME, ip:ADDRESS, email:ADDRESS or uri:URI',
    });
  });
  const alternative = (): x509.Extension => {
    try {
      return new x509.SubjectAlternativeNameExtension(general);
    } catch (cause) {
      throw new RolesAnywhereError('ERR_FLAG_VALUE', `--san: one of ${JSON.stringify(names)} is not of its kind`, {
        flag: '--san',
        hint: 'check addresses and URIs for mistakes',
        cause,
      });
    }
  };
  return {
    subject: nameOf(subject),
    extensions: [
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
      ...(general.length === 0 ? [] : [alternative()]),
    ],
  };
}

/** A name as step-ca's tokens have it, with its kind in front. */
export function nameKind(name: string): string {
  if (isIP(name) !== 0) return `ip:${name}`;
  if (/^[a-z][a-z\d+.-]*:\/\//i.test(name)) return `uri:${name}`;
  return name.includes('@') ? `email:${name}` : `dns:${name}`;
}

function nameOf(subject: string): Uint8Array {
  try {
    return new Uint8Array(new x509.Name(subject).toArrayBuffer());
  } catch (cause) {
    throw new RolesAnywhereError('ERR_FLAG_VALUE', `--subject is not a name: ${JSON.stringify(subject)}`, {
      flag: '--subject',
      hint: 'write it as in RFC 4514, such as CN=web,O=Example',
      cause,
    });
  }
}

/**
 * Makes a request.
 *
 * @param publicKey DER of the SubjectPublicKeyInfo of the signer's key
 * @returns its DER
 * @throws RolesAnywhereError `ERR_SIGN`
 */
export async function makeCsr(
  { subject, extensions }: CsrContents,
  signer: Signer,
  publicKey: Uint8Array,
): Promise<Uint8Array> {
  const name = typeof subject === 'string' ? nameOf(subject) : subject;
  const algorithm = {
    name: SIGNATURE[signer.keyType],
    // RFC 4055, section 5: NULL for RSA; absent for the others.
    ...(signer.keyType === 'RSA' && { parameters: DER_NULL.buffer }),
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- no CryptoKey: of one, only the algorithm is looked at
  const key = { algorithm } as unknown as webcrypto.CryptoKey;
  /** Stands in for an engine of WebCrypto: the key is no CryptoKey, and may be in a token. */
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- of an engine, these two are all that is called
  const engine = {
    subtle: {
      exportKey: async () => copyOf(publicKey),
      sign: async (_algorithm: unknown, _key: unknown, message: ArrayBuffer) =>
        copyOf(await signer.sign(new Uint8Array(message))),
    },
  } as unknown as webcrypto.Crypto;
  const request = await x509.Pkcs10CertificateRequestGenerator.create(
    {
      name: new x509.Name(copyOf(name)),
      keys: { privateKey: key, publicKey: key },
      signingAlgorithm: algorithm,
      extensions: [...extensions],
    },
    engine,
  );
  const der = new Uint8Array(request.rawData);
  if (sameBytes(new Uint8Array(request.subjectName.toArrayBuffer()), name)) return der;
  throw new RolesAnywhereError('ERR_UNSUPPORTED', 'the subject of the certificate cannot be written as it is', {
    hint: 'have it issued with a subject in UTF8String or PrintableString, or renew it by --renew-command',
  });
}

/** PEM of a request (RFC 7468, section 7). */
export function csrPem(der: Uint8Array): string {
  return `${x509.PemConverter.encode(copyOf(der), 'CERTIFICATE REQUEST')}\n`;
}

/** PEM of a certificate. */
export function certificatePem(der: Uint8Array): string {
  return `${x509.PemConverter.encode(copyOf(der), 'CERTIFICATE')}\n`;
}

/** Whether two SubjectPublicKeyInfos are of one key, whatever bytes they are written in. */
export function sameKey(a: Uint8Array, b: Uint8Array): boolean {
  if (sameBytes(a, b)) return true;
  try {
    return read(a).equals(read(b));
  } catch {
    return false; // a key that this Node does not know is itself alone
  }
}

function read(der: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' });
}

/** In a buffer of its own: Node's small buffers are parts of a larger one. */
function copyOf(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}
