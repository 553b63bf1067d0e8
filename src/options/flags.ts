/**
 * The one table of flags and commands. Both parsers, the help, and what is
 * generated from them are made from these rows. It is on the path of every
 * run, so it holds what a parser needs and nothing more: words for people are
 * in help.ts, under the same names.
 */
import type { FlagValue } from '../commands/command.ts';

/** How a flag's value is read. `list`: text, and each repeat adds one. */
export type FlagKind = 'text' | 'boolean' | 'integer' | 'list';

export interface FlagRow {
  readonly kind: FlagKind;
  /** The only values that a text flag takes. */
  readonly choices?: readonly string[];
  /** Comes with a later version: read and checked like any other, and refused when it would have an effect. */
  readonly later?: true;
  /** Its value is never shown. */
  readonly secret?: true;
}

const text = { kind: 'text' } as const;
const boolean = { kind: 'boolean' } as const;
const integer = { kind: 'integer' } as const;
const textLater = { kind: 'text', later: true } as const;
const secretLater = { ...textLater, secret: true } as const;
const booleanLater = { kind: 'boolean', later: true } as const;

/** Every flag of every command, by its name without the dashes. A name means the same, and has one kind, everywhere. */
export const FLAGS = {
  certificate: text,
  'private-key': text,
  intermediates: text,
  'pkcs8-password': secretLater,
  'cert-selector': textLater,
  'system-store-name': textLater,
  'use-latest-expiring-certificate': booleanLater,
  'pkcs11-lib': textLater,
  'reuse-pin': booleanLater,
  'tpm-key-password': secretLater,
  'no-tpm-key-password': booleanLater,

  'trust-anchor-arn': text,
  'profile-arn': text,
  'role-arn': text,
  'session-duration': integer,
  'role-session-name': text,

  region: text,
  endpoint: text,
  'ca-bundle': text,
  'no-verify-ssl': boolean,
  'with-proxy': booleanLater,

  format: { kind: 'text', choices: ['json', 'text', 'bin'] },
  digest: { kind: 'text', choices: ['SHA256', 'SHA384', 'SHA512'] },
  force: boolean,

  'trust-anchor': { kind: 'list' },
  host: text,
  port: integer,
  'tls-cert': text,
  'tls-key': text,

  compat: boolean,
  debug: boolean,
  help: boolean,
  version: boolean,
} as const satisfies Record<string, FlagRow>;

export type FlagName = keyof typeof FLAGS;

/** Flags that every command takes. */
export const COMMON: readonly FlagName[] = ['compat', 'debug', 'help', 'version'];

const STORE: readonly FlagName[] = ['cert-selector', 'system-store-name', 'pkcs11-lib'];

const KEY: readonly FlagName[] = [
  ...STORE,
  'certificate',
  'private-key',
  'use-latest-expiring-certificate',
  'reuse-pin',
  'tpm-key-password',
  'no-tpm-key-password',
  'pkcs8-password',
];

/** What every command takes that obtains credentials. */
const VENDING: readonly FlagName[] = [
  ...KEY,
  'intermediates',
  'trust-anchor-arn',
  'profile-arn',
  'role-arn',
  'session-duration',
  'role-session-name',
  'region',
  'endpoint',
  'ca-bundle',
  'no-verify-ssl',
  'with-proxy',
];

export interface CommandRow {
  readonly flags: readonly FlagName[];
  /** What must be given; of a list of names, at least one. */
  readonly required?: readonly (FlagName | readonly FlagName[])[];
  readonly defaults?: Readonly<Partial<Record<FlagName, FlagValue>>>;
  /** Further defaults, when the program stands in for `aws_signing_helper`. */
  readonly compatDefaults?: Readonly<Partial<Record<FlagName, FlagValue>>>;
  /** How many positional arguments the command takes at most. */
  readonly args?: number;
}

/** Every command, by name. */
export const COMMANDS = {
  'credential-process': {
    flags: VENDING,
    required: [['certificate', 'cert-selector'], 'trust-anchor-arn', 'profile-arn', 'role-arn'],
    defaults: { 'system-store-name': 'MY' },
    compatDefaults: { 'session-duration': 3600 },
  },
  'read-certificate-data': {
    flags: ['certificate', ...STORE],
    required: [['certificate', 'cert-selector']],
    defaults: { 'system-store-name': 'MY' },
  },
  'sign-string': {
    flags: [...KEY, 'format', 'digest'],
    required: [['private-key', 'certificate', 'cert-selector']],
    defaults: { 'system-store-name': 'MY', format: 'json', digest: 'SHA256' },
  },
  emulator: {
    flags: ['trust-anchor', 'host', 'port', 'tls-cert', 'tls-key'],
    required: ['trust-anchor'],
    defaults: { port: 9912 },
  },
  link: { flags: ['force'], args: 1 },
  version: { flags: [] },
} as const satisfies Record<string, CommandRow>;

export type CommandName = keyof typeof COMMANDS;

/** Pairs that exclude each other, as soon as both are given, whatever their values. */
export const CONFLICTS: readonly (readonly [FlagName, FlagName])[] = [
  ['certificate', 'cert-selector'],
  ['certificate', 'system-store-name'],
  ['private-key', 'cert-selector'],
  ['private-key', 'system-store-name'],
  ['private-key', 'use-latest-expiring-certificate'],
  ['use-latest-expiring-certificate', 'intermediates'],
  ['use-latest-expiring-certificate', 'reuse-pin'],
  ['cert-selector', 'intermediates'],
  ['cert-selector', 'reuse-pin'],
  ['system-store-name', 'reuse-pin'],
  ['tpm-key-password', 'cert-selector'],
  ['tpm-key-password', 'reuse-pin'],
  ['no-tpm-key-password', 'cert-selector'],
  ['no-tpm-key-password', 'tpm-key-password'],
  ['pkcs8-password', 'tpm-key-password'],
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

/** Whether `command` takes the flag `name`. */
export function takesFlag(command: CommandName, name: FlagName): boolean {
  return COMMON.includes(name) || commandRow(command).flags.includes(name);
}

/** The flags of a command, its own first. */
export function flagsOf(command: CommandName): readonly FlagName[] {
  return [...commandRow(command).flags, ...COMMON];
}
