import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { captureOutput, captureSecrets } from '../support/capture.ts';
import { cleanEnv, PKI, PROGRAM } from '../support/cli.ts';
import { worldFlags } from '../support/vending.ts';

/** The flags of an identity of the development PKI and of an emulator's world. */
export function identityFlags(emulator: Emulator): string[] {
  return [
    '--certificate',
    `${PKI}ec-p256.crt.pem`,
    '--private-key',
    `${PKI}ec-p256.key.pem`,
    '--intermediates',
    `${PKI}intermediate.pem`,
    ...worldFlags(emulator),
  ];
}

/** Flags that take a value, as arguments. */
export function flagsOf(values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => [`--${name}`, value]);
}

export interface ServeProcess {
  /** Everything on stdout so far: the lines to run. */
  lines(): string;
  /** Everything on stderr so far: the log. */
  log(): string;
  kill(signal: NodeJS.Signals): void;
  readonly pid: number;
  /** Resolves with the exit status, or the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals>;
  /** Its runtime directory, where token files are by default. */
  readonly runtimeDir: string;
  /** Waits until the log, or the lines, hold a text. */
  until(text: string): Promise<void>;
}

export interface ServeProcessOptions {
  readonly env?: Record<string, string>;
  /** What runs the program, whose words follow. */
  readonly command?: readonly string[];
  /** Default: {@link PROGRAM}. */
  readonly program?: readonly string[];
}

/** Starts `serve` of the built program. */
export function spawnServe(args: readonly string[], options?: ServeProcessOptions): ServeProcess {
  return spawnCommand('serve', args, options);
}

/** Starts a command of the built program that goes on. */
export function spawnCommand(
  name: string,
  args: readonly string[],
  { env = {}, command = [], program = PROGRAM }: ServeProcessOptions = {},
): ServeProcess {
  const runtimeDir = mkdtempSync(join(tmpdir(), 'ra-serve-'));
  const [file = '', ...before] = [...command, ...program];
  const child = spawn(file, [...before, name, ...args], {
    env: cleanEnv({ XDG_RUNTIME_DIR: runtimeDir, ...env }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  const wake = new Set<() => void>();
  const heard = (): void => {
    for (const listener of wake) listener();
  };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    heard();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    captureOutput(text);
    err += text;
    heard();
  });
  captureSecrets(args, env);
  const exited = once(child, 'close').then((result) => {
    const [status, signal] = result as [number | null, NodeJS.Signals | null];
    rmSync(runtimeDir, { recursive: true, force: true });
    return status ?? signal ?? 1;
  });
  const when = (text: string, there: () => boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (!there()) return;
        wake.delete(look);
        resolve();
      };
      wake.add(look);
      look();
      void exited.then((status) => reject(new Error(`${name} ended with ${status} before "${text}" came:\n${err}`)));
    });
  return {
    lines: () => out,
    log: () => err,
    kill: (signal) => void child.kill(signal),
    pid: child.pid ?? 0,
    exited,
    runtimeDir,
    until: (text) => when(text, () => out.includes(text) || err.includes(text)),
  };
}

/** Starts `serve` and waits until it has printed its lines. */
export async function startServe(args: readonly string[], options?: ServeProcessOptions): Promise<ServeProcess> {
  const serve = spawnServe(args, options);
  await serve.until('AWS_CONTAINER_CREDENTIALS_FULL_URI');
  await serve.until('\n');
  return serve;
}

/** The environment that a shell has after it ran lines. */
export function runLines(lines: string): Record<string, string> {
  const text = execFileSync('sh', ['-c', `${lines}\nexec env -0`], { env: {}, encoding: 'utf8' });
  const entries = text.split('\0').map((entry): [string, string] => {
    const equals = entry.indexOf('=');
    return [entry.slice(0, equals), entry.slice(equals + 1)];
  });
  return Object.fromEntries(entries.filter(([name]) => /^AWS_|^no_proxy$/i.test(name)));
}
