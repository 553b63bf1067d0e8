/** PKCS#11: keys and certificates in a token of SoftHSM. */
import type { Line } from '../support/compare.ts';
import { ARNS, CHAIN, ENDPOINT } from './words.ts';

const LIB = ['--pkcs11-lib', '{softhsm}'];
const read = (uri: string): string[] => ['read-certificate-data', '--certificate', uri, ...LIB];
const sign = (...args: string[]): string[] => ['sign-string', ...args, ...LIB];
const vend = (...args: string[]): string[] => ['credential-process', ...ARNS, ...args, ...CHAIN, ...ENDPOINT, ...LIB];

/** Everything of a kind in the token, by its label. */
const uri = (object: string): string => `pkcs11:token=tok;object=${object}?pin-value={pin}`;
const EC_SIGNATURE = { of: '{pki}/ec-p256.crt.pem', format: 'json', digest: 'SHA256' } as const;
const RSA_SIGNATURE = { ...EC_SIGNATURE, of: '{pki}/rsa-2048.crt.pem' } as const;

export const TOKEN_LINES: readonly Line[] = [
  { name: 'lists the certificate that a URI means', args: read('pkcs11:token=tok;object=ec-p256') },
  { name: 'lists a certificate by its id', args: read('pkcs11:id=%02') },
  { name: 'lists a subject of every character', args: read('pkcs11:token=tok;object=many-rdns') },
  { name: 'lists nothing where nothing matches', args: read(uri('nothing')) },
  { name: 'refuses a token that is not there', args: read('pkcs11:token=none?pin-value={pin}') },
  { name: 'signs with RSA in the token', args: sign('--certificate', uri('rsa-2048')), signature: RSA_SIGNATURE },
  { name: 'signs with P-256 in the token', args: sign('--certificate', uri('ec-p256')), signature: EC_SIGNATURE },
  {
    name: 'signs with a key in the token alone',
    args: sign('--private-key', uri('rsa-2048')),
    signature: RSA_SIGNATURE,
    differs: { by: 'token-text', in: ['stdout'] },
  },
  {
    name: 'signs with a certificate in a file and its key in the token',
    args: sign('--certificate', '{pki}/rsa-2048.crt.pem', '--private-key', uri('rsa-2048')),
    signature: RSA_SIGNATURE,
    differs: { by: 'token-text', in: ['stdout'] },
  },
  { name: 'vends with certificate and key in the token', args: vend('--certificate', uri('ec-p256')) },
  {
    name: 'vends with a certificate in a file and its key in the token',
    args: vend('--certificate', '{pki}/rsa-2048.crt.pem', '--private-key', uri('rsa-2048')),
  },
  { name: 'vends with --reuse-pin', args: vend('--certificate', uri('ec-p256'), '--reuse-pin') },
  {
    name: 'takes no heed of a password for a TPM beside a token',
    args: vend('--certificate', uri('ec-p256'), '--tpm-key-password', 'x'),
  },
  {
    name: 'takes a PIN in the path of the URI',
    args: sign('--certificate', 'pkcs11:token=tok;object=rsa-2048;pin-value={pin}'),
    signature: RSA_SIGNATURE,
    differs: { by: 'pin-places', in: 'theirs refuses' },
  },
  {
    name: 'takes the file of a PIN',
    args: sign('--certificate', 'pkcs11:token=tok;object=rsa-2048?pin-source=file:{files}/pin'),
    signature: RSA_SIGNATURE,
    differs: { by: 'pin-places', in: 'theirs refuses' },
  },
  { name: 'refuses a URI that is none', args: sign('--certificate', 'pkcs11:token') },
];
