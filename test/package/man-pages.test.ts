import { execFile } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { manPages } from '../../scripts/man-pages.ts';
import { requireTool } from '../support/tools.ts';

const ROOT = join(import.meta.dirname, '../..');
const MAN = join(ROOT, 'dist/man');
const { version, man } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  version: string;
  man: string[];
};
const files = readdirSync(MAN).toSorted();
const run = promisify(execFile);

describe('the man pages', () => {
  it('are those that the build makes, each named in package.json', () => {
    expect(new Map(files.map((file) => [file, readFileSync(join(MAN, file), 'utf8')]))).toEqual(
      new Map([...manPages(version)].toSorted(([one], [other]) => (one < other ? -1 : 1))),
    );
    expect(man.toSorted()).toEqual(files.map((file) => `./dist/man/${file}`));
  });

  it('are ASCII, which every reader of them can show', () => {
    // oxlint-disable-next-line no-control-regex -- the line feed is the one control character
    const other = /[^\n\u0020-\u007e]/;
    expect(files.filter((file) => other.test(readFileSync(join(MAN, file), 'utf8')))).toEqual([]);
  });

  it.runIf(requireTool('mandoc'))('have nothing that mandoc warns of, but that they have no date', async () => {
    const paths = files.map((file) => join(MAN, file));
    // Its status is that of the worst warning.
    const { stdout } = await run('mandoc', ['-Tlint', '-Wwarning', ...paths]).catch(
      (error: unknown) => error as { stdout: string },
    );
    const warnings = stdout.split('\n').filter((line) => line !== '');
    expect(warnings.filter((line) => !line.includes('missing date'))).toEqual([]);
    expect(warnings).toHaveLength(files.length);
  });

  it.runIf(requireTool('man'))('are formatted by man without a warning', async () => {
    const env = { PATH: process.env['PATH'] ?? '', LC_ALL: 'C.UTF-8', MANWIDTH: '80' };
    const { stdout, stderr } = await run('man', ['--warnings', '-l', join(MAN, 'roles-anywhere-serve.1')], { env });
    expect(stderr).toBe('');
    expect(stdout).toContain('serve fresh credentials on this machine');
    expect(stdout).toMatch(/^ {7}--metrics-listen \[ADDRESS:\]PORT$/m);
  });
});
