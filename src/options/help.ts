/** Words for people about every flag and command of the table in flags.ts. Loaded for help and documentation only. */
import type { CommandName, FlagName } from './flags.ts';

export interface FlagHelp {
  /** Stands for the value, as in `--certificate FILE`. Booleans have none. */
  readonly value?: string;
  readonly group: Group;
  /** What it does, lower case, without a full stop. Defaults, choices and `required` are added from the table. */
  readonly text: string;
}

export interface CommandHelp {
  /** One line, for the list of commands. */
  readonly summary: string;
  /** What more there is to know, in full sentences. */
  readonly text?: string;
  /** Positional arguments, as in `[DIR]`. */
  readonly args?: string;
  /** A line to try, without the program's name, in the parts that it is broken into. */
  readonly example: readonly string[];
}

/** In the order in which help shows them. */
export const GROUPS = [
  'Identity',
  'Roles Anywhere',
  'Network',
  'Emulator',
  'Output',
  'Link',
  'General',
  'Not in this version yet',
] as const;

export type Group = (typeof GROUPS)[number];

export const FLAG_HELP: Readonly<Record<FlagName, FlagHelp>> = {
  certificate: { group: 'Identity', value: 'FILE', text: 'certificate in PEM, also with chain and key behind it' },
  'private-key': {
    group: 'Identity',
    value: 'FILE',
    text: "private key in PEM; left out when it is in the certificate's file",
  },
  intermediates: { group: 'Identity', value: 'FILE', text: 'intermediate certificates in PEM, in any order' },
  'pkcs8-password': { group: 'Identity', value: 'TEXT', text: 'password of an encrypted PKCS#8 key' },
  'cert-selector': {
    group: 'Identity',
    value: 'SELECTOR',
    text: 'certificate of the system store, as "Key=x509Subject,Value=CN=NAME" with keys x509Subject, x509Issuer, x509Serial, or as file://FILE.json',
  },
  'system-store-name': { group: 'Identity', value: 'NAME', text: 'system store to search, on Windows' },
  'use-latest-expiring-certificate': {
    group: 'Identity',
    text: 'of several certificates that match, take the one that expires last',
  },
  'pkcs11-lib': { group: 'Identity', value: 'FILE', text: 'PKCS#11 library of the token' },
  'reuse-pin': { group: 'Identity', text: "use the user's PIN for keys that ask for one at each signature" },
  'tpm-key-password': { group: 'Identity', value: 'TEXT', text: 'password of a TPM key' },
  'no-tpm-key-password': { group: 'Identity', text: 'the TPM key behind a handle has no password' },

  'trust-anchor-arn': { group: 'Roles Anywhere', value: 'ARN', text: 'trust anchor that vouches for the certificate' },
  'profile-arn': { group: 'Roles Anywhere', value: 'ARN', text: 'profile that lists the role' },
  'role-arn': { group: 'Roles Anywhere', value: 'ARN', text: 'role to assume' },
  'session-duration': {
    group: 'Roles Anywhere',
    value: 'SECONDS',
    text: "life of the credentials, 900 to 43200; the profile's own when left out (3600 is sent under --compat)",
  },
  'role-session-name': {
    group: 'Roles Anywhere',
    value: 'NAME',
    text: 'name of the session, if the profile accepts one',
  },

  region: { group: 'Network', value: 'REGION', text: "signing region, when it is not that of the trust anchor's ARN" },
  endpoint: {
    group: 'Network',
    value: 'URL',
    text: 'where to send CreateSession, when not to AWS; plain http only to this machine',
  },
  'ca-bundle': {
    group: 'Network',
    value: 'FILE',
    text: 'roots in PEM to trust in place of the usual ones; also AWS_CA_BUNDLE',
  },
  'no-verify-ssl': { group: 'Network', text: "do not check the server's certificate" },
  'with-proxy': { group: 'Network', text: 'connect through the proxy that the environment names' },

  'trust-anchor': {
    group: 'Emulator',
    value: 'FILE',
    text: 'CA certificate in PEM to trust; each repeat adds a trust anchor',
  },
  host: { group: 'Emulator', value: 'ADDRESS', text: 'address to listen on; 127.0.0.1 when left out' },
  port: { group: 'Emulator', value: 'PORT', text: 'port to listen on; 0 takes any that is free' },
  'tls-cert': { group: 'Emulator', value: 'FILE', text: 'server certificate in PEM, to listen with TLS too' },
  'tls-key': { group: 'Emulator', value: 'FILE', text: 'private key in PEM of that certificate' },

  format: { group: 'Output', value: 'FORMAT', text: 'form of the signature' },
  digest: { group: 'Output', value: 'DIGEST', text: 'digest to sign' },

  force: { group: 'Link', text: 'replace a file that is in the way' },

  compat: { group: 'General', text: 'behave as aws_signing_helper does: the same as being called by that name' },
  debug: { group: 'General', text: 'say on standard error what is being done; never shows secrets' },
  help: { group: 'General', text: 'show help; also -h' },
  version: { group: 'General', text: 'show the version' },
};

export const COMMAND_HELP: Readonly<Record<CommandName, CommandHelp>> = {
  'credential-process': {
    summary: 'print temporary credentials, as the AWS CLI and SDKs want them',
    text: 'Exchanges a certificate for temporary credentials and prints them as JSON. Meant for a line credential_process = ... in a profile of ~/.aws/config.',
    example: [
      'credential-process --certificate client.pem --private-key client.key',
      '--trust-anchor-arn arn:aws:rolesanywhere:us-east-1:111122223333:trust-anchor/UUID',
      '--profile-arn arn:aws:rolesanywhere:us-east-1:111122223333:profile/UUID',
      '--role-arn arn:aws:iam::111122223333:role/NAME',
    ],
  },
  'read-certificate-data': {
    summary: 'print what Roles Anywhere reads in a certificate',
    example: ['read-certificate-data --certificate client.pem'],
  },
  'sign-string': {
    summary: 'sign a fixed text, to show that a key can be used',
    text: 'Signs "AWS Roles Anywhere Credential Helper Signing Test" || "1" || SHA256("IAM RA" || public key). The signature is in hexadecimal, except with --format bin.',
    example: ['sign-string --private-key client.key --format text'],
  },
  emulator: {
    summary: 'run a local Roles Anywhere and STS to test against',
    text: 'Verifies what it is sent as the services do, and runs until it is interrupted.',
    example: ['emulator --trust-anchor root.pem'],
  },
  link: {
    summary: 'make the link aws_signing_helper, so that existing lines call this program',
    args: '[DIR]',
    text: "Makes the link in DIR, or beside this program's own command when DIR is left out. A file of that name that is something else, such as AWS's own program, is left alone without --force. On Windows the link is a script, aws_signing_helper.cmd.",
    example: ['link ~/bin'],
  },
  version: { summary: "print this program's version", example: ['version'] },
};

/** Exit status and what it stands for (EXIT_STATUS in errors.ts), shown below every help. */
export const EXIT_STATUS_HELP: readonly (readonly [number, string])[] = [
  [0, 'done'],
  [1, 'a defect of this program, or output that could not be written'],
  [2, 'the command line, its environment or its configuration is wrong'],
  [3, 'the certificate, its chain or its private key cannot be used'],
  [4, 'Roles Anywhere said no: asking again changes nothing'],
  [5, 'no usable answer (network, TLS, throttling, failing service): asking later may work'],
  [130, 'interrupted'],
];
