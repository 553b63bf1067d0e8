/** The options of a set-up: each checked by itself, so that one mistake hides no other, and where each is from. */
// Tests: test/doctor/broken.heavy.test.ts
import { checkArnsAgree, checkRegionOf, doubtAbout, isRegion, parseArn, partitionOf } from '../aws/arn.ts';
import type { Arn } from '../aws/arn.ts';
import { checkDuration, checkSessionName } from '../aws/session-limits.ts';
import { describeOrigin } from '../options/config/sources.ts';
import type { Source } from '../options/config/sources.ts';
import { shownSetting, shownText } from '../options/config/shown-setting.ts';
import { connectionSettings } from '../options/connection.ts';
import type { ConnectionSettings } from '../options/connection.ts';
import type { FlagValues } from '../options/flag-values.ts';
import { flagRow, isChained } from '../options/flags.ts';
import type { FlagName } from '../options/flags.ts';
import { passwordSources } from '../options/passwords.ts';
import { vendingOptions } from '../options/vending.ts';
import type { VendingOptions } from '../options/vending.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import type { Notebook } from './notebook.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Flags of doctor alone, which are no part of a set-up. */
const OWN: ReadonlySet<FlagName> = new Set([
  'call',
  'redact',
  'json',
  'print-config',
  'profile',
  'trust-anchor',
  'debug',
]);

/** A set-up: what its flags say, and where each is from. */
export interface SetUp {
  readonly flags: FlagValues;
  readonly settings: Source;
}

/** Writes down each setting with its origin. Nothing secret is shown. */
export function listSettings({ settings }: Pick<SetUp, 'settings'>, notes: Notebook): void {
  for (const [flag, { value, origin }] of settings) {
    if (OWN.has(flag) || origin.kind === 'default') continue;
    notes.fact('options', `--${flag}`, `${shownText(shownSetting(flag, value))}  (${describeOrigin(origin)})`);
    if (flagRow(flag).secret !== true || flag === 'proxy' || typeof value !== 'string' || flag === 'mfa-token')
      continue;
    if (origin.kind === 'command line')
      notes.find('WARN_SECRET_VISIBLE', `--${flag} stands in a command line, which every user of this machine can see`);
    else if (origin.kind === 'profile') notes.find('WARN_SECRET_VISIBLE', `${describeOrigin(origin)} holds a password`);
  }
}

/**
 * Checks the options of a session.
 *
 * @returns undefined when there is an error among them
 */
export function checkOptions({ flags }: SetUp, env: Environment, notes: Notebook): VendingOptions | undefined {
  const { 'trust-anchor-arn': anchorArn, 'profile-arn': profileArn, 'role-arn': roleArn } = flags;
  const check = <T>(act: () => T): T | undefined => notes.try('options', act);
  const hasIdentity = flags.certificate !== undefined || flags['cert-selector'] !== undefined;
  const missing = [
    ...(hasIdentity ? [] : ['--certificate']),
    ...(['trust-anchor-arn', 'profile-arn', 'role-arn'] as const)
      .filter((flag) => flags[flag] === undefined)
      .map((flag) => `--${flag}`),
  ];
  if (missing.length > 0)
    notes.fail(
      'options',
      new RolesAnywhereError('ERR_FLAG_REQUIRED', `nothing gives ${missing.join(', ')}`, {
        flag: missing,
        hint: 'give what a line with credential-process has, or a profile with --config-profile or --profile',
      }),
    );
  const anchor =
    anchorArn === undefined ? undefined : check(() => parseArn('trust-anchor', anchorArn, '--trust-anchor-arn'));
  const profile = profileArn === undefined ? undefined : check(() => parseArn('profile', profileArn, '--profile-arn'));
  const role = roleArn === undefined ? undefined : check(() => parseArn('role', roleArn, '--role-arn'));
  checkArns({ anchor, profile, role }, check, notes);
  checkRegion(flags.region, anchor, check);
  const settings = check(() =>
    connectionSettings(flags, env, isChained(flags) ? ['rolesanywhere', 'sts'] : ['rolesanywhere']),
  );
  if (settings !== undefined && anchor !== undefined) checkEndpoint(settings, flags.region ?? anchor.region, notes);
  check(() => checkDuration(flags['session-duration'], '--session-duration'));
  check(() => checkSessionName(flags['role-session-name'], '--role-session-name'));
  check(() => passwordSources(flags, env));
  for (const doubt of [
    anchor && doubtAbout(anchor, anchorArn ?? '', '--trust-anchor-arn'),
    profile && doubtAbout(profile, profileArn ?? '', '--profile-arn'),
  ])
    if (doubt !== undefined)
      notes.find('WARN_SETTING', doubt, { remedy: 'compare it with what the console shows, or update this program' });
  if (notes.hasErrors('options') || anchorArn === undefined || profileArn === undefined || roleArn === undefined)
    return undefined;
  const store = flags['system-store-name'] ?? 'MY';
  return check(() =>
    vendingOptions(
      {
        ...flags,
        'trust-anchor-arn': anchorArn,
        'profile-arn': profileArn,
        'role-arn': roleArn,
        'system-store-name': store,
      },
      env,
    ),
  );
}

interface Arns {
  readonly anchor: Arn | undefined;
  readonly profile: Arn | undefined;
  readonly role: Arn | undefined;
}

function checkArns({ anchor, profile, role }: Arns, check: (act: () => void) => void, notes: Notebook): void {
  if (anchor === undefined || profile === undefined || role === undefined) return;
  check(() => checkArnsAgree(anchor, profile, role));
  if (role.account !== profile.account)
    notes.find(
      'WARN_ROLE_ACCOUNT',
      `--role-arn is of account ${role.account}, and the profile of account ${profile.account}`,
    );
}

/** The service looks for the trust anchor in the region that it is asked in. */
function checkRegion(region: string | undefined, anchor: Arn | undefined, check: (act: () => void) => void): void {
  if (region === undefined || anchor === undefined) return;
  check(() => {
    if (!isRegion(region))
      throw new RolesAnywhereError('ERR_REGION', `--region is not a region: ${JSON.stringify(region)}`, {
        hint: 'leave it out: the ARN of the trust anchor names the region',
        flag: '--region',
      });
    if (partitionOf(region) !== partitionOf(anchor.region)) return checkRegionOf(anchor, region);
    if (region === anchor.region) return undefined;
    throw new RolesAnywhereError(
      'ERR_REGION',
      `--region is ${region}, and the trust anchor is in ${anchor.region}: the service in ${region} does not know it`,
      { hint: 'leave --region out: the ARN of the trust anchor names the region', flag: '--region' },
    );
  });
}

/** A host of AWS names its region; VPC endpoints do too. */
function checkEndpoint({ endpoints }: ConnectionSettings, region: string, notes: Notebook): void {
  const { rolesanywhere: url } = endpoints;
  if (url === undefined || !/\.(?:amazonaws\.com|api\.aws|amazonaws\.com\.cn)$/.test(url.hostname)) return;
  const named = url.hostname.split('.').find((label) => isRegion(label));
  if (named !== undefined && named !== region)
    notes.find('WARN_ENDPOINT_REGION', `the endpoint ${url.host} is of ${named}, and the trust anchor of ${region}`);
}
