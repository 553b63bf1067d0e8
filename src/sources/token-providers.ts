/** Where MFA codes come from: standard input, a person, a command. */
import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { RolesAnywhereError } from '../platform/errors.ts';
import { killTree } from '../platform/process-tree.ts';
import { mfaError } from './mfa.ts';
import type { TokenProvider } from './mfa.ts';

/** Longest line that can be a code. */
const MAX_LINE = 64;

/**
 * Reads each code from a line of standard input.
 *
 * @param input default `process.stdin`
 */
export function stdinTokenProvider(input: Readable = process.stdin): TokenProvider {
  return async ({ signal }) => (await readLine(input, signal)).trim();
}

/** Takes one line and leaves the rest in the stream. */
function readLine(input: Readable, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    let line = '';
    const end = (finish: () => void): void => {
      input.off('data', onData).off('end', onEnd).off('error', onError);
      signal.removeEventListener('abort', onAbort);
      input.pause();
      finish();
    };
    const onData = (chunk: Buffer | string): void => {
      const text = String(chunk);
      const feed = text.indexOf('\n');
      line += feed < 0 ? text : text.slice(0, feed);
      if (line.length > MAX_LINE)
        return end(() => reject(mfaError('the line on standard input is no MFA code', 'give six digits')));
      if (feed < 0) return undefined;
      return end(() => {
        const rest = text.slice(feed + 1);
        if (rest !== '') input.unshift(typeof chunk === 'string' ? rest : Buffer.from(rest));
        resolve(line);
      });
    };
    const onEnd = (): void => {
      if (line === '')
        end(() => reject(mfaError('standard input ended before an MFA code', 'write the code on a line')));
      else end(() => resolve(line));
    };
    const onError = (cause: Error): void =>
      end(() => reject(new RolesAnywhereError('ERR_MFA_CODE', 'standard input cannot be read', { cause })));
    const onAbort = (): void => end(() => undefined);
    if (input.readableEnded) return reject(mfaError('standard input has ended', 'write each code on a line'));
    signal.addEventListener('abort', onAbort, { once: true });
    return void input.on('data', onData).on('end', onEnd).on('error', onError).resume();
  });
}

/** Asks a person at the terminal device, without showing what is typed. Standard input and output are left alone. */
export function terminalTokenProvider(ask?: (question: string) => Promise<Uint8Array | undefined>): TokenProvider {
  return async ({ serialNumber, used }) => {
    const prompt = ask ?? (await import('../platform/prompt.ts')).promptSecret;
    const typed = await prompt(`${used ? 'the next' : 'the'} MFA code of ${serialNumber}`);
    if (typed === undefined)
      throw mfaError('there is no terminal to ask for the MFA code', 'let a command give it: --mfa-command');
    return Buffer.from(typed).toString('latin1').trim();
  };
}

export interface CommandTokenOptions {
  /** What the command says to people: shown where this process has its own (`inherit`), or nowhere. Default `ignore`. */
  readonly stderr?: 'inherit' | 'ignore' | undefined;
  /** Its environment. Default: that of this process. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

/**
 * Takes each code from the first line that a command prints.
 *
 * @param command a text for the system's shell, or a program and its arguments
 */
export function commandTokenProvider(
  command: string | readonly [string, ...string[]],
  { stderr = 'ignore', env }: CommandTokenOptions = {},
): TokenProvider {
  return ({ signal }) =>
    new Promise((resolve, reject) => {
      const [file, ...args] = typeof command === 'string' ? [command] : command;
      const child = spawn(file, args, {
        shell: typeof command === 'string',
        env,
        stdio: ['ignore', 'pipe', stderr],
        windowsHide: true,
      });
      let output = '';
      const stop = (): void => {
        child.stdout.destroy();
        killTree(child, 'SIGTERM');
        child.unref();
      };
      signal.addEventListener('abort', stop, { once: true });
      child.stdout.setEncoding('latin1').on('data', (text: string) => {
        if (output.length <= MAX_LINE) output += text;
      });
      child.on('error', (cause) =>
        reject(new RolesAnywhereError('ERR_MFA_CODE', 'the command for the MFA code cannot be run', { cause })),
      );
      child.on('close', (status, killed) => {
        signal.removeEventListener('abort', stop);
        if (status === 0) resolve(output.split('\n', 1)[0]?.trim() ?? '');
        else
          reject(
            mfaError(
              `the command for the MFA code ended with ${status === null ? (killed ?? 'a signal') : `status ${status}`}`,
              'run it by itself to see why',
            ),
          );
      });
    });
}
