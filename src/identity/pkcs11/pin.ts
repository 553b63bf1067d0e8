/** Where a PIN comes from. Each source is read again for every login, so that a corrected PIN is taken up. */
import { exec } from 'node:child_process';
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RolesAnywhereError } from '../../platform/errors.ts';
import { readNamedFile, secretBytes } from '../../platform/files.ts';
import { killTree } from '../../platform/process-tree.ts';
import type { Pkcs11Uri } from './uri.ts';

/** The environment variable that holds a PIN. */
const PIN_VARIABLE = 'ROLES_ANYWHERE_PKCS11_PIN';

const MAX_PIN_BYTES = 1024;
const COMMAND_TIMEOUT_MS = 30_000;

export interface Pin {
  /** The caller's to wipe. */
  bytes: Uint8Array;
  /** Changes when the source is written to, where that can be seen. */
  stamp?: string | undefined;
}

/** A place that a PIN is read from without a person. */
export interface PinSource {
  /** Names the place for the records of the guard. Holds no secret. */
  readonly key: string;
  /** For messages. */
  readonly description: string;
  /** @throws RolesAnywhereError `ERR_PIN_SOURCE`, `ERR_PIN_EMPTY` */
  read(): Promise<Pin>;
}

export interface PinSettings {
  /** The URIs that may carry a PIN, the key's first, with the flags that they came from. */
  uris: readonly { uri: Pkcs11Uri; flag: string }[];
  /** A file to read the PIN from. */
  pinFile?: string | undefined;
  /** Whether `pin-source=|command` may run. Default false: a URI may come from a file that others write. */
  allowCommand?: boolean | undefined;
  env: Readonly<Record<string, string | undefined>>;
}

/**
 * The first source that is there: the URIs, the file, the environment.
 *
 * @returns undefined when only a person can give the PIN
 * @throws RolesAnywhereError `ERR_PIN_SOURCE` for a pin-source that is not allowed or not understood
 */
export function choosePinSource(settings: PinSettings): PinSource | undefined {
  for (const { uri, flag } of settings.uris) {
    if (uri.pinValue !== undefined) return valueSource(uri.pinValue, flag);
    if (uri.pinSource !== undefined) return pinSource(uri.pinSource, flag, settings.allowCommand === true);
  }
  if (settings.pinFile !== undefined) return fileSource(settings.pinFile, '--pkcs11-pin-file');
  const value = settings.env[PIN_VARIABLE];
  if (value === undefined) return undefined;
  return {
    key: `environment:${PIN_VARIABLE}`,
    description: PIN_VARIABLE,
    read: async () => ({ bytes: checked(encoded(value), PIN_VARIABLE) }),
  };
}

function encoded(value: string): Uint8Array {
  const bytes = secretBytes(Buffer.byteLength(value));
  new TextEncoder().encodeInto(value, bytes);
  return bytes;
}

function valueSource(value: Uint8Array, flag: string): PinSource {
  const description = `pin-value in the URI of ${flag}`;
  return {
    key: 'uri:pin-value',
    description,
    read: async () => ({ bytes: checked(secretBytes(value), description) }),
  };
}

function pinSource(value: string, flag: string, allowCommand: boolean): PinSource {
  const where = `pin-source in the URI of ${flag}`;
  if (value.startsWith('|')) {
    if (allowCommand) return commandSource(value.slice(1), where);
    throw new RolesAnywhereError('ERR_PIN_SOURCE', `${where} is a command, which is not run by default`, {
      hint: 'add --pkcs11-allow-pin-command if the URI comes from a place that only you can write to',
    });
  }
  if (/^file:/i.test(value)) return fileSource(fileOf(value, where), where);
  if (/^[A-Za-z][A-Za-z0-9+.-]+:/.test(value) || value === '') {
    throw new RolesAnywhereError('ERR_PIN_SOURCE', `${where} is neither a file name, a file: URI nor a command`, {
      hint: 'write pin-source=/path/to/file or pin-source=file:/path/to/file',
    });
  }
  return fileSource(value, where);
}

