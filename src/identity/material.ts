/** The bytes that an identity is made of, certificates and keys, as files hold them. */
import { RolesAnywhereError } from '../platform/errors.ts';
import { type NamedFile, readNamedFile } from '../platform/files.ts';

/** The flags that name material. Errors show them. */
export type MaterialFlag =
  | '--certificate'
  | '--private-key'
  | '--intermediates'
  | '--trust-anchor'
  | '--certificate-bundle'
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

/**
 * Reads a file, or a pipe until it ends, such as a shell's process substitution.
 *
 * @throws RolesAnywhereError `ERR_FILE_NOT_FOUND`, `ERR_FILE_UNREADABLE`,
 * `ERR_FILE_IS_DIRECTORY`, `ERR_FILE_TOO_LARGE`, `ERR_PEM_EMPTY`
 */
export const readMaterialFile: ReadMaterial = (flag, path) => {
  const file = materialFile(flag, path);
  const { bytes, stats } = readNamedFile({ ...file, streams: 'awaited' });
  if (bytes.length === 0)
    throw new RolesAnywhereError('ERR_PEM_EMPTY', `${file.name} is empty`, {
      hint: 'whatever wrote the file did not finish: make it again',
      flag,
    });
  const mode = stats.isFile() && process.platform !== 'win32' ? stats.mode & 0o777 : undefined;
  const foreign = ![0, stats.uid].includes(process.geteuid?.() ?? 0);
  return { flag, source: file.name, bytes, rereadable: stats.isFile(), mode, foreign };
};

/** What a flag names, for reading it. */
export function materialFile(flag: MaterialFlag, path: string, name = `${flag} ${path}`): NamedFile {
  return { path, name, flag };
}

/** Longer values are looked at more closely: the shortest private key has 164 characters in base64. */
const ORDINARY_LENGTH = 150;

/** Whether a value is the name of a file and surely not what source.ts is for, nor meant for a PKCS#11 URI. */
export function isOrdinaryPath(value: string): boolean {
  return value !== '-' && !value.startsWith('env:') && value.length < ORDINARY_LENGTH && !/pkcs|pin-/i.test(value);
}
