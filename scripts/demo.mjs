// `npm run demo`: from a bare clone to an assumed-role ARN. A local emulator stands in for AWS: it verifies the signed
// request as the service would, and its STS verifies the AWS SDK's request that is signed with what was vended.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { relative } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { prepare, root } from './prepare.mjs';

const CLI = 'dist/cli.cjs';
const CERTS = 'certs-dev/out';
const EMULATOR = [CLI, 'emulator', '--port', '0', '--trust-anchor', `${CERTS}/root.pem`];
/** How long the emulator may take to say that it listens. */
const READY_TIMEOUT_MS = 15_000;

// What the person's shell says about AWS and about TLS must not lead the demo elsewhere.
const env = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^(AWS_|ROLES_ANYWHERE_|NODE_EXTRA_CA_CERTS$|NODE_OPTIONS$)/.test(name),
  ),
);
for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
// The SDK would take the demo's output to say that it will not support Node 20 for ever.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';

/** Runs one step with its line for the reader. */
async function step(what, work) {
  const started = performance.now();
  process.stdout.write(`${what} ... `);
  try {
    const { result, note } = await work();
    console.log(`${note}  (${Math.round(performance.now() - started)} ms)`);
    return result;
  } catch (error) {
    console.log('failed');
    throw error;
  }
}

async function startEmulator() {
  const child = spawn(process.execPath, EMULATOR, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (errors += text));
  const ended = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`the emulator ended with ${code ?? signal} before it was ready\n${errors}`);
  });
  ended.catch(() => {}); // it ends at last in any case: only the race below cares
  const timeout = AbortSignal.timeout(READY_TIMEOUT_MS);
  try {
    const [line] = await Promise.race([once(createInterface(child.stdout), 'line', { signal: timeout }), ended]);
    return { child, ready: JSON.parse(line) };
  } catch (error) {
    child.kill();
    throw timeout.aborted
      ? new Error(`the emulator was not ready within ${READY_TIMEOUT_MS / 1000} s\n${errors}`)
      : error;
  }
}

function credentialProcess(ready) {
  return [
    CLI,
    'credential-process',
    ['--certificate', `${CERTS}/ec-p256.crt.pem`, '--private-key', `${CERTS}/ec-p256.key.pem`],
    ['--intermediates', `${CERTS}/intermediate.pem`],
    ['--trust-anchor-arn', ready.trustAnchorArn, '--profile-arn', ready.profileArn, '--role-arn', ready.roleArn],
    ['--endpoint', ready.url],
  ].flat();
}

async function vend(args) {
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root, env }).catch((error) => {
    throw new Error(`credential-process failed with status ${error.code}\n${error.stderr}`);
  });
  return JSON.parse(stdout);
}

async function whoAmI(ready, vended) {
  const { STSClient, GetCallerIdentityCommand } = await import('@aws-sdk/client-sts');
  const sts = new STSClient({
    endpoint: ready.url,
    region: ready.region,
    maxAttempts: 1,
    credentials: {
      accessKeyId: vended.AccessKeyId,
      secretAccessKey: vended.SecretAccessKey,
      sessionToken: vended.SessionToken,
    },
  });
  try {
    return await sts.send(new GetCallerIdentityCommand({}));
  } finally {
    sts.destroy();
  }
}

async function main() {
  await prepare();
  let emulator;
  const stop = () => emulator?.child.kill();
  process.on('exit', stop);
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));

  emulator = await step('starting a local Roles Anywhere', async () => {
    const started = await startEmulator();
    return { result: started, note: started.ready.url };
  });
  const { ready } = emulator;
  const args = credentialProcess(ready);
  const vended = await step('exchanging a certificate for credentials', async () => {
    const result = await vend(args);
    return { result, note: `good until ${result.Expiration}` };
  });
  const identity = await step('asking STS, through the AWS SDK, who they are', async () => {
    const result = await whoAmI(ready, vended);
    return { result, note: 'verified' };
  });
  stop();

  console.log(`\n${identity.Arn}\n`);
  console.log('By hand, in two terminals: first the emulator, which keeps the port this time,\n');
  console.log(`  ${shell(['node', ...EMULATOR.map((word) => (word === '0' ? new URL(ready.url).port : word))])}\n`);
  console.log('then the program, as an AWS SDK or the AWS CLI runs it for `credential_process`:\n');
  console.log(`  ${shell(['node', ...args])}\n`);
  if (process.cwd() !== root) console.log(`Both from ${relative(process.cwd(), root) || '.'}.`);
}

/** A command line to paste into a POSIX shell. */
function shell(words) {
  return words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(' ');
}

try {
  await main();
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
  process.exit();
}
