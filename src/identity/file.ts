/** Reading the files that a person names: bounded, and with an error that says which flag named them. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { RolesAnywhereError } from '../platform/errors.ts';

/** The flags that name material. Errors show them. */
export type MaterialFlag =
  | '--certificate'
  | '--private-key'
  | '--intermediates'
  | '--trust-anchor'
  | '--tls-cert'
  | '--tls-key';

/** The bytes of one piece of an identity. */
export interface Material {
  readonly flag: MaterialFlag;
  /** How errors name it, for example `--certificate leaf.pem`. */
  readonly source: string;
  /** May hold a private key: fill it with zeros when done. */
  readonly bytes: Uint8Array;
  /** Whether reading it once more gives what is there then; a pipe gives its bytes once. */
  readonly rereadable: boolean;
  /** Permission bits of a plain file; undefined for anything else, and on Windows. */
  readonly mode?: number | undefined;
  /** Another user's, and this process is not root: it may be read by the group's permission, such as a mounted secret is. */
  readonly foreign?: boolean | undefined;
}

/** Reads what `value` of `flag` names. */
export type ReadMaterial = (flag: MaterialFlag, value: string) => Material;

/** 1 MiB. A certificate with its chain and key is some 10 KB; a bundle of all public roots 220 KB. */
export const MAX_FILE_BYTES = 1024 * 1024;

const CHUNK_BYTES = 16 * 1024;

/**
 * Reads a file, or a pipe until it ends. Synchronous: material is small and
 * local, and a one-shot command has nothing else to do meanwhile.
 *
 * @throws RolesAnywhereError `ERR_FILE_NOT_FOUND`, `ERR_FILE_UNREADABLE`,
 * `ERR_FILE_IS_DIRECTORY`, `ERR_FILE_TOO_LARGE`, `ERR_PEM_EMPTY`
 */
export const readMaterialFile: ReadMaterial = (flag, path) => {
  const source = `${flag} ${path}`;
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, 'r');
    const stats = fstatSync(descriptor);
    if (stats.isDirectory())
      throw new RolesAnywhereError('ERR_FILE_IS_DIRECTORY', `${source} is a directory`, {
        hint: `name a file in it with ${flag}`,
      });
    const bytes = readBounded(descriptor, source);
    if (bytes.length === 0)
      throw new RolesAnywhereError('ERR_PEM_EMPTY', `${source} is empty`, {
        hint: 'whatever wrote the file did not finish: make it again',
      });
    const mode = stats.isFile() && process.platform !== 'win32' ? stats.mode & 0o777 : undefined;
    const foreign = ![0, stats.uid].includes(process.geteuid?.() ?? 0);
    return { flag, source, bytes, rereadable: stats.isFile(), mode, foreign };
  } catch (error) {
    throw error instanceof RolesAnywhereError ? error : accessError(flag, source, error);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
};

/** Longer values are looked at more closely: the shortest private key has 164 characters in base64. */
const ORDINARY_LENGTH = 150;

/** Whether a value is the name of a file and surely not what source.ts is for. */
export function isOrdinaryPath(value: string): boolean {
  return value !== '-' && !value.startsWith('env:') && value.length < ORDINARY_LENGTH;
}

/**
 * Reads to the end without ever growing a buffer: what is left behind by growing could not be wiped.
 *
 * @param read fills a part of the buffer, and gives its length; 0 at the end
 */
export function readBounded(
  descriptor: number,
  source: string,
  read: (descriptor: number, chunk: Uint8Array) => number = readSync,
): Uint8Array {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for (;;) {
      const chunk = new Uint8Array(CHUNK_BYTES);
      chunks.push(chunk);
      const count = read(descriptor, chunk);
      if (count === 0) break;
      chunks[chunks.length - 1] = chunk.subarray(0, count);
      length += count;
      if (length > MAX_FILE_BYTES)
        throw new RolesAnywhereError('ERR_FILE_TOO_LARGE', `${source} is larger than ${MAX_FILE_BYTES} bytes`, {
          hint: 'that is no certificate or key: check the path',
        });
    }
    const bytes = new Uint8Array(length);
    let offset = 0;
    for (const chunk of chunks) {
      if (offset === length) break;
      bytes.set(chunk, offset);
      offset += chunk.length;
    }
    return bytes;
  } finally {
    for (const chunk of chunks) chunk.fill(0);
  }
}

/** The error for what the system refused. */
export function accessError(flag: MaterialFlag, source: string, error: unknown): RolesAnywhereError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return new RolesAnywhereError('ERR_FILE_NOT_FOUND', `${source} does not exist`, {
      hint: source.startsWith(`${flag} ~/`)
        ? '~ is not expanded: write the path of the home directory'
        : `check the path given with ${flag}; a relative one starts at the working directory`,
      cause: error,
    });
  return new RolesAnywhereError('ERR_FILE_UNREADABLE', `${source} cannot be read (${code})`, {
    hint: 'check who owns the file, its mode and those of the folders above it',
    cause: error,
  });
}
