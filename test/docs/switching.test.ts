/** docs/switching.md: its table against the table of flags, and its commands as printed. */
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { commandRow, isFlag } from '../../src/options/flags.ts';
import { CLI, runProgram } from '../support/cli.ts';
import { flagsOfTheHelper, readFlagTable } from './switching.ts';
import { blocksOf, ROOT } from './read-blocks.ts';

const page = readFileSync(join(ROOT, 'docs/switching.md'), 'utf8');
const block = blocksOf('docs/switching.md').find(({ mark }) => mark === '<!-- run -->');

describe('the page of switching', () => {
  it('has every flag of the helper, each once, and no other', () => {
    const names = [...new Set(Object.values(flagsOfTheHelper).flat())].toSorted();
    expect(readFlagTable(page).toSorted()).toEqual(names);
  });

  it.each(Object.entries(flagsOfTheHelper))('%s takes what it says: every flag of the helper', (command, flags) => {
    const row = commandRow(command as 'serve');
    const common = new Set(['debug', 'help']);
    expect(flags.filter((flag) => !isFlag(flag))).toEqual([]);
    expect(flags.filter((flag) => !row.flags.includes(flag as 'port') && !common.has(flag))).toEqual([]);
  });

  it('has commands that make a link and call it', async () => {
    const home = mkdtempSync(join(tmpdir(), 'ra-switching-'));
    try {
      for (const folder of ['bin', 'installed']) mkdirSync(join(home, folder));
      symlinkSync(CLI, join(home, 'installed/roles-anywhere'));
      const env = { HOME: home, PATH: `${join(home, 'installed')}:${dirname(process.execPath)}:/usr/bin:/bin` };
      const { status, stdout, stderr } = await runProgram('/bin/sh', ['-ec', block?.text ?? ''], { env });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      const [said] = /`(1\.8\.0\+roles-anywhere\.)`/.exec(page)?.slice(1) ?? [];
      expect(stdout.split('\n').at(1)).toMatch(/^1\.8\.0\+roles-anywhere\.\d/);
      expect(stdout).toContain(said);
      expect(realpathSync(join(home, 'bin/aws_signing_helper'))).toBe(realpathSync(CLI));
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  });
});
