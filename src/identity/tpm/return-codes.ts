/** What a TPM answers when it does not do what it was asked: TPM_RC, TPM 2.0 Library, part 2, section 6.6. */
// Tests: test/identity/tpm/key-file.test.ts
import { commandName } from './constants.ts';

/** Format 0: errors (TPM_RC_VER1, without its bit) by their number. */
const VERSION_1: Readonly<Record<number, string>> = {
  0x00: 'INITIALIZE',
  0x01: 'FAILURE',
  0x03: 'SEQUENCE',
  0x0b: 'PRIVATE',
  0x19: 'HMAC',
  0x20: 'DISABLED',
  0x21: 'EXCLUSIVE',
  0x24: 'AUTH_TYPE',
  0x25: 'AUTH_MISSING',
  0x26: 'POLICY',
  0x27: 'PCR',
  0x28: 'PCR_CHANGED',
  0x2d: 'UPGRADE',
  0x2e: 'TOO_MANY_CONTEXTS',
  0x2f: 'AUTH_UNAVAILABLE',
  0x30: 'REBOOT',
  0x31: 'UNBALANCED',
  0x42: 'COMMAND_SIZE',
  0x43: 'COMMAND_CODE',
  0x44: 'AUTHSIZE',
  0x45: 'AUTH_CONTEXT',
  0x46: 'NV_RANGE',
  0x47: 'NV_SIZE',
  0x48: 'NV_LOCKED',
  0x49: 'NV_AUTHORIZATION',
  0x4a: 'NV_UNINITIALIZED',
  0x4b: 'NV_SPACE',
  0x4c: 'NV_DEFINED',
  0x50: 'BAD_CONTEXT',
  0x51: 'CPHASH',
  0x52: 'PARENT',
  0x53: 'NEEDS_TEST',
  0x54: 'NO_RESULT',
  0x55: 'SENSITIVE',
};

/** Format 0: warnings (TPM_RC_WARN). */
const WARNINGS: Readonly<Record<number, string>> = {
  0x01: 'CONTEXT_GAP',
  0x02: 'OBJECT_MEMORY',
  0x03: 'SESSION_MEMORY',
  0x04: 'MEMORY',
  0x05: 'SESSION_HANDLES',
  0x06: 'OBJECT_HANDLES',
  0x07: 'LOCALITY',
  0x08: 'YIELDED',
  0x09: 'CANCELED',
  0x0a: 'TESTING',
  0x10: 'REFERENCE_H0',
  0x11: 'REFERENCE_H1',
  0x12: 'REFERENCE_H2',
  0x18: 'REFERENCE_S0',
  0x19: 'REFERENCE_S1',
  0x1a: 'REFERENCE_S2',
  0x20: 'NV_RATE',
  0x21: 'LOCKOUT',
  0x22: 'RETRY',
  0x23: 'NV_UNAVAILABLE',
};

/** Format 1: errors about a handle, a session or a parameter. */
const FORMAT_1: Readonly<Record<number, string>> = {
  0x01: 'ASYMMETRIC',
  0x02: 'ATTRIBUTES',
  0x03: 'HASH',
  0x04: 'VALUE',
  0x05: 'HIERARCHY',
  0x07: 'KEY_SIZE',
  0x08: 'MGF',
  0x09: 'MODE',
  0x0a: 'TYPE',
  0x0b: 'HANDLE',
  0x0c: 'KDF',
  0x0d: 'RANGE',
  0x0e: 'AUTH_FAIL',
  0x0f: 'NONCE',
  0x10: 'PP',
  0x12: 'SCHEME',
  0x15: 'SIZE',
  0x16: 'SYMMETRIC',
  0x17: 'TAG',
  0x18: 'SELECTOR',
  0x1a: 'INSUFFICIENT',
  0x1b: 'SIGNATURE',
  0x1c: 'KEY',
  0x1d: 'POLICY_FAIL',
  0x1f: 'INTEGRITY',
  0x20: 'TICKET',
  0x21: 'RESERVED_BITS',
  0x22: 'BAD_AUTH',
  0x23: 'EXPIRED',
  0x24: 'POLICY_CC',
  0x25: 'BINDING',
  0x26: 'CURVE',
  0x27: 'ECC_POINT',
};

