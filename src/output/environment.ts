/** Credentials as the variables of a process: which to set, and which of those that are there to take away. */
import { formatExpiration } from '../credentials/expiration.ts';
import type { AwsCredentials } from '../credentials/credentials.ts';

/** Variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What a process is given. */
export interface CredentialVariables {
  /** Names and values, in the order to show them. */
  readonly set: ReadonlyMap<string, string>;
  /** Names to take away: by them, an SDK would find other credentials, or take them for a part of these. */
  readonly remove: readonly string[];
}

/** The variables that {@link credentialVariables} sets of a set of credentials. */
const OF_CREDENTIALS = [
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AWS_CREDENTIAL_EXPIRATION',
  'AWS_ACCOUNT_ID',
] as const;

/** Those of the container endpoint, which the SDKs ask when nothing that comes first has credentials. */
const OF_CONTAINERS = [
  'AWS_CONTAINER_CREDENTIALS_FULL_URI',
  'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
  'AWS_CONTAINER_AUTHORIZATION_TOKEN',
  'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE',
] as const;

/**
 * Every variable by which an AWS SDK or the AWS CLI finds credentials, or chooses between those that it finds.
 *
 * Source: AWS SDKs and Tools Reference Guide, "Environment variables"; the older names of botocore (AWS_SECURITY_TOKEN,
 * AWS_DEFAULT_PROFILE), of the SDK for Java 1 (AWS_ACCESS_KEY, AWS_SECRET_KEY) and of aws-vault (AWS_SESSION_EXPIRATION).
 */
export const CREDENTIAL_VARIABLES: readonly string[] = [
  ...OF_CREDENTIALS,
  'AWS_SECURITY_TOKEN',
  'AWS_ACCESS_KEY',
  'AWS_SECRET_KEY',
  'AWS_SESSION_EXPIRATION',
  'AWS_CREDENTIAL_SCOPE',
  // With a profile, the SDK for JavaScript skips the environment, and others take region and role from it.
  'AWS_PROFILE',
  'AWS_DEFAULT_PROFILE',
  'AWS_ROLE_ARN',
  'AWS_ROLE_SESSION_NAME',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
  ...OF_CONTAINERS,
  'AWS_EC2_METADATA_SERVICE_ENDPOINT',
  'AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE',
  // A bearer token comes before credentials where a service takes one.
  'AWS_BEARER_TOKEN_BEDROCK',
];

/**
 * The variables of a set of credentials.
 *
 * @param region for AWS_REGION and AWS_DEFAULT_REGION; left out, both are left as they are
 */
export function credentialVariables(credentials: AwsCredentials, region?: string): CredentialVariables {
  const { accessKeyId, secretAccessKey, sessionToken, expiration, accountId } = credentials;
  return variables([
    ['AWS_ACCESS_KEY_ID', accessKeyId],
    ['AWS_SECRET_ACCESS_KEY', secretAccessKey],
    ['AWS_SESSION_TOKEN', sessionToken],
    ['AWS_CREDENTIAL_EXPIRATION', expiration && formatExpiration(expiration)],
    ['AWS_ACCOUNT_ID', accountId],
    ['AWS_REGION', region],
    ['AWS_DEFAULT_REGION', region],
  ]);
}

/** The variables by which an SDK finds a container endpoint, those of `given`, and nothing else. */
export function endpointVariables(given: Readonly<Record<string, string>>, region?: string): CredentialVariables {
  return variables([...Object.entries(given), ['AWS_REGION', region], ['AWS_DEFAULT_REGION', region]]);
}

function variables(given: readonly (readonly [string, string | undefined])[]): CredentialVariables {
  const set = new Map(given.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])));
  return { set, remove: CREDENTIAL_VARIABLES.filter((name) => !set.has(name)) };
}

/**
 * The environment of a child process: that of its parent with the changes. Windows knows a variable by its name in any
 * case.
 *
 * @param secrets names of further variables to take away, which concern this program alone
 */
export function childEnvironment(
  parent: Environment,
  { set, remove }: CredentialVariables,
  secrets: readonly string[] = [],
  platform: NodeJS.Platform = process.platform,
): Record<string, string> {
  const nameOf = (name: string): string => (platform === 'win32' ? name.toUpperCase() : name);
  const gone = new Set([...set.keys(), ...remove, ...secrets]);
  const kept = Object.entries(parent).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && !gone.has(nameOf(entry[0])) && !nameOf(entry[0]).startsWith('AWS_BEARER_TOKEN_'),
  );
  return Object.fromEntries([...kept, ...set]);
}
