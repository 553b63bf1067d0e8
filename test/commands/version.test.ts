import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { run } from '../../src/commands/version.ts';
import { memoryIo } from '../support/io.ts';

it('version prints what package.json says', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  const io = memoryIo();
  await run({}, io);
  expect(io.out().toString()).toBe(`${version}\n`);
  expect(io.err()).toBe('');
});
