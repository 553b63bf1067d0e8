/** Credentials on request: of one of the server's roles for a time of one's own, or of a role further on. */
// Tests: test/console/console.heavy.test.ts
import { assumeRole } from '../aws/assume-role.ts';
import type { Connection } from '../aws/connection.ts';
import { createSession } from '../aws/create-session.ts';
import type { CreateSessionInput } from '../aws/create-session.ts';
import { about, checkDuration } from '../aws/session-limits.ts';
import type { NameOf } from '../aws/session-limits.ts';
import { checkAssumeRole, checkChainedDuration } from '../aws/sts-input.ts';
import type { AssumeRoleInput } from '../aws/sts-input.ts';
import type { SessionCredentials } from '../credentials/credentials.ts';
import type { CredentialsProvider } from '../credentials/provider.ts';
import type { Identity } from '../identity/identity.ts';
import { credentialVariables } from '../output/environment.ts';
import { processJson } from '../output/process-json.ts';
import { profileLines } from '../output/profile-lines.ts';
import { assignment } from '../output/shell-lines.ts';
import { formatVariables } from '../output/variable-forms.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import type { FurtherRole, Issued, IssueRequest } from './api.ts';

/** One of the server's roles. */
export interface ConsoleRole {
  readonly name: string;
  readonly session: CreateSessionInput;
  /** Its credentials, from which other roles are assumed. */
  readonly provider: Pick<CredentialsProvider, 'get' | 'status'>;
}

export interface IssueOptions {
  readonly roles: readonly ConsoleRole[];
  /** Runs a task with the newest good identity. */
  readonly useIdentity: <T>(task: (identity: Identity) => Promise<T>) => Promise<T>;
  readonly connection: () => Connection;
  /** The role that every session goes on to, and the way there. */
  readonly further?:
    | {
        readonly roleArn: string;
        readonly goOn: (
          first: (signal: AbortSignal) => Promise<SessionCredentials>,
        ) => (signal: AbortSignal) => Promise<SessionCredentials>;
      }
    | undefined;
  /** The flags of the identity and of the connection, for a command line that gets the same. */
  readonly flags: readonly string[];
}

/** What was asked for, checked, and who it is of. */
export interface Grant {
  readonly credentials: SessionCredentials;
  readonly roleArn: string;
  readonly session: string | undefined;
  readonly region: string;
  /** For a sign-in, which is told a time for a first session alone; undefined: AWS decides. */
  readonly sessionDuration: number | undefined;
  readonly issued: Omit<Issued, 'id'>;
}

/** A person reads these, in a form with fields of that name. */
const NAMES: Readonly<Record<string, string>> = {
  roleArn: 'the role ARN',
  roleSessionName: 'the session name',
  durationSeconds: 'the duration',
  externalId: 'the external id',
  policy: 'the session policy',
  policyArns: 'the policy ARNs',
  tags: 'the session tags',
};
const nameOf: NameOf = (parameter) => NAMES[parameter] ?? parameter;

/**
 * Reads a request.
 *
 * @throws RolesAnywhereError `ERR_USAGE` for what is no request; of class `usage` for what AWS would refuse
 */
export function readIssueRequest(value: unknown): IssueRequest {
  const { role, durationSeconds, further }: Record<string, unknown> = objectOf(value);
  if (typeof role !== 'string' || typeof durationSeconds !== 'number') throw noRequest();
  checkDuration(durationSeconds, nameOf('durationSeconds'));
  if (further === undefined) return { role, durationSeconds };
  const { roleArn, roleSessionName, externalId, policy, tags }: Record<string, unknown> = objectOf(further);
  if (typeof roleArn !== 'string') throw noRequest();
  const read: FurtherRole = {
    roleArn,
    roleSessionName: optionalText(roleSessionName),
    externalId: optionalText(externalId),
    policy: optionalText(policy),
    tags: readTags(tags),
  };
  checkAssumeRole(assumeRoleInput(read, durationSeconds), nameOf);
  checkChainedDuration(durationSeconds, true, nameOf('durationSeconds'));
  return { role, durationSeconds, further: read };
}

/**
 * Obtains what was asked for.
 *
 * @throws RolesAnywhereError `ERR_USAGE`, the service's refusal, or what kept it from answering
 */
export async function issue(request: IssueRequest, options: IssueOptions, signal: AbortSignal): Promise<Grant> {
  const role = options.roles.find(({ name }) => name === request.role);
  if (role === undefined)
    throw new RolesAnywhereError('ERR_USAGE', 'this server has no such role', { hint: 'load the page again' });
  return request.further === undefined
    ? await ownRole(role, request.durationSeconds, options, signal)
    : await furtherRole(role, request.further, request.durationSeconds, options, signal);
}

async function ownRole(
  { session }: ConsoleRole,
  durationSeconds: number,
  { useIdentity, connection, further, flags }: IssueOptions,
  signal: AbortSignal,
): Promise<Grant> {
  // What `--assume-role-arn` goes on to has its own time, from its flags.
  const first = (given: AbortSignal): Promise<SessionCredentials> =>
    useIdentity((identity) =>
      createSession(
        { ...session, durationSeconds: further === undefined ? durationSeconds : session.durationSeconds, identity },
        { ...connection(), signal: given },
      ),
    );
  const credentials = await (further === undefined ? first(signal) : further.goOn(first)(signal));
  const roleArn = further?.roleArn ?? session.roleArn;
  const own = further === undefined ? ['--session-duration', String(durationSeconds)] : [];
  return {
    credentials,
    roleArn,
    session: sessionOf(credentials),
    region: session.region,
    sessionDuration: further === undefined ? durationSeconds : undefined,
    issued: issuedOf(credentials, roleArn, session, [...flags, ...roleFlags(session), ...own]),
  };
}

