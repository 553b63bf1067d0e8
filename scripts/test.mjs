// Runs the tests: prepares the checkout, then runs vitest with the arguments given. Usage: node scripts/test.mjs
// [quick|heavy|long] [VITEST ARGUMENT ...]. `npm test` is the quick suite; `npm run test:all` the suites that need tools
// of their own or minutes; `npm run long` the same with the full figures in place of short series.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { prepare, root } from './prepare.mjs';

const [first, ...others] = process.argv.slice(2);
const suite = ['quick', 'heavy', 'long'].find((name) => name === first);
const args = suite === undefined ? process.argv.slice(2) : others;

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
  ...(suite === 'long' ? { ROLES_ANYWHERE_LONG: '1' } : {}),
};
const child = spawn(process.execPath, [vitest, 'run', ...args], { cwd: root, env, stdio: 'inherit' });
// A Ctrl-C reaches vitest too, which ends in its own time.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('close', (code) => (process.exitCode = code ?? 1));