/** TPM_RC_BAD_TAG, which a TPM answers with that does not know the form of the command: a TPM 1.2, most likely. */
export const TPM_RC_BAD_TAG = 0x1e;

/** Resource managers put their own layer in front of the TPM's number (TSS 2.0 Overview, section 6): 0x000B0000 and the like. */
const LAYER_MASK = 0xfff0000;

/** A return code taken apart. */
export interface ReturnCode {
  /** Without the layer, and without what the error is about: what programs compare. */
  readonly base: number;
  /** Such as `AUTH_FAIL`. */
  readonly name: string;
  /** What the error is about, from 1; undefined where the code does not say. */
  readonly about?: { readonly kind: 'handle' | 'session' | 'parameter'; readonly index: number } | undefined;
}

/** Takes a return code apart (part 2, section 6.6.2). */
export function decodeReturnCode(code: number): ReturnCode {
  const rc = code & ~LAYER_MASK;
  if ((rc & 0x80) !== 0) {
    const base = 0x80 | (rc & 0x3f);
    const name = FORMAT_1[rc & 0x3f] ?? 'an error without a name here';
    const index = (rc >> 8) & 0xf;
    if ((rc & 0x40) !== 0) return { base, name, about: { kind: 'parameter', index } };
    if (index === 0) return { base, name };
    return { base, name, about: { kind: index > 7 ? 'session' : 'handle', index: index & 7 } };
  }
  if (rc === TPM_RC_BAD_TAG) return { base: rc, name: 'BAD_TAG' };
  const names = (rc & 0x800) === 0 ? VERSION_1 : WARNINGS;
  return { base: rc, name: ((rc & 0x100) === 0 ? undefined : names[rc & 0x7f]) ?? 'an error without a name here' };
}

/** A code that programs compare, by its name in the specification. */
export const RC = {
  initialize: 0x100,
  failure: 0x101,
  disabled: 0x120,
  authMissing: 0x125,
  pcrChanged: 0x128,
  authUnavailable: 0x12f,
  reboot: 0x130,
  commandCode: 0x143,
  nvRange: 0x146,
  nvLocked: 0x148,
  nvAuthorization: 0x149,
  nvUninitialized: 0x14a,
  objectMemory: 0x902,
  sessionMemory: 0x903,
  memory: 0x904,
  sessionHandles: 0x905,
  objectHandles: 0x906,
  locality: 0x907,
  yielded: 0x908,
  canceled: 0x909,
  testing: 0x90a,
  referenceH0: 0x910,
  nvRate: 0x920,
  lockout: 0x921,
  retry: 0x922,
  nvUnavailable: 0x923,
  asymmetric: 0x81,
  attributes: 0x82,
  hash: 0x83,
  value: 0x84,
  hierarchy: 0x85,
  type: 0x8a,
  handle: 0x8b,
  authFail: 0x8e,
  scheme: 0x92,
  size: 0x95,
  key: 0x9c,
  policyFail: 0x9d,
  integrity: 0x9f,
  ticket: 0xa0,
  badAuth: 0xa2,
  policyCc: 0xa4,
  binding: 0xa5,
  curve: 0xa6,
} as const;

/** An answer that is not TPM_RC_SUCCESS. */
export class TpmError extends Error {
  override readonly name = 'TpmError';
  readonly command: number;
  readonly returnCode: number;
  readonly decoded: ReturnCode;

  constructor(command: number, returnCode: number) {
    super(`${commandName(command)} failed with ${describeReturnCode(returnCode)}`);
    this.command = command;
    this.returnCode = returnCode;
    this.decoded = decodeReturnCode(returnCode);
  }

  get base(): number {
    return this.decoded.base;
  }
}

/** Such as `TPM_RC_AUTH_FAIL of session 1 (0x98e)`. */
export function describeReturnCode(code: number): string {
  const { name, about } = decodeReturnCode(code);
  const rc = name.includes(' ') ? name : `TPM_RC_${name}`;
  return `${rc}${about === undefined ? '' : ` of ${about.kind} ${about.index}`} (0x${code.toString(16)})`;
}

/** Whether an error is the TPM's answer with one of these codes. */
export function isAnswer(error: unknown, ...bases: readonly number[]): error is TpmError {
  return error instanceof TpmError && bases.includes(error.base);
}
