/**
 * The flags of passwords, and the variables that stand in for them.
 */
// Tests: test/identity/containers/password.test.ts
import { PASSWORD_KINDS, PASSWORD_VARIABLES } from '../identity/passwords.ts';
import type { PasswordKind, PasswordSource, PasswordSources } from '../identity/passwords.ts';
import type { FlagValues } from './flag-values.ts';
import type { FlagName } from './flags.ts';
import { RolesAnywhereError } from '../platform/errors.ts';

/** Flags of files that may be standard input. */
const READ_FROM = [
  'certificate',
  'private-key',
  'intermediates',
  'pkcs8-password-file',
  'pkcs12-password-file',
  'tpm-key-password-file',
  'tpm-parent-password-file',
  'tpm-hierarchy-password-file',
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
  const fromInput = READ_FROM.filter((name) => flags[name] === '-');
  const [first, second] = fromInput;
  if (second !== undefined && fromInput.some((name) => name.endsWith('-file')))
    throw new RolesAnywhereError('ERR_FLAG_CONFLICT', `--${first} and --${second} both read standard input`, {
      hint: 'give one of them in a file',
    });
  return Object.fromEntries(PASSWORD_KINDS.map((kind) => [kind, sourceOf(kind, flags, env)]));
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
