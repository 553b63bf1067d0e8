// Runs the installed package from outside, with the Node that runs this: the command line against its own emulator, and
// the library by `import` and by `require`. Prints a line for each check; fails when one fails.
// Usage: node scripts/black-box.mjs FOLDER, where FOLDER/node_modules holds the package
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { readArguments } from './usage.mjs';

const NAME = 'roles-anywhere';
const READY_TIMEOUT_MS = 30_000;
const consumer = resolve(readArguments(import.meta.filename, {}, true).positionals[0] ?? '.');
const certs = join(dirname(dirname(fileURLToPath(import.meta.url))), 'certs-dev/out');
const folder = join(consumer, 'node_modules', NAME);
const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
const cli = join(folder, manifest.bin[NAME]);
// As a user's: nothing of what the shell here says about AWS, TLS or Node.
const env = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: consumer, LANG: 'C.UTF-8' };

let failures = 0;

async function check(what, work) {
  try {
    await work();
    console.log(`ok - ${what}`);
  } catch (error) {
    failures += 1;
    console.log(`not ok - ${what}\n${error.message.replaceAll(/^/gm, '  ')}`);
  }
}

/** Runs the command line to its end. */
function run(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], {
    cwd: consumer,
    env,
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}

/** The same, of a line that must succeed in silence on stderr. */
function succeed(...args) {
  const { status, stdout, stderr } = run(...args);
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
  return stdout;
}

function identity(kind) {
  return [
    ['--certificate', join(certs, `${kind}.crt.pem`), '--private-key', join(certs, `${kind}.key.pem`)],
    ['--intermediates', join(certs, 'intermediate.pem')],
  ].flat();
}

async function startEmulator() {
  const args = [cli, 'emulator', '--port', '0', '--trust-anchor', join(certs, 'root.pem')];
  const child = spawn(process.execPath, args, { cwd: consumer, env, stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const lines = createInterface(child.stdout);
    const [line] = await Promise.race([
      once(lines, 'line', { signal: AbortSignal.timeout(READY_TIMEOUT_MS) }),
      once(child, 'exit').then(([code]) => Promise.reject(new Error(`the emulator ended with status ${code}`))),
    ]);
    return { child, ready: JSON.parse(line) };
  } catch (error) {
    child.kill();
    throw error;
  }
}

async function credentials(ready) {
  const place = [
    ['--trust-anchor-arn', ready.trustAnchorArn, '--profile-arn', ready.profileArn, '--role-arn', ready.roleArn],
    ['--endpoint', ready.url],
  ].flat();
  for (const kind of ['rsa-2048', 'ec-p256', 'ec-p384']) {
    await check(`credential-process vends for ${kind}`, () => {
      const stdout = succeed('credential-process', ...identity(kind), ...place);
      const { Version, AccessKeyId, SecretAccessKey, SessionToken, Expiration } = JSON.parse(stdout);
      assert.equal(Version, 1);
      for (const text of [AccessKeyId, SecretAccessKey, SessionToken]) assert.match(text, /^\S{16,}$/);
      assert.match(Expiration, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    });
  }
}

await check('version', () => assert.equal(succeed('version').trim(), manifest.version));
await check('help', () => assert.match(succeed('--help'), /credential-process/));
await check('help of a command', () => assert.match(succeed('credential-process', '--help'), /--trust-anchor-arn/));
await check('an unknown flag is refused with silence on stdout', () => {
  const { status, stdout, stderr } = run('credential-process', '--no-such-flag');
  assert.deepEqual({ status, stdout }, { status: 2, stdout: '' });
  assert.match(stderr, /no-such-flag/);
});
await check('read-certificate-data', () => {
  const data = JSON.parse(succeed('read-certificate-data', '--certificate', join(certs, 'ec-p256.crt.pem')));
  assert.equal(data.keyType, 'EC');
  assert.match(data.serialNumber, /^\d+$/);
});
await check('import and require of the library give the same names', async () => {
  const require = createRequire(join(consumer, 'index.js'));
  const required = require(NAME);
  const imported = await import(pathToFileURL(join(folder, manifest.exports['.'].import.default)).href);
  const names = Object.keys(imported).toSorted();
  assert.ok(names.includes('RolesAnywhereError'), `exports: ${names}`);
  assert.deepEqual(
    Object.keys(required)
      .filter((name) => name !== '__esModule')
      .toSorted(),
    names,
  );
  assert.equal(required.RolesAnywhereError, imported.RolesAnywhereError);
});
let emulator;
await check('the emulator starts', async () => {
  emulator = await startEmulator();
});
if (emulator !== undefined) {
  await credentials(emulator.ready);
  await check('the emulator ends when asked to', async () => {
    const ended = once(emulator.child, 'exit');
    emulator.child.kill('SIGTERM');
    const [code, signal] = await ended;
    assert.deepEqual({ code, signal }, { code: 0, signal: null });
  });
}
process.exitCode = failures === 0 ? 0 : 1;
