/**
 * The one table of flags and commands, from which follow the parser, the types of values, the help and the documentation.
 * It is on the path of every run, so it holds what a parser needs and nothing more: help.ts has the words for people.
 */
// Tests: test/options/pflag.test.ts, test/options/flag-values.test.ts

/** A flag's value. Lists are flags that may be repeated; flag-values.ts has the type of each flag's own. */
export type FlagValue = string | number | boolean | readonly (string | FlagItem)[];

/** A value of a flag that has settings of its own, taken apart: `[NAME=]HEAD[,KEY=VALUE ...]`. A profile gives it so. */
export interface FlagItem {
  readonly name?: string | undefined;
  readonly head: string;
  readonly settings: readonly (readonly [key: string, value: string])[];
}

/** How a flag's value is read. `list`: text, and each repeat adds one. */
export type FlagKind = 'text' | 'boolean' | 'integer' | 'list';

export interface FlagRow {
  readonly kind: FlagKind;
  /** The only values that a text flag takes; a command may narrow them. */
  readonly choices?: readonly string[];
  /** Its value is never shown. */
  readonly secret?: true;
  /** Each of its values may have settings of its own. */
  readonly items?: true;
  /** Its value when none is attached by `=`: it never takes the next token. */
  readonly bare?: string;
}

const text = { kind: 'text' } as const;
const boolean = { kind: 'boolean' } as const;
const integer = { kind: 'integer' } as const;
const secret = { kind: 'text', secret: true } as const;

/** Every flag of every command, by its name without the dashes. A name means the same, and has one kind, everywhere. */
export const FLAGS = {
  certificate: text,
  'private-key': text,
  intermediates: text,
  'skip-checks': boolean,
  'pkcs8-password': secret,
  'pkcs8-password-file': text,
  'pkcs12-password': secret,
  'pkcs12-password-file': text,
  'cert-selector': text,
  'system-store-name': text,
  'system-store-location': { kind: 'text', choices: ['CurrentUser', 'LocalMachine'] },
  'system-store-interactive': boolean,
  'use-latest-expiring-certificate': boolean,
  'pkcs11-lib': text,
  'pkcs11-pin-file': text,
  'pkcs11-allow-pin-command': boolean,
  'pkcs11-allow-low-pin-count': boolean,
  'reuse-pin': boolean,
  'tpm-device': text,
  'tpm-key-password': secret,
  'tpm-key-password-file': text,
  'no-tpm-key-password': boolean,
  'tpm-parent-password': secret,
  'tpm-parent-password-file': text,
  'tpm-hierarchy-password': secret,
  'tpm-hierarchy-password-file': text,
  'tpm-policy-pcr': text,
  'tpm-password-in-clear': boolean,

  'trust-anchor-arn': text,
  'profile-arn': text,
  'role-arn': text,
  'session-duration': integer,
  'role-session-name': text,

  'assume-role-arn': { kind: 'list', items: true },
  'assume-role-session-name': text,
  'assume-role-duration': integer,
  'external-id': text,
  policy: text,
  'policy-arn': { kind: 'list' },
  tag: { kind: 'list' },
  'transitive-tag-key': { kind: 'list' },
  'source-identity': text,
  'mfa-serial': text,
  'mfa-token': secret,
  'mfa-command': text,
  'sts-endpoint': text,
  source: { kind: 'text', choices: ['env', 'web-identity', 'profile', 'container', 'imds'] },
  'source-profile': text,
  'web-identity-token': secret, // someone may give the token itself
  'web-identity-token-file': text,
  'provider-id': text,

  destination: text,
  service: text,
  issuer: text,
  'signin-endpoint': text,
  open: boolean,

  region: text,
  endpoint: text,
  'ca-bundle': text,
  'no-verify-ssl': boolean,
  'ca-store': { kind: 'text', choices: ['bundled', 'system'] },
  'tls-min-version': { kind: 'text', choices: ['1.2', '1.3'] },
  'use-fips': boolean,
  'use-dualstack': boolean,
  'allow-http': boolean,
  'with-proxy': boolean,
  'no-proxy': boolean,
  proxy: secret, // its URL may hold a password
  'max-attempts': integer,
  'connect-timeout': integer,
  timeout: integer,
  'user-agent-extra': text,

  format: text,
  digest: { kind: 'text', choices: ['SHA256', 'SHA384', 'SHA512'] },
  'no-account-id': boolean,
  cache: boolean,
  'cache-min-remaining': integer,
  profile: text,
  json: boolean,
  call: boolean,
  redact: boolean,
  print: boolean,
  diff: boolean,
  yes: boolean,
  force: boolean,

  'certificate-bundle': text,
  'acm-pca-arn': text,
  name: text,

  'trust-anchor': { kind: 'list' },
  world: text,
  'state-dir': text,
  throttle: boolean,
  log: text,
  explain: boolean,
  'tls-dev': text,
  host: text,
  port: integer,
  'tls-cert': text,
  'tls-key': text,

  role: { kind: 'list', items: true },
  listen: { kind: 'list' },
  'allowed-host': { kind: 'list' },
  'hop-limit': integer,
  'refresh-before': integer,
  'credentials-wait': integer,
  'no-imds': boolean,
  'imds-address': { kind: 'list' },
  'token-file': text,
  'token-source': text,
  'print-token': boolean,
  shell: { kind: 'text', choices: ['sh', 'bash', 'zsh', 'fish', 'powershell', 'cmd'] },
  'metrics-listen': text,
  console: boolean,
  'console-passphrase-file': text,
  'console-open': boolean,
  'audit-log': text,

  once: boolean,
  remove: boolean,
  'on-update': text,
  'on-update-shell': boolean,

  server: boolean,

  'log-format': { kind: 'text', choices: ['text', 'json'] },

  renew: boolean,
  'renew-from': text,
  'renew-command': text,
  'renew-ca': text,
  'renew-ca-fingerprint': text,
  'renew-token-file': text,
  'renew-auth': text,
  'new-key': boolean,
  at: text,
  daemon: boolean,
  enroll: boolean,
  subject: text,
  san: { kind: 'list' },
  'key-type': { kind: 'text', choices: ['ec-p256', 'ec-p384', 'ec-p521', 'rsa-2048', 'rsa-3072', 'rsa-4096'] },

  'config-profile': text,
  'print-config': { kind: 'text', choices: ['text', 'json'], bare: 'text' },
  compat: boolean,
  debug: boolean,
  'log-level': { kind: 'text', choices: ['error', 'warn', 'info', 'debug'] },
  help: boolean,
  version: boolean,
} as const satisfies Record<string, FlagRow>;

