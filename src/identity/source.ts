/**
 * Where material comes from: a path, `-` for standard input, or `env:NAME` for a
 * variable of the environment. Loaded when a value is not plainly a path.
 */
import { RolesAnywhereError } from '../platform/errors.ts';
import { MAX_FILE_BYTES, accessError, readBounded, waiting, withoutBlocking } from '../platform/files.ts';
import {
  type Material,
  type MaterialFlag,
  type ReadMaterial,
  isOrdinaryPath,
  materialFile,
  readMaterialFile,
} from './material.ts';

export interface SourceDeps {
  /** Default `process.env`. */
  env?: Readonly<Record<string, string | undefined>> | undefined;
  /** File descriptor of standard input. Default 0. */
  stdin?: number | undefined;
}

/** Whether a value of a flag that names material is the name of a file, which can be read again and watched. */
export function isPath(value: string): boolean {
  return value !== '-' && !value.startsWith('env:');
}

/** Whether a value can only be the name of a file: no material, nor what was meant for a PKCS#11 URI, which may not be shown. */
export function isFileName(value: string): boolean {
  return isPath(value) && !isMaterialItself(value) && !NEAR_URI.test(value);
}

/** Reads from wherever a value says. Files as {@link readMaterialFile} does. */
export function materialReader({ env = process.env, stdin = 0 }: SourceDeps = {}): ReadMaterial {
  return (flag, value) => {
    if (value === '-') return readStdin(flag, stdin);
    if (value.startsWith('env:')) return readVariable(flag, value.slice('env:'.length), env);
    refuseMaterialItself(flag, value);
    refuseNearUri(flag, value);
    return readMaterialFile(flag, value);
  };
}

/**
 * Refuses a line on which standard input has to serve twice.
 *
 * @param values by flag, without regard to whether a flag names material or a password
 * @throws RolesAnywhereError `ERR_FLAG_CONFLICT`
 */
export function refuseStdinTwice(values: Readonly<Record<string, string | undefined>>): void {
  const [one, other] = Object.keys(values).filter((flag) => values[flag] === '-');
  if (other === undefined) return;
  throw new RolesAnywhereError('ERR_FLAG_CONFLICT', `${one} and ${other} are both - (standard input)`, {
    hint: 'it can be read once: put certificate, chain and key into one stream for --certificate, or use files',
  });
}

/** Reads until it ends. */
function readStdin(flag: MaterialFlag, descriptor: number): Material {
  const file = materialFile(flag, '-', `${flag} - (standard input)`);
  let bytes: Uint8Array;
  try {
    bytes = waiting(() => withoutBlocking(descriptor, (own) => readBounded(own, file)));
  } catch (error) {
    throw error instanceof RolesAnywhereError ? error : accessError(file, error);
  }
  if (bytes.length > 0) return { flag, source: file.name, bytes, rereadable: false };
  throw new RolesAnywhereError('ERR_PEM_EMPTY', `${file.name} is empty`, {
    hint: 'whatever should write into it wrote nothing; it can be read once only',
    flag,
  });
}

/** Longest name of a variable that is taken, and shown: anything longer may be the material itself. */
const MAX_NAME = 128;

/** The value may be a key: no message shows any of it. */
function readVariable(flag: MaterialFlag, name: string, env: Readonly<Record<string, string | undefined>>): Material {
  if (name.length > MAX_NAME || !/^[A-Za-z_]\w*$/.test(name))
    throw new RolesAnywhereError('ERR_FLAG_VALUE', `${flag}: what follows env: is not the name of a variable`, {
      flag,
      hint: `write ${flag} env:NAME, without a dollar sign: the variable itself must hold the PEM text`,
    });
  const source = `${flag} env:${name}`;
  const value = env[name];
  if (value === undefined)
    throw new RolesAnywhereError('ERR_VARIABLE_NOT_SET', `${source}: the variable ${name} is not set`, {
      hint: 'check its spelling, and that it is exported to this program',
    });
  if (value.trim() === '')
    throw new RolesAnywhereError('ERR_PEM_EMPTY', `${source} is empty`, {
      hint: 'whatever sets the variable found nothing to put in',
    });
  if (value.length > 2 * MAX_FILE_BYTES)
    throw new RolesAnywhereError('ERR_FILE_TOO_LARGE', `${source} is larger than ${MAX_FILE_BYTES} bytes`, {
      hint: 'that is no certificate or key',
    });
  const bytes = value.includes('-----BEGIN') ? new Uint8Array(Buffer.from(value)) : decodeBase64(value);
  if (bytes === undefined)
    throw new RolesAnywhereError('ERR_FORMAT_UNKNOWN', `${source} is neither PEM nor base64 of it`, {
      hint: 'PEM has a line like -----BEGIN CERTIFICATE-----; base64 of a file is what `base64 FILE` prints',
    });
  return { flag, source, bytes, rereadable: false };
}

/** RFC 4648, sections 4 and 5, with or without padding and line feeds; undefined when it is anything else. */
function decodeBase64(text: string): Uint8Array | undefined {
  if (!/^[\w+/\s-]+={0,2}$/.test(text.trimEnd())) return undefined;
  const pooled = Buffer.from(text, 'base64url');
  const bytes = Uint8Array.from(pooled); // not a part of the pool that Node's small buffers share, so that wiping it works
  pooled.fill(0);
  return bytes.length === 0 ? undefined : bytes;
}

/**
 * A path of that form would be shown in messages, and it is not one: it is
 * PEM, base64 of PEM or base64 of DER, where a variable was expanded by a shell.
 */
function refuseMaterialItself(flag: MaterialFlag, value: string): void {
  if (!isMaterialItself(value)) return;
  throw new RolesAnywhereError('ERR_FLAG_VALUE', `${flag} is the material itself, not the name of a file`, {
    flag,
    hint: `keep it off the command line, which other users can see: use ${flag} env:NAME for a variable, or - for standard input`,
  });
}

function isMaterialItself(value: string): boolean {
  return !isOrdinaryPath(value) && /-----BEGIN|^(?:LS0tLS1|M)[A-Za-z0-9+/=\s]+$/.test(value);
}

/** What can stand before a PKCS#11 URI that was meant: blanks and quotes, and what is not its colon behind the scheme. */
const NEAR_URI =
  /^[\s"'`\u2018-\u201f]*(?:file:)?(?:pkcs[\s_#-]*11)[\s"']*(?:[:;=?]|%3a)|pin-(?:value|source)\s*(?:=|%3d)/i;

/** A value that just misses being a PKCS#11 URI is not the name of a file, and may hold a PIN: it is not shown. */
function refuseNearUri(flag: MaterialFlag, value: string): void {
  if (!NEAR_URI.test(value)) return;
  throw new RolesAnywhereError(
    'ERR_PKCS11_URI',
    `${flag} is meant for a PKCS#11 URI, and does not begin with pkcs11:`,
    {
      flag,
      hint: `write it without blanks or quotes in it, in one pair of quotes for the shell: ${flag} 'pkcs11:token=My%20token;object=my-key?pin-source=/path/to/pin'`,
    },
  );
}
