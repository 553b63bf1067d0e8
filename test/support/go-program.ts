/** Programs of others that suites run as oracles, installed by Go. Nothing of them is in this package. */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cleanEnv } from './cli.ts';
import { requireTool } from './tools.ts';

export interface GoProgram {
  /** Of the module, as its `go.mod` has it. */
  readonly module: string;
  /** Below the module; empty for the module's own root. */
  readonly package: string;
  readonly version: string;
  /** Whether it is built with what it has in C. Default: where there is a compiler. */
  readonly cgo?: false | undefined;
}

const CACHE = fileURLToPath(new URL('../../node_modules/.cache/go/', import.meta.url));

/** Large programs take minutes on two cores. */
export const GO_INSTALL_TIMEOUT_MS = 900_000;

/**
 * The path of a program: one that Go has installed here already, else one installed for the occasion. Undefined, with a
 * word, where there is no Go, or the module cannot be had; an error when every tool is required.
 */
export async function findGoProgram(wanted: GoProgram): Promise<string | undefined> {
  const program = basename(wanted.package === '' ? wanted.module : wanted.package);
  const folder = join(CACHE, `${program}@${wanted.version}`);
  const installed = join(folder, program);
  if (existsSync(installed)) return installed;
  if (!requireTool('go')) {
    console.warn(`${program} is not run: there is no Go here to install it`);
    return undefined;
  }
  const found = goFolders().find((one) => isWanted(join(one, program), wanted));
  if (found !== undefined) return join(found, program);
  try {
    await install(wanted, folder);
    return installed;
  } catch (error) {
    if (process.env['ROLES_ANYWHERE_REQUIRE_TOOLS'] === '1') throw error;
    console.warn(`${program} is not run: ${String(error)}`);
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

function isWanted(path: string, { module, version }: GoProgram): boolean {
  if (!existsSync(path)) return false;
  return go(['version', '-m', path])
    .split('\n')
    .some((line) => line.split('\t').slice(1, 4).join(' ') === `mod ${module} ${version}`);
}

function go(args: readonly string[]): string {
  return execFileSync('go', args, { encoding: 'utf8', env: goEnv() });
}

/** Installs into a folder of its own, which takes its place whole: two suites may do so at once. */
async function install({ module, package: path, version, cgo }: GoProgram, folder: string): Promise<void> {
  mkdirSync(CACHE, { recursive: true });
  const made = mkdtempSync(join(CACHE, 'new-'));
  try {
    await promisify(execFile)('go', ['install', `${module}${path === '' ? '' : `/${path}`}@${version}`], {
      env: { ...goEnv(), GOBIN: made, ...(cgo === false && { CGO_ENABLED: '0' }) },
      timeout: GO_INSTALL_TIMEOUT_MS,
    });
    if (!existsSync(folder)) renameSync(made, folder);
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

/** Go needs a home for its caches; GOFLAGS of the machine are not for these modules. */
function goEnv(): Record<string, string> {
  const { PATH = '', GOPATH = '', GOBIN = '', GOPROXY = '', GOCACHE = '', GOTOOLCHAIN = '' } = process.env;
  const kept = Object.entries({ GOPATH, GOBIN, GOPROXY, GOCACHE, GOTOOLCHAIN }).filter(([, value]) => value !== '');
  return cleanEnv({ ...Object.fromEntries(kept), PATH, HOME: homedir(), GOFLAGS: '' });
}
