/** Words for people about the flags of renewals. */
// Tests: test/docs/words.test.ts
import type { FlagHelp } from './flag-help.ts';
import type { FlagName } from './flags.ts';

export const RENEWAL_HELP = {
  renew: {
    group: 'Renewal',
    text: 'renew the certificate too, as --renew-from or --renew-command says, for as long as the server runs',
  },
  'renew-from': {
    group: 'Renewal',
    value: 'CA:URL',
    text: 'who renews: step-ca:https://HOST, est:https://HOST[/.well-known/est/LABEL] or vault:https://HOST:8200/v1/pki/sign/ROLE',
  },
  'renew-command': {
    group: 'Renewal',
    value: 'COMMAND',
    text: 'command that renews, run without a shell; {certificate}, {private-key} and {csr} stand for files to work on, and what it leaves there or prints is checked and put in place',
  },
  'renew-ca': {
    group: 'Renewal',
    value: 'FILE',
    text: "roots in PEM to believe the CA by; by default Node's own. --ca-bundle and AWS_CA_BUNDLE are not for the CA",
  },
  'renew-ca-fingerprint': {
    group: 'Renewal',
    value: 'HEX',
    text: "SHA-256 of step-ca's root, in place of --renew-ca",
  },
  'renew-token-file': {
    group: 'Renewal',
    value: 'FILE',
    text: "file with what proves who asks: step-ca's one-time token (with --enroll), USER:PASSWORD for EST, a token or ROLE_ID:SECRET_ID for Vault; read anew each time",
  },
  'renew-auth': {
    group: 'Renewal',
    value: 'METHOD[:MOUNT]',
    text: 'how to log in to Vault: token, approle or cert; by default token',
  },
  'new-key': {
    group: 'Renewal',
    text: 'make a new key each time, of the same type and size; by default the key stays',
  },
  at: {
    group: 'Renewal',
    value: 'LEFT',
    text: 'what is left of the life of the certificate when it is renewed: a part (1/3, 25%) or a time (8h, 30d); by default 1/3',
  },
  daemon: {
    group: 'Renewal',
    text: 'stay, and renew each time that it is due, until interrupted',
  },
  enroll: {
    group: 'Renewal',
    text: 'get the first certificate, if the file of --certificate is not there yet, and a key for it, if there is none',
  },
  subject: {
    group: 'Renewal',
    value: 'NAME',
    text: 'subject to ask for with --enroll, such as CN=web,O=Example; by default that of the one-time token of step-ca',
  },
  san: {
    group: 'Renewal',
    value: 'KIND:NAME',
    text: 'alternative name to ask for with --enroll: dns:NAME, ip:ADDRESS, email:ADDRESS or uri:URI; repeat it for more',
  },
  'key-type': {
    group: 'Renewal',
    value: 'TYPE',
    text: 'type of the key that --enroll makes; by default ec-p256',
  },
} as const satisfies { readonly [F in FlagName]?: FlagHelp };
