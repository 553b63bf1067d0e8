import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { PKI, runProgram } from '../support/cli.ts';
import { startTestEmulator } from '../support/vending.ts';

const LIBRARY = new URL('../../dist/index.js', import.meta.url).href;
const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** A session of 900 seconds, renewed when 300 are left, is renewed each 6 seconds at this pace; a signature is good for 3. */
const FACTOR = 100;

it('a program uses two clients over two renewals and the end of two sessions, and ends by itself', async () => {
  const origin = Date.now();
  const emulator = await startTestEmulator({ now: () => new Date(origin + (Date.now() - origin) * FACTOR) });
  try {
    const world = {
      endpoint: emulator.url,
      trustAnchorArn: emulator.trustAnchorArns[0],
      profileArn: emulator.profileArns[0],
      roleArn: emulator.roleArns[0],
    };
    const args = ['--import', script('scaled-time.mjs'), script('worker.mjs'), LIBRARY, JSON.stringify(world), PKI];
    const env = { SCALED_TIME: `${origin} ${FACTOR}` };
    const ended = await runProgram(process.execPath, ['--no-warnings', ...args], { env });
    expect(ended).toMatchObject({ status: 0, stdout: '100 of 100 pairs of calls were right\n', stderr: '' });
    const refused = emulator.verdicts.filter(({ accepted }) => !accepted);
    expect(refused).toEqual([]);
    const sessions = emulator.verdicts.filter(({ path }) => path === '/sessions');
    // One for the start, and one each 600 seconds of the 1600 that pass: more than two sessions came to their end.
    expect(sessions.length).toBeGreaterThanOrEqual(3);
    expect(sessions.length).toBeLessThanOrEqual(5);
  } finally {
    await emulator.close();
  }
}, 60_000);

it('a program that waits for a source that hangs gets an error, and does not just end', async () => {
  const program = `import { cached } from '${LIBRARY}';
    await cached(() => new Promise(() => {}), { timeout: 200 })().catch(({ code }) => console.log(code));`;
  const { status, stdout } = await runProgram(process.execPath, ['--input-type=module', '--eval', program]);
  expect({ status, stdout }).toEqual({ status: 0, stdout: 'ERR_TIMEOUT\n' });
});
