import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

// Node's own types and the DOM's name the same things differently.
type DomKeys = x509.X509CertificateCreateSelfSignedParams['keys'];

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY = 86_400_000;

/** A key and a certificate as PEM text, for a TLS server. */
export interface ServerIdentity {
  key: string;
  cert: string;
}

export interface Authority {
  /** The root, as PEM text. */
  root: string;
  /** Issues a server certificate, valid for a day before and after `at`. A single text is its common name and its only one. */
  issue: (names: readonly string[] | string, at?: number) => Promise<ServerIdentity>;
}

/** A certificate authority of its own. */
export async function makeAuthority(name: string): Promise<Authority> {
  const keys = await makeKeys();
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: `CN=${name}`,
    notBefore: new Date(Date.now() - 100 * DAY),
    notAfter: new Date(Date.now() + 100 * DAY),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  let serial = 2;
  return {
    root: root.toString('pem'),
    async issue(names, at = Date.now()) {
      const serverKeys = await makeKeys();
      const certificate = await x509.X509CertificateGenerator.create({
        serialNumber: (serial++).toString(16).padStart(2, '0'),
        subject: `CN=${typeof names === 'string' ? names : 'server'}`,
        issuer: root.subject,
        notBefore: new Date(at - DAY),
        notAfter: new Date(at + DAY),
        signingAlgorithm: ALGORITHM,
        publicKey: serverKeys.publicKey,
        signingKey: keys.privateKey,
        extensions: [
          ...(typeof names === 'string' ? [] : [new x509.SubjectAlternativeNameExtension(names.map(generalName))]),
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        ],
      });
      const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', serverKeys.privateKey as webcrypto.CryptoKey);
      return { key: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'), cert: certificate.toString('pem') };
    },
  };
}

function generalName(value: string): x509.JsonGeneralName {
  return { type: /^[\d.]+$/.test(value) ? 'ip' : 'dns', value };
}

async function makeKeys(): Promise<DomKeys> {
  return (await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])) as DomKeys;
}
