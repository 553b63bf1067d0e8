/** A certificate authority for tests: what an emulator trusts, and what it is shown. Its keys exist in memory alone. */
// Tests: test/emulator/services/control/control.test.ts
import { KeyObject, webcrypto } from 'node:crypto';
import { x509 } from '../../platform/x509-library.ts';

/** A certificate and its key, in PEM. */
export interface IssuedCertificate {
  readonly certificate: string;
  /** PKCS#8. */
  readonly privateKey: string;
  /** Hexadecimal. */
  readonly serialNumber: string;
}

interface Validity {
  /** Default: an hour ago. */
  notBefore?: Date | undefined;
  /** Default: ten years from now for an authority, 90 days for what it issues. */
  notAfter?: Date | undefined;
}

export interface AuthorityOptions extends Validity {
  /** RFC 4514; default `CN=Test CA`. */
  subject?: string | undefined;
}

export interface IssueOptions extends Validity {
  /** RFC 4514, such as `CN=web-1,OU=Payments`. */
  subject: string;
  /** Default `ec`: P-256. `rsa` has 2048 bits, and takes longer to make. */
  keyType?: 'ec' | 'rsa' | undefined;
  /** DNS names of the subject alternative name. */
  dnsNames?: readonly string[] | undefined;
  /** URIs of the same, such as a SPIFFE ID. */
  uris?: readonly string[] | undefined;
}

export interface Authority {
  /** The certificate of the authority in PEM, for a trust anchor. */
  readonly certificate: string;
  /** Issues a certificate for a client, as Roles Anywhere wants them. */
  issue(options: IssueOptions): Promise<IssuedCertificate>;
  /** A revocation list with these certificates on it, in PEM. */
  revoke(certificates: readonly Pick<IssuedCertificate, 'serialNumber'>[]): Promise<string>;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' } as const;
const EC = { name: 'ECDSA', namedCurve: 'P-256' };
const RSA = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
};

/** Makes an authority with a P-256 key. */
export async function createAuthority({
  subject = 'CN=Test CA',
  ...validity
}: AuthorityOptions = {}): Promise<Authority> {
  const { authority } = await makeAuthority(subject, validity);
  return authority;
}

type Sign = (
  options: { subject: string; keyType?: 'ec' | 'rsa' | undefined } & Validity,
  extensions: x509.Extension[],
) => Promise<IssuedCertificate>;

async function makeAuthority(subject: string, validity: Validity): Promise<{ authority: Authority; sign: Sign }> {
  const keys = await webcrypto.subtle.generateKey(EC, true, ['sign', 'verify']);
  const own = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: subject,
      keys,
      serialNumber: newSerial(),
      ...period(validity, 3650),
      signingAlgorithm: SIGNING,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );

  const sign: Sign = async ({ keyType = 'ec', ...options }, extensions) => {
    const leaf = await webcrypto.subtle.generateKey(keyType === 'ec' ? EC : RSA, true, ['sign', 'verify']);
    const serialNumber = newSerial();
    const certificate = await x509.X509CertificateGenerator.create(
      {
        subject: options.subject,
        issuer: own.subjectName,
        serialNumber,
        ...period(options, 90),
        publicKey: leaf.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: SIGNING,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
          await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
          ...extensions,
        ],
      },
      webcrypto,
    );
    const privateKey = KeyObject.from(leaf.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString();
    return { certificate: `${certificate.toString('pem')}\n`, privateKey, serialNumber };
  };

  const authority: Authority = {
    certificate: `${own.toString('pem')}\n`,
    issue: ({ dnsNames = [], uris = [], ...options }) =>
      sign(options, [
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
        ...alternativeNames([...named('dns', dnsNames), ...named('url', uris)]),
      ]),
    async revoke(certificates) {
      const now = new Date();
      const list = await x509.X509CrlGenerator.create(
        {
          issuer: own.subjectName,
          thisUpdate: now,
          nextUpdate: new Date(now.getTime() + 30 * DAY_MS),
          entries: certificates.map(({ serialNumber }) => ({ serialNumber, revocationDate: now })),
          signingKey: keys.privateKey,
          signingAlgorithm: SIGNING,
        },
        webcrypto,
      );
      // The library writes a label of its own where RFC 7468, section 6, has another.
      return `${list.toString('pem').replaceAll(/(BEGIN|END) CRL/g, '$1 X509 CRL')}\n`;
    },
  };
  return { authority, sign };
}

/** A certificate for a server on the loopback, by an authority that issues no other. */
export async function developmentTls(): Promise<{ readonly ca: string; readonly cert: string; readonly key: string }> {
  const { authority, sign } = await makeAuthority('CN=Development TLS CA', {});
  const { certificate, privateKey } = await sign({ subject: 'CN=localhost' }, [
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
    ...alternativeNames([...named('dns', ['localhost']), ...named('ip', ['127.0.0.1', '::1'])]),
  ]);
  return { ca: authority.certificate, cert: certificate, key: privateKey };
}

function named(type: 'dns' | 'url' | 'ip', values: readonly string[]): x509.JsonGeneralNames {
  return values.map((value) => ({ type, value }));
}

function alternativeNames(names: x509.JsonGeneralNames): x509.Extension[] {
  return names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)];
}

function period({ notBefore, notAfter }: Validity, days: number): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  return { notBefore: notBefore ?? new Date(now - HOUR_MS), notAfter: notAfter ?? new Date(now + days * DAY_MS) };
}

/** 16 octets, positive and without a leading zero: RFC 5280, section 4.1.2.2. */
function newSerial(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return Buffer.from(bytes).toString('hex');
}
