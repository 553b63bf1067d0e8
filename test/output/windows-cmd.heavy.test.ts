/** What `export --format windows-cmd` writes, read by Wine's cmd.exe from a batch file. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SHELL_WORDS } from '../../src/output/shell-lines.ts';
import { formatVariables } from '../../src/output/variable-forms.ts';
import { requireTool } from '../support/tools.ts';

const hasWine = ['wine', 'wineboot', 'wineserver'].every((tool) => requireTool(tool));

/** All of printable ASCII but what is refused. */
const PRINTABLE = Array.from({ length: 95 }, (_, at) => String.fromCharCode(0x20 + at)).join('');
const VALUES = new Map([
  ['RA_PLAIN', 'plain/Base64+Text=='],
  ['RA_PRINTABLE', PRINTABLE.replaceAll(/["%!]/g, '')],
  ['RA_OPERATORS', 'x & echo y | more > file ^& z ^'],
  ['RA_BLANKS', '  two  in front and behind  '],
]);

// A program's first start in a prefix takes seconds on a loaded machine.
describe.skipIf(!hasWine)('cmd.exe', { timeout: 180_000 }, () => {
  let directory: string;
  let env: Record<string, string>;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'ra-cmd-'));
    env = {
      PATH: '/usr/local/bin:/usr/bin:/bin',
      HOME: directory,
      WINEPREFIX: join(directory, 'prefix'),
      WINEDEBUG: '-all',
      WINEDLLOVERRIDES: 'mscoree=;mshtml=',
    };
    execFileSync('wineboot', ['-i'], { env, stdio: 'ignore' });
  }, 180_000);
  afterAll(() => {
    try {
      execFileSync('wineserver', ['-k', '-w'], { env, stdio: 'ignore' });
    } catch {
      // Nothing runs any more.
    }
    rmSync(directory, { recursive: true, force: true });
  });

  /** The variables of ours that a batch file leaves. */
  function left(lines: string): Map<string, string> {
    const script = `@echo off\n${lines}set RA_\n`.replaceAll('\n', '\r\n');
    writeFileSync(join(directory, 'lines.bat'), script);
    const text = execFileSync('wine', ['cmd', '/c', 'lines.bat'], { env, cwd: directory, encoding: 'utf8' });
    const pairs = text.split('\r\n').flatMap((line) => {
      const at = line.indexOf('=');
      return line.startsWith('RA_') ? [[line.slice(0, at), line.slice(at + 1)] as const] : [];
    });
    return new Map(pairs);
  }

  it('keeps every value that is not refused', () => {
    expect(left(formatVariables('windows-cmd', { set: VALUES, remove: [] }))).toEqual(VALUES);
  });

  it('would not keep those that are', () => {
    const value = 'a" & set "RA_MORE=1';
    expect(left(`${SHELL_WORDS.cmd.set('RA_QUOTE', value)}\n`).get('RA_MORE')).toBe('1');
    expect(left(`${SHELL_WORDS.cmd.set('RA_PERCENT', '100%')}\n`).get('RA_PERCENT')).toBe('100');
  });
});
