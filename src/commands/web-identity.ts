/** `web-identity`: from an identity provider's token to credentials, printed as `credential-process` does. */
import { RolesAnywhereError } from '../platform/errors.ts';
import { isChained } from '../options/flags.ts';
import { processJson } from '../output/process-json.ts';
import { readTokenFile } from '../providers/web-identity.ts';
import { checkWebIdentity } from '../aws/sts-input.ts';
import type { WebIdentityInput } from '../aws/sts-input.ts';
import { assumeRoleWithWebIdentity } from '../aws/web-identity.ts';
import type { WebIdentityRole } from '../aws/web-identity.ts';
import { chainOf, flagOf, readPolicy } from './chain.ts';
import type { FlagValues, Io, RunCommand } from './command.ts';
import { openStsNetwork } from './sts-network.ts';

/** Flags of this command alone, by the parameter that they give. */
const FLAG_OF: Readonly<Record<string, string>> = {
  roleArn: '--role-arn',
  roleSessionName: '--role-session-name',
  durationSeconds: '--session-duration',
  providerId: '--provider-id',
};

export const run: RunCommand = async (flags, io) => {
  const goesOn = flags['assume-role-arn'] !== undefined;
  const input = readInput(flags, io, goesOn);
  checkWebIdentity(input, (parameter) => FLAG_OF[parameter] ?? flagOf(parameter));
  const tokenFile = text(flags, 'web-identity-token-file') ?? io.env['AWS_WEB_IDENTITY_TOKEN_FILE'] ?? '';
  if (tokenFile === '')
    throw new RolesAnywhereError('ERR_FLAG_REQUIRED', 'missing flag: --web-identity-token-file', {
      hint: 'give it, or AWS_WEB_IDENTITY_TOKEN_FILE',
    });
  const { region, endpoint, network, note } = await openStsNetwork(flags, io);
  // Without a further role, the session policy is this session's.
  const chained = goesOn ? flags : { ...flags, policy: undefined, 'policy-arn': undefined };
  const further = isChained(chained)
    ? chainOf(chained, { env: io.env, region, network, fromRole: true, once: true, note })
    : undefined;
  const { signal } = new AbortController();
  const vend = async (): Promise<WebIdentityRole> => {
    note(
      `AssumeRoleWithWebIdentity ${input.roleArn} in ${region}${endpoint === undefined ? '' : ` at ${endpoint.href}`}`,
    );
    return await assumeRoleWithWebIdentity({
      ...input,
      region,
      endpoint,
      signal,
      transport: network.transport,
      tls: network.tls,
      retry: network.retry,
      onRetry: network.onRetry,
      now: () => network.clock.now(),
      token: async () => await readTokenFile(tokenFile),
    });
  };
  const credentials = await (further === undefined ? vend() : further(vend)(signal));
  note(`credentials until ${credentials.expiration.toISOString()}`);
  io.stdout(processJson(credentials));
};

function readInput(flags: FlagValues, { env }: Io, goesOn: boolean): WebIdentityInput {
  const roleArn = text(flags, 'role-arn') ?? env['AWS_ROLE_ARN'] ?? '';
  if (roleArn === '')
    throw new RolesAnywhereError('ERR_FLAG_REQUIRED', 'missing flag: --role-arn', { hint: 'give it, or AWS_ROLE_ARN' });
  const durationSeconds = flags['session-duration'];
  const policyArns = flags['policy-arn'];
  return {
    roleArn,
    roleSessionName: text(flags, 'role-session-name') ?? (env['AWS_ROLE_SESSION_NAME'] || undefined),
    durationSeconds: typeof durationSeconds === 'number' ? durationSeconds : undefined,
    providerId: text(flags, 'provider-id'),
    policy: goesOn ? undefined : readPolicy(text(flags, 'policy')),
    policyArns: !goesOn && typeof policyArns === 'object' ? policyArns : undefined,
  };
}

function text(flags: FlagValues, name: string): string | undefined {
  const value = flags[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}
