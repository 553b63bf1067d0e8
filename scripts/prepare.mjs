// Brings a checkout, even a bare clone, to where its tests and its demo can run: packages installed, program built,
// development PKI made. Each step runs only when its result is missing or stale. Node builtins only: this runs before
// anything is installed. Run by itself, it does just that.
import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout's top folder. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const DAY_MS = 24 * 60 * 60 * 1000;

/** @returns {Promise<void>} when all three are there; a failed step is thrown after its own output was shown */
export async function prepare() {
  assertSupportedNode();
  if (!installed()) await step('installing packages (npm ci)', ...npm('ci', '--no-audit', '--no-fund'));
  if (isOlder('dist/cli.cjs', ['src', 'scripts/build.mjs', 'scripts/build', 'package.json', 'tsconfig.build.json']))
    await step('building', process.execPath, ['scripts/build.mjs']);
  if (isOlder('certs-dev/out/root.pem', ['certs-dev']) || expiresSoon('certs-dev/out/ec-p256.crt.pem'))
    await step('making the development certificates', process.execPath, ['scripts/run-ts.mjs', 'certs-dev/main.ts']);
}

/** The command and arguments of the npm that started us, else of the one on the PATH. */
export function npm(...args) {
  const cli = process.env.npm_execpath;
  return cli?.endsWith('.js') ? [process.execPath, [cli, ...args]] : ['npm', args];
}

function assertSupportedNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (!((major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major >= 24))
    throw new Error(`node ${process.versions.node} is too old: this needs 20.19, 22.12, 24 or newer`);
}

/** Whether node_modules holds what the lockfile says, packages for other platforms aside. */
function installed() {
  const hidden = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(hidden)) return false;
  const present = JSON.parse(readFileSync(hidden, 'utf8')).packages;
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  return Object.entries(wanted).every(
    ([path, { version, optional }]) =>
      path === '' || (present[path] === undefined ? optional === true : present[path].version === version),
  );
}

/** Whether `result` is missing, or older than anything below `sources` (a folder's own time tells of deletions). */
function isOlder(result, sources) {
  const file = join(root, result);
  return (
    !existsSync(file) || sources.some((source) => newest(join(root, source), dirname(file)) > statSync(file).mtimeMs)
  );
}

function newest(path, except) {
  const stats = statSync(path);
  if (!stats.isDirectory()) return stats.mtimeMs;
  const inside = readdirSync(path).map((name) => join(path, name));
  // The folder that results are written into lies inside its sources' folder: neither it nor its making counts.
  if (inside.includes(except))
    return Math.max(...inside.filter((entry) => entry !== except).map((entry) => newest(entry, except)));
  return Math.max(stats.mtimeMs, ...inside.map((entry) => newest(entry, except)));
}

function expiresSoon(file) {
  return Date.parse(new X509Certificate(readFileSync(join(root, file))).validTo) < Date.now() + DAY_MS;
}

/** Runs one step with a line on stderr for it; its output is shown only if it fails. */
async function step(what, command, args) {
  const started = performance.now();
  process.stderr.write(`${what} ... `);
  const { status, output } = await run(command, args);
  if (status !== 0) {
    process.stderr.write(`failed\n${output}`);
    throw new Error(`${what} failed with status ${status}`);
  }
  process.stderr.write(`done in ${((performance.now() - started) / 1000).toFixed(1)} s\n`);
}

function run(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: process.platform === 'win32' && command === 'npm', // npm is a .cmd file there
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => (output += text));
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ status: code ?? signal, output }));
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await prepare().catch((error) => {
    console.error(`error: ${error.message}`);
    process.exitCode = 1;
  });
}
