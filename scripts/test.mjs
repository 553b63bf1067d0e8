// Runs the tests: prepares the checkout, then runs vitest with the arguments given. Usage: node scripts/test.mjs
// [quick|heavy|long|standalone] [VITEST ARGUMENT ...]. `npm test` is the quick suite; `npm run test:all` the suites that need tools
// of their own or minutes; `npm run long` the same with the full figures in place of short series; `npm run
// test:standalone` those that drive the program, with the standalone executable in its place.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { prepare, root } from './prepare.mjs';

const [first, ...others] = process.argv.slice(2);
const suite = ['quick', 'heavy', 'long', 'standalone'].find((name) => name === first);

/** What depends on the runtime, and takes a few minutes: TLS, proxies, sockets, terminals, signals, output, files, tokens. */
const OF_THE_PROGRAM = [
  'test/cli.test.ts',
  'test/cli/',
  'test/network/',
  'test/commands/link.test.ts',
  'test/output/',
  'test/clients/serve',
  'test/clients/caller-environment.test.ts',
  'test/clients/js-sdk.test.ts',
  'test/identity/pkcs11/cli.test.ts',
  'test/identity/pkcs11/one-shot.test.ts',
  'test/standalone/',
  '--exclude',
  '**/tpm/**',
  '--exclude',
  'test/**/!(surroundings|bare-root|hot-path|loads|targets|comparison).heavy.test.ts',
];
const args =
  suite === undefined ? process.argv.slice(2) : suite === 'standalone' ? [...OF_THE_PROGRAM, ...others] : others;

try {
  await prepare();
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exit(1);
}
const vitest = join(root, 'node_modules/vitest/vitest.mjs');
const env = {
  ...process.env,
  ...(suite === undefined ? {} : { ROLES_ANYWHERE_SUITE: suite }),
  ...(suite === 'standalone' ? { ROLES_ANYWHERE_PROGRAM: join(root, 'dist/standalone/roles-anywhere-linux-x64') } : {}),
  ...(suite === 'long' ? { ROLES_ANYWHERE_LONG: '1' } : {}),
};
const child = spawn(process.execPath, [vitest, 'run', ...args], { cwd: root, env, stdio: 'inherit' });
// A Ctrl-C reaches vitest too, which ends in its own time.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('close', (code) => (process.exitCode = code ?? 1));