export type FlagName = keyof typeof FLAGS;

/** Flags that every command takes. */
export const COMMON = [
  'config-profile',
  'print-config',
  'compat',
  'debug',
  'log-level',
  'log-format',
  'help',
  'version',
] as const satisfies readonly FlagName[];

const STORE = [
  'cert-selector',
  'system-store-name',
  'system-store-location',
  'system-store-interactive',
  'pkcs11-lib',
  'pkcs11-pin-file',
  'pkcs11-allow-pin-command',
  'pkcs11-allow-low-pin-count',
  'tpm-device',
  'tpm-hierarchy-password',
  'tpm-hierarchy-password-file',
  'tpm-password-in-clear',
] as const satisfies readonly FlagName[];

const KEY = [
  ...STORE,
  'certificate',
  'private-key',
  'use-latest-expiring-certificate',
  'reuse-pin',
  'tpm-key-password',
  'tpm-key-password-file',
  'no-tpm-key-password',
  'tpm-parent-password',
  'tpm-parent-password-file',
  'tpm-policy-pcr',
  'pkcs8-password',
  'pkcs8-password-file',
  'pkcs12-password',
  'pkcs12-password-file',
] as const satisfies readonly FlagName[];

/** What a role that follows the first is assumed with. Each narrows what it may do or proves who asks, so none may be empty. */
export const HOP = [
  'assume-role-arn',
  'assume-role-session-name',
  'assume-role-duration',
  'external-id',
  'policy',
  'policy-arn',
  'tag',
  'transitive-tag-key',
  'source-identity',
  'mfa-serial',
  'mfa-token',
  'mfa-command',
] as const satisfies readonly FlagName[];

/** Flags of the roles that follow the first. */
export const CHAIN = [...HOP, 'sts-endpoint'] as const satisfies readonly FlagName[];

