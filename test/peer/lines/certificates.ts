/** `read-certificate-data`: what is in a certificate, whatever it comes in. */
import { X509Certificate } from 'node:crypto';
import { ML_DSA_KINDS } from '../../../certs-dev/ml-dsa.ts';
import { pkiText } from '../../support/pki.ts';
import type { Line } from '../support/compare.ts';

const read = (file: string): string[] => ['read-certificate-data', '--certificate', file];

const KINDS = ['rsa-1024', 'rsa-2048', 'rsa-3072', 'rsa-4096', 'ec-p256', 'ec-p384', 'ec-p521'];
const SERIALS = ['serial-1', 'serial-80', 'serial-20-bytes'];
const REFUSED_BY_THE_SERVICE = [
  'bad-expired',
  'bad-not-yet-valid',
  'bad-ca',
  'bad-no-digital-signature',
  'bad-no-key-usage',
  'bad-sha-1',
  'bad-v1',
  'bad-empty-subject',
];
/** In {@link makeFiles}. */
const FORMS: Readonly<Record<string, string>> = {
  'full-chain.pem': 'the chain behind the leaf',
  'issuer-first.pem': 'the issuer before the leaf',
  'key-first.pem': 'the key before the certificate',
  'crlf.pem': 'lines that end in CR LF',
  'text-behind.pem': 'text behind the certificate',
  'openssl-text.pem': 'the text of openssl before the certificate',
  'two-issuers.pem': 'two authorities',
  'utf8.crt.pem': 'a subject in UTF-8',
  'many-rdns.crt.pem': 'a subject of several attributes in one part',
  'serial-zero.crt.pem': 'serial number 0',
  'serial-21-octets.crt.pem': 'a serial number of 20 octets with the highest bit set',
  'ed25519.crt.pem': 'an Ed25519 key',
  'rsa-pss.crt.pem': 'an RSA-PSS key',
  'p224.crt.pem': 'a P-224 key',
};
const NO_CERTIFICATE: Readonly<Record<string, string>> = {
  empty: 'an empty file',
  blank: 'a file of white space',
  junk: 'a file of words',
  'truncated.pem': 'a file that is cut off',
  missing: 'a file that is not there',
  directory: 'a directory',
  'request.pem': 'a request for a certificate',
  'trusted.pem': "openssl's TRUSTED CERTIFICATE",
  'trusted-label.pem': 'a certificate under the label of another thing',
  'ec-parameters.pem': 'parameters of a curve',
};
const OURS_ALONE: Readonly<Record<string, string>> = {
  '{pki}/ec-p256.crt.der': 'DER',
  '{files}/bom.pem': 'a byte order mark',
  '{files}/old-label.pem': 'the label X509 CERTIFICATE',
  '{files}/ec-p256.old.p12': 'PKCS#12 with an empty password',
  '{files}/rsa-2048.new.p12': 'PKCS#12 of OpenSSL 3 with an empty password',
  '{files}/secp256k1.crt.pem': 'a secp256k1 key',
};

/** As 1.8.0 prints it; the version that is installed does not know the algorithm. */
function mlDsaLine(kind: (typeof ML_DSA_KINDS)[number]): Line {
  const certificate = new X509Certificate(pkiText(`${kind}.crt.pem`));
  const stdout = JSON.stringify({
    keyType: kind.toUpperCase(),
    certificateData: certificate.raw.toString('base64'),
    serialNumber: BigInt(`0x${certificate.serialNumber}`).toString(),
    supportedAlgorithms: [kind.toUpperCase()],
  });
  return {
    name: `reads a certificate of ${kind}`,
    args: read(`{pki}/${kind}.crt.pem`),
    instead: { outcome: 'success', stdout },
  };
}

export const CERTIFICATE_LINES: readonly Line[] = [
  ...KINDS.flatMap((kind) => [
    { name: `reads a certificate of ${kind}`, args: read(`{pki}/${kind}.crt.pem`) },
    { name: `reads certificate and key of ${kind} in one file`, args: read(`{pki}/${kind}.combined.pem`) },
  ]),
  ...[...SERIALS, ...REFUSED_BY_THE_SERVICE].map((name) => ({
    name: `reads ${name}`,
    args: read(`{pki}/${name}.crt.pem`),
  })),
  ...['root.pem', 'intermediate.pem', 'ec-p256.text.pem', 'ec-p256.chain.pem'].map((name) => ({
    name: `reads ${name}`,
    args: read(`{pki}/${name}`),
  })),
  ...Object.entries(FORMS).map(([file, what]) => ({ name: `reads ${what}`, args: read(`{files}/${file}`) })),
  ...Object.entries(NO_CERTIFICATE).map(([file, what]) => ({ name: `refuses ${what}`, args: read(`{files}/${file}`) })),
  ...ML_DSA_KINDS.map(mlDsaLine),
  { name: 'refuses a key', args: read('{pki}/ec-p256.key.pem') },
  { name: 'refuses a PKCS#12 file with a password', args: read('{files}/ec-p256.locked.p12') },
  { name: 'refuses an empty path', args: read('') },
  { name: 'refuses a line without a certificate', args: ['read-certificate-data'] },
  {
    name: 'takes no heed of --debug',
    args: [...read('{pki}/ec-p256.crt.pem'), '--debug'],
  },
  {
    name: 'reads a negative serial number',
    args: read('{files}/serial-negative.crt.pem'),
    differs: { by: 'negative-serial', in: 'theirs refuses' },
  },
  {
    name: 'shows a certificate to people',
    args: [...read('{pki}/ec-p256.crt.pem'), '--format', 'text'],
    differs: { by: 'own-flags', in: 'theirs refuses' },
  },
  ...Object.entries(OURS_ALONE).map(([file, what]): Line => ({
    name: `reads ${what}`,
    args: read(file),
    differs: { by: file.includes('secp256k1') ? 'curves' : 'more-files', in: 'theirs refuses' },
  })),
];
