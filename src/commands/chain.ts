/** From the flags of assuming a role to hops that can be made. Loaded when there are any. */
import { createChain } from '../credentials/chain.ts';
import type { FirstStage, Hop } from '../credentials/chain.ts';
import type { SessionCredentials } from '../credentials/credentials.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { readNamedFile } from '../platform/files.ts';
import { hopSettings } from '../options/hops.ts';
import type { HopSettings } from '../options/hops.ts';
import { checkEndpoint } from '../options/network.ts';
import { oneTimeCodes } from '../sources/mfa.ts';
import type { TokenProvider } from '../sources/mfa.ts';
import { commandTokenProvider, terminalTokenProvider } from '../sources/token-providers.ts';
import { assumeRole } from '../aws/assume-role.ts';
import { checkAssumeRole, checkChainedDuration } from '../aws/sts-input.ts';
import type { AssumeRoleInput, NameOf } from '../aws/sts-input.ts';
import type { StsConnection } from '../aws/sts-connection.ts';
import type { FlagValues, Io } from './command.ts';
import type { Network } from './network.ts';

export interface ChainSurroundings {
  readonly env: Io['env'];
  /** Of STS, unless an endpoint says where it is. */
  readonly region: string;
  readonly network: Pick<Network, 'tls' | 'transport' | 'retry' | 'clock'> & Partial<Pick<Network, 'onRetry'>>;
  /** Whether a role session asks first: of Roles Anywhere it always does. */
  readonly fromRole: boolean;
  /** Whether credentials are asked for once, so that one MFA code is enough. */
  readonly once: boolean;
  readonly note?: ((text: string) => void) | undefined;
}

/** Makes one source of credentials out of a first one and the hops. */
export type ChainFrom = (first: FirstStage) => (signal: AbortSignal) => Promise<SessionCredentials>;

const DEFAULT_SECONDS = 3600;

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
export const flagOf: NameOf = (parameter) => FLAG_OF[parameter] ?? parameter;

/**
 * Checks the flags of every hop, before anything is asked of AWS.
 *
 * @throws RolesAnywhereError of class `usage`
 */
export function chainOf(flags: FlagValues, surroundings: ChainSurroundings): ChainFrom {
  const settings = hopSettings(flags);
  const endpoint = stsEndpointOption(flags, surroundings.env);
  const make = (hop: HopSettings, index: number): Hop => {
    try {
      return createHop(hop, endpoint, index > 0 || surroundings.fromRole, surroundings);
    } catch (error) {
      if (!(error instanceof RolesAnywhereError) || settings.length === 1) throw error;
      throw new RolesAnywhereError(error.code, `hop ${index + 1}: ${error.message}`, { hint: error.hint ?? '' });
    }
  };
  const [one, ...others] = settings;
  if (one === undefined) throw new RolesAnywhereError('ERR_FLAG_REQUIRED', 'missing flag: --assume-role-arn');
  const hops = [make(one, 0), ...others.map((hop, index) => make(hop, index + 1))] as const;
  const { clock } = surroundings.network;
  return (first) => createChain(first, hops, () => clock.now());
}

/**
 * Where `--sts-endpoint` and the SDKs' variables say that STS is.
 *
 * @throws RolesAnywhereError `ERR_ENDPOINT`
 */
export function stsEndpointOption(flags: FlagValues, env: Io['env']): URL | undefined {
  const flag = flags['sts-endpoint'];
  const ignored = env['AWS_IGNORE_CONFIGURED_ENDPOINT_URLS']?.toLowerCase() === 'true';
  const variables = ignored ? [] : ['AWS_ENDPOINT_URL_STS', 'AWS_ENDPOINT_URL'];
  const variable = variables.find((name) => (env[name] ?? '') !== '');
  const given =
    typeof flag === 'string' && flag !== ''
      ? { value: flag, from: '--sts-endpoint' }
      : variable === undefined
        ? undefined
        : { value: env[variable] ?? '', from: variable };
  return given && checkEndpoint({ endpoint: given, allowHttp: flags['allow-http'] === true }).endpoint;
}

