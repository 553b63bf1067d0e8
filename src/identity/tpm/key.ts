/** A key in or for a TPM: found or loaded, made to sign, and gone from the TPM again, all on one connection. */
// Tests: test/identity/tpm/keys.test.ts
import type { Authorization } from './authorization.ts';
import {
  type LoadedObject,
  MAX_HASH_BYTES,
  NO_PASSWORD,
  type Signature,
  createPrimary,
  hash,
  load,
  readPublic,
  sign,
} from './commands.ts';
import { HASHES, HIERARCHIES, TPM_GENERATED_VALUE } from './constants.ts';
import { RolesAnywhereError } from '../../platform/errors.ts';
import type { Digest } from '../identity.ts';
import { during } from './failures.ts';
import type { KeyFile } from './key-file.ts';
import type { Passwords, Protected } from './passwords.ts';
import { fulfilPolicy } from './policy.ts';
import { type AsymmetricKey, type PublicArea, has, nameOf } from './public-area.ts';
import { digestAlgorithm, digestFor, schemeFor } from './scheme.ts';
import { Authorizer, EC_TEMPLATE, RSA_TEMPLATE, startSalted } from './sessions.ts';
import { type Tpm, byHandle } from './tpm.ts';
import { type Tries, describeTries, triesLeft } from './tries.ts';
import { u32 } from './wire.ts';

/** Where a key is, and what is known of it. */
export interface TpmKey {
  /** How errors name it, for example `--private-key handle:0x81000001`. */
  readonly source: string;
  /** Undefined for one in a file. */
  readonly handle?: number | undefined;
  /** Undefined for one by its handle. */
  readonly file?: KeyFile | undefined;
  readonly area: PublicArea;
  /** PCRs that the key is bound to: see parsePcrSelection of policy.ts. */
  readonly pcrs?: Uint8Array | undefined;
  /** Sends passwords as they are. */
  readonly inClear: boolean;
}

/** How errors name a key's parent. */
export function parentName(file: KeyFile | undefined): string | undefined {
  if (file === undefined) return undefined;
  const hierarchy = HIERARCHIES.get(file.parent);
  return hierarchy === undefined ? `0x${file.parent.toString(16)}` : `the ${hierarchy} hierarchy`;
}

/** What the key by a handle is. */
export async function findKey(tpm: Tpm, handle: number): Promise<LoadedObject> {
  return await during('find the key', () => readPublic(tpm, handle));
}

/** What has to be so that a key signs, as far as its public area says. */
export function signingKeyIn(area: PublicArea, source: string): AsymmetricKey {
  const { key } = area;
  if (key === undefined)
    throw new RolesAnywhereError('ERR_TPM_KEY_NOT_SIGNING', `${source} is neither an RSA nor an EC key`, {
      hint: 'name a signing key: sealed data, HMAC and AES keys in a TPM are none',
    });
  if (!has(area, 'sign'))
    throw new RolesAnywhereError(
      'ERR_TPM_KEY_NOT_SIGNING',
      `${source} is no signing key: it has not the attribute sign`,
      {
        hint: 'make a key with that attribute (tpm2_create -a "sign|..."); storage and decryption keys do not sign',
      },
    );
  return key;
}

/**
 * Signs a message.
 *
 * @throws PersonNeeded, TpmError, RolesAnywhereError
 */
export async function signWith(
  tpm: Tpm,
  tpmKey: TpmKey,
  passwords: Passwords,
  message: Uint8Array,
  digest: Digest,
): Promise<Signature> {
  const { area, file, source, handle } = tpmKey;
  const key = signingKeyIn(area, source);
  const scheme = schemeFor(key, digest, source);
  const isRestricted = has(area, 'restricted');
  if (isRestricted) refuseUnhashable(message, scheme.hash === digestAlgorithm(digest), source);
  const policyOnly = !has(area, 'userWithAuth');
  const byPolicy = tpmKey.pcrs !== undefined || (file?.policy.length ?? 0) > 0;
  if (policyOnly && !byPolicy) throw policyRequired(source);

  const authorizer = new Authorizer(tpm, tpmKey.inClear);
  const object =
    file === undefined ? await current(tpm, handle ?? 0, tpmKey) : await loadFile(tpm, file, authorizer, passwords);
  const input = isRestricted
    ? await during('sign', () => hash(tpm, message, digestAlgorithm(digest)))
    : { digest: digestFor(key, scheme, message, digest) };
  const make = (authorization: Authorization): Promise<Signature> =>
    during('sign', () => sign(tpm, object, authorization, { ...input, scheme }));
  const unlock = (use: (password: Uint8Array) => Promise<Signature>): Promise<Signature> =>
    passwords.unlock(tpm, keyEntity(tpmKey, object.name), use);

  if (!byPolicy) return await unlock(async (password) => await make(await authorizer.by(password)));
  const session = await startSalted(tpm, 'policy', area.nameHash);
  const policy = { selection: tpmKey.pcrs, file, authPolicy: area.authPolicy, source };
  const { wantsPassword } = await during('policy', () => fulfilPolicy(tpm, session, policy));
  if (wantsPassword) return await unlock((password) => make(session.authorize(password)));
  return await make(session.authorize(new Uint8Array()));
}

