/** README.md and docs/getting-started.md, "Install": the commands, as printed, in a clone of what is committed here. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runProgram } from '../support/cli.ts';
import { blocksOf, ROOT } from './read-blocks.ts';

const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
const block = (document: string, mark: string): string =>
  blocksOf(document).find((one) => one.mark === `<!-- ${mark} -->`)?.text ?? '';
/** Who vouches for npm's registry, where that is none of Node's own. */
const { NODE_EXTRA_CA_CERTS: roots } = process.env;
const TRUST: Record<string, string> = roots === undefined ? {} : { NODE_EXTRA_CA_CERTS: roots };
const TIMEOUT_MS = 900_000;

describe('the commands that install', () => {
  let folder: string;
  let clone: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'ra-install-'));
    clone = join(folder, 'clone');
    execFileSync('git', ['clone', '-q', ROOT, clone]);
    mkdirSync(join(folder, 'prefix'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const run = (text: string): ReturnType<typeof runProgram> =>
    runProgram('/bin/sh', ['-ec', text], {
      cwd: clone,
      timeout: TIMEOUT_MS,
      env: {
        PATH: `${join(folder, 'prefix/bin')}:${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`,
        // The caches of npm and of the runtimes: a reader fetches once, too.
        HOME: homedir(),
        ...TRUST,
        npm_config_prefix: join(folder, 'prefix'),
      },
    });

  it('are the same in both documents', () => {
    expect(block('README.md', 'run')).toBe(block('docs/getting-started.md', 'run: install'));
  });

  it('put the command on the PATH', { timeout: TIMEOUT_MS }, async () => {
    const { status, stdout, stderr } = await run(block('README.md', 'run'));
    expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout.trimEnd().split('\n').at(-1)).toBe(version);
  });

  it('make the executable, which runs', { timeout: TIMEOUT_MS }, async () => {
    const { status, stdout, stderr } = await run(block('docs/getting-started.md', 'run: standalone'));
    expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout.trimEnd().split('\n').at(-1)).toBe(version);
  });
});