/** Flags of how any service is reached. */
const NETWORK = [
  'use-fips',
  'use-dualstack',
  'ca-bundle',
  'no-verify-ssl',
  'ca-store',
  'tls-min-version',
  'allow-http',
  'with-proxy',
  'no-proxy',
  'proxy',
  'max-attempts',
  'connect-timeout',
  'timeout',
  'user-agent-extra',
] as const satisfies readonly FlagName[];

/** Flags of every command that obtains credentials with a certificate. */
const VENDING = [
  ...KEY,
  'intermediates',
  'skip-checks',
  'trust-anchor-arn',
  'profile-arn',
  'role-arn',
  'session-duration',
  'role-session-name',
  'region',
  'endpoint',
  ...NETWORK,
  ...CHAIN,
] as const satisfies readonly FlagName[];

/** Flags of every command that obtains credentials with a certificate, or goes on from others. */
const OBTAINING = [...VENDING, 'source', 'source-profile'] as const satisfies readonly FlagName[];

/** What those must be given. */
const CERTIFICATE_OR_SOURCE = [
  ['certificate', 'cert-selector', 'source'],
  ['trust-anchor-arn', 'source'],
  ['profile-arn', 'source'],
  ['role-arn', 'source'],
] as const satisfies readonly (readonly FlagName[])[];

/** Flags of how a certificate is renewed. */
const RENEWAL = [
  'renew-from',
  'renew-command',
  'renew-ca',
  'renew-ca-fingerprint',
  'renew-token-file',
  'renew-auth',
  'new-key',
  'at',
] as const satisfies readonly FlagName[];

export interface CommandRow {
  readonly flags: readonly FlagName[];
  /** Flags that must be given; of a list of names, at least one. */
  readonly required?: readonly (FlagName | readonly FlagName[])[];
  /** Those of them that each `--role` may give for itself, so that they can only be missed there. */
  readonly perRole?: readonly FlagName[];
  readonly defaults?: Readonly<Partial<Record<FlagName, string | number | boolean>>>;
  /** Narrower choices than those of the flag. */
  readonly choices?: Readonly<Partial<Record<FlagName, readonly string[]>>>;
  /** Further defaults, when the program stands in for `aws_signing_helper`. */
  readonly compatDefaults?: Readonly<Partial<Record<FlagName, string | number | boolean>>>;
  /** How many positional arguments the command takes at most. */
  readonly args?: number;
  /** Its arguments are another command, which stands behind `--`. */
  readonly runs?: true;
  /** Runs until it is told to end: as a service, whose log other programs read, or in a terminal. */
  readonly goesOn?: 'service' | 'terminal';
}

