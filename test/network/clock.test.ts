import { afterEach, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { PROGRAM, runProgram } from '../support/cli.ts';
import type { CliResult } from '../support/cli.ts';
import { scriptedServer } from '../support/scripted-server.ts';
import { requireTool } from '../support/tools.ts';
import { startTestEmulator } from '../support/vending.ts';
import { credentialsIn, line } from './support.ts';

let emulator: Emulator | undefined;
afterEach(async () => {
  await emulator?.close();
  emulator = undefined;
});

/** Runs the program with its wall clock shifted; timers keep the right time. */
function shifted(by: string, args: readonly string[]): Promise<CliResult> {
  return runProgram('faketime', ['-f', by, ...PROGRAM, ...args], {
    env: { FAKETIME_DONT_FAKE_MONOTONIC: '1' },
  });
}

describe.skipIf(!requireTool('faketime'))('the built program under a clock that is off', () => {
  it.each([
    ['+1h', '1 hour ahead'],
    ['-1h', '1 hour behind'],
    ['+1d', '1 day ahead'],
    ['-1d', '1 day behind'],
  ])('by %s gets credentials with one request more, and says so', async (by, words) => {
    emulator = await startTestEmulator();
    const { status, stdout, stderr } = await shifted(by, line(emulator, emulator.url));
    expect({ status, stderr }).toMatchObject({
      status: 0,
      stderr: expect.stringContaining(`warning: this machine's clock is `),
    });
    // The child's clock runs on: a second may pass between the two.
    expect(stderr).toMatch(new RegExp(`clock is (?:${words}|59 minutes 59 seconds|23 hours 59 minutes)|${words}`));
    expect(emulator.verdicts).toHaveLength(2);
    expect(emulator.verdicts.map(({ accepted }) => accepted)).toEqual([false, true]);
    // As the service gave it: by the right clock, in an hour.
    const left = Date.parse(String(credentialsIn(stdout)['Expiration'])) - Date.now();
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(3_600_000);
  });

  it.each(['+30s', '-30s'])('by %s only is accepted at once', async (by) => {
    emulator = await startTestEmulator();
    expect(await shifted(by, line(emulator, emulator.url))).toMatchObject({ status: 0, stderr: '' });
    expect(emulator.verdicts).toHaveLength(1);
  });

  it.each(['+10y', '-10y'])(
    'so far (%s) that the certificate seems invalid asks the service for the time first',
    async (by) => {
      emulator = await startTestEmulator();
      const { status, stderr } = await shifted(by, line(emulator, emulator.url));
      expect({ status, stderr }).toMatchObject({
        status: 0,
        stderr: expect.stringContaining("this machine's clock is "),
      });
      expect(emulator.verdicts.map(({ method, accepted }) => [method, accepted])).toEqual([
        ['GET', false],
        ['POST', true],
      ]);
    },
  );

  it.each(['+1h', '+1d'])('by %s says what to check when the service gives no Date', async (by) => {
    emulator = await startTestEmulator();
    const server = await scriptedServer((response) => {
      response.sendDate = false;
      response.writeHead(403, { 'x-amzn-errortype': 'AccessDeniedException' });
      response.end('{"message":"Invalid signature"}');
    });
    const { status, stdout, stderr } = await shifted(by, line(emulator, server.url));
    await server.close();
    expect({ status, stdout }).toEqual({ status: 4, stdout: '' });
    expect(stderr).toMatch(/ERR_ACCESS_DENIED/);
    expect(stderr).toMatch(/hint: check this machine's clock, which says \d{4}-.*Z: the answer has no Date/);
    expect(server.requests).toHaveLength(1);
  });

  it('so far that the certificate seems expired keeps that error when nobody gives the time', async () => {
    emulator = await startTestEmulator();
    const server = await scriptedServer((response) => {
      response.sendDate = false;
      response.writeHead(404).end();
    });
    const { status, stderr } = await shifted('+10y', line(emulator, server.url));
    await server.close();
    expect(status).toBe(3);
    expect(stderr).toMatch(/ERR_CERTIFICATE_EXPIRED[\s\S]*clock/);
  });
});
