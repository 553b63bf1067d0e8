/** Where AWS's files are, and whether the config file has anything to say. On the path of every run, unlike what reads it. */
// Tests: test/options/config/configured.test.ts
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readNamedFile, systemCode } from '../../platform/files.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** `AWS_CONFIG_FILE`, else `~/.aws/config`. A leading `~/` is the home directory. */
export function configPath(env: Environment, home: string = defaultHome(env)): string {
  return sharedPath(env['AWS_CONFIG_FILE'], 'config', home);
}

/** `AWS_SHARED_CREDENTIALS_FILE`, else `~/.aws/credentials`. A leading `~/` is the home directory. */
export function credentialsPath(env: Environment, home: string = defaultHome(env)): string {
  return sharedPath(env['AWS_SHARED_CREDENTIALS_FILE'], 'credentials', home);
}

function sharedPath(path: string | undefined, file: string, home: string): string {
  if (path === undefined || path === '') return join(home, '.aws', file);
  return path.startsWith('~/') ? join(home, path.slice(2)) : path;
}

function defaultHome(env: Environment): string {
  const own = process.platform === 'win32' ? '' : env['HOME'];
  if (own !== undefined && own !== '') return own;
  // An empty HOME would make the working directory a home, and Node's homedir() reads it too.
  const { homedir, userInfo } = process.getBuiltinModule('node:os');
  return homedir() || userInfo().homedir;
}

/** AWS's own keys that count here; those that only qualify them are left out. */
const KEYS = /use_(?:fips|dualstack)_endpoint|ca_bundle|endpoint_url|max_attempts|retry_mode/i;

/**
 * The config file's text, if one of AWS's keys is in it, whichever profile it may be of. What cannot be read holds none,
 * as the SDKs have it; empty where the file that `AWS_CONFIG_FILE` names is there and cannot be read.
 */
export function sharedConfig(env: Environment): string | undefined {
  const path = configPath(env);
  // Most machines that run this have none; an error takes more to make than all else here.
  if (!env['AWS_CONFIG_FILE'] && !existsSync(path)) return undefined;
  try {
    const text = Buffer.from(readNamedFile({ path, name: path }).bytes).toString();
    return KEYS.test(text) ? text : undefined;
  } catch (error) {
    return env['AWS_CONFIG_FILE'] && !/^ENO(?:ENT|TDIR)$/.test(systemCode(error) ?? '') ? '' : undefined;
  }
}