/** Every command, by name. */
export const COMMANDS = {
  'credential-process': {
    flags: [...VENDING, 'no-account-id', 'cache', 'cache-min-remaining'],
    required: [['certificate', 'cert-selector'], 'trust-anchor-arn', 'profile-arn', 'role-arn'],
    defaults: { 'system-store-name': 'MY' },
    compatDefaults: { 'session-duration': 3600, 'no-account-id': true },
  },
  'assume-role': {
    flags: [
      ...CHAIN,
      'source',
      'source-profile',
      'region',
      ...NETWORK,
      'no-account-id',
      'cache',
      'cache-min-remaining',
    ],
    required: ['assume-role-arn'],
  },
  'web-identity': {
    flags: [
      'role-arn',
      'role-session-name',
      'session-duration',
      'web-identity-token',
      'web-identity-token-file',
      'provider-id',
      ...CHAIN,
      'region',
      ...NETWORK,
      'no-account-id',
      'cache',
      'cache-min-remaining',
    ],
  },
  exec: {
    flags: [...OBTAINING, 'server', 'refresh-before', 'no-account-id'],
    required: CERTIFICATE_OR_SOURCE,
    defaults: { 'system-store-name': 'MY' },
    args: Infinity,
    runs: true,
  },
  export: {
    flags: [...OBTAINING, 'format', 'profile', 'no-account-id'],
    required: CERTIFICATE_OR_SOURCE,
    defaults: { 'system-store-name': 'MY' },
    choices: {
      format: [
        'env',
        'env-no-export',
        'fish',
        'powershell',
        'windows-cmd',
        'dotenv',
        'json',
        'process',
        'ini',
        'github',
        'gitlab',
      ],
    },
  },
  unset: {
    flags: ['format'],
    choices: {
      format: ['env', 'env-no-export', 'fish', 'powershell', 'windows-cmd', 'dotenv', 'json', 'github', 'gitlab'],
    },
  },
  whoami: {
    flags: [...OBTAINING, 'format', 'json'],
    required: CERTIFICATE_OR_SOURCE,
    defaults: { 'system-store-name': 'MY', format: 'text' },
    choices: { format: ['text', 'json'] },
  },
  console: {
    flags: [...OBTAINING, 'destination', 'service', 'issuer', 'signin-endpoint', 'open'],
    required: CERTIFICATE_OR_SOURCE,
    defaults: { 'system-store-name': 'MY' },
  },
  'read-certificate-data': {
    flags: ['certificate', 'pkcs12-password', 'pkcs12-password-file', ...STORE, 'format'],
    required: [['certificate', 'cert-selector']],
    defaults: { 'system-store-name': 'MY', format: 'json' },
    choices: { format: ['json', 'text'] },
  },
  'sign-string': {
    flags: [...KEY, 'format', 'digest'],
    required: [['private-key', 'certificate', 'cert-selector']],
    defaults: { 'system-store-name': 'MY', format: 'json', digest: 'SHA256' },
    choices: { format: ['json', 'text', 'bin'] },
  },
  'trust-policy': {
    flags: [
      'certificate',
      'pkcs12-password',
      'pkcs12-password-file',
      ...STORE,
      'trust-anchor-arn',
      'certificate-bundle',
      'acm-pca-arn',
      'name',
      'format',
    ],
    required: [
      ['certificate', 'cert-selector'],
      ['trust-anchor-arn', 'certificate-bundle', 'acm-pca-arn'],
    ],
    defaults: { 'system-store-name': 'MY', format: 'json' },
    choices: { format: ['json', 'aws-cli', 'cloudformation', 'terraform', 'cdk'] },
  },
  emulator: {
    flags: [
      'trust-anchor',
      'world',
      'state-dir',
      'throttle',
      'host',
      'port',
      'tls-cert',
      'tls-key',
      'tls-dev',
      'log',
      'explain',
    ],
    required: [['trust-anchor', 'world']],
    defaults: { port: 9912 },
    goesOn: 'terminal',
  },
  init: {
    flags: [...VENDING, 'no-account-id', 'cache', 'cache-min-remaining', 'profile', 'print', 'diff', 'yes', 'remove'],
    defaults: { 'system-store-name': 'MY' },
  },
  doctor: {
    flags: [
      ...VENDING,
      'no-account-id',
      'cache',
      'cache-min-remaining',
      'profile',
      'trust-anchor',
      'call',
      'redact',
      'json',
    ],
    defaults: { 'system-store-name': 'MY' },
  },
  cache: { flags: ['json'], args: 1 },
  link: { flags: ['force'], args: 1 },
  completion: { flags: [], args: Infinity },
  renew: {
    flags: [...KEY, 'intermediates', ...RENEWAL, 'force', 'daemon', 'enroll', 'subject', 'san', 'key-type'],
    required: [
      ['certificate', 'cert-selector'],
      ['renew-from', 'renew-command'],
    ],
    defaults: { 'system-store-name': 'MY' },
    goesOn: 'service',
  },
  serve: {
    flags: [
      ...VENDING,
      'renew',
      ...RENEWAL,
      'role',
      'port',
      'listen',
      'allowed-host',
      'hop-limit',
      'refresh-before',
      'credentials-wait',
      'no-imds',
      'imds-address',
      'token-file',
      'token-source',
      'print-token',
      'tls-cert',
      'tls-key',
      'shell',
      'metrics-listen',
      'audit-log',
      'console',
      'console-passphrase-file',
      'console-open',
      'signin-endpoint',
    ],
    required: [['certificate', 'cert-selector'], 'trust-anchor-arn', 'profile-arn', ['role-arn', 'role']],
    perRole: ['trust-anchor-arn', 'profile-arn'],
    defaults: { 'system-store-name': 'MY', port: 9911, 'hop-limit': 64 },
    compatDefaults: { 'session-duration': 3600 },
    goesOn: 'service',
  },
  update: {
    flags: [...VENDING, 'profile', 'once', 'role', 'refresh-before', 'on-update', 'on-update-shell', 'remove'],
    required: [['certificate', 'cert-selector'], 'trust-anchor-arn', 'profile-arn', ['role-arn', 'role']],
    perRole: ['trust-anchor-arn', 'profile-arn'],
    defaults: { 'system-store-name': 'MY' },
    compatDefaults: { 'session-duration': 3600 },
    goesOn: 'service',
  },
  version: { flags: ['json'] },
} as const satisfies Record<string, CommandRow>;

