import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { run } from '../../src/commands/version.ts';

test('version prints what package.json says', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  let stdout = '';
  const io = {
    stdout: (text: string | Uint8Array) => void (stdout += String(text)),
    stderr: () => expect.unreachable('nothing is wrong'),
    env: {},
    args: [],
    program: '/bin/roles-anywhere',
    compat: false,
    stop: async () => undefined,
  };
  await run({}, io);
  expect(stdout).toBe(`${version}\n`);
});
