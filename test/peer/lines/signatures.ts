/** `sign-string`: the fixed text, signed with any key from any file. */
import { ML_DSA_KINDS } from '../../../certs-dev/ml-dsa.ts';
import type { Line } from '../support/compare.ts';
import { PASSWORD } from '../support/files.ts';
import { pair } from './words.ts';

const FORMATS = ['json', 'text', 'bin'] as const;
const DIGESTS = ['SHA256', 'SHA384', 'SHA512'];
const CURVES = ['ec-p256', 'ec-p384', 'ec-p521'];

const sign = (...args: string[]): string[] => ['sign-string', ...args];
const password = ['--pkcs8-password', PASSWORD];
const signature = (of: string) => ({ of: `{pki}/${of}.crt.pem`, format: 'json', digest: 'SHA256' }) as const;

/** A line for each kind of key; an elliptic curve's signature is never twice the same. */
function both(
  name: string,
  args: (kind: string) => string[],
  { differs, instead }: Pick<Line, 'differs' | 'instead'> = {},
): Line[] {
  return ['rsa-2048', 'ec-p256'].map((kind) => ({
    name: `${name}, ${kind}`,
    args: sign(...args(kind)),
    signature: kind.startsWith('ec') || instead !== undefined ? signature(kind) : undefined,
    differs,
    instead,
  }));
}

const certificate = (kind: string): string[] => ['--certificate', `{pki}/${kind}.crt.pem`];
const withKey = (kind: string, file: string): string[] => [...certificate(kind), '--private-key', file];

export const SIGNATURE_LINES: readonly Line[] = [
  ...FORMATS.flatMap((format) =>
    DIGESTS.flatMap((digest): Line[] => [
      {
        name: `signs with RSA and ${digest}, printed as ${format}`,
        args: sign(...pair('rsa-2048'), '--format', format, '--digest', digest),
      },
      {
        name: `signs with P-256 and ${digest}, printed as ${format}`,
        args: sign(...pair('ec-p256'), '--format', format, '--digest', digest),
        signature: { of: '{pki}/ec-p256.crt.pem', format, digest },
      },
    ]),
  ),
  ...['rsa-1024', 'rsa-3072', 'rsa-4096'].map((kind) => ({ name: `signs with ${kind}`, args: sign(...pair(kind)) })),
  ...CURVES.slice(1).map((kind): Line => ({
    name: `signs with ${kind}`,
    args: sign(...pair(kind)),
    signature: signature(kind),
  })),
  // The version that is installed does not know the algorithm; 1.8.0 signs the text without a hash behind it.
  ...ML_DSA_KINDS.map((kind): Line => ({
    name: `signs with ${kind}`,
    args: sign(...pair(kind)),
    signature: signature(kind),
    instead: { outcome: 'success', stdout: 'json of a signature over the text alone' },
  })),
  { name: 'signs with PKCS#1', args: sign(...withKey('rsa-2048', '{pki}/rsa-2048.pkcs1.pem')) },
  ...CURVES.map((kind): Line => ({
    name: `signs with SEC 1, ${kind}`,
    args: sign(...withKey(kind, `{pki}/${kind}.sec1.pem`)),
    signature: signature(kind),
  })),
  {
    name: 'signs with SEC 1 behind EC PARAMETERS',
    args: sign(...withKey('ec-p256', '{files}/ec-with-parameters.pem')),
    signature: signature('ec-p256'),
  },
  ...both('signs with certificate and key in one file', (kind) => ['--certificate', `{pki}/${kind}.combined.pem`]),
  ...both('signs with PKCS#12', (kind) => ['--certificate', `{files}/${kind}.old.p12`]),
  ...both(
    'signs with an encrypted key (aes128-sha1)',
    (kind) => [...withKey(kind, `{files}/${kind}.aes128-sha1.pem`), ...password],
    { instead: { outcome: 'success', stdout: 'json of a signature over the text with the key' } },
  ),
  ...['aes192-sha256', 'aes256-sha384', 'aes256-sha512', 'scrypt'].flatMap((form) =>
    both(`signs with an encrypted key (${form})`, (kind) => [
      ...withKey(kind, `{files}/${kind}.${form}.pem`),
      ...password,
    ]),
  ),
  ...['3des', 'pbes1', 'traditional'].flatMap((form) =>
    both(
      `signs with an encrypted key (${form})`,
      (kind) => [...withKey(kind, `{files}/${kind}.${form}.pem`), ...password],
      { differs: { by: 'more-files', in: 'theirs refuses' } },
    ),
  ),
  ...both('signs with PKCS#12 of OpenSSL 3', (kind) => ['--certificate', `{files}/${kind}.new.p12`], {
    differs: { by: 'more-files', in: 'theirs refuses' },
  }),
  {
    name: 'signs with a key alone',
    args: sign('--private-key', '{pki}/rsa-2048.key.pem'),
    differs: { by: 'key-alone', in: 'theirs refuses' },
  },
  {
    name: 'signs with a password that the key does not need',
    args: sign(...pair('rsa-2048'), ...password),
    differs: { by: 'needless-password', in: 'theirs refuses' },
  },
  {
    name: 'signs with a key of another certificate',
    args: sign(...withKey('ec-p256', '{pki}/rsa-2048.key.pem')),
    differs: { by: 'key-mismatch', in: 'ours refuses' },
  },
  {
    name: 'refuses a wrong password',
    args: sign(...withKey('rsa-2048', '{files}/rsa-2048.scrypt.pem'), '--pkcs8-password', 'wrong'),
  },
  {
    name: 'refuses an encrypted key without a password',
    args: sign(...withKey('rsa-2048', '{files}/rsa-2048.scrypt.pem')),
  },
  { name: 'refuses a key file that is not there', args: sign(...withKey('ec-p256', '{files}/missing')) },
  { name: 'refuses an empty key file', args: sign(...withKey('ec-p256', '{files}/empty')) },
  { name: 'refuses a certificate in place of the key', args: sign(...withKey('ec-p256', '{pki}/ec-p256.crt.pem')) },
  { name: 'refuses a certificate without a key', args: sign(...certificate('ec-p256')) },
  { name: 'refuses a line without a key', args: sign() },
  { name: 'refuses an unknown digest', args: sign(...pair('rsa-2048'), '--digest', 'MD5') },
  { name: 'refuses a digest in lower case', args: sign(...pair('rsa-2048'), '--digest', 'sha256') },
  { name: 'refuses an unknown format', args: sign(...pair('rsa-2048'), '--format', 'xml') },
  ...['ed25519', 'rsa-pss', 'secp256k1'].map((kind) => ({
    name: `refuses a key of ${kind}`,
    args: sign('--certificate', `{files}/${kind}.crt.pem`, '--private-key', `{files}/${kind}.key.pem`),
  })),
  {
    name: 'signs with a key of P-224',
    args: sign('--certificate', '{files}/p224.crt.pem', '--private-key', '{files}/p224.key.pem'),
    differs: { by: 'curves', in: 'ours refuses' },
  },
  {
    name: 'signs without heed of a password for a TPM',
    args: sign(...pair('rsa-2048'), '--tpm-key-password', 'x'),
  },
  {
    name: 'signs without heed of --no-tpm-key-password',
    args: sign(...pair('rsa-2048'), '--no-tpm-key-password'),
  },
  {
    name: 'signs without heed of --reuse-pin',
    args: sign(...pair('rsa-2048'), '--reuse-pin'),
  },
];