export type CommandName = keyof typeof COMMANDS;

/** Pairs that exclude each other, as soon as both are given, whatever their values. */
export const CONFLICTS: readonly (readonly [FlagName, FlagName])[] = [
  ['imds-address', 'no-imds'],
  ['certificate', 'system-store-name'],
  ['certificate', 'system-store-location'],
  ['private-key', 'system-store-name'],
  ['private-key', 'system-store-location'],
  ['system-store-name', 'reuse-pin'],
  ['tpm-key-password', 'reuse-pin'],
  ['no-tpm-key-password', 'tpm-key-password'],
  ['pkcs8-password', 'tpm-key-password'],
  ['pkcs8-password', 'pkcs8-password-file'],
  ['pkcs12-password', 'pkcs12-password-file'],
  ['tpm-key-password', 'tpm-key-password-file'],
  ['no-tpm-key-password', 'tpm-key-password-file'],
  ['tpm-parent-password', 'tpm-parent-password-file'],
  ['tpm-hierarchy-password', 'tpm-hierarchy-password-file'],
  ['ca-bundle', 'ca-store'],
  ['mfa-token', 'mfa-command'],
  ['web-identity-token', 'web-identity-token-file'],
  ['destination', 'service'],
  ['certificate', 'source'],
  ['cert-selector', 'source'],
  ['proxy', 'with-proxy'],
  ['proxy', 'no-proxy'],
  ['with-proxy', 'no-proxy'],
  ['tls-dev', 'tls-cert'],
  ['print', 'diff'],
  ['print', 'remove'],
  ['print', 'yes'],
  ['diff', 'yes'],
  ['once', 'remove'],
  ['server', 'source'],
  ['trust-anchor-arn', 'certificate-bundle'],
  ['trust-anchor-arn', 'acm-pca-arn'],
  ['certificate-bundle', 'acm-pca-arn'],
];

/** Further pairs: AWS's helper has them exclude each other, which says that nothing but the system's store is chosen from. */
export const STORE_CONFLICTS: readonly (readonly [FlagName, FlagName])[] = [
  ['certificate', 'cert-selector'],
  ['private-key', 'cert-selector'],
  ['private-key', 'use-latest-expiring-certificate'],
  ['use-latest-expiring-certificate', 'intermediates'],
  ['use-latest-expiring-certificate', 'reuse-pin'],
  ['cert-selector', 'intermediates'],
  ['cert-selector', 'reuse-pin'],
  ['tpm-key-password', 'cert-selector'],
  ['no-tpm-key-password', 'cert-selector'],
];

/** Whether there is a flag of this name: not even `__proto__` passes for one. */
export function isFlag(name: string): name is FlagName {
  return Object.hasOwn(FLAGS, name);
}

export function isCommand(name: string): name is CommandName {
  return Object.hasOwn(COMMANDS, name);
}

/** The row of a flag, at the general type. */
export function flagRow(name: FlagName): FlagRow {
  return FLAGS[name];
}

/** The row of a command, at the general type. */
export function commandRow(name: CommandName): CommandRow {
  return COMMANDS[name];
}

/** The only values that `command` takes of a flag; undefined when it takes any. */
export function choicesOf(name: FlagName, command: CommandName | undefined): readonly string[] | undefined {
  return (command === undefined ? undefined : commandRow(command).choices?.[name]) ?? flagRow(name).choices;
}

/** Whether a line goes on to other roles, or says that it means to. */
export function isChained(flags: { readonly [F in FlagName]?: FlagValue | undefined }): boolean {
  return HOP.some((name) => flags[name] !== undefined);
}

/** Whether every command takes the flag `name`. */
export function isCommon(name: FlagName): boolean {
  return COMMON.some((common) => common === name);
}

/** Whether `command` takes the flag `name`. */
export function takesFlag(command: CommandName, name: FlagName): boolean {
  return isCommon(name) || commandRow(command).flags.includes(name);
}

/** The flags of a command, its own first. */
export function flagsOf(command: CommandName): readonly FlagName[] {
  return [...commandRow(command).flags, ...COMMON];
}
