/** A profile of the AWS CLI's files: an access key, or a process that gives credentials. */
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { RolesAnywhereError } from '../platform/errors.ts';
import type { AwsCredentials } from '../credentials/credentials.ts';
import type { Source, SourceSurroundings } from './source.ts';
import { readJsonCredentials } from './json-credentials.ts';

const PROCESS_TIMEOUT_MS = 60_000;
const MAX_OUTPUT_BYTES = 64 * 1024;
const MAX_FILE_BYTES = 1024 * 1024;

/**
 * AWS SDKs and Tools Reference Guide, "Shared config and credentials files".
 * The credentials file goes before the configuration file, and an access key
 * before a process. Other kinds of profile (SSO, roles) are for the AWS CLI.
 */
export const fromProfile: Source = async (surroundings) => {
  const { env, profile = env['AWS_PROFILE'] } = surroundings;
  const name = profile === undefined || profile === '' ? 'default' : profile;
  const credentials = await readSection(pathOf(env, 'AWS_SHARED_CREDENTIALS_FILE', 'credentials'), name);
  const section = name === 'default' ? name : `profile ${name}`;
  const config = await readSection(pathOf(env, 'AWS_CONFIG_FILE', 'config'), section);
  for (const settings of [credentials, config]) {
    const accessKeyId = settings?.get('aws_access_key_id');
    if (accessKeyId !== undefined)
      return {
        accessKeyId,
        secretAccessKey: settings?.get('aws_secret_access_key') ?? '',
        sessionToken: settings?.get('aws_session_token'),
      };
  }
  const command = credentials?.get('credential_process') ?? config?.get('credential_process');
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

function pathOf(env: SourceSurroundings['env'], variable: string, file: string): string {
  return env[variable] || join(env['HOME'] || homedir(), '.aws', file);
}

/** A file's text; empty where there is none. */
async function readText(path: string): Promise<string> {
  try {
    // Not to wait for whoever may write to a pipe: nothing can interrupt that, not even the end of the process.
    const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const stats = await file.stat();
      if (!stats.isFile()) throw unreadable(path, 'is not a file', 'name a file');
      if (stats.size > MAX_FILE_BYTES) throw unreadable(path, 'is larger than 1 MiB', 'name the right file');
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof RolesAnywhereError) throw cause;
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return '';
    throw unreadable(path, 'cannot be read', 'check its mode', cause);
  }
}

function unreadable(path: string, what: string, hint: string, cause?: unknown): RolesAnywhereError {
  return new RolesAnywhereError('ERR_SOURCE_CREDENTIALS', `${path} ${what}`, { hint, cause });
}

/** A section's settings, names in lower case; undefined when there is no such section, or no file. */
async function readSection(path: string, name: string): Promise<ReadonlyMap<string, string> | undefined> {
  const text = await readText(path);
  let section: Map<string, string> | undefined;
  let inside = false;
  for (const line of text.split(/\r?\n/)) {
    const [, header] = /^\s*\[\s*([^\]]*?)\s*\]/.exec(line) ?? [];
    if (header !== undefined) {
      inside = header.replace(/\s+/, ' ').replaceAll('"', '') === name;
      if (inside) section ??= new Map();
      continue;
    }
    // Nested settings are indented, comments begin a line.
    const [, key, value] = /^([A-Za-z]\w*)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (inside && key !== undefined && value !== undefined && value !== '') section?.set(key.toLowerCase(), value);
  }
  return section;
}

/** Through the shell, as the SDKs for Go, Java and JavaScript do. */
function fromProcess(command: string, env: SourceSurroundings['env']): Promise<AwsCredentials> {
  const options = { shell: true, env, timeout: PROCESS_TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES, windowsHide: true };
  return new Promise((resolve, reject) => {
    execFile(command, [], options, (error, stdout) => {
      try {
        if (error === null)
          return resolve(readJsonCredentials(stdout, 'SessionToken', "the profile's credential_process"));
        // Its message holds the command, which may hold a password; and what it printed may hold credentials.
        throw new RolesAnywhereError('ERR_SOURCE_CREDENTIALS', "the profile's credential_process failed", {
          hint: 'run it by itself to see why',
        });
      } catch (failure) {
        return reject(failure instanceof Error ? failure : new TypeError('not an error'));
      }
    });
  });
}
