/**
 * `--role`, which may be repeated: what `serve` serves, and `update` writes, besides `--role-arn`.
 *
 *     [NAME=]ROLE_ARN[,KEY=VALUE ...]
 *
 * A key overrides the flag of its name for this role alone; `token-file` gives
 * the role a token of its own.
 */
import type { FlagsOf } from './flag-values.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { PROFILE_NAME_HINT, isCredentialsProfile } from './config/profile-name.ts';
import type { FlagItem } from './flags.ts';
import { readItem } from './items.ts';
import type { ItemForm } from './items.ts';
import { vendingOptions } from './vending.ts';
import type { VendingOptions } from './vending.ts';

const KEYS = ['profile-arn', 'trust-anchor-arn', 'session-duration', 'role-session-name', 'token-file'] as const;
export const ROLE_KEYS: readonly string[] = KEYS;
type Key = (typeof KEYS)[number];
type Environment = Readonly<Record<string, string | undefined>>;

/** The flags of a command that may have several roles. */
type RoleFlags = FlagsOf<'serve'> | FlagsOf<'update'>;

/** One role to serve. */
export interface RoleOptions {
  /** The role's name in paths; of `update`, the profile to write. Unique. */
  readonly name: string;
  /** The role's own options; identity and trust are the same for all. */
  readonly vending: VendingOptions;
  /** The file for a token that is good for this role alone, and without which the role is not given. */
  readonly tokenFile: string | undefined;
}

/** The roles to serve, the default first. */
export type RolesToServe = readonly [RoleOptions, ...RoleOptions[]];

/** What a command's roles are called. */
interface NameForm {
  /** The name of the role of --role-arn. Default: the last part of its ARN. */
  readonly first?: string | undefined;
  readonly isName: (name: string) => boolean;
  /** The words for what is no name. */
  readonly cannotBe: string;
  readonly hint: string;
}

/** Characters that a path, a metrics label and a URL take as they are. */
const IN_PATH: NameForm = {
  isName: (name) => /^[\w.@+-]{1,64}$/.test(name),
  cannotBe: 'a name in a path',
  hint: 'give NAME=ROLE_ARN, with a name of 1 to 64 letters, digits and characters of _.@+-',
};

/** As in AWS's own tools. */
const DEFAULT_PROFILE = 'default';

const HINT = `it is [NAME=]ROLE_ARN, with any of ${KEYS.map((key) => `,${key}=`).join(' ')} behind it`;
const FORM: ItemForm = { flag: '--role', keys: KEYS, named: true, hint: HINT };

/**
 * The roles of a command line, that of `--role-arn` first.
 *
 * @throws RolesAnywhereError of class `usage`
 */
export function servedRoles(flags: FlagsOf<'serve'>, env: Environment): RolesToServe {
  return namedRoles(flags, env, IN_PATH);
}

/**
 * The same for `update`: each is called as the profile that it is written to.
 *
 * @throws RolesAnywhereError of class `usage`
 */
export function profileRoles(flags: FlagsOf<'update'>, env: Environment): RolesToServe {
  for (const role of flags.role ?? []) {
    // One from a profile of the config file may be meant for `serve` as well.
    const isForServe = typeof role === 'string' && readItem(role, FORM).settings.some(([key]) => key === 'token-file');
    if (isForServe) throw refused('--role: token-file is a key for serve, and update serves nothing', 'leave it out');
  }
  return namedRoles(flags, env, {
    first: flags.profile ?? DEFAULT_PROFILE,
    isName: isCredentialsProfile,
    cannotBe: 'a profile of a credentials file',
    hint: PROFILE_NAME_HINT,
  });
}

