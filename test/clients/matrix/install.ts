/** Gets the clients of the matrix that come from npm and from the Go module proxy, into a cache of the checkout. */
import { execFile, execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { requireModule, requireTool } from '../../support/tools.ts';
import type { Client, Files } from './clients.ts';

const run = promisify(execFile);

const CACHE = join(process.cwd(), 'node_modules/.cache/clients');
const HERE = join(process.cwd(), 'test/clients/matrix');

export const FILES: Files = { npm: join(CACHE, 'npm'), large: join(CACHE, 'large'), go: join(CACHE, 'go') };

/** Under this variable CI has a suite fail whose tool is missing: then what is missing is installed. */
const REQUIRED = process.env['ROLES_ANYWHERE_REQUIRE_TOOLS'] === '1';

/**
 * Makes ready what clients need to run.
 *
 * @param install whether to ask a registry; without it, what is not there is left out
 * @returns those clients that can be run
 */
export async function makeReady(clients: readonly Client[], install = REQUIRED): Promise<readonly Client[]> {
  const npm = clients.some(({ source }) => source.kind === 'npm') && (await npmFolder(install));
  const large = await largeFolder(
    clients.flatMap(({ source }) => (source.kind === 'large' ? source.packages : [])),
    install,
  );
  const go = clients.some(({ source }) => source.kind === 'library') && (await goProgram());
  const ready: Client[] = [];
  for (const client of clients) if (await isReady(client, { npm, large, go, install })) ready.push(client);
  return ready;
}

function isReady(
  { source }: Client,
  { npm, large, go, install }: { npm: boolean; large: boolean; go: boolean; install: boolean },
): boolean | Promise<boolean> {
  if (source.kind === 'npm') return npm;
  if (source.kind === 'large') return large;
  if (source.kind === 'library') return go;
  if (source.kind === 'PATH') return requireTool(source.command);
  if (source.kind === 'command') return goCommand(source, install);
  if (source.kind === 'dev') return true;
  return source.module === undefined ? requirePackage(source.package) : requireModule(source.module);
}

/** The version of a client, as its source says it. */
export function versionOf({ source }: Client): string {
  if (source.kind === 'dev') return packageVersion(join(process.cwd(), 'node_modules', source.package));
  if (source.kind === 'npm') return packageVersion(join(FILES.npm, 'node_modules', source.package));
  if (source.kind === 'large') return packageVersion(join(FILES.large, 'node_modules', source.package));
  if (source.kind === 'command') return source.version.replace(/^v/, '');
  if (source.kind === 'PATH') {
    const { terraform_version: version } = parse(output(source.command, 'version', '-json'));
    return version ?? '';
  }
  if (source.kind === 'library')
    return (parse(output(join(FILES.go, 'go-sdks'), 'versions'))[source.library] ?? '').replace(/^v/, '');
  // The upstream part of Debian's version.
  return output('dpkg-query', '-W', '-f=${Version}', source.package).replaceAll(/^\d+:|[-+].*$/g, '');
}

function parse(json: string): Record<string, string> {
  return JSON.parse(json) as Record<string, string>;
}

function output(file: string, ...args: string[]): string {
  return execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}

function packageVersion(folder: string): string {
  return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }).version;
}

function requirePackage(name: string): boolean {
  try {
    return output('dpkg-query', '-W', '-f=${db:Status-Abbrev}', name).startsWith('ii');
  } catch {
    if (REQUIRED)
      throw new Error(`Debian's ${name} is missing, and ROLES_ANYWHERE_REQUIRE_TOOLS=1 requires every tool`);
    return false;
  }
}

/** No install script runs: what has a binary brings it along. */
const NPM_FLAGS = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];

/** Installs the packages of test/clients/matrix/npm. */
async function npmFolder(install: boolean): Promise<boolean> {
  const lock = readFileSync(join(HERE, 'npm/package-lock.json'), 'utf8');
  if (!isStamped(FILES.npm, lock)) {
    if (!install) return false;
    cpSync(join(HERE, 'npm'), FILES.npm, { recursive: true });
    await run('npm', ['ci', ...NPM_FLAGS], { cwd: FILES.npm });
    writeFileSync(join(FILES.npm, STAMP), lock);
  }
  copyPrograms(FILES.npm);
  return true;
}

/** Installs packages of given versions. */
async function largeFolder(packages: readonly string[], install: boolean): Promise<boolean> {
  if (packages.length === 0) return false;
  if (!isStamped(FILES.large, packages.join(' '))) {
    if (!install) return false;
    mkdirSync(FILES.large, { recursive: true });
    writeFileSync(join(FILES.large, 'package.json'), '{"private":true}');
    await run('npm', ['install', '--no-save', ...NPM_FLAGS, ...packages], { cwd: FILES.large });
    writeFileSync(join(FILES.large, STAMP), packages.join(' '));
  }
  copyPrograms(FILES.large);
  return true;
}

/** Says what was installed, beside it, once it is whole. */
const STAMP = 'installed';

function isStamped(folder: string, content: string): boolean {
  const stamp = join(folder, STAMP);
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === content;
}

/** Programs find packages from where they are. */
function copyPrograms(folder: string): void {
  for (const name of readdirSync(join(HERE, 'programs')))
    if (/\.[cm]js$/.test(name)) cpSync(join(HERE, 'programs', name), join(folder, name));
}

/** Builds test/clients/go-sdks. */
async function goProgram(): Promise<boolean> {
  if (!requireTool('go')) return false;
  const args = ['build', '-trimpath', '-buildvcs=false', '-o', join(FILES.go, 'go-sdks'), '.'];
  await run('go', args, { cwd: join(process.cwd(), 'test/clients/go-sdks'), env: goEnvironment() });
  return true;
}

async function goCommand(
  { command, path, version }: { command: string; path: string; version: string },
  install: boolean,
): Promise<boolean> {
  const built = join(FILES.go, `${command}-${version}`);
  if (existsSync(built)) return true;
  if (!install || !requireTool('go')) return false;
  mkdirSync(FILES.go, { recursive: true });
  await run('go', ['install', `${path}@${version}`], { cwd: FILES.go, env: { ...goEnvironment(), GOBIN: FILES.go } });
  renameSync(join(FILES.go, command), built);
  return true;
}

function goEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, GOFLAGS: '' };
}
