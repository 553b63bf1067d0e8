/**
 * What loading does about values that are in a token, a TPM or a Workload API: opens those of the TPM, and refuses those
 * that the flag, or what is given beside it, does not go with.
 */
// Tests: test/identity/load.test.ts
import { RolesAnywhereError } from '../platform/errors.ts';
import type { KeyDeps } from './key-deps.ts';
import type { Material, MaterialFlag } from './material.ts';
import type { PrivateKey } from './private-key.ts';

/** Values of the flags of the same names. */
interface Named {
  readonly certificate?: string | undefined;
  readonly privateKey?: string | undefined;
  readonly intermediates?: string | undefined;
}

/** @throws RolesAnywhereError `ERR_UNSUPPORTED` */
export function refuseMisplaced({ certificate, privateKey, intermediates }: Named): void {
  for (const [flag, value] of [
    ['--certificate', certificate],
    ['--intermediates', intermediates],
  ] as const)
    if (value?.startsWith('handle:') === true)
      throw refused(
        flag,
        'the handle of a TPM key, which is no certificate',
        `name the certificate with ${flag}: a file, or nv:0x... for one in the TPM; the key goes with --private-key`,
      );
  if (certificate?.slice(0, 7).toLowerCase() === 'spiffe:' && privateKey !== undefined)
    throw refused('--private-key', 'given, and --certificate spiffe: has its key with it', 'leave --private-key out');
  if (isToken(intermediates))
    throw refused(
      '--intermediates',
      'a PKCS#11 URI, which this version cannot use',
      'give a PEM file with --intermediates',
    );
  if (isToken(certificate) && privateKey?.startsWith('handle:') === true)
    throw refused(
      '--private-key',
      'a TPM handle, and the certificate is in a PKCS#11 token',
      'give the certificate of a key in the TPM in a file, or in the TPM as nv:0x...',
    );
  if (privateKey?.startsWith('nv:') === true)
    throw refused(
      '--private-key',
      'an NV index of a TPM, which holds no private key that signs',
      'keys in a TPM have handles, such as handle:0x81000001, or files',
    );
}

function refused(flag: MaterialFlag, what: string, hint: string): RolesAnywhereError {
  return new RolesAnywhereError('ERR_UNSUPPORTED', `${flag} is ${what}`, { flag, hint });
}

function isToken(value: string | undefined): boolean {
  return value?.slice(0, 7).toLowerCase() === 'pkcs11:';
}

/** The key by a handle, such as `handle:0x81000001`. */
export async function openTpmKey(value: string, deps: KeyDeps): Promise<PrivateKey> {
  const { openHandle } = await import('./tpm/index.ts');
  return await openHandle(value, '--private-key', deps.tpm, { ...deps, ...deps.tpm });
}

/** The key in a file that only a TPM can load. */
export async function openTpmKeyFile(der: Uint8Array, source: string, deps: KeyDeps): Promise<PrivateKey> {
  const { openKeyFile } = await import('./tpm/index.ts');
  return openKeyFile(der, source, deps.tpm, { ...deps, ...deps.tpm });
}

/** What is in an index of the TPM's memory, such as `nv:0x1c00002`. */
export async function readNv(flag: MaterialFlag, value: string, deps: KeyDeps): Promise<Material> {
  const { readNvIndex } = await import('./tpm/index.ts');
  const bytes = await readNvIndex(value, flag, deps.tpm, { ...deps, ...deps.tpm });
  return { flag, source: `${flag} ${value}`, bytes, rereadable: true };
}
