/**
 * `--role`, which may be repeated: what `serve` serves besides `--role-arn`.
 *
 *     [NAME=]ROLE_ARN[,KEY=VALUE ...]
 *
 * A key overrides the flag of its name for this role alone; `token-file` gives
 * the role a token of its own.
 */
import type { FlagsOf } from './flag-values.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { refuseUnknownKeys } from './unknown-key.ts';
import { vendingOptions } from './vending.ts';
import type { VendingOptions } from './vending.ts';

/** Keys that override flags. */
const OVERRIDES = ['profile-arn', 'trust-anchor-arn', 'session-duration', 'role-session-name'] as const;
const KEYS = [...OVERRIDES, 'token-file'] as const;
export const ROLE_KEYS: readonly string[] = KEYS;
type Key = (typeof KEYS)[number];

type Environment = Readonly<Record<string, string | undefined>>;

/** One role to serve. */
export interface RoleOptions {
  /** In paths. Unique. */
  readonly name: string;
  /** Its own; identity and trust are the same for all. */
  readonly vending: VendingOptions;
  /** Where to write a token that is good for this role alone, and without which it is not given. */
  readonly tokenFile?: string | undefined;
}

/** What a role's name may be: characters that a path, a metrics label and a URL take as they are. */
const NAME = /^[\w.@+-]{1,64}$/;

/** Role names may hold commas, so only one before a known key separates. */
const SEPARATOR = new RegExp(`,(?=(?:${KEYS.join('|')})=)`);

const HINT = `it is [NAME=]ROLE_ARN, with any of ${KEYS.map((key) => `,${key}=`).join(' ')} behind it`;

/**
 * The roles of a command line, that of `--role-arn` first.
 *
 * @throws RolesAnywhereError of class `usage`
 */
export function servedRoles(flags: FlagsOf<'serve'>, env: Environment): RoleOptions[] {
  const { 'role-arn': roleArn, role: repeated = [] } = flags;
  const roles = repeated.map((text) => readRole(text, flags, env));
  if (roleArn !== undefined)
    roles.unshift({ name: lastSegment(roleArn), vending: vendingOptions(forRole(flags, roleArn), env) });
  if (roles.length === 0) throw new RolesAnywhereError('ERR_FLAG_REQUIRED', 'missing flag: --role-arn or --role');
  for (const [index, { name }] of roles.entries()) {
    if (!NAME.test(name))
      throw new RolesAnywhereError('ERR_FLAG_VALUE', `--role: ${JSON.stringify(name)} cannot be a name in a path`, {
        hint: 'give NAME=ROLE_ARN, with a name of 1 to 64 letters, digits and characters of _.@+-',
      });
    if (roles.findIndex((role) => role.name === name) !== index)
      throw new RolesAnywhereError('ERR_FLAG_VALUE', `--role: two roles are called ${name}`, {
        hint: 'give each a name of its own: NAME=ROLE_ARN',
      });
  }
  return roles;
}

function readRole(text: string, flags: FlagsOf<'serve'>, env: Environment): RoleOptions {
  const [first = '', ...rest] = text.split(SEPARATOR);
  const equals = first.startsWith('arn:') ? -1 : first.indexOf('=');
  const roleArn = first.slice(equals + 1);
  const name = equals < 0 ? lastSegment(roleArn) : first.slice(0, equals);
  const [arn = ''] = roleArn.split(',', 1);
  refuseUnknownKeys(`--role ${equals < 0 ? lastSegment(arn) : name}`, [first, ...rest], KEYS, HINT);
  const settings: Partial<Record<Key, string>> = {};
  for (const setting of rest) {
    const key = KEYS.find((known) => setting.startsWith(`${known}=`));
    if (key === undefined) continue; // the separator saw one
    if (settings[key] !== undefined)
      throw new RolesAnywhereError('ERR_FLAG_VALUE', `--role ${name}: ${key} is given twice`, { hint: HINT });
    settings[key] = setting.slice(key.length + 1);
  }
  const { 'token-file': tokenFile, 'session-duration': duration, ...overrides } = settings;
  if (duration !== undefined && !/^\d{1,6}$/.test(duration))
    throw new RolesAnywhereError('ERR_DURATION', `--role ${name}: session-duration is not a number of seconds`);
  if (tokenFile === '')
    throw new RolesAnywhereError('ERR_FLAG_VALUE', `--role ${name}: token-file is empty`, { hint: HINT });
  const own = {
    ...flags,
    ...overrides,
    'session-duration': duration === undefined ? flags['session-duration'] : Number(duration),
  };
  try {
    return { name, vending: vendingOptions(forRole(own, roleArn), env), tokenFile };
  } catch (error) {
    if (!(error instanceof RolesAnywhereError)) throw error;
    throw new RolesAnywhereError(error.code, `--role ${name}: ${error.message}`, {
      ...error,
      hint: error.hint ?? HINT,
    });
  }
}

/** The flags of one role, which may have been given for all roles or for this one. */
function forRole(flags: FlagsOf<'serve'>, roleArn: string): FlagsOf<'serve'> & FlagsOf<'credential-process'> {
  const { 'trust-anchor-arn': trustAnchorArn, 'profile-arn': profileArn } = flags;
  if (trustAnchorArn !== undefined && profileArn !== undefined)
    return { ...flags, 'trust-anchor-arn': trustAnchorArn, 'profile-arn': profileArn, 'role-arn': roleArn };
  const missing = (['trust-anchor-arn', 'profile-arn'] as const).filter((name) => flags[name] === undefined);
  throw new RolesAnywhereError(
    'ERR_FLAG_REQUIRED',
    `missing ${missing.length > 1 ? 'flags' : 'flag'}: ${missing.map((name) => `--${name}`).join(', ')}`,
  );
}

/** `role/path/NAME` is known by its NAME. */
function lastSegment(roleArn: string): string {
  return roleArn.slice(roleArn.lastIndexOf('/') + 1);
}
