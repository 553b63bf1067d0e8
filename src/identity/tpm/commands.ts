/** The commands that are used, one function each, with the section of TPM 2.0 Library, part 3 that describes it. */
// Tests: test/identity/tpm/keys.test.ts
import { type Authorization, MAX_DIGEST_BYTES, Session, type SessionStart, inClear } from './authorization.ts';
import { TPM_ALG, TPM_CC, TPM_RH, TPM_SE, TPM_ST } from './constants.ts';
import { type PublicArea, type Scheme, nameOf, readPublicArea } from './public-area.ts';
import { type Entity, type Tpm, byHandle } from './tpm.ts';
import { Reader, TpmFormatError, concat, sized, u16, u32 } from './wire.ts';

const EMPTY = new Uint8Array();

/** The size of a TPM2B_PUBLIC, TPM2B_PRIVATE or TPM2B_NAME is never above this. */
const MAX_SIZED_BYTES = 2048;

/** An object, with what it is. */
export interface LoadedObject extends Entity {
  readonly area: PublicArea;
}

/** TPM2_ReadPublic, section 12.4. */
export async function readPublic(tpm: Tpm, handle: number): Promise<LoadedObject> {
  const { parameters } = await tpm.execute({ code: TPM_CC.readPublic, handles: [byHandle(handle)] });
  return tpm.strictly(() => {
    const area = readPublicArea(parameters.sized(MAX_SIZED_BYTES));
    const name = parameters.sized(MAX_DIGEST_BYTES + 2);
    parameters.sized(MAX_DIGEST_BYTES + 2); // the qualified name
    parameters.end();
    expectName(name, area);
    return { handle, name, area };
  });
}

/** TPM2_Load, section 12.2. */
export async function load(
  tpm: Tpm,
  parent: Entity,
  authorization: Authorization,
  blobs: { readonly publicArea: PublicArea; readonly privateArea: Uint8Array },
): Promise<LoadedObject> {
  const { handle, parameters } = await tpm.execute({
    code: TPM_CC.load,
    handles: [parent],
    authorizations: [authorization],
    parameters: concat(sized(blobs.privateArea), sized(blobs.publicArea.bytes)),
    loads: true,
  });
  return tpm.strictly(() => {
    const name = parameters.sized(MAX_DIGEST_BYTES + 2);
    parameters.end();
    expectName(name, blobs.publicArea);
    return { handle, name, area: blobs.publicArea };
  });
}

/** TPM2_CreatePrimary, section 24.1: the same template always gives the same key. */
export async function createPrimary(
  tpm: Tpm,
  hierarchy: number,
  authorization: Authorization,
  template: Uint8Array,
): Promise<LoadedObject> {
  const { handle, parameters } = await tpm.execute({
    code: TPM_CC.createPrimary,
    handles: [byHandle(hierarchy)],
    authorizations: [authorization],
    // No password, nothing outside to bind it to, no PCRs to note.
    parameters: concat(sized(sized(), sized()), sized(template), sized(), u32(0)),
    loads: true,
  });
  return tpm.strictly(() => {
    const area = readPublicArea(Uint8Array.from(parameters.sized(MAX_SIZED_BYTES)));
    parameters.sized(MAX_SIZED_BYTES); // creation data
    parameters.sized(MAX_DIGEST_BYTES); // its digest
    readTicket(parameters);
    const name = parameters.sized(MAX_DIGEST_BYTES + 2);
    parameters.end();
    expectName(name, area);
    return { handle, name, area };
  });
}

/** TPMT_TK_...: tag, hierarchy, digest (part 2, section 10.7). */
function readTicket(reader: Reader): Uint8Array {
  return concat(reader.bytes(6), sized(reader.sized(MAX_DIGEST_BYTES)));
}

function expectName(name: Uint8Array, area: PublicArea): void {
  if (Buffer.compare(name, nameOf(area)) !== 0) throw new TpmFormatError('a name that is not that of the public area');
}

/** No proof that the TPM made the digest: enough for keys that are not restricted. */
const NO_TICKET = concat(u16(TPM_ST.hashCheck), u32(TPM_RH.null), u16(0));

/** A signature as TPMT_SIGNATURE holds it. */
export type Signature =
  | { readonly type: 'RSA'; readonly bytes: Uint8Array }
  | { readonly type: 'EC'; readonly r: Uint8Array; readonly s: Uint8Array };

/**
 * TPM2_Sign, section 20.2.
 *
 * @param ticket of {@link hash}, for a restricted key
 */
export async function sign(
  tpm: Tpm,
  key: Entity,
  authorization: Authorization,
  { digest, scheme, ticket = NO_TICKET }: { digest: Uint8Array; scheme: Scheme; ticket?: Uint8Array | undefined },
): Promise<Signature> {
  const { parameters } = await tpm.execute({
    code: TPM_CC.sign,
    handles: [key],
    authorizations: [authorization],
    parameters: concat(
      sized(digest),
      u16(scheme.algorithm),
      scheme.hash === undefined ? EMPTY : u16(scheme.hash),
      ticket,
    ),
  });
  return tpm.strictly(() => {
    const algorithm = parameters.u16();
    parameters.u16(); // its hash
    const signature: Signature =
      algorithm === TPM_ALG.ecdsa
        ? { type: 'EC', r: parameters.sized(66), s: parameters.sized(66) }
        : { type: 'RSA', bytes: parameters.sized(512) };
    parameters.end();
    return signature;
  });
}

