/** Where the passwords of encrypted keys and containers are to be taken from. */
import type { FlagValues } from './flag-values.ts';
import type { FlagName } from './flags.ts';
import { RolesAnywhereError } from '../platform/errors.ts';

/** What a password opens: an encrypted private key, PKCS#8 or older, or a PKCS#12 container. */
export type PasswordKind = 'pkcs8' | 'pkcs12';

/** One source of a password, and what named it, for messages. */
export type PasswordSource =
  | { readonly password: string; readonly from: string }
  /** The first line of a file; `-` is standard input. */
  | { readonly file: string; readonly from: string };

/** By kind; left out where a person is to be asked. */
export type PasswordSources = { readonly [kind in PasswordKind]?: PasswordSource | undefined };

/** The environment variables that hold a password. */
export const PASSWORD_VARIABLES: Readonly<Record<PasswordKind, string>> = {
  pkcs8: 'ROLES_ANYWHERE_PKCS8_PASSWORD',
  pkcs12: 'ROLES_ANYWHERE_PKCS12_PASSWORD',
};

/** Flags of files that may be standard input. */
const READ_FROM = [
  'certificate',
  'private-key',
  'intermediates',
  'pkcs8-password-file',
  'pkcs12-password-file',
] as const satisfies readonly FlagName[];

/** The flags that say where passwords are, and those that might read the same input. */
type PasswordFlags = FlagValues<(typeof READ_FROM)[number] | `${PasswordKind}-password`>;

/**
 * Takes each password from its flag, its file's flag or the environment, where an
 * empty value counts as not given. A container without a password opens without one.
 *
 * @throws RolesAnywhereError `ERR_FLAG_CONFLICT` when standard input would have to be read twice
 */
export function passwordSources(
  flags: PasswordFlags,
  env: Readonly<Record<string, string | undefined>>,
): PasswordSources {
  const pkcs8 = sourceOf('pkcs8', flags, env);
  const pkcs12 = sourceOf('pkcs12', flags, env);
  const fromInput = READ_FROM.filter((name) => flags[name] === '-');
  const [first, second] = fromInput;
  if (second !== undefined && fromInput.some((name) => name.endsWith('-file')))
    throw new RolesAnywhereError('ERR_FLAG_CONFLICT', `--${first} and --${second} both read standard input`, {
      hint: 'give one of them in a file',
    });
  return { pkcs8, pkcs12 };
}

/** The files that passwords are read from. */
export function passwordFiles(sources: PasswordSources): string[] {
  return [sources.pkcs8, sources.pkcs12].flatMap((source) =>
    source !== undefined && 'file' in source && source.file !== '-' ? [source.file] : [],
  );
}

function sourceOf(
  kind: PasswordKind,
  flags: PasswordFlags,
  env: Readonly<Record<string, string | undefined>>,
): PasswordSource | undefined {
  const [given, file, variable] = [flags[`${kind}-password`], flags[`${kind}-password-file`], PASSWORD_VARIABLES[kind]];
  if (given !== undefined) return { password: given, from: `--${kind}-password` };
  if (file !== undefined) return { file, from: `--${kind}-password-file` };
  const value = env[variable];
  return value === undefined || value === '' ? undefined : { password: value, from: variable };
}
