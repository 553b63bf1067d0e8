/** AssumeRole: from one set of credentials to another. */
import type { SessionCredentials } from '../credentials/credentials.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import type { QueryParameter } from '../signing/canonical.ts';
import type { AccessKey } from '../signing/sigv4.ts';
import { checkAssumeRole, checkChainedDuration } from './sts-input.ts';
import type { StsConnection } from './sts-connection.ts';
import type { AssumeRoleInput } from './sts-input.ts';
import { aboutSession, roleSessionParameters, single } from './sts-parameters.ts';
import { vendFromSts } from './sts.ts';

/** Credentials that sign; those of a role session say so by `assumedRoleArn`. */
export interface CallerCredentials extends AccessKey {
  readonly assumedRoleArn?: string | undefined;
}

/** One AssumeRole. */
export interface AssumeRoleOptions extends AssumeRoleInput, StsConnection {
  /** Who asks. */
  readonly credentials: CallerCredentials;
  /** Gives the code of the MFA device `serialNumber`, once for each attempt. */
  readonly tokenCode?: (() => Promise<string>) | undefined;
}

/** A session, and what STS says about it. */
export interface AssumedRole extends SessionCredentials {
  readonly sourceIdentity?: string;
  /** How much of the space for session policies and tags is used, in percent. */
  readonly packedPolicySize?: number;
}

/**
 * Assumes a role, with up to three attempts, each freshly signed.
 *
 * Source: STS API Reference, "AssumeRole".
 *
 * @throws RolesAnywhereError of class `usage` before anything is sent; the service's refusal, an unusable answer, or
 * what kept it from answering
 */
export async function assumeRole(options: AssumeRoleOptions): Promise<AssumedRole> {
  const { credentials, roleArn, durationSeconds, serialNumber, tokenCode } = options;
  checkAssumeRole(options);
  checkChainedDuration(durationSeconds, credentials.assumedRoleArn !== undefined);
  if ((serialNumber === undefined) !== (tokenCode === undefined))
    throw new RolesAnywhereError('ERR_MFA_SERIAL', 'of serial number and token provider, one is missing', {
      hint: 'give both for MFA, or neither',
    });
  const known = assumeRoleParameters(options, (options.now ?? Date.now)());
  const { credentials: vended, result } = await vendFromSts(
    {
      action: 'AssumeRole',
      partition: roleArn.split(':')[1] ?? '',
      accessKey: credentials,
      parameters: async () => (tokenCode === undefined ? known : [...known, ['TokenCode', await tokenCode()]]),
      facts: {
        roleArn,
        policy: options.policy,
        externalId: options.externalId !== undefined,
        mfa: tokenCode !== undefined,
        tags: Object.keys(options.tags ?? {}).length > 0,
        sourceIdentity: options.sourceIdentity !== undefined,
      },
    },
    options,
  );
  return { ...vended, ...aboutSession(result) };
}

/** The names are those of the query protocol. */
function assumeRoleParameters(input: AssumeRoleInput, now: number): QueryParameter[] {
  const { externalId, serialNumber, sourceIdentity, tags = {}, transitiveTagKeys = [], providedContexts = [] } = input;
  return [
    ...roleSessionParameters(input, now),
    ...single('ExternalId', externalId),
    ...single('SerialNumber', serialNumber),
    ...single('SourceIdentity', sourceIdentity),
    ...Object.entries(tags).flatMap(([key, value], index): QueryParameter[] => [
      [`Tags.member.${index + 1}.Key`, key],
      [`Tags.member.${index + 1}.Value`, value],
    ]),
    ...transitiveTagKeys.map((key, index): QueryParameter => [`TransitiveTagKeys.member.${index + 1}`, key]),
    ...providedContexts.flatMap(({ providerArn, contextAssertion }, index): QueryParameter[] => [
      [`ProvidedContexts.member.${index + 1}.ProviderArn`, providerArn],
      [`ProvidedContexts.member.${index + 1}.ContextAssertion`, contextAssertion],
    ]),
  ];
}
