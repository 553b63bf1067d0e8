/**
 * Sources of the passwords of encrypted keys and containers.
 */
// Tests: test/identity/containers/password.test.ts
/**
 * What a password opens: an encrypted private key, PKCS#8 or older, or a PKCS#12 container; in a TPM the key, its parent,
 * or the hierarchy that the parent is made from.
 */
export type PasswordKind = 'pkcs8' | 'pkcs12' | 'tpm-key' | 'tpm-parent' | 'tpm-hierarchy';

export const PASSWORD_KINDS = [
  'pkcs8',
  'pkcs12',
  'tpm-key',
  'tpm-parent',
  'tpm-hierarchy',
] as const satisfies readonly PasswordKind[];

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
  'tpm-key': 'ROLES_ANYWHERE_TPM_KEY_PASSWORD',
  'tpm-parent': 'ROLES_ANYWHERE_TPM_PARENT_PASSWORD',
  'tpm-hierarchy': 'ROLES_ANYWHERE_TPM_HIERARCHY_PASSWORD',
};

/** The files that passwords are read from. */
export function passwordFiles(sources: PasswordSources): string[] {
  return PASSWORD_KINDS.flatMap((kind) => {
    const source = sources[kind];
    return source !== undefined && 'file' in source && source.file !== '-' ? [source.file] : [];
  });
}
