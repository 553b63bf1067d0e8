import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { run } from '../../src/commands/version.ts';
import { runCli } from '../support/cli.ts';
import { memoryIo } from '../support/io.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

describe('version', () => {
  it('prints what package.json says', async () => {
    const io = memoryIo();
    await run({}, io);
    expect(io.out().toString()).toBe(`${version}\n`);
    expect(io.err()).toBe('');
  });

  it('prints JSON for programs', async () => {
    const { status, stdout } = await runCli(['version', '--json']);
    expect({ status, said: JSON.parse(stdout) as unknown }).toEqual({
      status: 0,
      said: {
        version,
        awsSigningHelper: '1.8.0',
        node: process.versions.node,
        openssl: process.versions.openssl,
        platform: process.platform,
        arch: process.arch,
      },
    });
  });

  it.each([['-v'], ['--version'], ['whoami', '-v']])('prints it for %s alone', async (...words) => {
    expect(await runCli(words)).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
  });

  it('is no flag, but a value, behind a flag that takes one', async () => {
    const { status, stderr } = await runCli(['sign-string', '--private-key', '-v']);
    expect(status).toBe(3);
    expect(stderr).toContain('--private-key -v does not exist');
  });

  it.each([['version'], ['--version'], ['-v']])(
    "prints the version of AWS's helper and its own behind, for %s --compat",
    async (word) => {
      const { stdout } = await runCli([word, '--compat']);
      expect(stdout).toBe(`1.8.0+roles-anywhere.${version}\n`);
    },
  );
});
