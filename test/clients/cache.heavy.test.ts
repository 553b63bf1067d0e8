import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fileURLToPath } from 'node:url';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { cachedLine, sessionsOf } from '../support/cache.ts';
import { CLI, runProgram } from '../support/cli.ts';
import { requireModule, requireTool } from '../support/tools.ts';
import { startTestEmulator } from '../support/vending.ts';
import { type AwsHome, awsHome } from './config-file.ts';

const AWS = '/usr/bin/aws';
const WHO_AM_I = fileURLToPath(new URL('who-am-i.mjs', import.meta.url));
const CALLS = 20;
const PROCESSES = 10;

/** Makes calls with one client, whose credentials are stale for boto3 as soon as they come. */
const MANY_CALLS = `
import sys, boto3
client = boto3.client("sts", region_name="us-east-1", endpoint_url=sys.argv[1])
print(len({client.get_caller_identity()["Arn"] for _ in range(int(sys.argv[2]))}))
`;

let emulator: Emulator;
const homes: AwsHome[] = [];
beforeEach(async () => {
  emulator = await startTestEmulator();
});
afterEach(async () => {
  for (const home of homes.splice(0)) home.remove();
  await emulator.close();
});

/** The environment of a caller with 900-second sessions, which boto3 takes for stale from the beginning. */
function caller(cache: boolean): Record<string, string> {
  const words = cachedLine(emulator, '--session-duration', '900').filter((word) => cache || word !== '--cache');
  const home = awsHome(() => [process.execPath, CLI, ...words].map((word) => `"${word}"`).join(' '));
  homes.push(home);
  return { ...home.env, XDG_RUNTIME_DIR: home.dir };
}

function everyProcess(run: () => ReturnType<typeof runProgram>): Promise<Awaited<ReturnType<typeof runProgram>>[]> {
  return Promise.all(Array.from({ length: PROCESSES }, run));
}

/** Makes the calls of one process of boto3. */
function calls(env: Record<string, string>): ReturnType<typeof runProgram> {
  return runProgram('/usr/bin/python3', ['-c', MANY_CALLS, emulator.url, String(CALLS)], { env, timeout: 240_000 });
}

describe.skipIf(!requireModule('boto3'))('boto3 with 900-second sessions', () => {
  it('makes one session for all calls, and one at every call without the cache', async () => {
    const kept = await calls(caller(true));
    expect(kept).toMatchObject({ status: 0, stdout: '1\n' });
    expect(sessionsOf(emulator)).toEqual({ given: 1, refused: 0 });
    expect((await calls(caller(false))).status).toBe(0);
    expect(sessionsOf(emulator).given).toBeGreaterThanOrEqual(1 + CALLS);
  }, 500_000);

  it('makes one session in several processes at one time', async () => {
    const env = caller(true);
    for (const { status } of await everyProcess(() => calls(env))) expect(status).toBe(0);
    expect(sessionsOf(emulator)).toEqual({ given: 1, refused: 0 });
  }, 500_000);
});

describe.skipIf(!requireTool(AWS))('the AWS CLI', () => {
  it('makes one session in several processes at one time, and as many as there are without the cache', async () => {
    const whoAmI = (env: Record<string, string>): ReturnType<typeof runProgram> =>
      runProgram(AWS, ['--endpoint-url', emulator.url, 'sts', 'get-caller-identity'], { env, timeout: 240_000 });
    const env = caller(true);
    for (const { status } of await everyProcess(() => whoAmI(env))) expect(status).toBe(0);
    expect(sessionsOf(emulator)).toEqual({ given: 1, refused: 0 });
    const without = caller(false);
    for (const { status } of await everyProcess(() => whoAmI(without))) expect(status).toBe(0);
    expect(sessionsOf(emulator).given).toBeGreaterThanOrEqual(1 + PROCESSES);
  }, 500_000);
});

describe('the AWS SDK for JavaScript', () => {
  it('makes one session in several processes at one time', async () => {
    const env = caller(true);
    const whoAmI = (): ReturnType<typeof runProgram> =>
      runProgram(process.execPath, [WHO_AM_I, emulator.url], { env, timeout: 240_000 });
    for (const { status } of await everyProcess(whoAmI)) expect(status).toBe(0);
    expect(sessionsOf(emulator)).toEqual({ given: 1, refused: 0 });
  }, 500_000);
});
