import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { COMMAND_LINE, PKI, runProgram } from '../support/cli.ts';
import { startTestEmulator, worldFlags } from '../support/vending.ts';
import { awsHome, type AwsHome } from './config-file.ts';

/** A program of a user's own: the default chain, in a process and an environment of its own. */
const WHO_AM_I = fileURLToPath(new URL('who-am-i.mjs', import.meta.url));

let emulator: Emulator;
const homes: AwsHome[] = [];

beforeAll(async () => {
  emulator = await startTestEmulator();
});
afterAll(async () => {
  for (const made of homes) made.remove();
  await emulator.close();
});

function home(certificate: (dir: string) => string): AwsHome {
  const made = awsHome((dir) =>
    [
      `${COMMAND_LINE} credential-process`,
      `--certificate ${certificate(dir)} --private-key ${PKI}rsa-2048.key.pem --intermediates ${PKI}intermediate.pem`,
      ...worldFlags(emulator),
    ].join(' '),
  );
  homes.push(made);
  return made;
}

it('the default chain of the AWS SDK for JavaScript finds the credentials and proves them', async () => {
  const { env } = home(() => `${PKI}rsa-2048.crt.pem`);
  const { status, stdout } = await runProgram(process.execPath, [WHO_AM_I, emulator.url], { env });
  expect(status).toBe(0);
  expect(stdout).toMatch(/^arn:aws:sts::123456789012:assumed-role\/Workload\//);
});

it('an argument with spaces, quoted as AWS documents it, arrives whole', async () => {
  const { env } = home((dir) => {
    const folder = join(dir, 'with some spaces');
    mkdirSync(folder);
    copyFileSync(`${PKI}rsa-2048.crt.pem`, join(folder, 'my certificate.pem'));
    return `"${join(folder, 'my certificate.pem')}"`;
  });
  const { status, stdout } = await runProgram(process.execPath, [WHO_AM_I, emulator.url], { env });
  expect({ status, stdout }).toMatchObject({
    status: 0,
    stdout: expect.stringContaining('assumed-role/Workload/') as string,
  });
});