async function furtherRole(
  { session, provider }: ConsoleRole,
  further: FurtherRole,
  durationSeconds: number,
  { connection, flags, further: chain }: IssueOptions,
  signal: AbortSignal,
): Promise<Grant> {
  const from = await provider.get(signal);
  const input = assumeRoleInput(further, durationSeconds);
  const credentials = await assumeRole(
    { ...input, credentials: from, region: session.region },
    { ...connection(), signal },
  );
  // Hops of the command line come before this one, and their flags are in `flags`.
  const line = [...flags, ...roleFlags(session), ...(chain === undefined ? hopFlags(input) : [...hopItem(input)])];
  const { packedPolicySize } = credentials;
  return {
    credentials,
    roleArn: further.roleArn,
    session: sessionOf(credentials),
    region: session.region,
    sessionDuration: undefined,
    issued: { ...issuedOf(credentials, further.roleArn, session, line), packedPolicySize },
  };
}

function issuedOf(
  credentials: SessionCredentials,
  roleArn: string,
  { region }: CreateSessionInput,
  line: readonly string[],
): Omit<Issued, 'id'> {
  const { accessKeyId, secretAccessKey, sessionToken, expiration, assumedRoleArn } = credentials;
  // Of what could be in the way, a profile is what some SDKs prefer to variables.
  const changes = { set: credentialVariables(credentials, region).set, remove: ['AWS_PROFILE'] };
  return {
    roleArn,
    assumedRoleArn,
    accessKeyId,
    secretAccessKey,
    sessionToken,
    expiration: expiration.toISOString(),
    forms: {
      sh: formatVariables('env', changes),
      fish: formatVariables('fish', changes),
      powershell: formatVariables('powershell', changes),
      cmd: formatVariables('windows-cmd', changes),
      file: profileLines('roles-anywhere', credentials),
      json: processJson(credentials),
    },
    exec: `roles-anywhere exec ${line.map((word) => quoted(word)).join(' ')} -- aws sts get-caller-identity`,
  };
}

/** A word of a line for POSIX shells. */
function quoted(word: string): string {
  return assignment('', word).slice(1);
}

function roleFlags({ trustAnchorArn, profileArn, roleArn, roleSessionName }: CreateSessionInput): string[] {
  return [
    '--trust-anchor-arn',
    trustAnchorArn,
    '--profile-arn',
    profileArn,
    '--role-arn',
    roleArn,
    ...(roleSessionName === undefined ? [] : ['--role-session-name', roleSessionName]),
  ];
}

function hopFlags({
  roleArn,
  roleSessionName,
  durationSeconds,
  externalId,
  policy,
  tags = {},
}: AssumeRoleInput): string[] {
  return [
    '--assume-role-arn',
    roleArn,
    '--assume-role-duration',
    String(durationSeconds),
    ...(roleSessionName === undefined ? [] : ['--assume-role-session-name', roleSessionName]),
    ...(externalId === undefined ? [] : ['--external-id', externalId]),
    ...(policy === undefined ? [] : ['--policy', policy]),
    ...Object.entries(tags).flatMap(([key, value]) => ['--tag', `${key}=${value}`]),
  ];
}

/** A hop behind others has all that is its own in one value; a policy and tags, which may hold commas, come as flags of the last. */
function hopItem(input: AssumeRoleInput): string[] {
  const { roleArn, durationSeconds, roleSessionName, externalId, policy, tags = {} } = input;
  const settings = [
    `assume-role-duration=${durationSeconds}`,
    ...(roleSessionName === undefined ? [] : [`assume-role-session-name=${roleSessionName}`]),
  ];
  return [
    '--assume-role-arn',
    [roleArn, ...settings].join(','),
    ...(externalId === undefined ? [] : ['--external-id', externalId]),
    ...(policy === undefined ? [] : ['--policy', policy]),
    ...Object.entries(tags).flatMap(([key, value]) => ['--tag', `${key}=${value}`]),
  ];
}

/** The last part of `assumed-role/ROLE/SESSION`. */
function sessionOf({ assumedRoleArn }: SessionCredentials): string | undefined {
  return assumedRoleArn?.slice(assumedRoleArn.lastIndexOf('/') + 1);
}

function assumeRoleInput(
  { roleArn, roleSessionName, externalId, policy, tags }: FurtherRole,
  durationSeconds: number,
): AssumeRoleInput {
  return {
    roleArn,
    roleSessionName,
    externalId,
    policy,
    tags: tags && Object.fromEntries(tags),
    durationSeconds,
  };
}

function readTags(value: unknown): FurtherRole['tags'] {
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) throw noRequest();
  const keys = new Set<string>();
  return value.map((pair: unknown) => {
    if (!Array.isArray(pair)) throw noRequest();
    const [key, text]: unknown[] = pair;
    if (typeof key !== 'string' || typeof text !== 'string') throw noRequest();
    if (keys.has(key))
      throw new RolesAnywhereError(
        'ERR_TAG',
        `the session tags have ${JSON.stringify(key.slice(0, 200))} twice`,
        about('tags', 'leave one out'),
      );
    keys.add(key);
    return [key, text] as const;
  });
}

/** A field that was left empty is as good as none. */
function optionalText(value: unknown): string | undefined {
  if (value === undefined || value === '') return undefined;
  if (typeof value !== 'string') throw noRequest();
  return value;
}

function objectOf(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw noRequest();
  return { ...value };
}

function noRequest(): RolesAnywhereError {
  return new RolesAnywhereError('ERR_USAGE', 'what was sent is no request for credentials', {
    hint: 'load the page again: it may be of another version',
  });
}
