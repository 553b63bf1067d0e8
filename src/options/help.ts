/** Words for people about every flag of the table in flags.ts. Loaded for help and documentation only. */
// Tests: test/options/any-line.test.ts, test/docs/words.test.ts
import type { FlagHelp } from './flag-help.ts';
import type { FlagName } from './flags.ts';
import { IDENTITY_HELP } from './identity-help.ts';
import { RENEWAL_HELP } from './renewal-help.ts';

export const FLAG_HELP: Readonly<Record<FlagName, FlagHelp>> = {
  ...IDENTITY_HELP,
  ...RENEWAL_HELP,

  'trust-anchor-arn': { group: 'Roles Anywhere', value: 'ARN', text: 'trust anchor that vouches for the certificate' },
  'profile-arn': { group: 'Roles Anywhere', value: 'ARN', text: 'profile that lists the role' },
  'role-arn': { group: 'Roles Anywhere', value: 'ARN', text: 'role to assume' },
  'session-duration': {
    group: 'Roles Anywhere',
    value: 'SECONDS',
    text: "lifetime of the credentials, 900 to 43200; by default the profile's own (with --compat, 3600)",
  },
  'role-session-name': {
    group: 'Roles Anywhere',
    value: 'NAME',
    text: 'name of the session, if the profile accepts one',
  },

  'assume-role-arn': {
    group: 'Further roles',
    value: 'ARN[,KEY=VALUE...]',
    text: 'role to assume next, with sts:AssumeRole; repeat it for more, in order; the keys are the flags of this group without their dashes, for this role alone',
  },
  'assume-role-session-name': {
    group: 'Further roles',
    value: 'NAME',
    text: 'name of each of these sessions; by default made from the time',
  },
  'assume-role-duration': {
    group: 'Further roles',
    value: 'SECONDS',
    text: "lifetime of each of these sessions, at least 900; by default 3600, which is the most for a session that starts from another role's",
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
    text: 'managed policy that limits the session of the last role; repeat it for more',
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
    text: 'source identity, which holds for the rest of the chain',
  },
  'mfa-serial': {
    group: 'Further roles',
    value: 'SERIAL',
    text: 'MFA device that the last role requires; its code is asked for at the terminal, unless --mfa-token or --mfa-command is given',
  },
  'mfa-token': { group: 'Further roles', value: 'CODE', text: 'code of the MFA device, good for one request' },
  'mfa-command': { group: 'Further roles', value: 'COMMAND', text: 'command that prints the code of the MFA device' },
  'sts-endpoint': {
    group: 'Network',
    value: 'URL',
    text: "URL of STS, if not AWS's own; also AWS_ENDPOINT_URL_STS",
  },
  source: {
    group: 'Further roles',
    value: 'KIND',
    text: 'where to take the first credentials from, instead of a certificate; by default, in commands that take no certificate, the first place that has some',
  },
  'source-profile': {
    group: 'Further roles',
    value: 'NAME',
    text: "profile in the AWS CLI's files to start from; also AWS_PROFILE",
  },
  'web-identity-token': {
    group: 'Further roles',
    value: 'SPIFFE',
    text: 'takes the token from a SPIFFE Workload API: spiffe:?audience=AUDIENCE, or spiffe:unix:///SOCKET?audience=AUDIENCE',
  },
  'web-identity-token-file': {
    group: 'Further roles',
    value: 'FILE',
    text: 'file that holds the token of the identity provider; also AWS_WEB_IDENTITY_TOKEN_FILE',
  },
  'provider-id': {
    group: 'Further roles',
    value: 'HOST',
    text: 'host name of an OAuth 2.0 provider; not for OpenID Connect',
  },

  destination: {
    group: 'Console',
    value: 'URL',
    text: "page to open; by default the console's home",
  },
  service: { group: 'Console', value: 'NAME', text: 'service to go to, as the console calls it, such as s3' },
  issuer: { group: 'Console', value: 'URL', text: 'page that the console links to when the session is over' },
  'signin-endpoint': {
    group: 'Network',
    value: 'URL',
    text: "URL to get the sign-in token from, if not the partition's own",
  },
  open: { group: 'Console', text: 'open the URL in the browser instead of printing it' },

  region: { group: 'Network', value: 'REGION', text: "signing region, if not that of the trust anchor's ARN" },
  endpoint: {
    group: 'Network',
    value: 'URL',
    text: 'URL to send CreateSession to, with or without a path; also AWS_ENDPOINT_URL_ROLESANYWHERE, AWS_ENDPOINT_URL',
  },
  'ca-bundle': {
    group: 'Network',
    value: 'FILE',
    text: 'roots in PEM to trust instead of the usual ones; also AWS_CA_BUNDLE',
  },
  'no-verify-ssl': { group: 'Network', text: "do not check the server's certificate" },
  'ca-store': {
    group: 'Network',
    value: 'STORE',
    text: "roots to trust, and no others: those that came with Node, or the system's; by default the first, then the second",
  },
  'tls-min-version': { group: 'Network', value: 'VERSION', text: 'oldest version of TLS to accept; by default 1.2' },
  'use-fips': { group: 'Network', text: 'use the FIPS endpoint of the region; also AWS_USE_FIPS_ENDPOINT' },
  'use-dualstack': { group: 'Network', text: 'use the endpoint that speaks IPv6 too; also AWS_USE_DUALSTACK_ENDPOINT' },
  'allow-http': { group: 'Network', text: 'allow plain http to an endpoint on another machine' },
  'with-proxy': {
    group: 'Network',
    text: 'accepted for compatibility, without effect: the proxy that HTTPS_PROXY or HTTP_PROXY names is used anyway, except to the hosts in NO_PROXY',
  },
  'no-proxy': { group: 'Network', text: 'connect directly, whatever HTTPS_PROXY and HTTP_PROXY say' },
  proxy: {
    group: 'Network',
    value: 'URL',
    text: 'connect through this proxy, http://[USER:PASSWORD@]HOST:PORT, https://... or socks5://...; others can see it in the list of processes',
  },
  'max-attempts': {
    group: 'Network',
    value: 'N',
    text: 'how often to try; by default 3 times, and until --timeout when there are too many requests',
  },
  'connect-timeout': { group: 'Network', value: 'SECONDS', text: 'how long a connection may take; by default 10' },
  'user-agent-extra': {
    group: 'Network',
    value: 'TEXT',
    text: 'text to put behind the User-Agent, which CloudTrail records: printable ASCII, 200 characters at most',
  },
  timeout: {
    group: 'Network',
    value: 'SECONDS',
    text: 'how long all requests and the waits between them may take together; by default 60',
  },

  'certificate-bundle': {
    group: 'Set-up',
    value: 'FILE',
    text: 'CA certificates, one or two, of a trust anchor to create',
  },
  'acm-pca-arn': {
    group: 'Set-up',
    value: 'ARN',
    text: 'CA of AWS Private CA of a trust anchor to create',
  },
  name: {
    group: 'Set-up',
    value: 'NAME',
    text: 'name of what is created: trust anchor, role and profile; by default made from the common name of the certificate',
  },

  'trust-anchor': {
    group: 'Emulator',
    value: 'FILE',
    text: 'CA certificate in PEM to trust; each repeat adds a trust anchor. Of doctor, what the trust anchor holds',
  },
  world: {
    group: 'Emulator',
    value: 'FILE',
    text: 'YAML or JSON file with trust anchors, profiles, roles and more, read again when it changes',
  },
  'state-dir': { group: 'Emulator', value: 'DIR', text: 'directory that keeps the state across restarts' },
  throttle: { group: 'Emulator', text: 'refuse requests beyond the default quotas of the service' },
  log: { group: 'Emulator', value: 'FILE', text: 'file to append a line of JSON to for each request' },
  explain: {
    group: 'Emulator',
    text: 'for a signature that does not match, show the line in which the requests differ',
  },
  'tls-dev': {
    group: 'Emulator',
    value: 'FILE',
    text: 'listen with TLS too, with a certificate made at the start, and write the CA to trust to this file',
  },
  host: {
    group: 'Emulator',
    value: 'ADDRESS',
    text: 'address to listen on; by default 127.0.0.1. One that is not of the loopback lets other machines in',
  },
  port: { group: 'Server', value: 'PORT', text: 'port to listen on; 0 takes any free one' },
  'tls-cert': {
    group: 'Server',
    value: 'FILE',
    text: 'server certificate in PEM; serve then listens with TLS only, the emulator with both',
  },
  'tls-key': { group: 'Server', value: 'FILE', text: 'private key in PEM of that certificate' },
  role: {
    group: 'Roles Anywhere',
    value: '[NAME=]ROLE_ARN[,KEY=VALUE...]',
    text: 'a further role to serve, under that name or its own, or to write, to the profile of that name; repeat it for more; keys: profile-arn, trust-anchor-arn, session-duration, role-session-name, token-file',
  },
  listen: {
    group: 'Server',
    value: 'ADDRESS',
    text: 'address to listen on, instead of 127.0.0.1 and ::1; repeat it for more',
  },
  'allowed-host': {
    group: 'Server',
    value: 'HOST[:PORT]',
    text: 'name by which clients may call the server, besides the loopback names and its address; repeat it for more',
  },
  'hop-limit': {
    group: 'Server',
    value: 'N',
    text: 'accepted for compatibility, without effect; IPTTL= of a systemd socket unit sets it',
  },
  'refresh-before': {
    group: 'Server',
    value: 'SECONDS',
    text: 'remaining lifetime at which credentials are renewed; by default a random one below half of their lifetime, but at least 600, and 1500 or an eighth of the lifetime',
  },
  'imds-address': {
    group: 'Server',
    value: 'ADDRESS',
    text: "EC2's own address, 169.254.169.254 or fd00:ec2::254, to serve instance metadata at too, at port 80; for clients that have it built in",
  },
  'credentials-wait': {
    group: 'Server',
    value: 'SECONDS',
    text: 'how long a request waits for credentials that are on their way; by default 0.9 with IMDS and 1.8 with container credentials',
  },
  'no-imds': { group: 'Server', text: 'serve container credentials only, which require a token' },
  'token-file': {
    group: 'Server',
    value: 'FILE',
    text: "where to write the container endpoint's token; by default a new file in the runtime directory",
  },
  'token-source': { group: 'Server', value: 'FILE', text: 'take the token from this file instead of making one' },
  'print-token': { group: 'Server', text: 'print the token too, for SDKs that cannot read a token file' },
  shell: { group: 'Server', value: 'SHELL', text: 'shell to print the lines for; by default guessed' },
  'metrics-listen': {
    group: 'Server',
    value: '[ADDRESS:]PORT',
    text: 'serve /healthz, /readyz and /metrics here; the address is 127.0.0.1 by default',
  },
  'audit-log': {
    group: 'Server',
    value: 'FILE',
    text: 'file to append a line to for each set of credentials that is given out',
  },
  console: {
    group: 'Web console',
    text: 'serve a web page on this machine too, at /console, and print a link that unlocks it once, within 5 minutes',
  },
  'console-passphrase-file': {
    group: 'Web console',
    value: 'FILE',
    text: 'file whose first line unlocks the page at any time, with 8 characters at least',
  },
  'console-open': { group: 'Web console', text: 'open the page in the browser, unlocked' },

  once: { group: 'Credentials file', text: 'write once and end, instead of going on until stopped' },
  'on-update': {
    group: 'Credentials file',
    value: 'COMMAND',
    text: 'program, with arguments, to run after each write, with AWS_PROFILE and AWS_SHARED_CREDENTIALS_FILE set; quotes keep blanks together, and no shell is in between',
  },
  'on-update-shell': { group: 'Credentials file', text: 'let a shell run what --on-update says' },
  server: {
    group: 'Server',
    text: 'give the command an endpoint of its own with credentials that are renewed, instead of credentials',
  },

  remove: {
    group: 'Credentials file',
    text: 'take out of the file what was written: update does at its end, init instead of writing',
  },

  format: { group: 'Output', value: 'FORMAT', text: 'form of what is printed' },
  profile: {
    group: 'Output',
    value: 'PROFILE',
    text: 'profile that is written, by default default; AWS_PROFILE does not choose it. Of doctor, the profile whose credential_process is looked at, by default the one that AWS_PROFILE chooses',
  },
  json: { group: 'Output', text: 'print JSON' },
  call: {
    group: 'Output',
    text: 'ask for credentials too, and whose they are, and explain a refusal; a key in a token or a TPM is used for it',
  },
  redact: { group: 'Output', text: 'leave out accounts, ids, names and addresses' },
  print: { group: 'Output', text: 'print what would be written, and write nothing' },
  diff: { group: 'Output', text: 'print the difference that it would make to the file, and write nothing' },
  yes: { group: 'Output', text: 'write without asking' },
  digest: { group: 'Output', value: 'DIGEST', text: 'digest to sign' },
  'no-account-id': {
    group: 'Output',
    text: 'print no AccountId, with which some SDKs choose other endpoints; the default under --compat',
  },

  cache: {
    group: 'Cache',
    text: 'give out the credentials that an earlier run got, while they live for long enough: runs at one time share one session; by default off',
  },
  'cache-min-remaining': {
    group: 'Cache',
    value: 'SECONDS',
    text: 'remaining lifetime at which kept credentials are renewed, and up to a fifth more by chance; by default 900; never more than a third of their lifetime counts',
  },

  force: {
    group: 'Link',
    text: 'replace a file that is in the way; of renew: renew now, however long the certificate still lives',
  },

  'config-profile': {
    group: 'General',
    value: 'PROFILE',
    text: 'take settings from the rolesanywhere_ keys of this profile in the AWS config file (AWS_CONFIG_FILE or ~/.aws/config); AWS_PROFILE does not choose it',
  },
  'print-config': {
    group: 'General',
    value: '[=FORMAT]',
    text: 'show each setting and where it comes from, and do nothing else; never shows secrets',
  },
  compat: { group: 'General', text: 'behave as aws_signing_helper does: the same as being called by that name' },
  'log-format': {
    group: 'General',
    value: 'FORMAT',
    text: 'form of standard error; by default text, but for serve and update json when standard error is no terminal',
  },
  'log-level': {
    group: 'General',
    value: 'LEVEL',
    text: 'least severe level to write to standard error: with error, a run that succeeds is silent; by default info, under --compat error',
  },
  debug: {
    group: 'General',
    text: 'write to standard error what is being done, as --log-level debug does; never shows secrets',
  },
  help: { group: 'General', text: 'show help; also -h' },
  version: { group: 'General', text: 'show the version; also -v' },
};
