/** A private key of a file as node:crypto has it, with how it was written: for what has to write or use the key itself. */
// Tests: test/renewal/form.test.ts
import type { KeyObject } from 'node:crypto';
import type { Certificate } from '../x509/certificate.ts';
import { belongsTo, isEncryptedKey, isPrivateKeyLabel, isVersion2, readPrivateKey } from '../x509/keys.ts';
import { type Contents, openContainers, readContents, wipe } from './contents.ts';
import { type MaterialFlag, readMaterialFile } from './material.ts';
import type { PasswordDeps } from './containers/password.ts';

/** A private key that is in a file as it is. */
export interface FileKey {
  readonly key: KeyObject;
  /** The PEM label that it has, or would have in PEM. */
  readonly label: string;
  /** What has to be known to open it. */
  readonly password: 'pkcs8' | 'pkcs12' | undefined;
  /** How many private keys the file holds. */
  readonly among: number;
}

/**
 * The private key of a certificate, from a file that may hold others.
 *
 * @returns undefined where the file holds none such that node:crypto knows: a TPM's key, or ML-DSA on an older Node
 * @throws RolesAnywhereError as reading and opening the file do
 */
export async function readFileKey(
  flag: MaterialFlag,
  path: string,
  certificate: Certificate,
  deps: PasswordDeps,
): Promise<FileKey | undefined> {
  const { source, ...read } = readMaterialFile(flag, path);
  const closed = await readContents({ source, ...read });
  let opened: Contents | undefined;
  try {
    opened = await openContainers(closed, deps);
    const isContainer = closed.blocks.some(({ label }) => label === 'PKCS12');
    const blocks = opened.blocks.filter(({ label }) => isPrivateKeyLabel(label));
    for (const block of blocks) {
      const { label } = block;
      if (label === 'TSS2 PRIVATE KEY') continue;
      const encrypted = isEncryptedKey(block);
      const unlocked = encrypted
        ? await (await import('./containers/unlock.ts')).unlockKey(block, source, deps)
        : block;
      const plain = isVersion2(unlocked) ? (await import('./containers/pkcs8-v2.ts')).asVersion1(unlocked) : unlocked;
      let key: KeyObject;
      try {
        key = readPrivateKey(plain, source);
      } catch {
        continue; // of another kind than is looked for
      }
      if (!belongsTo(key, certificate)) continue;
      return { key, label, password: isContainer ? 'pkcs12' : encrypted ? 'pkcs8' : undefined, among: blocks.length };
    }
    return undefined;
  } finally {
    wipe(closed);
    if (opened !== undefined) wipe(opened);
  }
}
