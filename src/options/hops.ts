/**
 * `--assume-role-arn`, which may be repeated: roles to go on to, in order.
 *
 *     ROLE_ARN[,KEY=VALUE ...]
 *
 * The flags of assuming a role are for the last hop; session name, duration
 * and source identity are for every one. A key, spelt as its flag, gives one hop its own.
 */
import { checkAssumeRole, checkChainedDuration } from '../aws/sts-input.ts';
import type { NameOf } from '../aws/session-limits.ts';
import type { AssumeRoleInput } from '../aws/sts-input.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { readNamedFile } from '../platform/files.ts';
import type { FlagValues } from './flag-values.ts';
import { HOP } from './flags.ts';
import type { CHAIN, FlagItem } from './flags.ts';
import { readItem } from './items.ts';
import type { ItemForm } from './items.ts';

/** One role to go on to. */
export interface Hop {
  /** What AssumeRole is asked. It was checked. */
  readonly input: AssumeRoleInput;
  /** A code of the MFA device, good for one request. */
  readonly mfaToken: string | undefined;
  /** A command that prints each code. */
  readonly mfaCommand: string | undefined;
}

export type HopFlags = FlagValues<(typeof CHAIN)[number]>;

/** The flags that every hop has a share in. */
const SHARED = ['assume-role-session-name', 'assume-role-duration', 'source-identity'] as const;
/** The flags of the last hop. */
const LAST = ['external-id', 'policy', 'mfa-serial', 'mfa-command'] as const;
const LISTS = ['policy-arn', 'tag', 'transitive-tag-key'] as const;

/** What a hop may say for itself: all but the token, which would be in sight for longer. */
const KEYS = [...SHARED, ...LAST, ...LISTS] as const;
export const HOP_KEYS: readonly string[] = KEYS;

/** The flag that gives each parameter of AssumeRole. */
const FLAG_OF: Readonly<Record<string, string>> = {
  roleArn: '--assume-role-arn',
  roleSessionName: '--assume-role-session-name',
  durationSeconds: '--assume-role-duration',
  externalId: '--external-id',
  policy: '--policy',
  policyArns: '--policy-arn',
  tags: '--tag',
  transitiveTagKeys: '--transitive-tag-key',
  sourceIdentity: '--source-identity',
  serialNumber: '--mfa-serial',
};

/** How messages name a parameter of AssumeRole: by its flag. */
export const flagOf: NameOf = (parameter) => FLAG_OF[parameter] ?? parameter;

const DEFAULT_SECONDS = 3600;

const HINT = `it is ROLE_ARN, with any of ${KEYS.map((key) => `,${key}=`).join(' ')} behind it`;
const FORM: ItemForm = { flag: '--assume-role-arn', keys: KEYS, named: false, hint: HINT };

/**
 * The hops of a command line; none without `--assume-role-arn`.
 *
 * @param fromRole whether a role session asks first: of Roles Anywhere it always does
 * @throws RolesAnywhereError of class `usage`: `ERR_FLAG_REQUIRED` for flags of a hop without one, `ERR_FLAG_VALUE`, and
 * what AssumeRole's parameters are refused with
 */
export function hopsOf(flags: HopFlags, fromRole: boolean): Hop[] {
  const { 'assume-role-arn': hops = [] } = flags;
  const idle = HOP.find((name) => flags[name] !== undefined);
  if (hops.length === 0 && idle !== undefined)
    throw new RolesAnywhereError('ERR_FLAG_REQUIRED', `--${idle} has no effect without --assume-role-arn`, {
      hint: 'name the role to go on to with --assume-role-arn',
      flag: `--${idle}`,
    });
  return hops.map((hop, index) => {
    try {
      return readHop(hop, flags, index === hops.length - 1, fromRole || index > 0);
    } catch (error) {
      if (!(error instanceof RolesAnywhereError) || hops.length === 1) throw error;
      const { code, message, hint, flag, cause } = error;
      throw new RolesAnywhereError(code, `hop ${index + 1}: ${message}`, { hint, flag, cause });
    }
  });
}

