/** Sessions as they are used here: begun when a password is first needed, with a salt that only the TPM can read. */
import { type Authorization, SESSION_HASH, type Session, inClear, salted } from './authorization.ts';
import { NO_PASSWORD, createPrimary, startSession } from './commands.ts';
import { TPM_RH } from './constants.ts';
import { during } from './failures.ts';
import type { Tpm } from './tpm.ts';
import { concat, u16, u32 } from './wire.ts';

const STORAGE_ATTRIBUTES = 0x0003_0472; // fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, restricted, decrypt
const AES_128_CFB = concat(u16(0x0006), u16(128), u16(0x0043));
const NO_SCHEME = u16(0x0010);

/** The primary that key files under a hierarchy mean (draft-bottomley-tpm2-keys): P-256, or RSA of 2048 bits. */
export const EC_TEMPLATE = concat(
  concat(u16(0x0023), u16(0x000b), u32(STORAGE_ATTRIBUTES), u16(0), AES_128_CFB, NO_SCHEME),
  concat(u16(0x0003), NO_SCHEME, u16(0), u16(0)),
);
export const RSA_TEMPLATE = concat(
  concat(u16(0x0001), u16(0x000b), u32(STORAGE_ATTRIBUTES), u16(0), AES_128_CFB, NO_SCHEME),
  concat(u16(2048), u32(0), u16(0)),
);

/** Authorises commands of one connection, by passwords that may be empty. */
export class Authorizer {
  readonly #tpm: Tpm;
  readonly #inClear: boolean;
  #session: Session | undefined;

  /** @param clear sends passwords as they are */
  constructor(tpm: Tpm, clear: boolean) {
    this.#tpm = tpm;
    this.#inClear = clear;
  }

  /** An empty password is no secret, and needs no session. */
  async by(password: Uint8Array): Promise<Authorization> {
    if (password.length === 0) return NO_PASSWORD;
    if (this.#inClear) return inClear(password);
    this.#session ??= await startSalted(this.#tpm, 'hmac', SESSION_HASH);
    return this.#session.authorize(password);
  }
}

/** The salt's key takes a slot for an object, which is given back at once: some TPMs have three in all. */
export async function startSalted(tpm: Tpm, kind: 'hmac' | 'policy', hashAlgorithm: number): Promise<Session> {
  return await during('session', async () => {
    const primary = await createPrimary(tpm, TPM_RH.null, NO_PASSWORD, EC_TEMPLATE);
    const { key } = primary.area;
    const start = tpm.strictly(() => salted(key?.type === 'EC' ? key : { x: new Uint8Array(), y: new Uint8Array() }));
    const session = await startSession(tpm, kind, start, hashAlgorithm, primary);
    start.salt.fill(0);
    await tpm.flush(primary.handle);
    return session;
  });
}
