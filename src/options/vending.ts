/** What every command takes that obtains credentials: from the values of flags to options that were checked. */
import { checkArnsAgree, checkRegionOf, doubtAbout, isRegion, parseArn } from '../aws/arn.ts';
import type { CreateSessionInput } from '../aws/create-session.ts';
import { checkDuration, checkSessionName } from '../aws/session-limits.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { connectionSettings } from './connection.ts';
import type { ConnectionSettings } from './connection.ts';
import { certificateChoice, storeSettings } from './choice.ts';
import type { FlagsOf } from './flag-values.ts';
import { isChained } from './flags.ts';
import type { CertificateChoice } from '../identity/choice.ts';
import type { StoreSettings } from '../identity/os-store/store.ts';
import type { PasswordSources } from '../identity/passwords.ts';
import { passwordSources } from './passwords.ts';

/** Everything that can be checked without reading a file or sending anything was. */
export interface VendingOptions {
  /** Where the identity is, as the user wrote it. */
  readonly identity: {
    readonly certificate: string | undefined;
    readonly choice: CertificateChoice | undefined;
    readonly store: StoreSettings | undefined;
    readonly privateKey: string | undefined;
    readonly intermediates: string | undefined;
    readonly skipChecks: boolean;
  };
  /** The passwords of encrypted keys and containers. */
  readonly passwords: PasswordSources;
  /** What CreateSession is asked. */
  readonly session: CreateSessionInput;
  /** The partition of the trust anchor and the role. */
  readonly partition: string;
  readonly connection: ConnectionSettings;
  /** What is odd and no reason to refuse: to be said, but not under the name of AWS's helper. */
  readonly warnings: readonly string[];
}

/**
 * Checks the flags of a command that obtains credentials.
 *
 * @param env for passwords and the variables that AWS's SDKs read
 * @throws RolesAnywhereError of class `usage`
 */
export function vendingOptions(
  flags: FlagsOf<'credential-process'>,
  env: Readonly<Record<string, string | undefined>>,
): VendingOptions {
  const { 'trust-anchor-arn': trustAnchorArn, 'profile-arn': profileArn, 'role-arn': roleArn } = flags;
  const { certificate, 'session-duration': durationSeconds, 'role-session-name': roleSessionName } = flags;
  const trustAnchor = parseArn('trust-anchor', trustAnchorArn, '--trust-anchor-arn');
  const { partition } = trustAnchor;
  const profile = parseArn('profile', profileArn, '--profile-arn');
  checkArnsAgree(trustAnchor, profile, parseArn('role', roleArn, '--role-arn'));
  const { region = trustAnchor.region } = flags;
  if (!isRegion(region))
    throw new RolesAnywhereError('ERR_REGION', `--region is not a region: ${JSON.stringify(region)}`, {
      hint: 'leave it out: the ARN of the trust anchor names the region',
      flag: '--region',
    });
  checkRegionOf(trustAnchor, region);
  const connection = connectionSettings(flags, env, isChained(flags) ? ['rolesanywhere', 'sts'] : ['rolesanywhere']);
  checkDuration(durationSeconds, '--session-duration');
  checkSessionName(roleSessionName, '--role-session-name');
  return {
    session: { trustAnchorArn, profileArn, roleArn, region, durationSeconds, roleSessionName },
    partition,
    identity: {
      certificate,
      choice: certificateChoice(flags),
      store: storeSettings(flags),
      privateKey: flags['private-key'],
      intermediates: flags.intermediates,
      skipChecks: flags['skip-checks'] === true,
    },
    passwords: passwordSources(flags, env),
    connection,
    warnings: [
      doubtAbout(trustAnchor, trustAnchorArn, '--trust-anchor-arn'),
      doubtAbout(profile, profileArn, '--profile-arn'),
    ].filter((doubt) => doubt !== undefined),
  };
}
