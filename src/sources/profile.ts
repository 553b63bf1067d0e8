/** A profile of the AWS CLI's files: an access key, a process that gives credentials, or a role to assume with those of another. */
// Tests: test/sources/sources.test.ts, profile-roles.test.ts
import { ConfigFile, profileHeader, readConfigText } from '../options/config/file.ts';
import { configPath, credentialsPath } from '../options/config/shared.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { systemCode } from '../platform/files.ts';
import { nearest } from '../platform/suggest.ts';
import type { AwsCredentials } from '../credentials/credentials.ts';
import { fromContainer } from './container.ts';
import { fromEnvironment } from './environment.ts';
import { fromImds } from './imds.ts';
import type { Source, SourceSurroundings } from './source.ts';
import { ofToken } from './web-identity.ts';

/**
 * AWS SDKs and Tools Reference Guide, "Shared config and credentials files" and "Assume role credential provider".
 * A role goes before an access key, which is where it starts from when the profile is its own source; the credentials
 * file goes before the configuration file, and an access key before a process. SSO is for the AWS CLI. What the AWS CLI
 * and the AWS SDK for JavaScript read differently is an error, as in the configuration.
 */
export const fromProfile: Source = async (surroundings) => {
  const { env, profile = env['AWS_PROFILE'] } = surroundings;
  return await ofProfile(profile === undefined || profile === '' ? undefined : profile, surroundings, []);
};

/** @param before the profiles that lead here, by role_arn and source_profile */
async function ofProfile(
  profile: string | undefined,
  surroundings: SourceSurroundings,
  before: readonly string[],
): Promise<AwsCredentials | undefined> {
  const { env } = surroundings;
  const name = profile ?? 'default';
  const credentials = readFile(credentialsPath(env))?.find('key', name);
  const configFile = readFile(configPath(env));
  const config = configFile?.find('profile', name);
  const one = (key: string): string | undefined => (credentials?.get(key) ?? config?.get(key))?.value;
  const roleArn = one('role_arn');
  // A profile may be its own source: then its access key is.
  if (roleArn !== undefined && before.at(-1) !== name)
    return await ofRole({ name, roleArn, one }, surroundings, [...before, name]);
  for (const settings of [credentials, config]) {
    const accessKeyId = settings?.get('aws_access_key_id')?.value;
    if (accessKeyId !== undefined)
      return {
        accessKeyId,
        secretAccessKey: settings?.get('aws_secret_access_key')?.value ?? '',
        sessionToken: settings?.get('aws_session_token')?.value,
      };
  }
  const command = one('credential_process');
  if (command !== undefined) {
    const path = credentials?.get('credential_process') === undefined ? configPath(env) : credentialsPath(env);
    const { fromProcess } = await import('./credential-process.ts');
    // Where no time is set it has its own, since it may ask a person.
    return await fromProcess(command, { env, profile: name, path, timeoutMs: surroundings.retry?.timeoutMs });
  }
  if (profile === undefined) return undefined;
  if (credentials === undefined && config === undefined) {
    const known = nearest(name, configFile?.profiles() ?? []);
    throw refused(
      `profile ${JSON.stringify(name)} is in no file`,
      `${known === undefined ? '' : `did you mean ${known}? `}looked in ${credentialsPath(env)} for [${name}] and in ${configPath(env)} for ${profileHeader(name)}`,
    );
  }
  throw refused(
    `profile ${JSON.stringify(name)} has neither an access key nor a credential_process, nor a role_arn`,
    'for SSO, export its credentials first: aws configure export-credentials --format env',
  );
}

/** A profile that is a role. */
interface RoleProfile {
  readonly name: string;
  readonly roleArn: string;
  readonly one: (key: string) => string | undefined;
}

/** What `credential_source` may be, and whom it asks. */
const CREDENTIAL_SOURCES: Readonly<Record<string, Source>> = {
  Environment: fromEnvironment,
  Ec2InstanceMetadata: fromImds,
  EcsContainer: fromContainer,
};

async function ofRole(
  { name, roleArn, one }: RoleProfile,
  surroundings: SourceSurroundings,
  before: readonly string[],
): Promise<AwsCredentials> {
  const shown = `profile ${JSON.stringify(name)}`;
  const duration = one('duration_seconds');
  if (duration !== undefined && !/^\d{1,6}$/.test(duration))
    throw refused(`${shown}: duration_seconds is not a number of seconds`, 'give 900 to 43200');
  const durationSeconds = duration === undefined ? undefined : Number(duration);
  const roleSessionName = one('role_session_name');
  // It goes before a source, as in the AWS CLI.
  const file = one('web_identity_token_file');
  if (file !== undefined)
    return await ofToken(shown, { file, roleArn, roleSessionName, durationSeconds }, surroundings);
  const source = one('source_profile');
  const kind = one('credential_source');
  if ((source === undefined) === (kind === undefined))
    throw refused(
      `${shown} has a role_arn and ${source === undefined ? 'neither' : 'both'} source_profile ${source === undefined ? 'nor' : 'and'} credential_source`,
      source === undefined ? 'give one of the two, or web_identity_token_file' : 'give one of the two',
    );
  const { assume } = surroundings;
  if (assume === undefined)
    throw refused(`${shown} is a role, which is not assumed here`, 'name a profile with an access key');
  if (source !== undefined && source !== name && before.includes(source))
    throw refused(
      `the profiles lead in a circle: ${[...before, source].map((step) => JSON.stringify(step)).join(' -> ')}`,
      'the last source_profile of a chain has an access key, a credential_process or a credential_source',
    );
  if (kind !== undefined && CREDENTIAL_SOURCES[kind] === undefined)
    throw refused(
      `${shown} has a credential_source that there is not: ${JSON.stringify(kind)}`,
      `it is ${Object.keys(CREDENTIAL_SOURCES).join(', ')}`,
    );
  const from =
    source === undefined
      ? await CREDENTIAL_SOURCES[kind ?? '']?.(surroundings)
      : await ofProfile(source, surroundings, before);
  if (from === undefined)
    throw refused(`${shown} starts from ${kind ?? 'a profile'}, which gives no credentials`, 'check credential_source');
  return await assume(
    {
      roleArn,
      roleSessionName,
      externalId: one('external_id'),
      serialNumber: one('mfa_serial'),
      durationSeconds,
    },
    from,
  );
}

function refused(message: string, hint: string): RolesAnywhereError {
  return new RolesAnywhereError('ERR_SOURCE_CREDENTIALS', message, { hint });
}

/** A file, read as the configuration is; undefined where there is none. */
function readFile(path: string): ConfigFile | undefined {
  const hint = 'check its mode, and that it is the right file';
  try {
    return new ConfigFile(readConfigText(path, { name: path, code: 'ERR_SOURCE_CREDENTIALS', hint }));
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
