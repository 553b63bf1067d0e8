/** From the hops of a command line to a source of credentials. Loaded when there are any. */
// Tests: test/cli/chain.test.ts
import { checkRegionOf } from '../aws/arn.ts';
import { requestRole } from '../aws/assume-role.ts';
import type { Connection } from '../aws/connection.ts';
import { endpointOf } from '../aws/endpoints.ts';
import { createChain } from '../credentials/chain.ts';
import type { FirstStage, HopStage } from '../credentials/chain.ts';
import type { SessionCredentials } from '../credentials/credentials.ts';
import { flagOf, hopsOf } from '../options/hops.ts';
import type { Hop, HopFlags } from '../options/hops.ts';
import { withoutSecrets } from '../options/secrets.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { awaited } from '../platform/waits.ts';
import { codesOf } from '../sources/mfa.ts';
import type { TokenProvider } from '../sources/mfa.ts';
import { readCertificate } from '../x509/certificate.ts';
import { sessionAttributes } from '../x509/session-attributes.ts';
import { commandTokenProvider, terminalTokenProvider } from '../sources/token-providers.ts';

/** What a chain is made in. */
export interface ChainSurroundings {
  /** The region in which STS is asked. */
  readonly region: string;
  /** Called for each request: files may have been read again. */
  readonly connection: () => Connection;
  /** Whether a role session asks first: of Roles Anywhere it always does. */
  readonly fromRole: boolean;
  /** Whether credentials are asked for once, so that one MFA code is enough. */
  readonly once: boolean;
}

/**
 * Makes one source of credentials out of a first one and the hops.
 *
 * @param origin what the first one asks with, where that may become another
 */
export type ChainFrom = (
  first: FirstStage,
  origin?: () => unknown,
) => (signal: AbortSignal) => Promise<SessionCredentials>;

/**
 * Checks the flags of every hop, before anything is asked of AWS.
 *
 * @throws RolesAnywhereError of class `usage`
 */
export function chainOf(flags: HopFlags, surroundings: ChainSurroundings): ChainFrom {
  const hops = hopsOf(flags, surroundings.fromRole);
  for (const { input } of hops)
    checkRegionOf(
      { partition: input.roleArn.split(':')[1] ?? '' },
      surroundings.region,
      `the ARN of --assume-role-arn ${input.roleArn}`,
    );
  const [one, ...others] = hops.map((hop) => stageOf(hop, surroundings));
  if (one === undefined)
    throw new RolesAnywhereError('ERR_FLAG_REQUIRED', 'missing flag: --assume-role-arn', { flag: '--assume-role-arn' });
  const now = (): number => surroundings.connection().clock?.now() ?? Date.now();
  return (first, origin) => createChain(first, [one, ...others], now, origin);
}

/**
 * Checks source identities against the one that a session of Roles Anywhere has from its certificate, and keeps through
 * every hop.
 *
 * @param certificate in DER
 * @throws RolesAnywhereError `ERR_SOURCE_IDENTITY`
 */
export function checkSourceIdentity(flags: HopFlags, certificate: Uint8Array): void {
  const { sourceIdentity, sourceIdentityProblem } = sessionAttributes(readCertificate(certificate, 'the certificate'));
  if (sourceIdentityProblem !== undefined) return;
  for (const { input } of hopsOf(flags, true))
    if (input.sourceIdentity !== undefined && input.sourceIdentity !== sourceIdentity)
      throw new RolesAnywhereError(
        'ERR_SOURCE_IDENTITY',
        `--source-identity is ${input.sourceIdentity}, and the session of the certificate has ${sourceIdentity}`,
        { hint: 'leave it out: a source identity cannot be changed once it is set', flag: '--source-identity' },
      );
}

function stageOf(hop: Hop, { region, connection, once }: ChainSurroundings): HopStage {
  const { input, mfaToken } = hop;
  const codes = codesOf(input.serialNumber, codeProvider(hop, once), {}, flagOf);
  return async (credentials, signal) => {
    const current = connection();
    const [, partition = ''] = input.roleArn.split(':');
    current.log?.debug(
      `AssumeRole ${input.roleArn} in ${region} at ${endpointOf(current, 'sts', partition, region).href}`,
    );
    return await requestRole(
      { ...input, credentials, region, tokenCode: codes && (async () => await codes(signal)) },
      // A code that was given once is good for one attempt.
      { ...current, signal, retry: mfaToken === undefined ? current.retry : { ...current.retry, attempts: 1 } },
    );
  };
}

/** What gives the codes of a hop's MFA device; undefined where there is none, and no code either. */
function codeProvider({ input, mfaToken, mfaCommand }: Hop, once: boolean): TokenProvider | undefined {
  if (mfaToken !== undefined && mfaCommand !== undefined)
    throw new RolesAnywhereError('ERR_FLAG_CONFLICT', '--mfa-token and --mfa-command exclude each other', {
      hint: 'leave one of them out',
      flag: '--mfa-token',
    });
  if (mfaToken !== undefined && !once)
    throw new RolesAnywhereError(
      'ERR_FLAG_CONFLICT',
      '--mfa-token is good for one request, and this command makes more',
      { hint: 'let a command give each code: --mfa-command', flag: '--mfa-token' },
    );
  if (mfaToken !== undefined) return async () => mfaToken;
  if (mfaCommand !== undefined) {
    const run = commandTokenProvider(mfaCommand, { stderr: 'inherit', env: withoutSecrets(process.env) });
    return async (request) => await awaited('the code of --mfa-command', async () => await run(request));
  }
  return input.serialNumber === undefined ? undefined : terminalTokenProvider();
}
