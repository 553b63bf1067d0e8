/** The identity for the page: what its certificate says, where its key is, and what AWS will make of it. */
// Tests: test/console/console.heavy.test.ts
import { createHash } from 'node:crypto';
import type { Identity } from '../identity/identity.ts';
import { keyText } from '../identity/verdicts.ts';
import { type Certificate, readCertificate } from '../x509/certificate.ts';
import { DerError } from '../x509/der.ts';
import { EXTENSION } from '../x509/extensions.ts';
import { nameText, printable, readAlternativeNames, readName } from '../x509/names.ts';
import { sessionAttributes } from '../x509/session-attributes.ts';
import { signatureName } from '../x509/signature-names.ts';
import type { CertificateFacts, IdentityFacts } from './api.ts';

/** Where the identity is, as the flags say. */
export interface IdentityPlace {
  /** Undefined: in a store of the system. */
  readonly certificate: string | undefined;
  readonly privateKey: string | undefined;
}

/** Describes an identity. A field that cannot be read says so, and hides no other. */
export function identityFacts(
  { certificate: der, chain, serialNumber }: Pick<Identity, 'certificate' | 'chain' | 'serialNumber'>,
  place: IdentityPlace,
  trustAnchorArn: string,
): IdentityFacts {
  const certificate = readCertificate(der, 'the certificate');
  const attributes = readable(() => sessionAttributes(certificate));
  return {
    ...certificateFacts(certificate),
    serialDecimal: serialNumber,
    alternativeNames:
      readable(() =>
        readAlternativeNames(certificate.extensions.get(EXTENSION.subjectAltName)).map(({ kind, text }) => ({
          kind,
          text,
        })),
      ) ?? [],
    keyHome: keyHome(place),
    chain: chain.map((one) => certificateFacts(readCertificate(one, 'an intermediate certificate'))),
    trustAnchorArn,
    sessionName: attributes?.sessionName ?? UNREADABLE,
    sourceIdentity: printable(attributes?.sourceIdentity ?? UNREADABLE),
    sourceIdentityProblem: attributes?.sourceIdentityProblem,
    tags: (attributes?.tags ?? []).map(({ key, value, problem }) => ({ key, value: printable(value), problem })),
  };
}

const UNREADABLE = '(cannot be read)';

function certificateFacts(certificate: Certificate): CertificateFacts {
  return {
    subject: readable(() => nameText(readName(certificate.subject))) ?? UNREADABLE,
    issuer: readable(() => nameText(readName(certificate.issuer))) ?? UNREADABLE,
    serial: octets(BigInt(certificate.serialNumber).toString(16).toUpperCase()),
    notBefore: certificate.notBefore.toISOString(),
    notAfter: certificate.notAfter.toISOString(),
    key: readable(() => keyText(certificate)) ?? UNREADABLE,
    signature: readable(() => signatureName(certificate)) ?? UNREADABLE,
    fingerprint: octets(createHash('sha256').update(certificate.der).digest('hex').toUpperCase()),
  };
}

/** The kind of place that holds the key. A PKCS#11 URI may hold a PIN: what follows `?` is not shown. */
function keyHome({ certificate, privateKey }: IdentityPlace): IdentityFacts['keyHome'] {
  const value = privateKey ?? certificate;
  if (value === undefined) return { kind: 'certificate store of the system', place: '' };
  if (/^pkcs11:/i.test(value)) return { kind: 'PKCS#11 token', place: value.replace(/\?.*|;?pin-value.*/is, '') };
  if (/^(?:handle|nv):/.test(value)) return { kind: 'TPM 2.0', place: value };
  if (value.startsWith('env:')) return { kind: 'environment variable', place: value.slice('env:'.length) };
  if (value === '-') return { kind: 'standard input', place: 'read once, at the start' };
  return { kind: privateKey === undefined ? 'the file of the certificate' : 'file', place: value };
}

function octets(hex: string): string {
  return (hex.length % 2 === 0 ? hex : `0${hex}`).replaceAll(/..(?!$)/g, '$&:');
}

function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof DerError) return undefined;
    throw error;
  }
}
