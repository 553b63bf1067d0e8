/**
 * How a command shows that it may use something: by a password as it is, or by an HMAC in a session, which shows it to
 * nobody and also proves that the answer is the TPM's (TPM 2.0 Library, part 1, section 19).
 */
// Tests: test/identity/tpm/sessions.test.ts
import { createECDH, createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { CONTINUE_SESSION, HASHES, TPM_ALG, TPM_RH } from './constants.ts';
import { type Reader, TpmFormatError, concat, sized, u32, u8 } from './wire.ts';

/** The parts of a command that an authorisation is for. */
export interface CommandParts {
  readonly code: number;
  /** Names of the entities that the handles mean, in the handles' order. */
  readonly names: readonly Uint8Array[];
  readonly parameters: Uint8Array;
}

/** The parts of an answer that an authorisation is for. */
export interface AnswerParts {
  readonly code: number;
  readonly parameters: Uint8Array;
}

/** One authorisation of one command. */
export interface Authorization {
  /** TPMS_AUTH_COMMAND (part 2, section 10.13.2). The caller wipes it. */
  command(parts: CommandParts): Uint8Array;
  /**
   * Takes TPMS_AUTH_RESPONSE (part 2, section 10.13.3) and checks it.
   *
   * @throws TpmFormatError
   */
  answer(area: Reader, parts: AnswerParts): void;
}

/** The longest digest, and with that the longest nonce and authorisation value. */
export const MAX_DIGEST_BYTES = 64;

/** The password as it is: for whoever reads the wire to see, unless it is empty (part 1, section 19.4). */
export function inClear(password: Uint8Array): Authorization {
  return {
    command: () => concat(u32(TPM_RH.password), sized(), u8(0), sized(password)),
    answer(area) {
      const nonce = area.sized(MAX_DIGEST_BYTES);
      area.u8();
      const hmac = area.sized(MAX_DIGEST_BYTES);
      if (nonce.length > 0 || hmac.length > 0) throw new TpmFormatError('a password is answered like a session');
    },
  };
}

/** What a session is started with. */
export interface SessionStart {
  readonly nonceCaller: Uint8Array;
  /** TPM2B_ENCRYPTED_SECRET: the salt, which only the TPM can read. Empty for a session without one. */
  readonly encryptedSalt: Uint8Array;
  /** The salt itself. */
  readonly salt: Uint8Array;
}

const NONCE_BYTES = 32;
const SALT_CURVE = 'prime256v1';
const COORDINATE_BYTES = 32;

/**
 * A start with a salt that is agreed on with a P-256 key of the TPM by ECDH (part 1, section 19.6.13 and annex C.6.1).
 *
 * @throws TpmFormatError when the TPM's point is on no curve
 */
export function salted(point: { readonly x: Uint8Array; readonly y: Uint8Array }): SessionStart {
  const ephemeral = createECDH(SALT_CURVE);
  const own = ephemeral.generateKeys();
  const x = own.subarray(1, 1 + COORDINATE_BYTES);
  const y = own.subarray(1 + COORDINATE_BYTES);
  let shared: Uint8Array;
  try {
    shared = ephemeral.computeSecret(concat(u8(4), padded(point.x), padded(point.y)));
  } catch {
    throw new TpmFormatError('the key for the salt is no point of P-256');
  }
  const salt = kdfE(shared, 'SECRET', x, padded(point.x));
  shared.fill(0);
  return { nonceCaller: randomBytes(NONCE_BYTES), encryptedSalt: concat(sized(x), sized(y)), salt };
}

function padded(coordinate: Uint8Array): Uint8Array {
  return concat(new Uint8Array(Math.max(0, COORDINATE_BYTES - coordinate.length)), coordinate);
}

/** A session that is loaded in the TPM. Policy sessions are one too. */
export class Session {
  readonly handle: number;
  readonly #hash: string;
  readonly #key: Uint8Array;
  #nonceTpm: Uint8Array;

  /** @param hashAlgorithm that the session was started with */
  constructor(handle: number, start: SessionStart, nonceTpm: Uint8Array, hashAlgorithm: number) {
    const hash = HASHES.get(hashAlgorithm);
    if (hash === undefined) throw new TypeError('a session with a hash that has no name here');
    this.handle = handle;
    this.#hash = hash.name;
    this.#nonceTpm = Uint8Array.from(nonceTpm);
    // Part 1, section 19.6.8: there is no key where there is neither a salt nor a bind.
    this.#key =
      start.salt.length === 0 ? new Uint8Array() : kdfA(hash, start.salt, 'ATH', this.#nonceTpm, start.nonceCaller);
  }

  /**
   * Authorises one command.
   *
   * @param authValue the entity's own; empty where the session alone authorises, as policies do
   * @param last whether the session ends with the command, when that succeeds
   */
  authorize(authValue: Uint8Array, last = false): Authorization {
    const attributes = last ? 0 : CONTINUE_SESSION;
    const nonceCaller = randomBytes(NONCE_BYTES);
    // A TPM takes zeros at the end of an authorisation value for none (part 1, section 19.6.5).
    const key = concat(this.#key, withoutTrailingZeros(authValue));
    return {
      command: ({ code, names, parameters }) => {
        const digest = this.#digest(u32(code), ...names, parameters);
        const hmac = this.#hmac(key, digest, nonceCaller, this.#nonceTpm, attributes);
        return concat(u32(this.handle), sized(nonceCaller), u8(attributes), sized(hmac));
      },
      answer: (area, { code, parameters }) => {
        const nonceTpm = Uint8Array.from(area.sized(MAX_DIGEST_BYTES));
        const answered = area.u8();
        const given = area.sized(MAX_DIGEST_BYTES);
        const digest = this.#digest(u32(0), u32(code), parameters);
        const hmac = this.#hmac(key, digest, nonceTpm, nonceCaller, answered);
        key.fill(0);
        this.#nonceTpm = nonceTpm;
        if (given.length !== hmac.length || !timingSafeEqual(given, hmac))
          throw new TpmFormatError('its HMAC is wrong: something between has changed the answer or made it up');
      },
    };
  }

  #digest(...parts: readonly Uint8Array[]): Uint8Array {
    return createHash(this.#hash)
      .update(concat(...parts))
      .digest();
  }

  /** Part 1, section 19.6.5. Without any secret there is no HMAC. */
  #hmac(key: Uint8Array, digest: Uint8Array, newer: Uint8Array, older: Uint8Array, attributes: number): Uint8Array {
    if (key.length === 0) return new Uint8Array();
    return createHmac(this.#hash, key)
      .update(concat(digest, newer, older, u8(attributes)))
      .digest();
  }
}

function withoutTrailingZeros(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return bytes.subarray(0, end);
}

/** KDFa, the counter mode of SP 800-108 (part 1, section 11.4.10.2), for as many bits as the hash has. */
function kdfA(
  hash: { name: string; bytes: number },
  key: Uint8Array,
  label: string,
  contextU: Uint8Array,
  contextV: Uint8Array,
): Uint8Array {
  const input = concat(u32(1), Buffer.from(`${label}\0`), contextU, contextV, u32(hash.bytes * 8));
  return Uint8Array.from(createHmac(hash.name, key).update(input).digest());
}

/** KDFe of SP 800-56A (part 1, section 11.4.10.3), with SHA-256 and for 256 bits. */
function kdfE(z: Uint8Array, label: string, partyU: Uint8Array, partyV: Uint8Array): Uint8Array {
  const hash = createHash('sha256').update(concat(u32(1), z, Buffer.from(`${label}\0`), partyU, partyV));
  return Uint8Array.from(hash.digest());
}

/** The hash of salted sessions: that of the key that the salt is agreed on with. */
export const SESSION_HASH = TPM_ALG.sha256;
