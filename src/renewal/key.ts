/** New private keys, of the type and the size of the old one. */
// Tests: test/renewal/form.test.ts
import { type KeyObject, createPublicKey, generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import type { Signer } from '../identity/identity.ts';
import { nativeKey } from '../identity/private-key.ts';
import { RolesAnywhereError } from '../platform/errors.ts';

const generate = promisify(generateKeyPair);

/** The kinds of keys that a first certificate can be asked for with. */
export const KEY_KINDS = ['ec-p256', 'ec-p384', 'ec-p521', 'rsa-2048', 'rsa-3072', 'rsa-4096'] as const;
export type KeyKind = (typeof KEY_KINDS)[number];

const CURVES: Readonly<Record<string, string>> = {
  'ec-p256': 'prime256v1',
  'ec-p384': 'secp384r1',
  'ec-p521': 'secp521r1',
};

/** A key pair that was just made. */
export interface NewKey {
  readonly key: KeyObject;
  readonly signer: Signer;
  /** DER of the SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array;
}

/** Makes a key of a kind. */
export async function makeKey(kind: KeyKind): Promise<NewKey> {
  const curve = CURVES[kind];
  const made =
    curve === undefined
      ? await generate('rsa', { modulusLength: Number(kind.slice('rsa-'.length)) })
      : await generate('ec', { namedCurve: curve });
  return asNewKey(made.privateKey);
}

/**
 * Makes a key like another one.
 *
 * @throws RolesAnywhereError `ERR_UNSUPPORTED` for a type that is not made here
 */
export async function makeKeyLike(publicKey: Uint8Array): Promise<NewKey> {
  try {
    const { asymmetricKeyType: type, asymmetricKeyDetails: details } = createPublicKey({
      key: Buffer.from(publicKey),
      format: 'der',
      type: 'spki',
    });
    if (type === 'rsa')
      return asNewKey((await generate('rsa', { modulusLength: details?.modulusLength ?? 2048 })).privateKey);
    if (type === 'ec')
      return asNewKey((await generate('ec', { namedCurve: details?.namedCurve ?? 'prime256v1' })).privateKey);
  } catch {
    // of a kind that this Node does not know
  }
  throw new RolesAnywhereError('ERR_UNSUPPORTED', 'no new key of the type of the old one can be made here', {
    flag: '--new-key',
    hint: 'leave out --new-key, which keeps the key, or let --renew-command make it',
  });
}

/** A key that something else made. */
export function asNewKey(key: KeyObject): NewKey {
  const native = nativeKey(key, 'the new key');
  return { key, signer: native.signer, publicKey: native.publicKey() };
}
