import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { CLI, cleanEnv, runCli } from '../support/cli.ts';
import type { CliResult } from '../support/cli.ts';
import { startTestEmulator } from '../support/vending.ts';
import { runOnTerminal } from '../support/terminal.ts';
import type { Step } from '../support/terminal.ts';
import { requireTool } from '../support/tools.ts';
import { identityFlags } from './serve-process.ts';

let emulator: Emulator;
let dir: string;

beforeAll(async () => {
  emulator = await startTestEmulator();
});
afterAll(() => emulator.close());
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ra-exec-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function exec(command: readonly string[], env: Record<string, string> = {}, flags: string[] = []): Promise<CliResult> {
  return runCli(['exec', ...identityFlags(emulator), ...flags, '--', ...command], { env });
}

/** Starts a child that says what it gets. In bash: a signal that comes as dash 0.5.12 starts a program may be lost. */
async function trapping(signals: readonly string[]): Promise<{
  exec: ReturnType<typeof spawn>;
  out: () => string;
  until: (text: string) => Promise<void>;
}> {
  const traps = signals.map((name) => `trap 'echo got ${name}' ${name}`).join('; ');
  const script = `${traps === '' ? ':' : traps}; echo ready $$; while ! [ -e ${dir}/enough ]; do sleep 0.05; done; exit 7`;
  const child = spawn(process.execPath, [CLI, 'exec', ...identityFlags(emulator), '--', 'bash', '-c', script], {
    env: cleanEnv(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  const until = async (text: string): Promise<void> => {
    await expect.poll(() => out, { timeout: 20_000 }).toContain(text);
  };
  await until('ready');
  return { exec: child, out: () => out, until };
}

describe.runIf(requireTool('bash'))('signals', () => {
  it('are passed on, and the child says how it ends', async () => {
    const names = ['HUP', 'INT', 'QUIT', 'TERM', 'USR1', 'USR2'];
    const { exec: child, out, until } = await trapping(names);
    for (const name of names) {
      child.kill(`SIG${name}` as NodeJS.Signals);
      await until(`got ${name}`);
    }
    writeFileSync(join(dir, 'enough'), '');
    expect(await once(child, 'exit')).toEqual([7, null]);
    expect(out().match(/got/g)).toHaveLength(names.length);
  });

  it('that end the child end it with their number', async () => {
    const { exec: child } = await trapping([]);
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([143, null]);
  });

  it('a child that does not mind them is waited for', async () => {
    const { exec: child, until } = await trapping(['TERM']);
    child.kill('SIGTERM');
    await until('got TERM');
    expect([child.exitCode, child.signalCode]).toEqual([null, null]);
    writeFileSync(join(dir, 'enough'), '');
    expect(await once(child, 'exit')).toEqual([7, null]);
  });

  it('a child goes on when exec is killed without mercy', async () => {
    const { exec: child, out } = await trapping([]);
    const [, pid = ''] = /ready (\d+)/.exec(out()) ?? [];
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(process.kill(Number(pid), 0)).toBe(true);
    writeFileSync(join(dir, 'enough'), '');
    await once(child, 'close');
  });

  it('what a child leaves behind is not waited for', async () => {
    const script = `(trap '' HUP; while ! [ -e ${dir}/enough ]; do sleep 0.05; done; echo late >${dir}/late) </dev/null >/dev/null 2>&1 & exit 3`;
    expect((await exec(['sh', '-c', script])).status).toBe(3);
    expect(existsSync(join(dir, 'late'))).toBe(false);
    writeFileSync(join(dir, 'enough'), '');
    await expect.poll(() => existsSync(join(dir, 'late')), { timeout: 10_000 }).toBe(true);
  });
});

/** Runs a script of bash in which `exec_` is `exec` with a child that is a script of sh. */
async function onTerminal(script: string, child: string, steps: readonly Step[]): Promise<string> {
  writeFileSync(join(dir, 'child.sh'), child);
  const words = [process.execPath, CLI, 'exec', ...identityFlags(emulator), '--', 'sh', join(dir, 'child.sh')];
  writeFileSync(join(dir, 'script.sh'), `exec_() { ${words.map((word) => `'${word}'`).join(' ')}; }\n${script}\n`);
  return (await runOnTerminal(['bash', '--norc', join(dir, 'script.sh')], steps)).stdout;
}

describe.runIf(requireTool('python3') && requireTool('bash'))('on a terminal', () => {
  it('Ctrl-C reaches the child once, and the child decides', async () => {
    const child = [
      `trap 'n=$((n+1)); echo "got $n"' INT`,
      'echo re""ady',
      'while :; do read -r line && [ "$line" = end ] && break; done',
      'sleep 0.5; echo "in all $n"; exit 5',
    ].join('\n');
    const shown = await onTerminal(`trap : INT; exec_; echo "status $?"`, child, [
      ['ready', '\u0003'],
      ['got 1', 'end\n'],
    ]);
    expect(shown).toContain('in all 1\nstatus 5\n');
  });

  it('Ctrl-C ends a child that does not mind it, and the status says so', async () => {
    const shown = await onTerminal(`trap : INT; exec_; echo "status $?"`, 'echo re""ady; exec sleep 60', [
      ['ready', '\u0003'],
    ]);
    expect(shown).toContain('status 130\n');
  });

  it('Ctrl-Z stops both, fg continues both, and the child has the terminal', async () => {
    const child = `echo "groups $(cut -d' ' -f5,8 /proc/$$/stat)"; echo re""ady; read -r line; echo "read $line"; exit 6`;
    const shown = await onTerminal('set -m; exec_; echo "stopped $?"; fg; echo "status $?"', child, [
      ['ready', '\u001a'],
      ['stopped 148', 'more\n'],
    ]);
    expect(shown).toContain('read more\n');
    expect(shown).toContain('status 6\n');
    // Its group is the one that the terminal is with.
    const [, own, foreground] = /groups (\d+) (\d+)/.exec(shown) ?? [];
    expect(own).toBe(foreground);
  });
});
