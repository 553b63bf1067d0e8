import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { runProgram } from '../support/cli.ts';

const SCRIPT = fileURLToPath(new URL('../../scripts/api-report.mjs', import.meta.url));

it('docs/api.md is the surface of the built library', async () => {
  expect(await runProgram(process.execPath, [SCRIPT, '--check'])).toEqual({ status: 0, stdout: '', stderr: '' });
});