function namedRoles(flags: RoleFlags, env: Environment, form: NameForm): RolesToServe {
  const roles: RoleOptions[] = [];
  const roleArn = flags['role-arn'];
  if (roleArn !== undefined)
    roles.push({
      name: form.first ?? lastSegment(roleArn),
      vending: vendingOptions(forRole(flags, roleArn), env),
      tokenFile: undefined,
    });
  for (const item of flags.role ?? []) roles.push(readRole(item, flags, env));
  const [first, ...others] = roles;
  if (first === undefined)
    throw new RolesAnywhereError('ERR_FLAG_REQUIRED', 'missing flag: --role-arn or --role', {
      flag: ['--role-arn', '--role'],
    });
  const names = new Set<string>();
  for (const { name } of roles) {
    const flag = name === form.first ? '--profile' : '--role';
    if (!form.isName(name))
      throw refused(`${flag}: ${JSON.stringify(name)} cannot be ${form.cannotBe}`, form.hint, flag);
    if (names.has(name))
      throw refused(`--role: two roles are called ${name}`, 'give each a name of its own: NAME=ROLE_ARN');
    names.add(name);
  }
  return [first, ...others];
}

function readRole(value: string | FlagItem, flags: RoleFlags, env: Environment): RoleOptions {
  const item = readItem(value, FORM);
  const { head: roleArn, name = lastSegment(roleArn) } = item;
  const settings: Partial<Record<Key, string>> = {};
  for (const key of KEYS) {
    const [first, ...others] = item.settings.filter(([own]) => own === key);
    if (others.length > 0) throw refused(`--role ${name}: ${key} is given twice`);
    if (first !== undefined) [, settings[key]] = first;
  }
  const { 'token-file': tokenFile, 'session-duration': duration, ...overrides } = settings;
  if (duration !== undefined && !/^\d{1,6}$/.test(duration))
    throw new RolesAnywhereError('ERR_DURATION', `--role ${name}: session-duration is not a number of seconds`, {
      flag: '--role',
    });
  refuseControls(`--role ${name}: token-file`, tokenFile);
  if (tokenFile === '') throw refused(`--role ${name}: token-file is empty`);
  const ownDuration = duration === undefined ? flags['session-duration'] : Number(duration);
  const own = { ...flags, ...overrides, 'session-duration': ownDuration };
  try {
    return { name, vending: vendingOptions(forRole(own, roleArn), env), tokenFile };
  } catch (error) {
    if (!(error instanceof RolesAnywhereError)) throw error;
    const { code, message, flag = '--role', hint = HINT } = error;
    throw new RolesAnywhereError(code, `--role ${name}: ${message}`, { flag, hint });
  }
}

/** The flags of one role: those that every role needs may be given for all or for this one. */
function forRole(flags: RoleFlags, roleArn: string): RoleFlags & FlagsOf<'credential-process'> {
  const { 'trust-anchor-arn': trustAnchorArn, 'profile-arn': profileArn } = flags;
  if (trustAnchorArn !== undefined && profileArn !== undefined)
    return { ...flags, 'trust-anchor-arn': trustAnchorArn, 'profile-arn': profileArn, 'role-arn': roleArn };
  const missing = (['trust-anchor-arn', 'profile-arn'] as const).filter((name) => flags[name] === undefined);
  throw new RolesAnywhereError(
    'ERR_FLAG_REQUIRED',
    `missing ${missing.length > 1 ? 'flags' : 'flag'}: ${missing.map((name) => `--${name}`).join(', ')}`,
  );
}

/**
 * Refuses the path of a file that no terminal and no shell line shows as it is.
 *
 * @throws RolesAnywhereError `ERR_FLAG_VALUE`
 */
export function refuseControls(what: string, path: string | undefined): void {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (path === undefined || !/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(path)) return;
  throw refused(`${what} holds a line end or another control character`, 'give the path of a file without them');
}

function refused(message: string, hint = HINT, flag = '--role'): RolesAnywhereError {
  return new RolesAnywhereError('ERR_FLAG_VALUE', message, { flag, hint });
}

/** `role/path/NAME` is known by its NAME. */
function lastSegment(roleArn: string): string {
  return roleArn.slice(roleArn.lastIndexOf('/') + 1);
}
