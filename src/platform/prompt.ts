/**
 * Asks for a secret at the terminal: at the device itself, since standard
 * input and output belong to the program that runs this one.
 */
import { closeSync, openSync, read, readFileSync, writeSync } from 'node:fs';
import { ReadStream } from 'node:tty';
import { RolesAnywhereError } from './errors.ts';

/** More bytes than this are refused. */
export const MAX_SECRET_BYTES = 1024;

/**
 * Asks at the terminal and reads one line without showing it.
 *
 * The result is the caller's to wipe. The terminal is restored on every way
 * out: Enter, Ctrl-C, Ctrl-D, and (by Node) on SIGINT and SIGTERM.
 *
 * @param question shown as it is, followed by a colon and a space
 * @returns undefined when there is no terminal, or this process may not read from it
 * @throws RolesAnywhereError `ERR_INTERRUPTED` on Ctrl-C, and on Ctrl-D with nothing typed; `ERR_TERMINAL` for a line that is too long
 */
export async function promptSecret(question: string): Promise<Uint8Array | undefined> {
  const terminal = openTerminal();
  if (terminal === undefined) return undefined;
  const { input, source, output } = terminal;
  asking += 1;
  try {
    input.setRawMode(true);
    writeSync(output, `${question}: `);
    return await readLine(input, source);
  } finally {
    asking -= 1;
    input.setRawMode(false);
    writeSync(output, '\n');
    input.destroy();
    closeSync(output);
  }
}

/** Longest line that a person may type who is asked for no secret. */
const MAX_LINE = 4096;

/**
 * Asks at the terminal and reads one line, which is shown as it is typed.
 *
 * @param question shown as it is
 * @returns undefined when there is no terminal, or this process may not read from it
 * @throws RolesAnywhereError `ERR_INTERRUPTED` on Ctrl-D with nothing typed; `ERR_TERMINAL` for a line that is too long.
 * Ctrl-C ends the process, as it does anywhere else
 */
export async function promptLine(question: string): Promise<string | undefined> {
  const terminal = openTerminal();
  if (terminal === undefined) return undefined;
  const { input, output } = terminal;
  asking += 1;
  try {
    writeSync(output, question);
    return await new Promise<string>((resolve, reject) => {
      let line = '';
      input.setEncoding('utf8');
      input.on('error', (cause) =>
        reject(new RolesAnywhereError('ERR_TERMINAL', 'the terminal cannot be read', { cause })),
      );
      input.on('end', () => reject(interrupted()));
      input.on('data', (text: string) => {
        line += text;
        if (line.length > MAX_LINE) reject(tooLong());
        else if (line.includes('\n')) resolve(line.slice(0, line.indexOf('\n')).trim());
      });
    });
  } finally {
    asking -= 1;
    input.destroy();
    closeSync(output);
  }
}

let asking = 0;

/** Whether a person is being asked for something. */
export function isAsking(): boolean {
  return asking > 0;
}

function openTerminal(): { input: ReadStream; source: number; output: number } | undefined {
  if (process.platform !== 'win32' && isInBackground()) return undefined;
  const [from, to] = process.platform === 'win32' ? ['\\\\.\\CONIN$', '\\\\.\\CONOUT$'] : ['/dev/tty', '/dev/tty'];
  let output: number | undefined;
  try {
    // Two descriptors: libuv makes the one that it reads from non-blocking.
    output = openSync(to, 'r+');
    const source = openSync(from, 'r+');
    return { input: new ReadStream(source), source, output };
  } catch {
    if (output !== undefined) closeSync(output);
    return undefined;
  }
}

/** A background process that reads from its terminal is stopped by the kernel, without a word. Linux alone tells. */
function isInBackground(): boolean {
  try {
    // After the command's name, in parentheses: state, parent, group, session, terminal, the terminal's foreground group.
    const [, , group, , , foreground] = readFileSync('/proc/self/stat', 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
    return foreground !== undefined && foreground !== '-1' && foreground !== group;
  } catch {
    return false;
  }
}

const CTRL_C = 0x03;
const CTRL_D = 0x04;
const CTRL_U = 0x15;
const ERASE: ReadonlySet<number> = new Set([0x08, 0x7f]);
const ENTER: ReadonlySet<number> = new Set([0x0a, 0x0d]);

function readLine(input: ReadStream, source: number): Promise<Uint8Array> {
  const line = new Uint8Array(MAX_SECRET_BYTES);
  let length = 0;
  return new Promise<Uint8Array>((resolve, reject) => {
    input.on('error', (cause) =>
      reject(new RolesAnywhereError('ERR_TERMINAL', 'the terminal cannot be read', { cause })),
    );
    input.on('end', () => reject(interrupted()));
    eachChunk(input, source, (chunk) => {
      for (const byte of chunk) {
        if (byte === CTRL_C || (byte === CTRL_D && length === 0)) {
          reject(interrupted());
          return false;
        }
        if (ENTER.has(byte) || byte === CTRL_D) {
          resolve(line.slice(0, length));
          return false;
        }
        if (byte === CTRL_U) length = 0;
        else if (ERASE.has(byte)) length = withoutLastCharacter(line, length);
        else if (length === line.length) {
          reject(tooLong());
          return false;
        } else if (byte >= 0x20) line[length++] = byte;
      }
      chunk.fill(0);
      return true;
    });
  }).finally(() => line.fill(0));
}

/**
 * Hands on what is typed until `take` has enough. In the standalone executable a stream that is destroyed still takes what
 * is typed next, and the third prompt would wait for ever: there, each read is asked for by itself.
 */
function eachChunk(input: ReadStream, source: number, take: (chunk: Buffer) => boolean): void {
  if (process.versions['bun'] === undefined) {
    input.on('data', take);
    return;
  }
  const chunk = Buffer.alloc(MAX_SECRET_BYTES);
  const next = (): void =>
    read(source, chunk, 0, chunk.length, null, (error, count) => {
      if (error !== null) input.emit('error', error);
      else if (count === 0) input.emit('end');
      else if (take(chunk.subarray(0, count))) next();
    });
  next();
}

/** The length without the last UTF-8 character: its continuation bytes are 10xxxxxx. */
function withoutLastCharacter(line: Uint8Array, length: number): number {
  let end = length;
  while (end > 0) {
    end -= 1;
    if (((line[end] ?? 0) & 0xc0) !== 0x80) break;
  }
  return end;
}

function interrupted(): RolesAnywhereError {
  return new RolesAnywhereError('ERR_INTERRUPTED', 'the prompt was cancelled');
}

function tooLong(): RolesAnywhereError {
  return new RolesAnywhereError('ERR_TERMINAL', `what was typed is longer than ${MAX_SECRET_BYTES} bytes`);
}
