/** AssumeRole: from one set of credentials to another. */
import type { AwsCredentials } from '../credentials/credentials.ts';
import type { QueryParameter } from '../signing/canonical.ts';
import type { Connection } from './connection.ts';
import { checkAssumeRole, checkChainedDuration, checkMfa } from './sts-input.ts';
import type { AssumeRoleInput } from './sts-input.ts';
import { askSts, single } from './sts.ts';
import type { AssumedRole } from './sts.ts';

/** One AssumeRole. */
export interface AssumeRoleRequest extends AssumeRoleInput {
  /** Who asks; credentials of a role session say so by their `assumedRoleArn`. */
  readonly credentials: AwsCredentials;
  /** The region in which STS is asked. */
  readonly region: string;
  /** Gives the code of the MFA device `serialNumber`, once for each attempt. */
  readonly tokenCode?: (() => Promise<string>) | undefined;
}

/**
 * Assumes a role, with attempts as {@link withRetries} makes them, each freshly signed.
 *
 * Source: STS API Reference, "AssumeRole".
 *
 * @throws RolesAnywhereError of class `usage` before anything is sent; the service's refusal, an unusable answer, or
 * what kept it from answering
 */
export async function assumeRole(request: AssumeRoleRequest, connection: Connection): Promise<AssumedRole> {
  checkAssumeRole(request);
  checkMfa(request.serialNumber, request.tokenCode !== undefined);
  return await requestRole(request, connection);
}

/** As {@link assumeRole}, for what was checked when it was read: only what depends on the credentials is left to check. */
export async function requestRole(request: AssumeRoleRequest, connection: Connection): Promise<AssumedRole> {
  const { credentials, region, tokenCode } = request;
  checkChainedDuration(request.durationSeconds, credentials.assumedRoleArn !== undefined);
  const known = parametersOf(request);
  const { budget } = connection;
  // A person who is asked for a code takes their time.
  const ask = tokenCode && (async () => await (budget === undefined ? tokenCode() : budget.exclude(tokenCode())));
  const { session } = await askSts(
    {
      action: 'AssumeRole',
      region,
      input: request,
      parameters: async () => (ask === undefined ? known : [...known, ['TokenCode', await ask()]]),
      credentials,
      facts: {
        externalId: request.externalId !== undefined,
        mfa: tokenCode !== undefined,
        tags: Object.keys(request.tags ?? {}).length > 0,
        sourceIdentity: request.sourceIdentity !== undefined,
      },
    },
    connection,
  );
  return session;
}

/** The names are those of the query protocol. */
function parametersOf(input: AssumeRoleInput): readonly QueryParameter[] {
  const { externalId, serialNumber, sourceIdentity, tags = {}, transitiveTagKeys = [], providedContexts = [] } = input;
  return [
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
