import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { COMMAND_LINE, PKI, runProgram } from '../support/cli.ts';
import { requireTool } from '../support/tools.ts';
import { startTestEmulator, worldFlags } from '../support/vending.ts';
import { awsHome, type AwsHome } from './config-file.ts';

/** docs/sts.md, "List your buckets": a profile with credential_process, then ListBuckets. */
const LIST_BUCKETS = fileURLToPath(new URL('list-buckets.mjs', import.meta.url));

let emulator: Emulator;
let home: AwsHome;
beforeAll(async () => {
  emulator = await startTestEmulator({ buckets: [{ name: 'first-bucket' }, { name: 'second-bucket' }] });
  home = awsHome(() =>
    [
      `${COMMAND_LINE} credential-process`,
      `--certificate ${PKI}ec-p256.crt.pem --private-key ${PKI}ec-p256.key.pem --intermediates ${PKI}intermediate.pem`,
      ...worldFlags(emulator),
    ].join(' '),
  );
});
afterAll(async () => {
  home.remove();
  await emulator.close();
});

describe('the tutorial: a profile with credential_process lists buckets', () => {
  it.skipIf(!requireTool('aws'))('with the AWS CLI', async () => {
    const { status, stdout, stderr } = await runProgram('aws', ['--endpoint-url', emulator.url, 's3', 'ls'], {
      env: { ...home.env, PATH: '/usr/local/bin:/usr/bin:/bin' },
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/ first-bucket\n.* second-bucket\n$/);
  });

  it('with the AWS SDK for JavaScript', async () => {
    const { status, stdout } = await runProgram(process.execPath, [LIST_BUCKETS, emulator.url], { env: home.env });
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'first-bucket\nsecond-bucket\n' });
  });
});