function fileOf(uri: string, where: string): string {
  try {
    return fileURLToPath(uri);
  } catch (cause) {
    throw new RolesAnywhereError('ERR_PIN_SOURCE', `${where} is not a file: URI of this machine`, {
      hint: 'write pin-source=file:/path/to/file',
      cause,
    });
  }
}

function fileSource(path: string, where: string): PinSource {
  const file = resolve(path);
  return { key: `file:${file}`, description: `the file ${file}`, read: async () => readPinFile(file, where) };
}

/** Read until it ends, also where it is a shell's process substitution. */
function readPinFile(file: string, where: string): Pin {
  const { bytes, stats } = readNamedFile({
    path: file,
    name: `the PIN file ${file} of ${where}`,
    code: 'ERR_PIN_SOURCE',
    hint: 'the file holds the PIN and nothing else, and this user may read it',
    streams: 'open',
  });
  try {
    return { bytes: checked(withoutLineEnd(bytes), `the file ${file}`), stamp: `${stats.ino}:${stats.mtimeMs}` };
  } finally {
    bytes.fill(0);
  }
}

function commandSource(command: string, where: string): PinSource {
  const description = `the command of ${where}`;
  return {
    // The command line may hold a secret of its own.
    key: `command:${createHash('sha256').update(command).digest('hex').slice(0, 16)}`,
    description,
    read: async () => ({ bytes: checked(withoutLineEnd(await run(command, description)), description) }),
  };
}

function run(command: string, description: string): Promise<Uint8Array> {
  return new Promise((resolve_, reject) => {
    const options = {
      maxBuffer: MAX_PIN_BYTES + 2,
      encoding: 'buffer',
      windowsHide: true,
    } as const;
    const child = exec(command, options, (error, stdout) => {
      clearTimeout(timer);
      if (error === null) return resolve_(stdout);
      // Neither the error nor what the command printed is kept: both may hold the PIN.
      const how = typeof error.code === 'number' ? `ended with status ${error.code}` : 'did not end as it should';
      return reject(
        new RolesAnywhereError('ERR_PIN_SOURCE', `${description} ${how}`, {
          hint: 'the command prints the PIN and nothing else, and ends with status 0 within 30 seconds',
        }),
      );
    });
    // Node's own limit would end the shell alone.
    const timer = setTimeout(() => {
      killTree(child);
      child.stdout?.destroy();
      child.stderr?.destroy();
    }, COMMAND_TIMEOUT_MS);
    child.stdin?.end();
  });
}

/** One line end at the end is the editor's, as is a mark of UTF-8 at the beginning. A copy, so that the caller owns what it wipes. */
function withoutLineEnd(bytes: Uint8Array): Uint8Array {
  const start = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  let end = bytes.length;
  if (bytes[end - 1] === 0x0a) end -= 1;
  if (end < bytes.length && bytes[end - 1] === 0x0d) end -= 1;
  return secretBytes(bytes.subarray(start, Math.max(start, end)));
}

function checked(pin: Uint8Array, where: string): Uint8Array {
  if (pin.length === 0) {
    throw new RolesAnywhereError('ERR_PIN_EMPTY', `the PIN in ${where} is empty`, {
      hint: 'an empty PIN would cost one of the few tries before the token locks; give the PIN, or remove the source',
    });
  }
  if (pin.length > MAX_PIN_BYTES) {
    throw new RolesAnywhereError('ERR_PIN_SOURCE', `the PIN in ${where} is longer than ${MAX_PIN_BYTES} bytes`, {
      hint: 'the source holds the PIN and nothing else',
    });
  }
  // Such as a second line, or UTF-16: no PIN, and presenting it would cost a try.
  if (pin.some((byte) => byte < 0x20 || byte === 0x7f)) {
    pin.fill(0);
    throw new RolesAnywhereError(
      'ERR_PIN_SOURCE',
      `the PIN in ${where} holds a line end or another control character`,
      {
        hint: 'it was not presented: the source holds the PIN in one line and nothing else, in ASCII or UTF-8',
      },
    );
  }
  return pin;
}
