/**
 * Numbers of the TPM 2.0 Library Specification, part 2: command codes (section 6.5.2), algorithms (6.3), curves (6.4),
 * permanent handles (7.4), properties (6.13) and attributes (8.3, 13.4). Only those that are used here.
 */
// Tests: test/identity/tpm/key-file.test.ts

/** TPM_ST: whether a command or answer carries authorisations. */
export const TPM_ST = { noSessions: 0x8001, sessions: 0x8002, hashCheck: 0x8024 } as const;

/** What a TPM 1.2 puts in front of its answers. */
export const TPM_1_2_RESPONSE = 0x00c4;

export const TPM_CC = {
  createPrimary: 0x131,
  nvWrite: 0x137,
  nvRead: 0x14e,
  load: 0x157,
  sign: 0x15d,
  flushContext: 0x165,
  nvReadPublic: 0x169,
  policyAuthValue: 0x16b,
  policyCommandCode: 0x16c,
  policyCounterTimer: 0x16d,
  policyLocality: 0x16f,
  policyOr: 0x171,
  readPublic: 0x173,
  startAuthSession: 0x176,
  getCapability: 0x17a,
  hash: 0x17d,
  policyPcr: 0x17f,
  policyGetDigest: 0x189,
  policyPassword: 0x18c,
} as const;

/** A command that is used here. */
export type CommandCode = (typeof TPM_CC)[keyof typeof TPM_CC];

/** How the specification calls a command, for messages. */
export function commandName(code: number): string {
  const name = Object.entries(TPM_CC).find(([, value]) => value === code)?.[0];
  if (name === undefined) return `command 0x${code.toString(16)}`;
  // The words NV, PCR and OR are in capitals in the specification.
  return `TPM2_${name[0]?.toUpperCase()}${name.slice(1)}`
    .replace(/^(TPM2_)Nv/, '$1NV_')
    .replace('Pcr', 'PCR')
    .replace(/Or$/, 'OR');
}

export const TPM_ALG = {
  rsa: 0x0001,
  sha1: 0x0004,
  aes: 0x0006,
  keyedHash: 0x0008,
  sha256: 0x000b,
  sha384: 0x000c,
  sha512: 0x000d,
  null: 0x0010,
  rsassa: 0x0014,
  rsaes: 0x0015,
  rsapss: 0x0016,
  oaep: 0x0017,
  ecdsa: 0x0018,
  ecdh: 0x0019,
  ecdaa: 0x001a,
  sm2: 0x001b,
  ecschnorr: 0x001c,
  ecc: 0x0023,
  symcipher: 0x0025,
  sha3_256: 0x0027,
  cfb: 0x0043,
} as const;

/** How people call an algorithm. */
export function algorithmName(algorithm: number): string {
  const name = Object.entries(TPM_ALG).find(([, value]) => value === algorithm)?.[0];
  return name === undefined ? `algorithm 0x${algorithm.toString(16)}` : name.toUpperCase();
}

/** TPM_ECC_CURVE, with the names of JSON Web Keys (RFC 7518, section 6.2.1.1) and the size of a coordinate. */
export const CURVES: readonly { id: number; name: string; bytes: number; bits: number }[] = [
  { id: 0x0003, name: 'P-256', bytes: 32, bits: 256 },
  { id: 0x0004, name: 'P-384', bytes: 48, bits: 384 },
  { id: 0x0005, name: 'P-521', bytes: 66, bits: 521 },
];

/** Hashes by their algorithm: node:crypto's name and the size of a digest. */
export const HASHES: ReadonlyMap<number, { name: string; bytes: number }> = new Map([
  [TPM_ALG.sha1, { name: 'sha1', bytes: 20 }],
  [TPM_ALG.sha256, { name: 'sha256', bytes: 32 }],
  [TPM_ALG.sha384, { name: 'sha384', bytes: 48 }],
  [TPM_ALG.sha512, { name: 'sha512', bytes: 64 }],
  [TPM_ALG.sha3_256, { name: 'sha3-256', bytes: 32 }],
]);

/** TPM_RH and TPM_RS. */
export const TPM_RH = {
  owner: 0x40000001,
  null: 0x40000007,
  password: 0x40000009,
  endorsement: 0x4000000b,
  platform: 0x4000000c,
} as const;

/** The hierarchies that a key's parent may be made from, with the names that people use. */
export const HIERARCHIES: ReadonlyMap<number, string> = new Map([
  [TPM_RH.owner, 'owner'],
  [TPM_RH.null, 'null'],
  [TPM_RH.endorsement, 'endorsement'],
  [TPM_RH.platform, 'platform'],
]);

/** The first octet of a handle: what kind of thing it is (part 2, section 7.2). */
export const HANDLE_TYPE = {
  pcr: 0x00,
  nvIndex: 0x01,
  hmacSession: 0x02,
  policySession: 0x03,
  permanent: 0x40,
  transient: 0x80,
  persistent: 0x81,
} as const;

/** TPM_CAP. */
export const TPM_CAP = { handles: 1, tpmProperties: 6 } as const;

/** TPM_PT. */
export const TPM_PT = {
  lockoutCounter: 0x20e,
  maxAuthFail: 0x20f,
  lockoutInterval: 0x210,
  nvBufferMax: 0x12c,
} as const;

/** TPMA_OBJECT. */
export const TPMA_OBJECT = {
  userWithAuth: 1 << 6,
  noDa: 1 << 10,
  restricted: 1 << 16,
  decrypt: 1 << 17,
  sign: 1 << 18,
} as const;

/** TPMA_NV. */
export const TPMA_NV = {
  ownerWrite: 2 ** 1,
  authWrite: 2 ** 2,
  ownerRead: 2 ** 17,
  authRead: 2 ** 18,
  noDa: 2 ** 25,
  written: 2 ** 29,
} as const;

/** TPM_SE. */
export const TPM_SE = { hmac: 0, policy: 1 } as const;

/** TPMA_SESSION: whether the session stays when its command succeeded. */
export const CONTINUE_SESSION = 0x01;

/** What a TPM signs for itself begins with this: it gives no ticket for a message that does (part 2, section 6.2). */
export const TPM_GENERATED_VALUE = 0xff544347;
