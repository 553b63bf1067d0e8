/** One renewal: a request signed by the key, an issuer's answer, its checks, and the new files in place of the old ones. */
// Tests: test/renewal/form.test.ts, test/renewal/est.test.ts
import { createPrivateKey } from 'node:crypto';
import { type FileKey, readFileKey } from '../identity/file-key.ts';
import type { Identity } from '../identity/identity.ts';
import { type LoadDeps, isInHardware, loadIdentity } from '../identity/load.ts';
import { isPath } from '../identity/source.ts';
import type { Material, MaterialFlag } from '../identity/material.ts';
import { fingerprint } from '../identity/watched-paths.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { type Certificate, readCertificate } from '../x509/certificate.ts';
import { checkRenewed } from './checks.ts';
import { certificatePem, contentsOf, makeCsr } from './csr.ts';
import { type FileChange, type IdentityFiles, changesOf, pkcs8 } from './form.ts';
import type { CurrentIdentity, Issuer } from './issuer.ts';
import { type NewKey, asNewKey, makeKeyLike } from './key.ts';
import { checkPair, replaceFiles } from './replace.ts';

/** What is renewed, and how. */
export interface RenewalOptions {
  /** As in IdentitySpec of identity/load.ts; the certificate is a file, or with its key in a token or a TPM. */
  readonly identity: IdentityFiles;
  readonly issuer: Issuer;
  /** Default false: the key stays. */
  readonly newKey?: boolean | undefined;
  /** What the identity is loaded with. */
  readonly loading: LoadDeps;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly signal?: AbortSignal | undefined;
}

/** A certificate that took the place of another. */
export interface Renewal {
  readonly leaf: Certificate;
  readonly replaced: Certificate;
  readonly newKey: boolean;
}

/**
 * Renews a certificate, whatever time is left of it.
 *
 * @throws RolesAnywhereError of class `identity` for what is there; what the issuer throws; `ERR_RENEWAL_CHECK`,
 * `ERR_RENEWAL_WRITE`. The old pair is in place then
 */
export async function renew(options: RenewalOptions): Promise<Renewal> {
  const { identity: files, issuer, loading, now, signal } = options;
  checkRenewable(files);
  const paths = pathsOf(files);
  const before = await fingerprint(paths);
  const held = await loadForRenewal(files, loading);
  const secrets: FileChange[] = [];
  try {
    const leaf = readCertificate(held.certificate, `--certificate ${files.certificate}`);
    const fileKey = await fileKeyOf(files, leaf, loading);
    const wantsKey = options.newKey === true;
    const newKey = wantsKey ? await newKeyFor(files, leaf, fileKey) : undefined;
    const current: CurrentIdentity = {
      leaf,
      chain: held.chain,
      signer: held.signer,
      tls: fileKey && {
        cert: [held.certificate, ...held.chain].map((der) => certificatePem(der)).join(''),
        key: fileKey.key.export({ type: 'pkcs8', format: 'pem' }).toString(),
      },
    };
    const csr = await makeCsr(contentsOf(leaf), newKey?.signer ?? held.signer, newKey?.publicKey ?? leaf.publicKey);
    const issued = await issuer.issue({ csr, current, newKey: wantsKey }, signal);
    signal?.throwIfAborted();
    const key = await keyFor(issued.privateKey, newKey, files, fileKey);
    const renewed = checkRenewed(
      issued.certificates,
      key?.publicKey ?? leaf.publicKey,
      { leaf, chain: held.chain },
      { issuer: issuer.name, now: now() },
    );
    if (isInHardware(files.certificate)) {
      const { writeToHardware } = await import('./hardware.ts');
      await writeToHardware(files, leaf, renewed, loading);
      return { leaf: renewed.leaf, replaced: leaf, newKey: false };
    }
    const changes = await changesOf(files, { ...renewed, newKey: key?.key }, fileKey, loading);
    secrets.push(...changes);
    await tryOut(files, changes, loading);
    const asPair = key !== undefined && changes.some(({ flag }) => flag === '--private-key');
    await replaceFiles(changes, { asPair, isCurrent: async () => (await fingerprint(paths)) === before, signal });
    return { leaf: renewed.leaf, replaced: leaf, newKey: key !== undefined };
  } finally {
    for (const { bytes, flag } of secrets) if (flag !== '--intermediates') bytes.fill(0);
    await held.close();
  }
}