/**
 * Looks for what would keep a key from signing, as far as that takes no password: the key, or the parent of one in a file,
 * is not there or is none that will do, or the TPM takes no passwords.
 *
 * @returns how many wrong passwords it still takes, where it says that
 * @throws TpmError, RolesAnywhereError
 */
export async function examine(tpm: Tpm, tpmKey: TpmKey): Promise<Tries | undefined> {
  const { area, file, source, handle } = tpmKey;
  schemeFor(signingKeyIn(area, source), 'SHA256', source);
  const byPolicy = tpmKey.pcrs !== undefined || (file?.policy.length ?? 0) > 0;
  if (!has(area, 'userWithAuth') && !byPolicy) throw policyRequired(source);
  if (handle !== undefined) await current(tpm, handle, tpmKey);
  const parent =
    file === undefined || HIERARCHIES.has(file.parent)
      ? undefined
      : await during('find the parent', () => readPublic(tpm, file.parent));
  if (parent !== undefined && !(has(parent.area, 'restricted') && has(parent.area, 'decrypt')))
    throw new RolesAnywhereError('ERR_TPM_PARENT', `${source}: ${parentName(file)}, its parent, is no storage key`, {
      hint: 'another key is there now: `tpm2_getcap handles-persistent` lists what is there',
    });
  const tries = await triesLeft(tpm);
  const counts = (!byPolicy && !has(area, 'noDa')) || (parent !== undefined && !has(parent.area, 'noDa'));
  if (tries?.left === 0 && counts)
    throw new RolesAnywhereError(
      'ERR_TPM_LOCKOUT',
      `${source}: the TPM takes no passwords now: there were too many wrong ones (${describeTries(tries)})`,
      { hint: 'wait until it takes them again, or reset it with `tpm2_dictionarylockout -c`' },
    );
  return tries;
}

function keyEntity({ source, area, file }: TpmKey, name: Uint8Array): Protected {
  return {
    role: 'key',
    name,
    label: `the TPM key ${source}`,
    countsTries: !has(area, 'noDa'),
    maxBytes: HASHES.get(area.nameHash)?.bytes ?? 0,
    saysEmpty: file?.emptyAuth,
  };
}

/** The object at a handle, which must still be the one that was looked at before: a password goes to it. */
async function current(tpm: Tpm, handle: number, { area, source }: TpmKey): Promise<LoadedObject> {
  const object = await findKey(tpm, handle);
  if (Buffer.compare(object.name, nameOf(area)) === 0) return object;
  throw new RolesAnywhereError('ERR_KEY_MISMATCH', `${source} is another key now than when it was loaded`, {
    hint: 'load the identity anew: a certificate that was renewed with a new key must come with it',
  });
}

/** Loads a key file under its parent. */
async function loadFile(tpm: Tpm, file: KeyFile, authorizer: Authorizer, passwords: Passwords): Promise<LoadedObject> {
  const hierarchy = HIERARCHIES.get(file.parent);
  const blobs = { publicArea: file.publicArea, privateArea: file.privateArea };
  if (hierarchy === undefined) {
    const parent = await during('find the parent', () => readPublic(tpm, file.parent));
    const entity: Protected = {
      role: 'parent',
      name: parent.name,
      label: `the parent 0x${file.parent.toString(16)} of ${file.source}`,
      countsTries: !has(parent.area, 'noDa'),
      maxBytes: HASHES.get(parent.area.nameHash)?.bytes ?? 0,
    };
    return await passwords.unlock(tpm, entity, async (password) => {
      const authorization = await authorizer.by(password);
      return await during('load', () => load(tpm, parent, authorization, blobs));
    });
  }
  const entity: Protected = {
    role: 'hierarchy',
    name: byHandle(file.parent).name,
    label: `the ${hierarchy} hierarchy`,
    countsTries: false,
    maxBytes: 64,
  };
  const primary = await passwords.unlock(tpm, entity, async (password) => {
    const authorization = await authorizer.by(password);
    const template = file.rsaParent ? RSA_TEMPLATE : EC_TEMPLATE;
    return await during('make the parent', () => createPrimary(tpm, file.parent, authorization, template));
  });
  const object = await during('load', () => load(tpm, primary, NO_PASSWORD, blobs));
  await tpm.flush(primary.handle);
  return object;
}

function refuseUnhashable(message: Uint8Array, isOwnHash: boolean, source: string): void {
  const generated = u32(TPM_GENERATED_VALUE);
  const looksGenerated = Buffer.compare(message.subarray(0, generated.length), generated) === 0;
  if (isOwnHash && message.length <= MAX_HASH_BYTES && !looksGenerated) return;
  const why = isOwnHash
    ? `a restricted key signs messages of at most ${MAX_HASH_BYTES} bytes that do not begin like the TPM's own`
    : 'a restricted key signs by its own hash only, which is another one';
  throw new RolesAnywhereError('ERR_TPM_RESTRICTED', `${source}: ${why}`, {
    hint: 'use a key without the attribute restricted, or a restricted one for SHA256',
  });
}

function policyRequired(source: string): RolesAnywhereError {
  return new RolesAnywhereError('ERR_TPM_POLICY_REQUIRED', `${source}: the key can be used by its policy only`, {
    hint: 'name the PCRs that it is bound to with --tpm-policy-pcr, for example sha256:0,7',
  });
}
