/** `renew --daemon`: it stays, renews each time, and ends when it is told to. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { loadIdentity } from '../../src/identity/load.ts';
import { CLI, cleanEnv } from '../support/cli.ts';
import { GO_INSTALL_TIMEOUT_MS } from '../support/go-program.ts';
import { findStep, startStepCa } from './support/step.ts';

const programs = await findStep();

describe.skipIf(programs === undefined)('renew --daemon', () => {
  it('renews time after time, says so, and ends with 0', { timeout: GO_INSTALL_TIMEOUT_MS }, async () => {
    if (programs === undefined) return;
    const ca = await startStepCa(programs, { life: '30s' });
    const folder = mkdtempSync(join(tmpdir(), 'ra-daemon-'));
    const [certificate, key] = [join(folder, 'web.crt'), join(folder, 'web.key')];
    await ca.issue('web', { certificate, key });
    const { serialNumber } = await loadIdentity({ certificate, privateKey: key });
    const line = ['renew', '--daemon', '--certificate', certificate, '--private-key', key, '--at', '94%'];
    const child = spawn(
      process.execPath,
      [CLI, ...line, '--renew-from', `step-ca:${ca.url}`, '--renew-ca', ca.root, '--log-format', 'json'],
      { env: cleanEnv(), stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let said = '';
    let printed = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
    const ended = once(child, 'close');
    try {
      while (said.split('"message":"the certificate was renewed"').length <= 3) {
        if (child.exitCode !== null) throw new Error(`it ended:\n${said}`);
        await sleep(100);
      }
      expect((await loadIdentity({ certificate, privateKey: key })).serialNumber).not.toBe(serialNumber);
      child.kill('SIGTERM');
      const [status] = (await ended) as [number | null];
      expect(status).toBe(0);
      expect(printed).toBe('');
      expect(readdirSync(folder).toSorted()).toEqual(['web.crt', 'web.crt.previous', 'web.key']);
    } finally {
      child.kill('SIGKILL');
      await ended;
      await ca.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
