// docs/renewal.md, "From an empty machine to a server that renews itself": what it says, done.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { startEmulator } from '../../src/emulator/emulator.ts';
import { findStep, startStepCa } from '../renewal/support/step.ts';
import { CLI, cleanEnv } from '../support/cli.ts';
import { GO_INSTALL_TIMEOUT_MS } from '../support/go-program.ts';

const page = readFileSync(new URL('../../docs/renewal.md', import.meta.url), 'utf8');
const [, block = ''] = /<!-- run -->\n```sh\n([\s\S]*?)```/.exec(page) ?? [];
const programs = await findStep();

describe.skipIf(programs === undefined)('the five commands of docs/renewal.md', () => {
  it('lead from an empty machine to a server that renews itself', { timeout: GO_INSTALL_TIMEOUT_MS }, async () => {
    if (programs === undefined) return;
    const commands = block.replaceAll('\\\n', ' ').trim().split('\n');
    expect(commands).toHaveLength(5);
    const folder = mkdtempSync(join(tmpdir(), 'ra-docs-renewal-'));
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    // What npm installs is this package's program; a port of its own, and times for a test.
    const program = (name: string, text: string): void => {
      writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`);
      chmodSync(join(bin, name), 0o755);
    };
    program(
      'npm',
      `case "$*" in 'install --global ./roles-anywhere-'*.tgz) ;; *) exit 1 ;; esac && cp '${bin}/installed' '${bin}/roles-anywhere'`,
    );
    program('installed', `exec '${process.execPath}' '${CLI}' "$@"`);
    const ca = await startStepCa(programs, { life: '24s' });
    const emulator = await startEmulator({ trustAnchors: [{ certificates: readFileSync(ca.root, 'utf8') }] });
    const child = spawn('sh', ['-ec', block.replaceAll('/etc/roles-anywhere', join(folder, 'etc'))], {
      env: cleanEnv({
        PATH: `${bin}:/usr/local/bin:/usr/bin:/bin`,
        HOME: folder,
        XDG_RUNTIME_DIR: folder,
        CA_URL: ca.url,
        CA_FINGERPRINT: ca.fingerprint,
        TRUST_ANCHOR_ARN: emulator.trustAnchorArns[0] ?? '',
        PROFILE_ARN: emulator.profileArns[0] ?? '',
        ROLE_ARN: emulator.roleArns[0] ?? '',
        ROLES_ANYWHERE_ENDPOINT: emulator.url,
        ROLES_ANYWHERE_PORT: '0',
      }),
      stdio: 'pipe',
      detached: true,
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (said += text));
    const ended = once(child, 'close');
    try {
      child.stdin.end(`${await ca.token('web')}\n`);
      const has = async (text: string): Promise<void> => {
        while (!said.includes(text)) {
          if (child.exitCode !== null) throw new Error(`it ended before "${text}":\n${said}`);
          await sleep(100);
        }
      };
      await has('"enrolled":true');
      await has('AWS_CONTAINER_CREDENTIALS_FULL_URI');
      await has('the certificate was renewed');
      await has('a new certificate is in use');
      expect(statSync(join(folder, 'etc/key.pem')).mode & 0o777).toBe(0o600);
      expect(emulator.verdicts.filter(({ accepted }) => !accepted)).toEqual([]);
    } finally {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
      await ended;
      await emulator.close();
      await ca.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