function createHop(
  hop: HopSettings,
  endpoint: URL | undefined,
  fromRole: boolean,
  surroundings: ChainSurroundings,
): Hop {
  const { region, network, once, note } = surroundings;
  const input = inputOf(hop);
  checkAssumeRole(input, flagOf);
  checkChainedDuration(input.durationSeconds, fromRole, '--assume-role-duration');
  const codes = codesOf(hop, once);
  // A code that was given once is good for one attempt.
  const retry = hop.mfaToken === undefined ? network.retry : { ...network.retry, attempts: 1 };
  return async (credentials, signal) => {
    note?.(`AssumeRole ${input.roleArn} in ${region}${endpoint === undefined ? '' : ` at ${endpoint.href}`}`);
    const connection: StsConnection = {
      region,
      endpoint,
      signal,
      retry,
      transport: network.transport,
      tls: network.tls,
      now: () => network.clock.now(),
      ...(network.onRetry === undefined ? {} : { onRetry: network.onRetry }),
    };
    return await assumeRole({
      ...input,
      ...connection,
      credentials,
      ...(codes === undefined ? {} : { tokenCode: async () => await codes(signal) }),
    });
  };
}

function inputOf(hop: HopSettings): AssumeRoleInput {
  const { roleArn, sessionName, durationSeconds = DEFAULT_SECONDS, externalId, sourceIdentity, mfaSerial } = hop;
  return {
    roleArn,
    roleSessionName: sessionName,
    durationSeconds,
    externalId,
    sourceIdentity,
    serialNumber: mfaSerial,
    policy: readPolicy(hop.policy),
    policyArns: hop.policyArns,
    tags: readTags(hop.tags),
    transitiveTagKeys: hop.transitiveTagKeys,
  };
}

/**
 * JSON as it is, or what is in the file after `file://`.
 *
 * @throws RolesAnywhereError `ERR_FILE_UNREADABLE`
 */
export function readPolicy(policy: string | undefined): string | undefined {
  if (policy?.startsWith('file://') !== true) return policy;
  const path = policy.slice('file://'.length);
  const { bytes } = readNamedFile({ path, name: `--policy ${policy}`, flag: '--policy', code: 'ERR_FILE_UNREADABLE' });
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
      });
    if (read.has(key))
      throw new RolesAnywhereError('ERR_TAG', `--tag gives ${JSON.stringify(key)} twice`, { hint: 'leave one out' });
    read.set(key, tag.slice(equals + 1));
  }
  return Object.fromEntries(read);
}

function codesOf(
  { mfaSerial: serialNumber, mfaToken, mfaCommand }: HopSettings,
  once: boolean,
): ReturnType<typeof oneTimeCodes> | undefined {
  if (serialNumber === undefined) {
    if (mfaToken === undefined && mfaCommand === undefined) return undefined;
    throw new RolesAnywhereError('ERR_MFA_SERIAL', 'an MFA code is given, and no --mfa-serial', {
      hint: 'name the device with --mfa-serial',
    });
  }
  if (mfaToken !== undefined && mfaCommand !== undefined)
    throw new RolesAnywhereError('ERR_FLAG_CONFLICT', '--mfa-token and --mfa-command exclude each other', {
      hint: 'leave one of them out',
    });
  if (mfaToken !== undefined && !once)
    throw new RolesAnywhereError(
      'ERR_FLAG_CONFLICT',
      '--mfa-token is good for one request, and this command makes more',
      {
        hint: 'let a command give each code: --mfa-command',
      },
    );
  return oneTimeCodes(codeProvider(mfaToken, mfaCommand), { serialNumber });
}

function codeProvider(mfaToken: string | undefined, mfaCommand: string | undefined): TokenProvider {
  if (mfaToken !== undefined) return async () => mfaToken;
  if (mfaCommand !== undefined) return commandTokenProvider(mfaCommand, { stderr: 'inherit' });
  return terminalTokenProvider();
}
