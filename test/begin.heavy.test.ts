import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COMMANDS } from '../src/options/flags.ts';
import { CLI, cleanEnv } from './support/cli.ts';

const rows = Object.entries(COMMANDS) as [string, { readonly goesOn?: string }][];
const SERVICES = rows.filter(([, { goesOn }]) => goesOn === 'service').map(([name]) => name);
const OTHERS = ['credential-process', 'exec'];

let folder: string;
let preload: string;

/** Runs a line that ends with a usage error, and sends it a signal when it begins to read the rest of the program. */
async function signalled(command: string, signal: string, before: readonly string[] = []): Promise<unknown> {
  const env = cleanEnv({ SIGNAL: signal });
  const child = spawn(process.execPath, ['--require', preload, CLI, ...before, command, '--no-such-flag'], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (text: Buffer) => (log += text.toString()));
  const [status, ended] = (await once(child, 'close')) as [number | null, string | null];
  return { end: status ?? ended, debugger: log.includes('Debugger listening') };
}

describe('a signal that comes before the rest of the program was read', () => {
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'ra-begin-'));
    preload = join(folder, 'signal.cjs');
    writeFileSync(
      preload,
      `const Module = require('node:module');
const load = Module._load;
Module._load = function (request, ...rest) {
  if (/main\\.cjs$/.test(request)) process.kill(process.pid, process.env.SIGNAL);
  return load.call(this, request, ...rest);
};
`,
    );
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('knows services', () => {
    expect(SERVICES.length).toBeGreaterThan(2);
  });

  it.each(SERVICES)(
    'does not end %s, which has read no file yet that SIGHUP could ask it to read again',
    async (name) => {
      expect(await signalled(name, 'SIGHUP')).toEqual({ end: 2, debugger: false });
    },
  );

  it('does not end a service whose command stands behind a flag', async () => {
    expect(await signalled('serve', 'SIGHUP', ['--log-level', 'debug'])).toEqual({ end: 2, debugger: false });
  });

  it.each(OTHERS)('ends %s, as SIGHUP ends any program', async (name) => {
    expect(await signalled(name, 'SIGHUP')).toEqual({ end: 'SIGHUP', debugger: false });
  });

  it.each([...SERVICES, ...OTHERS])('opens no debugger in %s (SIGUSR1)', async (name) => {
    expect(await signalled(name, 'SIGUSR1')).toEqual({ end: 2, debugger: false });
  });
});
