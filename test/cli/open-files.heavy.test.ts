import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { IS_EXECUTABLE, PKI, PROGRAM, runProgram } from '../support/cli.ts';
import { startTestEmulator, worldFlags } from '../support/vending.ts';

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startTestEmulator();
});
afterAll(async () => await emulator.close());

const vending = (): string[] =>
  [
    ['--certificate', `${PKI}ec-p256.crt.pem`, '--private-key', `${PKI}ec-p256.key.pem`],
    ['--intermediates', `${PKI}intermediate.pem`, ...worldFlags(emulator)],
  ].flat();
const assuming = (): string[] =>
  [
    ['--source', 'env', '--sts-endpoint', emulator.url],
    ['--assume-role-arn', emulator.roleArns[0] ?? ''],
  ].flat();

// Where Node cannot read the program's first file, or ends by a signal, there is nothing that this program could say.
it.skipIf(process.platform === 'win32' || IS_EXECUTABLE).each<[string, () => string[]]>([
  ['credential-process', vending],
  ['assume-role', assuming],
  ['console', () => [...vending(), '--signin-endpoint', emulator.url]],
  ['export', vending],
])('%s with fewer and fewer open files gives an answer, or says that they are too many', async (command, args) => {
  const env = { AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE', AWS_SECRET_ACCESS_KEY: 'x', AWS_REGION: 'us-east-1' };
  const told: string[] = [];
  for (let most = 28; most >= 17; most--) {
    const script = `ulimit -n ${most} && exec "$0" "$@" 2>&1`;
    const { stdout } = await runProgram('sh', ['-c', script, ...PROGRAM, command, ...args()], { env });
    told.push(stdout);
    if (/cannot open|node:fs/.test(stdout)) break;
  }
  expect(told.filter((text) => text.includes('ERR_INTERNAL'))).toEqual([]);
  expect(told.filter((text) => text.includes('too many files are open [ERR_FILE_UNREADABLE]')).length).toBeGreaterThan(
    0,
  );
});