function readHop(item: string | FlagItem, flags: HopFlags, last: boolean, chained: boolean): Hop {
  const { head: roleArn, settings } = readItem(item, FORM);
  const own = ownSettings(roleArn, settings);
  const one = (key: (typeof SHARED)[number] | (typeof LAST)[number]): string | undefined => {
    const [given] = own.get(key) ?? [];
    if (given !== undefined) return given;
    return last || SHARED.some((shared) => shared === key) ? flags[key]?.toString() : undefined;
  };
  const many = (key: (typeof LISTS)[number]): readonly string[] => own.get(key) ?? (last ? (flags[key] ?? []) : []);
  const input: AssumeRoleInput = {
    roleArn,
    roleSessionName: one('assume-role-session-name'),
    durationSeconds: seconds(one('assume-role-duration')),
    externalId: one('external-id'),
    policy: readPolicy(one('policy')),
    policyArns: many('policy-arn'),
    tags: readTags(many('tag')),
    transitiveTagKeys: many('transitive-tag-key'),
    sourceIdentity: one('source-identity'),
    serialNumber: one('mfa-serial'),
  };
  checkAssumeRole(input, flagOf);
  checkChainedDuration(input.durationSeconds, chained, '--assume-role-duration');
  return { input, mfaToken: last ? flags['mfa-token'] : undefined, mfaCommand: one('mfa-command') };
}

/** What a hop says for itself. */
function ownSettings(roleArn: string, settings: FlagItem['settings']): ReadonlyMap<string, readonly string[]> {
  const own = new Map<string, string[]>();
  for (const [key, value] of settings) {
    const values = own.get(key) ?? [];
    if (values.length > 0 && !LISTS.some((name) => name === key))
      throw new RolesAnywhereError('ERR_FLAG_VALUE', `--assume-role-arn ${roleArn}: ${key} is given twice`, {
        hint: HINT,
        flag: '--assume-role-arn',
      });
    own.set(key, [...values, value]);
  }
  return own;
}

function seconds(value: string | undefined): number {
  if (value === undefined) return DEFAULT_SECONDS;
  if (/^\d{1,6}$/.test(value)) return Number(value);
  throw new RolesAnywhereError(
    'ERR_DURATION',
    `assume-role-duration is not a number of seconds: ${JSON.stringify(value)}`,
    { flag: '--assume-role-duration' },
  );
}

/**
 * A session policy: JSON as it is, or what is in the file after `file://`.
 *
 * @throws RolesAnywhereError with a code that begins with `ERR_FILE`
 */
export function readPolicy(policy: string | undefined): string | undefined {
  if (policy?.startsWith('file://') !== true) return policy;
  const path = policy.slice('file://'.length);
  const { bytes } = readNamedFile({ path, name: `--policy ${policy}`, flag: '--policy' });
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff))
    throw new RolesAnywhereError('ERR_POLICY', `--policy ${policy} begins with the byte order mark of UTF-16`, {
      hint: 'save it as UTF-8; in PowerShell: Out-File -Encoding utf8',
      flag: '--policy',
    });
  // trim() takes the byte order mark of UTF-8 off too.
  return Buffer.from(bytes).toString('utf8').trim();
}

function readTags(tags: readonly string[]): Readonly<Record<string, string>> {
  const read = new Map<string, string>();
  for (const tag of tags) {
    const equals = tag.indexOf('=');
    const key = tag.slice(0, equals);
    if (equals < 1)
      throw new RolesAnywhereError('ERR_TAG', `--tag is not KEY=VALUE: ${JSON.stringify(tag.slice(0, 200))}`, {
        hint: 'an empty value is written KEY=',
        flag: '--tag',
      });
    if (read.has(key))
      throw new RolesAnywhereError('ERR_TAG', `--tag gives ${JSON.stringify(key)} twice`, {
        hint: 'leave one out',
        flag: '--tag',
      });
    read.set(key, tag.slice(equals + 1));
  }
  return Object.fromEntries(read);
}