/**
 * Loads what is to be renewed. That it has expired, or breaks a rule, is no reason not to renew it.
 *
 * @throws RolesAnywhereError of class `identity`
 */
export async function loadForRenewal(files: IdentityFiles, loading: LoadDeps): Promise<Identity> {
  return await loadIdentity({ ...files, skipChecks: true }, { ...loading, warn: undefined });
}

/** @throws RolesAnywhereError `ERR_FLAG_VALUE` for what cannot be replaced: standard input, a variable */
export function checkRenewable({ certificate, intermediates }: IdentityFiles): void {
  for (const [flag, value] of [
    ['--certificate', certificate],
    ['--intermediates', intermediates],
  ] as const) {
    if (value === undefined || isPath(value)) continue;
    throw new RolesAnywhereError(
      'ERR_FLAG_VALUE',
      `${flag} is ${value === '-' ? 'standard input' : 'a variable'}, and cannot be replaced`,
      {
        flag,
        hint: 'keep the certificate in a file',
      },
    );
  }
}

/** The files of an identity, each once. */
function pathsOf({ certificate, privateKey, intermediates }: IdentityFiles): string[] {
  const named = [certificate, privateKey, intermediates].filter((value) => value !== undefined);
  return [...new Set(named)].filter((value) => isPath(value) && !isInHardware(value));
}

/** The key as a file has it; undefined where it is in hardware. */
async function fileKeyOf(files: IdentityFiles, leaf: Certificate, loading: LoadDeps): Promise<FileKey | undefined> {
  const { certificate, privateKey = certificate } = files;
  if (isInHardware(privateKey) || !isPath(privateKey)) return undefined;
  const flag: MaterialFlag = privateKey === certificate ? '--certificate' : '--private-key';
  return await readFileKey(flag, privateKey, leaf, loading);
}

async function newKeyFor(files: IdentityFiles, leaf: Certificate, old: FileKey | undefined): Promise<NewKey> {
  if (old === undefined)
    throw new RolesAnywhereError(
      'ERR_UNSUPPORTED',
      'the key stays in its token, TPM or variable: no new one is made there',
      {
        flag: '--new-key',
        hint: 'leave out --new-key: the key signs the request for its next certificate',
      },
    );
  await expectReplaceable(files);
  return await makeKeyLike(leaf.publicKey);
}

async function expectReplaceable({ certificate, privateKey }: IdentityFiles): Promise<void> {
  if (privateKey !== undefined && privateKey !== certificate) await checkPair(certificate, privateKey);
}

/** The key that the new certificate is for, where it is not the old one. */
async function keyFor(
  pem: string | undefined,
  made: NewKey | undefined,
  files: IdentityFiles,
  old: FileKey | undefined,
): Promise<NewKey | undefined> {
  if (pem === undefined) return made;
  const key = asNewKey(createPrivateKey(pem));
  if (old !== undefined && Buffer.compare(pkcs8(old.key), pkcs8(key.key)) === 0) return undefined;
  if (old === undefined)
    throw new RolesAnywhereError(
      'ERR_RENEWAL_CHECK',
      'the command made a new key, and the old one is in a token or TPM',
      {
        hint: 'let the command ask for a certificate for the request in {csr}',
      },
    );
  await expectReplaceable(files);
  return key;
}

/**
 * Loads what is to be written as if it were written already, by the code that every reader of ours uses.
 *
 * @throws RolesAnywhereError `ERR_RENEWAL_CHECK`
 */
async function tryOut(files: IdentityFiles, changes: readonly FileChange[], loading: LoadDeps): Promise<void> {
  const read = (flag: MaterialFlag, value: string): Material | undefined => {
    const change = changes.find(({ path }) => path === value);
    return (
      change && { flag, source: `the new ${flag.slice(2)}`, bytes: Uint8Array.from(change.bytes), rereadable: false }
    );
  };
  try {
    const identity = await loadIdentity({ ...files }, { ...loading, read, warn: undefined });
    await identity.close();
  } catch (cause) {
    if (!(cause instanceof RolesAnywhereError) || cause.class === 'interrupted') throw cause;
    throw new RolesAnywhereError(
      'ERR_RENEWAL_CHECK',
      `what would take the place of the certificate is not taken: ${cause.message}`,
      {
        hint: cause.hint,
        cause,
      },
    );
  }
}
