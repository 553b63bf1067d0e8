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
  'Further roles',
  'Console',
  'Network',
  'Server',
  'Emulator',
  'Output',
  'Link',
  'General',
  'Not in this version yet',
] as const;

export type Group = (typeof GROUPS)[number];

export const FLAG_HELP: Readonly<Record<FlagName, FlagHelp>> = {
  certificate: {
    group: 'Identity',
    value: 'FILE',
    text: 'certificate in PEM or DER, in PEM also with chain and key behind it; or a PKCS#12 file',
  },
  'private-key': {
    group: 'Identity',
    value: 'FILE',
    text: "private key in PEM or DER, also encrypted; left out when it is in the certificate's file",
  },
  intermediates: { group: 'Identity', value: 'FILE', text: 'intermediate certificates in PEM, in any order' },
  'skip-checks': {
    group: 'Identity',
    text: "warn instead of refusing where the certificate breaks a rule of the service (version, validity, CA, key usage, signature algorithm, subject) or the chain is too long; that the key is the certificate's is checked all the same",
  },
  'pkcs8-password': {
    group: 'Identity',
    value: 'TEXT',
    text: 'password of an encrypted private key; others can see it in the list of processes: prefer --pkcs8-password-file or ROLES_ANYWHERE_PKCS8_PASSWORD',
  },
  'pkcs8-password-file': {
    group: 'Identity',
    value: 'FILE',
    text: 'holds the password of an encrypted private key in its first line; - is standard input',
  },
  'pkcs12-password': {
    group: 'Identity',
    value: 'TEXT',
    text: 'password of a PKCS#12 file; others can see it in the list of processes: prefer --pkcs12-password-file or ROLES_ANYWHERE_PKCS12_PASSWORD',
  },
  'pkcs12-password-file': {
    group: 'Identity',
    value: 'FILE',
    text: 'holds the password of a PKCS#12 file in its first line; - is standard input',
  },
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
  'pkcs11-lib': {
    group: 'Identity',
    value: 'FILE',
    text: "PKCS#11 library of the token; p11-kit's proxy when left out",
  },
  'pkcs11-pin-file': { group: 'Identity', value: 'FILE', text: 'holds the PIN of the token, and nothing else' },
  'pkcs11-allow-pin-command': { group: 'Identity', text: 'run the command of a pin-source=|COMMAND in a PKCS#11 URI' },
  'pkcs11-allow-low-pin-count': {
    group: 'Identity',
    text: 'log in without a person although the token has few PIN tries left',
  },
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

  'assume-role-arn': {
    group: 'Further roles',
    value: 'ARN[,KEY=VALUE...]',
    text: 'role to go on to with sts:AssumeRole; repeat it for more, in order; the keys are the flags of this group without their dashes, for this role alone',
  },
  'assume-role-session-name': {
    group: 'Further roles',
    value: 'NAME',
    text: 'name of each of these sessions; made from the time when left out',
  },
  'assume-role-duration': {
    group: 'Further roles',
    value: 'SECONDS',
    text: 'life of each of these sessions, from 900; 3600 when left out, which is the most for one that starts from a role session',
  },
  'external-id': { group: 'Further roles', value: 'ID', text: 'external id that the last role asks for' },
  policy: {
    group: 'Further roles',
    value: 'JSON',
    text: 'session policy for the last role, as JSON or file://FILE',
  },
  'policy-arn': {
    group: 'Further roles',
    value: 'ARN',
    text: 'managed policy as session policy for the last role; repeat it for more',
  },
  tag: { group: 'Further roles', value: 'KEY=VALUE', text: 'session tag for the last role; repeat it for more' },
  'transitive-tag-key': {
    group: 'Further roles',
    value: 'KEY',
    text: 'key of a session tag that later roles of the chain keep; repeat it for more',
  },
  'source-identity': {
    group: 'Further roles',
    value: 'NAME',
    text: 'source identity, which stays for the whole chain',
  },
  'mfa-serial': {
    group: 'Further roles',
    value: 'SERIAL',
    text: 'MFA device that the last role asks for; its code is asked for at the terminal, unless the next two say otherwise',
  },
  'mfa-token': { group: 'Further roles', value: 'CODE', text: 'code of the MFA device, good for one request' },
  'mfa-command': { group: 'Further roles', value: 'COMMAND', text: 'command that prints the code of the MFA device' },
  'sts-endpoint': {
    group: 'Network',
    value: 'URL',
    text: 'where to send requests to STS, when not to AWS; also AWS_ENDPOINT_URL_STS',
  },
  source: {
    group: 'Further roles',
    value: 'KIND',
    text: 'credentials to start from, in place of a certificate; the first that is found when left out where no certificate is taken',
  },
  'source-profile': {
    group: 'Further roles',
    value: 'NAME',
    text: "profile of the AWS CLI's files to start from; also AWS_PROFILE",
  },
  'web-identity-token-file': {
    group: 'Further roles',
    value: 'FILE',
    text: 'holds the token of the identity provider; also AWS_WEB_IDENTITY_TOKEN_FILE',
  },
  'provider-id': {
    group: 'Further roles',
    value: 'HOST',
    text: 'host name of an OAuth 2.0 provider; left out for OpenID Connect',
  },

  destination: {
    group: 'Console',
    value: 'URL',
    text: "where the browser goes; the console's home when left out",
  },
  service: { group: 'Console', value: 'NAME', text: 'service to go to, as the console calls it, such as s3' },
  issuer: { group: 'Console', value: 'URL', text: 'where the console sends people when the session is over' },
  'signin-endpoint': {
    group: 'Network',
    value: 'URL',
    text: "where to get the sign-in token, when not at the partition's own endpoint",
  },
  open: { group: 'Console', text: 'open the URL in the browser instead of printing it' },

  region: { group: 'Network', value: 'REGION', text: "signing region, when it is not that of the trust anchor's ARN" },
  endpoint: {
    group: 'Network',
    value: 'URL',
    text: 'where to send CreateSession, with a path in front or not; also AWS_ENDPOINT_URL_ROLESANYWHERE, AWS_ENDPOINT_URL',
  },
  'ca-bundle': {
    group: 'Network',
    value: 'FILE',
    text: 'roots in PEM to trust in place of the usual ones; also AWS_CA_BUNDLE',
  },
  'no-verify-ssl': { group: 'Network', text: "do not check the server's certificate" },
  'ca-store': {
    group: 'Network',
    value: 'STORE',
    text: "roots to trust: those that came with Node, or the system's, in place of AWS_CA_BUNDLE and Node's choice",
  },
  'tls-min-version': { group: 'Network', value: 'VERSION', text: 'oldest version of TLS to speak, 1.2 when left out' },
  'use-fips': { group: 'Network', text: 'use the FIPS endpoint of the region; also AWS_USE_FIPS_ENDPOINT' },
  'use-dualstack': { group: 'Network', text: 'use the endpoint that speaks IPv6 too; also AWS_USE_DUALSTACK_ENDPOINT' },
  'allow-http': { group: 'Network', text: 'send to an endpoint of plain http beyond this machine' },
  'with-proxy': {
    group: 'Network',
    text: 'connect through the proxy that HTTPS_PROXY or HTTP_PROXY names, but for the hosts in NO_PROXY',
  },
  proxy: {
    group: 'Network',
    value: 'URL',
    text: 'connect through this proxy, http://[USER:PASSWORD@]HOST:PORT or https://...; others can see it in the list of processes',
  },
  'max-attempts': { group: 'Network', value: 'N', text: 'how often to try, 3 when left out' },
  'connect-timeout': { group: 'Network', value: 'SECONDS', text: 'how long a connection may take, 10 when left out' },
  timeout: { group: 'Network', value: 'SECONDS', text: 'how long all attempts may take together, 60 when left out' },

  'trust-anchor': {
    group: 'Emulator',
    value: 'FILE',
    text: 'CA certificate in PEM to trust; each repeat adds a trust anchor',
  },
  world: {
    group: 'Emulator',
    value: 'FILE',
    text: 'YAML or JSON file with trust anchors, profiles, roles and more, read again when it changes',
  },
  'state-dir': { group: 'Emulator', value: 'DIR', text: 'directory that keeps the state over restarts' },
  throttle: { group: 'Emulator', text: 'refuse what goes beyond the default quotas of the service' },
  log: { group: 'Emulator', value: 'FILE', text: 'append a line of JSON to it for each request' },
  explain: { group: 'Emulator', text: 'say of a signature that does not fit in which line the requests differ' },
  'tls-dev': {
    group: 'Emulator',
    value: 'FILE',
    text: 'listen with TLS too, with a certificate made for it, and write the CA to trust to this file',
  },
  host: { group: 'Emulator', value: 'ADDRESS', text: 'address to listen on; 127.0.0.1 when left out' },
  port: { group: 'Server', value: 'PORT', text: 'port to listen on; 0 takes any that is free' },
  'tls-cert': {
    group: 'Server',
    value: 'FILE',
    text: 'server certificate in PEM; serve then listens with TLS only, the emulator with both',
  },
  'tls-key': { group: 'Server', value: 'FILE', text: 'private key in PEM of that certificate' },
  role: {
    group: 'Roles Anywhere',
    value: '[NAME=]ROLE_ARN[,KEY=VALUE...]',
    text: 'a role to serve, under that name or its own; repeat it for more; keys: profile-arn, trust-anchor-arn, session-duration, role-session-name, token-file',
  },
  listen: {
    group: 'Server',
    value: 'ADDRESS',
    text: 'address to listen on, in place of 127.0.0.1 and ::1; repeat it for more',
  },
  'allowed-host': {
    group: 'Server',
    value: 'HOST[:PORT]',
    text: 'name under which clients may call, besides the loopback names and the address; repeat it for more',
  },
  'hop-limit': {
    group: 'Server',
    value: 'N',
    text: 'taken for compatibility; Node cannot set it, IPTTL= of a systemd socket unit can',
  },
  'refresh-before': {
    group: 'Server',
    value: 'SECONDS',
    text: 'life left at which credentials are renewed; half of their life, but 600 to 1500, when left out',
  },
  'no-imds': { group: 'Server', text: 'serve container credentials only, which ask for a token' },
  'token-file': {
    group: 'Server',
    value: 'FILE',
    text: "where to write the container endpoint's token; by default a new file in the runtime directory",
  },
  'token-source': { group: 'Server', value: 'FILE', text: 'take the token from this file instead of making one' },
  'print-token': { group: 'Server', text: 'print the token too, for SDKs that know no token file' },
  shell: { group: 'Server', value: 'SHELL', text: 'shell to print the lines for; guessed when left out' },
  'metrics-listen': {
    group: 'Server',
    value: '[ADDRESS:]PORT',
    text: 'serve /healthz, /readyz and /metrics there; the address is 127.0.0.1 when left out',
  },
  'audit-log': { group: 'Server', value: 'FILE', text: 'append a line to it for each set of credentials given out' },

  format: { group: 'Output', value: 'FORMAT', text: 'form of what is printed' },
  digest: { group: 'Output', value: 'DIGEST', text: 'digest to sign' },

  force: { group: 'Link', text: 'replace a file that is in the way' },

  'config-profile': {
    group: 'General',
    value: 'PROFILE',
    text: 'take settings from the rolesanywhere_ keys of this profile in the AWS config file (AWS_CONFIG_FILE or ~/.aws/config); AWS_PROFILE does not choose it',
  },
  'print-config': {
    group: 'General',
    value: '[=FORMAT]',
    text: 'show each setting and where it is from, and do nothing else; secrets are not shown',
  },
  compat: { group: 'General', text: 'behave as aws_signing_helper does: the same as being called by that name' },
  'log-format': {
    group: 'General',
    value: 'FORMAT',
    text: 'form of what is said on standard error; text when left out, for serve json when that is no terminal',
  },
  'log-level': {
    group: 'General',
    value: 'LEVEL',
    text: 'say no more on standard error than this: with error, a run that succeeds is silent; info when left out',
  },
  debug: {
    group: 'General',
    text: 'say on standard error what is being done, as --log-level debug does; never shows secrets',
  },
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
  'assume-role': {
    summary: 'assume one role or more with credentials that are there already, and print the last ones',
    text: 'Starts from the environment, a profile of the AWS CLI, a container or the instance metadata service, whichever is found first. Prints what credential-process prints.',
    example: ['assume-role --source-profile base', '--assume-role-arn arn:aws:iam::111122223333:role/NAME'],
  },
  'web-identity': {
    summary: 'assume a role with the token of an identity provider, and print the credentials',
    text: 'Understands AWS_ROLE_ARN, AWS_ROLE_SESSION_NAME and AWS_WEB_IDENTITY_TOKEN_FILE. With --assume-role-arn, the flags of a session policy are for the last role.',
    example: [
      'web-identity --web-identity-token-file token.jwt',
      '--role-arn arn:aws:iam::111122223333:role/NAME --region us-east-1',
    ],
  },
  console: {
    summary: 'print a URL that signs a browser in to the AWS console',
    text: 'Whoever has the URL is signed in: it is as secret as credentials, and good for 15 minutes. --session-duration is also that of the console session, unless --assume-role-arn is given: AWS ends such a session after an hour.',
    example: [
      'console --certificate client.pem --private-key client.key',
      '--trust-anchor-arn arn:aws:rolesanywhere:us-east-1:111122223333:trust-anchor/UUID',
      '--profile-arn arn:aws:rolesanywhere:us-east-1:111122223333:profile/UUID',
      '--role-arn arn:aws:iam::111122223333:role/NAME --service s3',
    ],
  },
  'read-certificate-data': {
    summary: 'print what Roles Anywhere reads in a certificate',
    text: 'Prints key type, certificate and serial number as JSON, or with --format text everything that matters about the certificate: names, validity, key, what is wrong with it, and the session tags and source identity that AWS derives from it.',
    example: ['read-certificate-data --certificate client.pem --format text'],
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
  completion: {
    summary: 'print a script that completes command lines in a shell',
    args: 'SHELL',
    text: 'SHELL is bash, zsh or fish. The script completes commands, flags and their values: choices, files, profiles of the AWS config file.',
    example: ['completion bash >~/.local/share/bash-completion/completions/roles-anywhere'],
  },
  serve: {
    summary: 'serve fresh credentials on this machine to every AWS SDK',
    text: 'Gets the first credentials, then opens the container credentials endpoint (/credentials, /role/NAME) and the instance metadata service on the loopback, and prints the lines to export. SIGHUP reads files again, SIGTERM and SIGINT end it.',
    example: [
      'serve --certificate client.pem --private-key client.key',
      '--trust-anchor-arn ARN --profile-arn ARN --role-arn ARN',
    ],
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
