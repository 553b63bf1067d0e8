/** A profile of the AWS CLI's files: an access key, or a process that gives credentials. */
// Tests: test/sources/sources.test.ts
import { spawn } from 'node:child_process';
import { ConfigFile, readConfigText } from '../options/config/file.ts';
import { configPath, credentialsPath } from '../options/config/shared.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { systemCode } from '../platform/files.ts';
import type { AwsCredentials } from '../credentials/credentials.ts';
import type { Source, SourceSurroundings } from './source.ts';
import { readJsonCredentials } from './json-credentials.ts';

const PROCESS_TIMEOUT_MS = 60_000;
const MAX_OUTPUT_BYTES = 64 * 1024;

/**
 * AWS SDKs and Tools Reference Guide, "Shared config and credentials files".
 * The credentials file goes before the configuration file, and an access key
 * before a process. Other kinds of profile (SSO, roles) are for the AWS CLI. What the AWS CLI and the AWS SDK for
 * JavaScript read differently is an error, as in the configuration.
 */
export const fromProfile: Source = async (surroundings) => {
  const { env, profile = env['AWS_PROFILE'] } = surroundings;
  const name = profile === undefined || profile === '' ? 'default' : profile;
  const credentials = readFile(credentialsPath(env))?.find('key', name);
  const config = readFile(configPath(env))?.find('profile', name);
  for (const settings of [credentials, config]) {
    const accessKeyId = settings?.get('aws_access_key_id')?.value;
    if (accessKeyId !== undefined)
      return {
        accessKeyId,
        secretAccessKey: settings?.get('aws_secret_access_key')?.value ?? '',
        sessionToken: settings?.get('aws_session_token')?.value,
      };
  }
  const command = (credentials?.get('credential_process') ?? config?.get('credential_process'))?.value;
  if (command !== undefined) return await fromProcess(command, env);
  if (profile === undefined || profile === '') return undefined;
  const kind =
    credentials === undefined && config === undefined
      ? 'is in no file'
      : 'has neither an access key nor a credential_process';
  throw new RolesAnywhereError('ERR_SOURCE_CREDENTIALS', `profile ${JSON.stringify(name)} ${kind}`, {
    hint: 'for SSO and roles, export its credentials first: aws configure export-credentials --format env',
  });
};

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

/**
 * Through the shell, as the SDKs for Go, Java and JavaScript do. It may ask a person, as the AWS CLI lets it: standard
 * input and standard error are this process's own.
 */
function fromProcess(command: string, env: SourceSurroundings['env']): Promise<AwsCredentials> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, { shell: true, env, stdio: ['inherit', 'pipe', 'inherit'], windowsHide: true });
    // What it started may outlive it and hold the pipe open.
    const stop = (): void => {
      child.kill();
      child.stdout.destroy();
    };
    const timer = setTimeout(stop, PROCESS_TIMEOUT_MS);
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (output.length > MAX_OUTPUT_BYTES) stop();
    });
    const failed = (what: string): void => {
      clearTimeout(timer);
      // Neither the command, which may hold a password, nor what it printed, which may hold credentials, is shown.
      reject(
        new RolesAnywhereError('ERR_SOURCE_CREDENTIALS', `the profile's credential_process ${what}`, {
          hint: 'run it by itself to see why',
        }),
      );
    };
    child.on('error', () => failed('cannot be run'));
    child.on('close', (status, signal) => {
      if (status !== 0) return failed(`failed (${signal ?? `status ${status}`})`);
      clearTimeout(timer);
      try {
        return resolve(readJsonCredentials(output, 'SessionToken', "the profile's credential_process"));
      } catch (error) {
        return reject(error instanceof Error ? error : new TypeError('not an error'));
      }
    });
  });
}
