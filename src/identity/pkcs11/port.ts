/**
 * What is asked of a module, whether it runs in this process or in a helper:
 * small questions and answers that can be sent through a channel. What they
 * mean for a user (which token, which key, which PIN) is decided on this side.
 */
// Tests: test/identity/pkcs11/bridge.test.ts
import type { LibraryInfo, SlotInfo, TokenInfo } from './cryptoki.ts';

/** A slot with a token in it. */
export interface TokenFacts extends TokenInfo {
  slot: bigint;
  slotInfo: SlotInfo;
  library: LibraryInfo;
}

export interface CertificateFacts {
  label: string;
  id: Uint8Array;
  der: Uint8Array;
}

/** A certificate to be written, with what PKCS#11 wants to be told of it, in DER. */
export interface NewCertificate extends CertificateFacts {
  subject: Uint8Array;
  issuer: Uint8Array;
  serialNumber: Uint8Array;
}

export interface KeyFacts {
  /** Good for this port only. */
  handle: bigint;
  label: string;
  id: Uint8Array;
  /** CKA_KEY_TYPE. */
  type: number;
  /** Whether every signature needs a login of its own. */
  alwaysAuthenticate: boolean;
  /** What the token shows of the public key, of itself or of a public key object with the same id. */
  publicPart: PublicPart;
}

/** Raw attributes: CKA_MODULUS and CKA_PUBLIC_EXPONENT, or CKA_EC_PARAMS and CKA_EC_POINT. */
export interface PublicPart {
  modulus?: Uint8Array | undefined;
  exponent?: Uint8Array | undefined;
  parameters?: Uint8Array | undefined;
  point?: Uint8Array | undefined;
}

/** Which objects of a token: those whose attributes are equal to what is given. */
export interface ObjectFilter {
  label?: string | undefined;
  id?: Uint8Array | undefined;
}

/** Questions and their answers. */
export interface Operations {
  /** Loads the first library of the list that is there, and initialises it. */
  open: { ask: { libraries: readonly string[] }; answer: LibraryInfo };
  tokens: { ask: object; answer: TokenFacts[] };
  /** One token's facts again: its flags change with every refused PIN. */
  token: { ask: { slot: bigint }; answer: TokenInfo };
  certificates: { ask: { slot: bigint; filter: ObjectFilter }; answer: CertificateFacts[] };
  keys: { ask: { slot: bigint; filter: ObjectFilter }; answer: KeyFacts[] };
  /** Creates certificates, and then removes those that are equal to `old`. The user is logged in. */
  replace: { ask: { slot: bigint; fresh: readonly NewCertificate[]; old: Uint8Array }; answer: undefined };
  mechanisms: { ask: { slot: bigint }; answer: number[] };
  /** @param pin null: at the token's own keypad */
  login: { ask: { slot: bigint; pin: Uint8Array | null }; answer: undefined };
  /** Starts a signature with a key that needs a login for each, and makes that login. */
  authorise: { ask: { slot: bigint; key: bigint; mechanism: number; pin: Uint8Array | null }; answer: undefined };
  /** @param begun whether `authorise` has started this signature */
  sign: { ask: { slot: bigint; key: bigint; mechanism: number; data: Uint8Array; begun: boolean }; answer: Uint8Array };
}

export type Operation = keyof Operations;

/** A failure in a form that can be sent. */
export type Failure =
  | { kind: 'cryptoki'; function: string; returnValue: number }
  | { kind: 'not-found' | 'not-cryptoki'; library: string; reason: string }
  | { kind: 'error'; error: { code: string; message: string; hint: string | undefined } }
  | { kind: 'unexpected'; message: string };

/** A module that is open, here or in a helper. */
export interface Port {
  ask<O extends Operation>(operation: O, ask: Operations[O]['ask']): Promise<Operations[O]['answer']>;
  /** Closes sessions and the module. Never rejects. Safe to call twice. */
  close(): Promise<void>;
}

/** Opens a port on a module; called again after a port was lost. */
export type Connect = () => Promise<Port>;
