import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runProgram } from '../support/cli.ts';
import { runOnTerminal } from '../support/terminal.ts';
import type { Step } from '../support/terminal.ts';
import { requireTool } from '../support/tools.ts';

const CTRL_C = '\u0003';
const CTRL_D = '\u0004';
const CTRL_U = '\u0015';
const DELETE = '\u007f';

describe.skipIf(!requireTool('python3') || !requireTool('stty') || !requireTool('setsid'))('promptSecret', () => {
  const directory = mkdtempSync(join(tmpdir(), 'prompt-'));
  const asker = join(directory, 'asker.mjs');

  beforeAll(async () => {
    // Prints what it was given in hexadecimal: the secret itself must not be on the screen.
    const entry = join(directory, 'entry.mjs');
    const source = JSON.stringify(fileURLToPath(new URL('../../src/platform/prompt.ts', import.meta.url)));
    writeFileSync(
      entry,
      `import { promptSecret } from ${source};
       if (process.argv[2] === 'end') setTimeout(() => process.kill(process.pid, 'SIGTERM'), 100);
       try {
         const secret = await promptSecret('Secret');
         console.log(secret === undefined ? 'nobody' : 'got=' + Buffer.from(secret).toString('hex') + '.');
       } catch (error) { console.log('failed=' + error.code); }`,
    );
    const bundle = await rolldown({ input: entry, platform: 'node' });
    await bundle.write({ file: asker, format: 'esm' });
    await bundle.close();
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  /** Asks, then shows whether the terminal echoes again. */
  const ask = (steps: readonly Step[], node = `'${process.execPath}' '${asker}'`) =>
    runOnTerminal(['/bin/sh', '-c', `${node}; stty -a | grep -oE -- '-?(echo|icanon)\\b'`], steps);

  it.each([
    ['a line', 'abc\r', 'abc'],
    ['a line that ends with a line feed', 'abc\n', 'abc'],
    ['an empty line', '\r', ''],
    ['letters beyond ASCII', 'pässwörd ☂\r', 'pässwörd ☂'],
    ['a correction', `abx${DELETE}c\r`, 'abc'],
    ['a correction of a letter of many bytes', `ab☂${DELETE}c\r`, 'abc'],
    ['more corrections than letters', `a${DELETE}${DELETE}${DELETE}abc\r`, 'abc'],
    ['a fresh start', `wrong${CTRL_U}abc\r`, 'abc'],
    ['an end of input after letters', `abc${CTRL_D}`, 'abc'],
    ['no control characters', 'a\u001bb\u0001c\r', 'abc'],
  ])('reads %s without showing it', async (_name, typed, expected) => {
    const { stdout } = await ask([['Secret: ', typed]]);
    expect(stdout).toContain(`Secret: \ngot=${Buffer.from(expected).toString('hex')}.\n`);
    expect(order(stdout)).toBe('icanon\necho');
  });

  it.each([
    ['a Ctrl-C', `abc${CTRL_C}`, 'ERR_INTERRUPTED'],
    ['an end of input with nothing typed', CTRL_D, 'ERR_INTERRUPTED'],
    ['a line that is too long', 'x'.repeat(1025), 'ERR_TERMINAL'],
  ])('is ended by %s and leaves the terminal as it was', async (_name, typed, code) => {
    const { stdout } = await ask([['Secret: ', typed]]);
    expect(stdout).toContain(`failed=${code}\n`);
    expect(order(stdout)).toBe('icanon\necho');
  });

  it('leaves the terminal as it was when it is told to end', async () => {
    const { stdout } = await ask([], `'${process.execPath}' '${asker}' end`);
    expect(stdout).toContain('Secret: ');
    expect(stdout).not.toMatch(/got|failed/);
    expect(order(stdout)).toBe('icanon\necho');
  });

  it('asks at the terminal although standard input and output are not it', async () => {
    const { stdout } = await ask(
      [['Secret: ', 'abc\r']],
      `echo wrong | '${process.execPath}' '${asker}' > '${directory}/out'; cat '${directory}/out'`,
    );
    expect(stdout).toContain('Secret: ');
    expect(stdout).toContain('got=616263.');
  });

  it('asks nobody where there is no terminal', async () => {
    const { stdout } = await runProgram('setsid', ['--wait', process.execPath, asker]);
    expect(stdout).toBe('nobody\n');
  });

  it('asks nobody from the background, where reading would stop the process', async () => {
    const { stdout } = await runOnTerminal(['/bin/bash', '-ic', `set -m; '${process.execPath}' '${asker}' & wait`], []);
    expect(stdout).toContain('nobody');
  });
});

/** The two modes as stty prints them, a minus before one that is off. */
function order(shown: string): string {
  return shown
    .split('\n')
    .filter((line) => /^-?(echo|icanon)$/.test(line))
    .join('\n');
}
