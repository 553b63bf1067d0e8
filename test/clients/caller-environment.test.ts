/** What the environment of a calling program does to the line, and the remedy that docs/clients.md gives. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { INSTALLED, IS_EXECUTABLE, runProgram } from '../support/cli.ts';

const COMMAND = ['read-certificate-data', '--help'];

let dir: string;
/** The program as npm installs it. */
let installed: string;
/** A module that speaks before the program does, and one that is not there. */
let logger: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'ra-caller-'));
  installed = join(dir, 'roles-anywhere');
  chmodSync(INSTALLED, 0o755);
  symlinkSync(INSTALLED, installed);
  logger = join(dir, 'logger.cjs');
  writeFileSync(logger, "process.stdout.write('logger\\n');\n");
});
afterAll(() => rmSync(dir, { recursive: true }));

/** The documented line, with the paths of this machine in place of its own. */
function remedy(): string[] {
  const page = readFileSync('docs/clients.md', 'utf8');
  const [, line = ''] = /^ +credential_process = (.*-u NODE_OPTIONS.*) credential-process \.\.\.$/m.exec(page) ?? [];
  return line
    .split(' ')
    .map((word) => (word.endsWith('/node') ? process.execPath : word.endsWith('/roles-anywhere') ? installed : word));
}

describe.runIf(IS_EXECUTABLE)('the executable in the environment of its caller', () => {
  it('needs no node, and takes nothing from NODE_OPTIONS', async () => {
    const env = { PATH: dir, NODE_OPTIONS: `--require ${logger}` };
    const { status, stdout, stderr } = await runProgram(installed, COMMAND, { env });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^(?!logger)\S[^]*read-certificate-data/);
  });
});

describe.skipIf(IS_EXECUTABLE)('the line in the environment of its caller', () => {
  it('ends with 127 where no node is on the PATH', async () => {
    // Nothing but env itself, which the first line of the program names by its path, can be found here.
    const { status, stdout, stderr } = await runProgram(installed, COMMAND, { env: { PATH: dir } });
    expect({ status, stdout }).toEqual({ status: 127, stdout: '' });
    expect(stderr).toContain('node');
  });

  it('lets a module of NODE_OPTIONS write before the result', async () => {
    const env = { NODE_OPTIONS: `--require ${logger}` };
    expect((await runProgram(process.execPath, [installed, ...COMMAND], { env })).stdout).toMatch(/^logger\n/);
  });

  it('ends with a stack trace for a module of NODE_OPTIONS that is not there', async () => {
    const env = { NODE_OPTIONS: '--require no-such-logger' };
    const { status, stdout, stderr } = await runProgram(process.execPath, [installed, ...COMMAND], { env });
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/Cannot find module 'no-such-logger'[^]*\n {4}at /);
  });

  it.each([
    ['a module that writes', () => `--require ${logger}`],
    ['a module that is not there', () => '--require no-such-logger'],
  ])('written as the docs say, is harmed neither by %s nor by the PATH', async (_, options) => {
    const [program = '', ...words] = remedy();
    expect(words).toEqual(['-u', 'NODE_OPTIONS', process.execPath, installed]);
    const env = { PATH: dir, NODE_OPTIONS: options() };
    const { status, stdout, stderr } = await runProgram(program, [...words, ...COMMAND], { env });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^(?!logger)\S[^]*read-certificate-data/);
  });
});
