/** Words for people about the flags of identities. */
// Tests: test/docs/words.test.ts
import type { FlagHelp } from './flag-help.ts';
import type { FlagName } from './flags.ts';

export const IDENTITY_HELP = {
  certificate: {
    group: 'Identity',
    value: 'FILE',
    text: 'certificate in PEM, DER or PKCS#7, or a PKCS#12 file; a PEM file may hold the chain and the key too; with --cert-selector also a folder; or spiffe:, an identity of a SPIFFE Workload API',
  },
  'private-key': {
    group: 'Identity',
    value: 'FILE',
    text: "private key in PEM or DER, encrypted or not; not needed when the certificate's file holds it",
  },
  intermediates: { group: 'Identity', value: 'FILE', text: 'intermediate certificates in PEM or PKCS#7, in any order' },
  'skip-checks': {
    group: 'Identity',
    text: 'warn instead of refusing when the certificate breaks a rule of the service (version, validity, CA, key usage, signature algorithm, subject) or the chain is too long; the key must still be that of the certificate',
  },
  'pkcs8-password': {
    group: 'Identity',
    value: 'TEXT',
    text: 'password of an encrypted private key; others can see it in the list of processes: prefer --pkcs8-password-file or ROLES_ANYWHERE_PKCS8_PASSWORD',
  },
  'pkcs8-password-file': {
    group: 'Identity',
    value: 'FILE',
    text: 'file whose first line is the password of an encrypted private key; - is standard input',
  },
  'pkcs12-password': {
    group: 'Identity',
    value: 'TEXT',
    text: 'password of a PKCS#12 file; others can see it in the list of processes: prefer --pkcs12-password-file or ROLES_ANYWHERE_PKCS12_PASSWORD',
  },
  'pkcs12-password-file': {
    group: 'Identity',
    value: 'FILE',
    text: 'file whose first line is the password of a PKCS#12 file; - is standard input',
  },
  'cert-selector': {
    group: 'Identity',
    value: 'SELECTOR',
    text: 'which certificate of the folder, file or PKCS#11 URI that --certificate names, or of the system store without it: as "Key=x509Subject,Value=CN=NAME" with keys x509Subject, x509Issuer, x509Serial, or as file://FILE.json',
  },
  'system-store-name': { group: 'Identity', value: 'NAME', text: 'system store to search, on Windows' },
  'system-store-location': {
    group: 'Identity',
    value: 'LOCATION',
    text: "whose system store to search, on Windows; by default the user's",
  },
  'system-store-interactive': {
    group: 'Identity',
    text: 'let Windows ask a person when the key of a certificate in its store wants it: for a PIN, or leave to use it',
  },
  'use-latest-expiring-certificate': {
    group: 'Identity',
    text: 'of several certificates that match, take the one that expires last',
  },
  'pkcs11-lib': {
    group: 'Identity',
    value: 'FILE',
    text: "PKCS#11 library of the token; by default p11-kit's proxy",
  },
  'pkcs11-pin-file': {
    group: 'Identity',
    value: 'FILE',
    text: 'file that holds the PIN of the token and nothing else',
  },
  'pkcs11-allow-pin-command': { group: 'Identity', text: 'run the command of a pin-source=|COMMAND in a PKCS#11 URI' },
  'pkcs11-allow-low-pin-count': {
    group: 'Identity',
    text: 'log in unattended even if the next wrong PIN locks the token',
  },
  'reuse-pin': { group: 'Identity', text: "use the user's PIN for keys that ask for one at each signature" },
  'tpm-device': {
    group: 'Identity',
    value: 'TPM',
    text: 'the TPM: a device file or socket, or as in TPM2TOOLS_TCTI, such as swtpm:host=127.0.0.1,port=2321; by default TPM_DEVICE, TPM2TOOLS_TCTI, /dev/tpmrm0 or /dev/tpm0',
  },
  'tpm-key-password': {
    group: 'Identity',
    value: 'TEXT',
    text: 'password of a TPM key; others can see it in the list of processes: prefer --tpm-key-password-file or ROLES_ANYWHERE_TPM_KEY_PASSWORD',
  },
  'tpm-key-password-file': {
    group: 'Identity',
    value: 'FILE',
    text: 'file whose first line is the password of a TPM key; - is standard input',
  },
  'no-tpm-key-password': {
    group: 'Identity',
    text: 'the TPM key has no password: needed for keys by a handle under dictionary-attack protection',
  },
  'tpm-parent-password': {
    group: 'Identity',
    value: 'TEXT',
    text: "password of a TPM key's parent; others can see it in the list of processes: prefer --tpm-parent-password-file or ROLES_ANYWHERE_TPM_PARENT_PASSWORD",
  },
  'tpm-parent-password-file': {
    group: 'Identity',
    value: 'FILE',
    text: "file whose first line is the password of a TPM key's parent; - is standard input",
  },
  'tpm-hierarchy-password': {
    group: 'Identity',
    value: 'TEXT',
    text: 'password of the TPM hierarchy that a parent is made from, the owner most often; others can see it in the list of processes: prefer --tpm-hierarchy-password-file or ROLES_ANYWHERE_TPM_HIERARCHY_PASSWORD',
  },
  'tpm-hierarchy-password-file': {
    group: 'Identity',
    value: 'FILE',
    text: 'file whose first line is the password of the TPM hierarchy; - is standard input',
  },
  'tpm-policy-pcr': {
    group: 'Identity',
    value: 'PCRS',
    text: 'PCRs that a TPM key is bound to, such as sha256:0,7',
  },
  'tpm-password-in-clear': {
    group: 'Identity',
    text: 'send passwords to the TPM as they are, not by an HMAC session: for TPMs without sessions',
  },
} as const satisfies { readonly [F in FlagName]?: FlagHelp };
