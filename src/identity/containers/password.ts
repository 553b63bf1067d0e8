/** Gets passwords: from where the user said, or from a person at the terminal. */
import { type ErrorCode, RolesAnywhereError } from '../../platform/errors.ts';
import { type NamedFile, accessError, readSome, waiting, withOpened, withoutBlocking } from '../../platform/files.ts';
import { PASSWORD_VARIABLES, type PasswordKind, type PasswordSource, type PasswordSources } from '../passwords.ts';
import { WrongPasswordError } from './secret.ts';

/** Passwords that were typed or piped in, by what they opened: whoever loads again hands them back, so that nobody is asked again. */
export type TypedPasswords = Map<string, Uint8Array>;

/** Asks a person; undefined when there is nobody to ask. See promptSecret of terminal/prompt.ts. */
export type AskPassword = (question: string) => Promise<Uint8Array | undefined>;

export interface PasswordDeps {
  passwords?: PasswordSources | undefined;
  /** Default: at the terminal device. */
  ask?: AskPassword | undefined;
  /** Default: none, and what is typed is forgotten. */
  typed?: TypedPasswords | undefined;
}

/** Gives its password once. No file goes by this name: sources begin with a flag. */
const STANDARD_INPUT = 'standard input';

const MAX_TRIES = 3;
const MAX_PASSWORD_BYTES = 1024;

/**
 * Opens something with its password. One that was given is tried once. Without
 * one, one that was typed before is tried, then the empty one, then a person is asked up to three times.
 *
 * @param source how errors name the file
 * @throws RolesAnywhereError `ERR_PASSWORD_INCORRECT`, `ERR_PASSWORD_REQUIRED`, `ERR_PASSWORD_SOURCE`, and what `open`
 * and asking throw
 */
export async function openWithPassword<T>(
  kind: PasswordKind,
  source: string,
  deps: PasswordDeps,
  open: (password: Uint8Array) => Promise<T>,
): Promise<T> {
  const given = deps.passwords?.[kind];
  if (given === undefined) return await openUnasked(kind, source, deps, open);
  const password = await readPassword(given, deps.typed);
  try {
    return await open(password);
  } catch (error) {
    if (!(error instanceof WrongPasswordError)) throw error;
    throw new RolesAnywhereError('ERR_PASSWORD_INCORRECT', `the password from ${given.from} does not open ${source}`, {
      flag: given.from.startsWith('--') ? given.from : undefined,
      hint: 'check for a line feed or space too many, and for a password that belongs to another file',
    });
  } finally {
    password.fill(0);
  }
}

async function openUnasked<T>(
  kind: PasswordKind,
  source: string,
  deps: PasswordDeps,
  open: (password: Uint8Array) => Promise<T>,
): Promise<T> {
  const before = deps.typed?.get(source);
  const empty = new Uint8Array();
  for (const password of before === undefined ? [empty] : [before, empty]) {
    const opened = await unlessWrong(open, password);
    if (opened !== undefined) return opened.value;
  }
  const ask = deps.ask ?? (await import('../../platform/prompt.ts')).promptSecret;
  for (let tries = 1; tries <= MAX_TRIES; tries++) {
    const typed = await ask(`${tries === 1 ? '' : 'wrong, try again: '}password of ${source}`);
    if (typed === undefined) throw required(kind, source);
    const opened = await unlessWrong(open, typed);
    if (opened !== undefined) deps.typed?.set(source, Uint8Array.from(typed));
    typed.fill(0);
    if (opened !== undefined) return opened.value;
  }
  throw new RolesAnywhereError('ERR_PASSWORD_INCORRECT', `none of the ${MAX_TRIES} passwords opens ${source}`, {
    hint: 'check the layout of the keyboard, and that this is the right file',
  });
}

async function unlessWrong<T>(
  open: (password: Uint8Array) => Promise<T>,
  password: Uint8Array,
): Promise<{ value: T } | undefined> {
  try {
    return { value: await open(password) };
  } catch (error) {
    if (error instanceof WrongPasswordError) return undefined;
    throw error;
  }
}

function required(kind: PasswordKind, source: string): RolesAnywhereError {
  return new RolesAnywhereError(
    'ERR_PASSWORD_REQUIRED',
    `${source} is encrypted, no password was given, and there is no terminal to ask at`,
    { hint: `give it with --${kind}-password-file FILE or in ${PASSWORD_VARIABLES[kind]}` },
  );
}

/**
 * The password's bytes, the caller's to wipe.
 *
 * @throws RolesAnywhereError `ERR_PASSWORD_SOURCE`
 */
export async function readPassword(source: PasswordSource, typed: TypedPasswords | undefined): Promise<Uint8Array> {
  if ('password' in source) return Buffer.from(source.password);
  const before = source.file === '-' ? typed?.get(STANDARD_INPUT) : undefined;
  const line = before === undefined ? readFirstLine(source.file, source.from) : Uint8Array.from(before);
  if (source.file === '-') typed?.set(STANDARD_INPUT, Uint8Array.from(line));
  if (line.length > 0) return line;
  throw new RolesAnywhereError('ERR_PASSWORD_SOURCE', `${source.from} ${source.file} holds no password`, {
    hint: 'write the password into its first line',
  });
}

function readFirstLine(path: string, from: string): Uint8Array {
  const file = {
    path,
    name: `${from} ${path}`,
    code: 'ERR_PASSWORD_SOURCE',
    hint: 'check the path, who owns the file and its mode',
    streams: 'awaited',
  } as const;
  if (path !== '-') return withOpened(file, (descriptor) => firstLine(descriptor, file));
  try {
    return waiting(() => withoutBlocking(0, (own) => firstLine(own, file)));
  } catch (error) {
    throw error instanceof RolesAnywhereError ? error : accessError(file, error);
  }
}

/** Reads no further: at a terminal, there is no end. */
function firstLine(descriptor: number, { name, code }: NamedFile & { readonly code: ErrorCode }): Uint8Array {
  const buffer = Buffer.alloc(MAX_PASSWORD_BYTES + 2);
  try {
    let length = 0;
    while (length < buffer.length && !buffer.subarray(0, length).includes(0x0a)) {
      const count = readSome(descriptor, buffer.subarray(length), name);
      if (count === 0) break;
      length += count;
    }
    const lineFeed = buffer.subarray(0, length).indexOf(0x0a);
    let end = lineFeed < 0 ? length : lineFeed;
    if (buffer[end - 1] === 0x0d) end--;
    // Editors on Windows begin a file with a mark of UTF-8, which is no part of the password.
    const start = buffer.subarray(0, end).indexOf('\ufeff') === 0 ? 3 : 0;
    if (end <= MAX_PASSWORD_BYTES) return Uint8Array.from(buffer.subarray(start, end));
    throw new RolesAnywhereError(code, `the first line of ${name} is longer than ${MAX_PASSWORD_BYTES} bytes`, {
      hint: 'that is no password: check the path',
    });
  } finally {
    buffer.fill(0);
  }
}
