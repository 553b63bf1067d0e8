/** The child of `exec`: started without a shell, told of signals, and waited for. */
// Tests: test/clients/exec.test.ts, test/clients/exec-signals.heavy.test.ts
import { spawn } from 'node:child_process';
import type { StdioOptions } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, join } from 'node:path';
import { RolesAnywhereError } from '../../platform/errors.ts';
import { systemCode } from '../../platform/files.ts';

/** Signals that are passed on. What stops and continues a process (Ctrl-Z, `fg`) is left to the system. */
const FORWARDED: readonly NodeJS.Signals[] =
  process.platform === 'win32'
    ? ['SIGINT', 'SIGTERM', 'SIGBREAK']
    : ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2', 'SIGALRM'];

/** Those that a terminal sends to every process of its foreground group. */
const OF_TERMINAL: ReadonlySet<NodeJS.Signals> = new Set(['SIGINT', 'SIGQUIT', 'SIGBREAK']);

/** What the shell adds to the number of a signal. */
const BY_SIGNAL = 128;

/**
 * Runs a program in this process's own group, with its input and outputs, and waits for it alone: what it leaves behind
 * goes on.
 *
 * @returns its exit status; 128 and the number of the signal that ended it
 * @throws RolesAnywhereError `ERR_COMMAND_NOT_FOUND`, `ERR_COMMAND_NOT_EXECUTABLE`
 */
export async function runChild(file: string, args: readonly string[], env: Record<string, string>): Promise<number> {
  let child: ReturnType<typeof spawn> | undefined;
  const forward = (signal: NodeJS.Signals): void => {
    // The terminal has told the child itself, and to be told twice means more to some than once.
    if (OF_TERMINAL.has(signal) && isInForeground()) return;
    child?.kill(signal);
  };
  for (const signal of FORWARDED) process.on(signal, forward);
  try {
    return await new Promise<number>((resolve, reject) => {
      child = spawn(file, args, { env, stdio: stdioFor(args) });
      child.once('error', reject);
      child.once('exit', (status, signal) =>
        resolve(signal === null ? (status ?? 1) : BY_SIGNAL + constants.signals[signal]),
      );
    });
  } catch (error) {
    throw startError(file, env, error);
  } finally {
    for (const signal of FORWARDED) process.off(signal, forward);
  }
}

/** Input and outputs, and the pipes that a shell's process substitution names: `/dev/fd/63`. */
function stdioFor(args: readonly string[]): StdioOptions {
  const named = args.flatMap((arg) => [...arg.matchAll(/\/(?:dev|proc\/self)\/fd\/(\d{1,3})(?!\d)/g)]);
  const last = Math.max(2, ...named.map(([, fd]) => Number(fd)));
  return Array.from({ length: last + 1 }, (_, fd) =>
    fd <= 2 || named.some(([, name]) => Number(name) === fd) ? fd : 'ignore',
  );
}

/** Whether this process is in the foreground of its terminal, so that what it gets from there its child gets as well. */
function isInForeground(): boolean {
  try {
    // proc(5): behind the name in brackets come state, ppid, pgrp, session, tty_nr and tpgid.
    const stat = readFileSync('/proc/self/stat', 'latin1');
    const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return group === foreground;
  } catch {
    return process.stdin.isTTY;
  }
}

function startError(file: string, env: Record<string, string>, cause: unknown): RolesAnywhereError {
  const reason = systemCode(cause) ?? 'unknown reason';
  const places = file.includes('/') ? [file] : (env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, file));
  const isThere = places.some((place) => existsSync(place));
  if (reason === 'ENOENT' && !isThere)
    return new RolesAnywhereError('ERR_COMMAND_NOT_FOUND', `${JSON.stringify(file)} is not there to be run`, {
      hint: file.includes('/') ? 'check the path' : 'check its name and the PATH, or give its path',
      cause,
    });
  return new RolesAnywhereError('ERR_COMMAND_NOT_EXECUTABLE', `${JSON.stringify(file)} cannot be run (${reason})`, {
    hint: 'check its mode, and the program that its first line names',
    cause,
  });
}
