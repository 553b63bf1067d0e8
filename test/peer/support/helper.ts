/** AWS's own helper, as a program to compare with. Nothing of it is in this package: it is installed by Go, for tests only. */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cleanEnv } from '../../support/cli.ts';
import { requireTool } from '../../support/tools.ts';

const MODULE = 'github.com/aws/rolesanywhere-credential-helper';

/** The newest that Go's module proxy serves. */
const HELPER_VERSION = 'v1.7.3';

const PROGRAM = 'rolesanywhere-credential-helper';
const CACHE = fileURLToPath(new URL('../../../node_modules/.cache/peer/', import.meta.url));
const INSTALL_TIMEOUT_MS = 600_000;

/**
 * The path of AWS's helper: one that Go has installed here already, else one installed for the occasion, which takes half
 * a minute. Undefined, with a word, where there is no Go, or the module cannot be had; an error when every tool is required.
 */
export async function findHelper(): Promise<string | undefined> {
  const installed = join(CACHE, HELPER_VERSION, PROGRAM);
  if (existsSync(installed)) return installed;
  if (!requireTool('go')) {
    console.warn("AWS's helper is not compared with: there is no Go here to install it");
    return undefined;
  }
  const found = goFolders().find((folder) => isWanted(join(folder, PROGRAM)));
  if (found !== undefined) return join(found, PROGRAM);
  try {
    return await install(installed);
  } catch (error) {
    if (process.env['ROLES_ANYWHERE_REQUIRE_TOOLS'] === '1') throw error;
    console.warn(`AWS's helper is not compared with: ${String(error)}`);
    return undefined;
  }
}

/** Where `go install` puts programs. */
function goFolders(): string[] {
  const [bin = '', path = ''] = go(['env', 'GOBIN', 'GOPATH']).split('\n');
  return [
    bin,
    ...(path === '' ? [join(homedir(), 'go')] : path.split(':')).map((folder) => join(folder, 'bin')),
  ].filter((folder) => folder !== '');
}

function isWanted(path: string): boolean {
  if (!existsSync(path)) return false;
  return go(['version', '-m', path])
    .split('\n')
    .some((line) => line.split('\t').slice(1, 4).join(' ') === `mod ${MODULE} ${HELPER_VERSION}`);
}

function go(args: readonly string[]): string {
  return execFileSync('go', args, { encoding: 'utf8', env: goEnv() });
}

/** Installs into a folder of its own, which takes its place whole: two suites may do so at once. */
async function install(path: string): Promise<string> {
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, 'new-'));
  try {
    await promisify(execFile)('go', ['install', `${MODULE}@${HELPER_VERSION}`], {
      env: { ...goEnv(), GOBIN: folder },
      timeout: INSTALL_TIMEOUT_MS,
    });
    if (!existsSync(path)) renameSync(folder, join(CACHE, HELPER_VERSION));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return path;
}

/** Go needs a home for its caches; GOFLAGS of the machine are not for this module. */
function goEnv(): Record<string, string> {
  const { PATH = '', GOPATH = '', GOBIN = '', GOPROXY = '', GOCACHE = '', GOTOOLCHAIN = '' } = process.env;
  const kept = Object.entries({ GOPATH, GOBIN, GOPROXY, GOCACHE, GOTOOLCHAIN }).filter(([, value]) => value !== '');
  return cleanEnv({ ...Object.fromEntries(kept), PATH, HOME: homedir(), GOFLAGS: '' });
}