/** The most that TPM2_Hash takes in one piece, on any TPM. */
export const MAX_HASH_BYTES = 1024;

/** TPM2_Hash, section 15.4: the digest with a ticket that says the TPM made it, of data that does not look like its own. */
export async function hash(
  tpm: Tpm,
  data: Uint8Array,
  algorithm: number,
): Promise<{ digest: Uint8Array; ticket: Uint8Array }> {
  const { parameters } = await tpm.execute({
    code: TPM_CC.hash,
    parameters: concat(sized(data), u16(algorithm), u32(TPM_RH.owner)),
  });
  return tpm.strictly(() => {
    const digest = parameters.sized(MAX_DIGEST_BYTES);
    const ticket = readTicket(parameters);
    parameters.end();
    return { digest, ticket };
  });
}

/**
 * TPM2_StartAuthSession, section 11.1.
 *
 * @param saltKey that the salt of `start` was agreed on with; undefined for a session without one
 */
export async function startSession(
  tpm: Tpm,
  kind: keyof typeof TPM_SE,
  start: SessionStart,
  hashAlgorithm: number,
  saltKey?: Entity,
): Promise<Session> {
  const { handle, parameters } = await tpm.execute({
    code: TPM_CC.startAuthSession,
    handles: [saltKey ?? byHandle(TPM_RH.null), byHandle(TPM_RH.null)],
    parameters: concat(
      sized(start.nonceCaller),
      sized(start.encryptedSalt),
      Uint8Array.of(TPM_SE[kind]),
      u16(TPM_ALG.null), // no parameter is encrypted: none is a secret
      u16(hashAlgorithm),
    ),
    loads: true,
  });
  return tpm.strictly(() => {
    const nonceTpm = parameters.sized(MAX_DIGEST_BYTES);
    parameters.end();
    if (nonceTpm.length < 16) throw new TpmFormatError('a nonce of less than 16 bytes');
    return new Session(handle, start, nonceTpm, hashAlgorithm);
  });
}

/** One of the policy commands (section 23) that only change the session: what it is given stands behind its handle. */
export async function extendPolicy(
  tpm: Tpm,
  session: Session,
  code: (typeof TPM_CC)[PolicyCommand],
  parameters: Uint8Array = EMPTY,
): Promise<void> {
  const answer = await tpm.execute({ code, handles: [byHandle(session.handle)], parameters });
  tpm.strictly(() => answer.parameters.end());
}

export type PolicyCommand =
  | 'policyPcr'
  | 'policyAuthValue'
  | 'policyPassword'
  | 'policyCommandCode'
  | 'policyLocality'
  | 'policyOr'
  | 'policyCounterTimer';

/** TPM2_PolicyGetDigest, section 23.19. */
export async function policyDigest(tpm: Tpm, session: Session): Promise<Uint8Array> {
  const { parameters } = await tpm.execute({ code: TPM_CC.policyGetDigest, handles: [byHandle(session.handle)] });
  return tpm.strictly(() => {
    const digest = parameters.sized(MAX_DIGEST_BYTES);
    parameters.end();
    return Uint8Array.from(digest);
  });
}

/** TPMS_NV_PUBLIC (part 2, section 13.5), with the index's name. */
export interface NvIndex extends Entity {
  readonly attributes: number;
  readonly size: number;
}

/** TPM2_NV_ReadPublic, section 31.6. */
export async function readNvPublic(tpm: Tpm, index: number): Promise<NvIndex> {
  const { parameters } = await tpm.execute({ code: TPM_CC.nvReadPublic, handles: [byHandle(index)] });
  return tpm.strictly(() => {
    const area = parameters.sized(MAX_SIZED_BYTES);
    const name = Uint8Array.from(parameters.sized(MAX_DIGEST_BYTES + 2));
    parameters.end();
    return { handle: index, name, ...readNvArea(area) };
  });
}

function readNvArea(area: Uint8Array): { attributes: number; size: number } {
  const reader = new Reader(area, 'TPMS_NV_PUBLIC');
  reader.bytes(6); // the index, and the hash of its name
  const attributes = reader.u32();
  reader.sized(MAX_DIGEST_BYTES); // its policy
  const size = reader.u16();
  reader.end();
  return { attributes, size };
}

/** TPM2_NV_Read, section 31.13. */
export async function readNv(
  tpm: Tpm,
  reader: Entity,
  index: NvIndex,
  authorization: Authorization,
  { offset, length }: { offset: number; length: number },
): Promise<Uint8Array> {
  const { parameters } = await tpm.execute({
    code: TPM_CC.nvRead,
    handles: [reader, index],
    authorizations: [authorization],
    parameters: concat(u16(length), u16(offset)),
  });
  return tpm.strictly(() => {
    const data = parameters.sized(length);
    parameters.end();
    if (data.length !== length) throw new TpmFormatError(`${data.length} bytes where ${length} were asked for`);
    return Uint8Array.from(data);
  });
}

/** TPM2_NV_Write, section 31.7. */
export async function writeNv(
  tpm: Tpm,
  writer: Entity,
  index: NvIndex,
  authorization: Authorization,
  { offset, data }: { offset: number; data: Uint8Array },
): Promise<void> {
  const { parameters } = await tpm.execute({
    code: TPM_CC.nvWrite,
    handles: [writer, index],
    authorizations: [authorization],
    parameters: concat(sized(data), u16(offset)),
  });
  tpm.strictly(() => parameters.end());
}

/** The authorisation of what has no password: there is nothing in it to hide. */
export const NO_PASSWORD = inClear(EMPTY);
