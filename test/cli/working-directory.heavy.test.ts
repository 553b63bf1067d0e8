import { mkdtempSync, mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { type CacheHome, cacheHome, cachedLine } from '../support/cache.ts';
import { type CliResult, PKI, PROGRAM, runCli, runProgram } from '../support/cli.ts';
import { startTestEmulator } from '../support/vending.ts';

let emulator: Emulator;
let home: CacheHome;
let dir: string;
beforeAll(async () => {
  emulator = await startTestEmulator();
  home = cacheHome();
  dir = mkdtempSync(join(tmpdir(), 'roles-anywhere-gone-'));
});
afterAll(async () => {
  await emulator.close();
  home.remove();
  rmSync(dir, { recursive: true });
});

/** Runs a line in a working directory that has been removed. */
async function runNowhere(args: readonly string[], env: Record<string, string> = {}): Promise<CliResult> {
  const gone = join(dir, 'gone');
  mkdirSync(gone);
  const script = 'cd "$0" && rmdir "$0" && exec "$@"';
  return await runProgram('sh', ['-c', script, gone, ...PROGRAM, ...args], { env: { ...home.env, ...env } });
}

/** A line with its paths as they are from the folder of the certificates. */
const relative = (line: readonly string[]): string[] => line.map((word) => word.replace(PKI, ''));

describe.skipIf(process.platform === 'win32')('a working directory that is gone', () => {
  it('is nothing to a line of absolute paths, kept or not', async () => {
    const line = cachedLine(emulator);
    const first = await runNowhere(line);
    expect(first).toMatchObject({ status: 0, stderr: '' });
    expect(await runNowhere(line)).toEqual(first);
  });

  it('is said of a remembered line of relative paths', async () => {
    const line = relative(cachedLine(emulator));
    const kept = await runCli(line, { env: home.env, cwd: PKI });
    expect(kept).toMatchObject({ status: 0, stderr: '' });
    expect(await runNowhere(line)).toEqual({
      status: 3,
      stdout: '',
      stderr: [
        'roles-anywhere: error: the working directory is gone, in which a relative path starts [ERR_FILE_NOT_FOUND]',
        'hint: change to a directory that is there, or give absolute paths\n',
      ].join('\n'),
    });
  });

  it.each<[string, (line: string[]) => string[], Record<string, string>]>([
    ['--ca-bundle', (line) => [...line, '--ca-bundle', 'roots.pem'], {}],
    [
      'init',
      (line) => [
        'init',
        ...relative(line)
          .slice(1)
          .filter((word) => word !== '--cache'),
      ],
      {},
    ],
    [
      'AWS_SHARED_CREDENTIALS_FILE',
      (line) => ['update', '--once', ...line.slice(1).filter((word) => word !== '--cache')],
      { AWS_SHARED_CREDENTIALS_FILE: 'credentials' },
    ],
  ])('is said with %s', async (_, change, env) => {
    const { status, stdout, stderr } = await runNowhere(change(cachedLine(emulator)), env);
    expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
    expect(stderr).toContain('the working directory is gone');
    expect(stderr).toContain('[ERR_FILE_NOT_FOUND]');
  });

  it.each([[[]], [['--help']], [['help']], [['serve', '--help']], [['frobnicate']]])(
    'is nothing to %j',
    async (args) => {
      const there = await runCli(args, { env: home.env });
      expect(await runNowhere(args)).toEqual(there);
      expect(there.stdout + there.stderr).toContain('roles-anywhere');
    },
  );
});
