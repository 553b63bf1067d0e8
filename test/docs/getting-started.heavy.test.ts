/** docs/getting-started.md, done: its blocks in one shell, as printed, with the emulator in AWS's place. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startEmulator } from '../../src/emulator/emulator.ts';
import { findStep } from '../renewal/support/step.ts';
import { CLI, runProgram } from '../support/cli.ts';
import { GO_INSTALL_TIMEOUT_MS } from '../support/go-program.ts';
import { requireTool } from '../support/tools.ts';
import { blocksOf } from './read-blocks.ts';

const blocks = blocksOf('docs/getting-started.md');
const programs = await findStep();

/** The commands of those with the mark, in their order. */
const marked = (...marks: string[]): string =>
  blocks
    .filter(({ mark }) => marks.includes(mark))
    .map(({ text }) => text)
    .join('\n');

/** The page's picture of the config file, but for what is another's in every account and on every machine. */
const picture = blocks.find(({ language }) => language === 'ini');
const plain = (text: string): string =>
  text
    .replaceAll(/(?<=(?:trust-anchor|profile)\/)[0-9a-f-]{36}/g, 'UUID')
    .replaceAll(/(?<== )\S*\/(?=(?:certificate|key)\.pem$)/gm, '')
    .replaceAll(/(?<=^credential_process = ).* (?=credential-process )/gm, '')
    // `init` keeps where AWS is, which is where it always is for a reader.
    .replaceAll(/^rolesanywhere_(?:sts_)?endpoint = .*\n/gm, '');

describe.skipIf(!requireTool('/usr/bin/aws') || !requireTool('openssl'))('the steps of getting started', () => {
  it.each([
    ['openssl', true],
    ['step', programs !== undefined],
  ])(
    'lead from a certificate of %s to the identity that AWS sees',
    { timeout: GO_INSTALL_TIMEOUT_MS },
    async (tool, isThere) => {
      if (!isThere) return;
      const folder = mkdtempSync(join(tmpdir(), 'ra-getting-started-'));
      // The built-in anchor is of another authority, and the role has another name: those of the page must do.
      const emulator = await startEmulator({
        trustAnchors: [{ certificates: readFileSync('certs-dev/out/tls-root.pem', 'utf8') }],
        roles: [{ arn: 'arn:aws:iam::123456789012:role/Other' }],
      });
      try {
        const bin = join(folder, 'bin');
        for (const made of ['bin', 'home', 'home/.aws', 'work']) mkdirSync(join(folder, made));
        symlinkSync(CLI, join(bin, 'roles-anywhere'));
        if (programs !== undefined) symlinkSync(programs.step, join(bin, 'step'));
        // The file says where AWS is, which is all that a reader has otherwise. Debian's AWS CLI does not read it there.
        const config = join(folder, 'home/.aws/config');
        const endpoint = `endpoint_url = ${emulator.url}\n`;
        const before = `[default]\n${endpoint}[profile workload]\n`;
        writeFileSync(config, before + endpoint);
        writeFileSync(join(bin, 'aws'), `#!/bin/sh\nexec /usr/bin/aws --endpoint-url ${emulator.url} "$@"\n`);
        chmodSync(join(bin, 'aws'), 0o755);
        const script = [marked(`<!-- run: ${tool} -->`), marked('<!-- run -->')].join('\n');
        const { status, stdout, stderr } = await runProgram('/bin/sh', ['-ec', script], {
          cwd: join(folder, 'work'),
          env: {
            PATH: `${bin}:${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`,
            HOME: join(folder, 'home'),
            AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
            AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
          },
        });
        expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
        expect(stdout).toMatch(/^subject +CN=workload$/m);
        expect(stdout).toMatch(/^problems:\n {2}none found$/m);
        expect(stdout).toMatch(/^\{"Version":1,.*\}$/m);
        const [, identity = ''] = /(\{[^{}]*"UserId"[^{}]*\})/.exec(stdout) ?? [];
        const { Account, Arn } = JSON.parse(identity) as { Account: string; Arn: string };
        expect({ Account, Arn }).toEqual({
          Account: '123456789012',
          Arn: expect.stringMatching(/^arn:aws:sts::123456789012:assumed-role\/Workload\/[0-9a-f]+$/) as unknown,
        });
        const written = readFileSync(config, 'utf8').replace(before, '[profile workload]\n').replace(endpoint, '');
        expect(plain(written).trim()).toBe(plain(picture?.text ?? ''));
        expect(emulator.verdicts.filter(({ accepted }) => !accepted)).toEqual([]);
      } finally {
        await emulator.close();
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );
});
