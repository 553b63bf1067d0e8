/**
 * `--assume-role-arn`, which may be repeated: roles to go on to, in order.
 *
 *     ROLE_ARN[,KEY=VALUE ...]
 *
 * The flags of assuming a role are for the last hop; session name, duration
 * and source identity are for every one. A key, spelt as its flag, gives one hop its own.
 */
import type { FlagValues } from '../commands/command.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { CHAIN } from './flags.ts';
import { refuseUnknownKeys } from './unknown-key.ts';

/** One hop, as the user wrote it. */
export interface HopSettings {
  readonly roleArn: string;
  readonly sessionName: string | undefined;
  readonly durationSeconds: number | undefined;
  readonly externalId: string | undefined;
  /** JSON, or `file://PATH`. */
  readonly policy: string | undefined;
  readonly policyArns: readonly string[];
  /** As `KEY=VALUE` each. */
  readonly tags: readonly string[];
  readonly transitiveTagKeys: readonly string[];
  readonly sourceIdentity: string | undefined;
  readonly mfaSerial: string | undefined;
  /** Good for one request. */
  readonly mfaToken: string | undefined;
  readonly mfaCommand: string | undefined;
}

/** Of every hop. */
const SHARED = ['assume-role-session-name', 'assume-role-duration', 'source-identity'] as const;
/** Of the last hop. */
const LAST = ['external-id', 'policy', 'mfa-serial', 'mfa-token', 'mfa-command'] as const;
const LISTS = ['policy-arn', 'tag', 'transitive-tag-key'] as const;

/** What a hop may say for itself: all but the token, which would be in sight for longer. */
const KEYS = [...SHARED, 'external-id', 'policy', 'mfa-serial', 'mfa-command', ...LISTS] as const;
export const HOP_KEYS: readonly string[] = KEYS;
type Key = (typeof KEYS)[number];

/** Role names, policies and tags may hold commas, so only one before a known key separates. */
const SEPARATOR = new RegExp(`,(?=(?:${KEYS.join('|')})=)`);

const HINT = `it is ROLE_ARN, with any of ${KEYS.map((key) => `,${key}=`).join(' ')} behind it`;

/**
 * The hops of a command line; none without `--assume-role-arn`.
 *
 * @throws RolesAnywhereError `ERR_FLAG_REQUIRED` for flags of a hop without one, `ERR_FLAG_VALUE`, `ERR_DURATION`
 */
export function hopSettings(flags: FlagValues): HopSettings[] {
  const hops = list(flags, 'assume-role-arn');
  const idle = CHAIN.find((name) => flags[name] !== undefined && name !== 'sts-endpoint');
  if (hops.length === 0 && idle !== undefined)
    throw new RolesAnywhereError('ERR_FLAG_REQUIRED', `--${idle} has no effect without --assume-role-arn`, {
      hint: 'name the role to go on to with --assume-role-arn',
    });
  return hops.map((hop, index) => readHop(hop, flags, index === hops.length - 1));
}

function readHop(hop: string, flags: FlagValues, last: boolean): HopSettings {
  const [roleArn = '', ...settings] = hop.split(SEPARATOR);
  refuseUnknownKeys(`--assume-role-arn ${roleArn.split(',', 1)[0]}`, [roleArn], KEYS, HINT);
  const own = new Map<Key, string[]>();
  for (const setting of settings) {
    const key = KEYS.find((known) => setting.startsWith(`${known}=`));
    if (key === undefined) continue; // the separator saw one
    const values = own.get(key) ?? [];
    if (values.length > 0 && !isList(key))
      throw new RolesAnywhereError('ERR_FLAG_VALUE', `--assume-role-arn ${roleArn}: ${key} is given twice`, {
        hint: HINT,
      });
    own.set(key, [...values, setting.slice(key.length + 1)]);
  }
  const one = (key: (typeof SHARED)[number] | (typeof LAST)[number]): string | undefined => {
    const given = key === 'mfa-token' ? undefined : own.get(key)?.[0];
    if (given !== undefined) return given;
    return last || SHARED.some((shared) => shared === key) ? text(flags, key) : undefined;
  };
  const many = (key: (typeof LISTS)[number]): readonly string[] => own.get(key) ?? (last ? list(flags, key) : []);
  return {
    roleArn,
    sessionName: one('assume-role-session-name'),
    durationSeconds: seconds(one('assume-role-duration')),
    externalId: one('external-id'),
    policy: one('policy'),
    policyArns: many('policy-arn'),
    tags: many('tag'),
    transitiveTagKeys: many('transitive-tag-key'),
    sourceIdentity: one('source-identity'),
    mfaSerial: one('mfa-serial'),
    mfaToken: one('mfa-token'),
    mfaCommand: one('mfa-command'),
  };
}

function isList(key: Key): boolean {
  return LISTS.some((name) => name === key);
}

function seconds(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,6}$/.test(value)) return Number(value);
  throw new RolesAnywhereError(
    'ERR_DURATION',
    `assume-role-duration is not a number of seconds: ${JSON.stringify(value)}`,
  );
}

function text(flags: FlagValues, name: string): string | undefined {
  const value = flags[name];
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function list(flags: FlagValues, name: string): readonly string[] {
  const value = flags[name];
  return typeof value === 'object' ? value.filter((item) => item !== '') : [];
}
