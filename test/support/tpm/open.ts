/** Opens keys of the made TPM as the program does, and looks at what they sign with the eyes of others. */
import { X509Certificate, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PrivateKey } from '../../../src/identity/private-key.ts';
import { type TpmDeps, type TpmSettings, openHandle, openKeyFile } from '../../../src/identity/tpm/index.ts';
import { type MadeKey, derOf } from './keys.ts';
import type { Simulator } from './simulator.ts';

export interface OpenOptions extends TpmSettings {
  readonly deps?: TpmDeps | undefined;
  /** Leaves the key's own passwords out. */
  readonly bare?: boolean | undefined;
}

/** Opens a made key. Nobody is there to be asked, unless `deps` says otherwise. */
export async function openMade(
  tpm: Pick<Simulator, 'tcti' | 'env'>,
  directory: string,
  { key, password, parentPassword, silent }: MadeKey,
  { deps, bare = false, ...settings }: OpenOptions = {},
): Promise<PrivateKey> {
  const given = (value: string | undefined) =>
    value === undefined || bare ? undefined : { password: value, from: 'the test' };
  const all: TpmSettings = {
    device: tpm.tcti,
    noKeyPassword: silent === true && !bare,
    ...settings,
  };
  const passwords = { 'tpm-key': given(password), 'tpm-parent': given(parentPassword) };
  const withEnv = { env: tpm.env, ask: async () => undefined, passwords, ...deps };
  if (key.startsWith('handle:')) return await openHandle(key, '--private-key', all, withEnv);
  return openKeyFile(derOf(readFileSync(join(directory, key), 'utf8')), `--private-key ${key}`, all, withEnv);
}

/** Whether the certificate of a made key verifies a signature over a message, with SHA-256. */
export function verifies(directory: string, { name }: MadeKey, message: Uint8Array, signature: Uint8Array): boolean {
  const certificate = new X509Certificate(readFileSync(join(directory, `${name}.pem`)));
  return verify('SHA256', message, certificate.publicKey, signature);
}

/** A key by its name. */
export function keyNamed(keys: readonly MadeKey[], name: string): MadeKey {
  const key = keys.find((candidate) => candidate.name === name);
  if (key === undefined) throw new Error(`no key ${name}`);
  return key;
}
