import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { cleanEnv, PKI, PROGRAM } from '../support/cli.ts';
import { startTestEmulator, worldFlags } from '../support/vending.ts';

let emulator: Emulator;
let dir: string;
let pipe: string;
beforeAll(async () => {
  emulator = await startTestEmulator();
  dir = mkdtempSync(join(tmpdir(), 'serve-pipes-'));
  pipe = join(dir, 'pipe');
  execFileSync('mkfifo', [pipe]);
  copyFileSync(`${PKI}ec-p256.encrypted.pem`, join(dir, 'encrypted.pem'));
});
afterAll(async () => {
  await emulator.close();
  rmSync(dir, { recursive: true });
});

const certificate = ['--certificate', `${PKI}ec-p256.crt.pem`];
const key = ['--private-key', `${PKI}ec-p256.key.pem`];

/** By then a process has come to the pipe; on a machine where it has not, the signal ends it all the same. */
const START_MS = 2500;

describe.skipIf(process.platform === 'win32')('a service that waits for a pipe that nobody writes to', () => {
  it.each<[string, string, () => string[]]>([
    ['serve', 'its certificate', () => ['--certificate', pipe, ...key]],
    ['serve', 'its key', () => [...certificate, '--private-key', pipe]],
    ['serve', 'standard input', () => ['--certificate', '-', ...key]],
    [
      'serve',
      'a password',
      () => [...certificate, '--private-key', join(dir, 'encrypted.pem'), '--pkcs8-password-file', pipe],
    ],
    [
      'serve',
      'its TLS certificate',
      () => [...certificate, ...key, '--tls-cert', pipe, '--tls-key', `${PKI}tls-server.key.pem`],
    ],
    ['update', 'its certificate', () => ['--certificate', pipe, ...key]],
  ])(
    '%s, for %s, is ended by SIGTERM',
    async (command, _, flags) => {
      const [file, ...before] = PROGRAM;
      const args = [
        ...before,
        command,
        ...worldFlags(emulator),
        ...flags(),
        ...(command === 'serve' ? ['--port', '0'] : []),
      ];
      // Standard input is a pipe that stays open.
      const env = cleanEnv({ HOME: dir, XDG_RUNTIME_DIR: dir });
      const child = spawn(file, args, { env, stdio: ['pipe', 'ignore', 'pipe'] });
      let said = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
      const exited = once(child, 'exit');
      await new Promise((resolve) => setTimeout(resolve, START_MS));
      expect({ status: child.exitCode, said }).toEqual({ status: null, said: '' });
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 15_000);
      const [status, signal] = (await exited) as [number | null, NodeJS.Signals | null];
      clearTimeout(late);
      expect(status ?? signal).toBe('SIGTERM');
    },
    30_000,
  );
});
