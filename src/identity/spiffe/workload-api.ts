/**
 * The SPIFFE Workload API: X.509-SVIDs, one answer or a stream of them, and JWT-SVIDs.
 *
 * Source: SPIFFE Workload API, sections 5 and 6, and workloadapi.proto.
 */
// Tests: test/identity/spiffe/workload-api.test.ts
import { RolesAnywhereError } from '../../platform/errors.ts';
import { awaited } from '../../platform/waits.ts';
import { DerError, TAG, expectTag, readChildren, readDer } from '../../x509/der.ts';
import { answerError } from './failures.ts';
import { openCall } from './grpc.ts';
import type { OpenCall } from './grpc.ts';
import { ProtobufError, readFields, readText, writeTexts } from './protobuf.ts';
import type { SpiffeReference } from './reference.ts';
import { isSpiffeId } from './reference.ts';

/** An X.509-SVID and its private key. */
export interface X509Svid {
  readonly id: string;
  readonly hint: string;
  /** DER of the certificates, the leaf first. */
  readonly certificates: readonly Uint8Array[];
  /** PKCS#8, unencrypted: overwrite it when done. */
  readonly key: Uint8Array;
}

/** A JWT-SVID. */
export interface JwtSvid {
  readonly id: string;
  readonly hint: string;
  readonly token: string;
}

/** How long an answer may take, where nobody says otherwise. */
export const DEFAULT_TIMEOUT_MS = 10_000;

/** More identities than any workload has. */
const MAX_SVIDS = 256;
/** More certificates than any chain has. */
const MAX_CERTIFICATES = 32;

/**
 * Reads the X.509-SVIDs of an answer. Their bytes are copies.
 *
 * @throws ProtobufError, DerError
 */
export function readX509Answer(message: Uint8Array): X509Svid[] {
  return svidsIn(message).map((entry) => {
    const fields = readFields(entry, [1, 2, 3, 5]);
    const key = required(fields.get(3), 'a private key');
    expectTag(readDer(key), TAG.sequence, 'a private key');
    return {
      id: idOf(fields.get(1)),
      hint: readText(fields.get(5)?.at(-1)),
      certificates: certificatesIn(required(fields.get(2), 'certificates')),
      key: Uint8Array.from(key),
    };
  });
}

/**
 * Reads the JWT-SVIDs of an answer.
 *
 * @throws ProtobufError
 */
export function readJwtAnswer(message: Uint8Array): JwtSvid[] {
  return svidsIn(message).map((entry) => {
    const fields = readFields(entry, [1, 2, 3]);
    const token = readText(required(fields.get(2), 'a token'));
    // JWS Compact Serialization (RFC 7515, section 7.1).
    if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) throw new ProtobufError('a token that is no JWT');
    return { id: idOf(fields.get(1)), hint: readText(fields.get(3)?.at(-1)), token };
  });
}

function svidsIn(message: Uint8Array): readonly Uint8Array[] {
  const svids = readFields(message, [1]).get(1) ?? [];
  if (svids.length === 0) throw new ProtobufError('no identity');
  if (svids.length > MAX_SVIDS) throw new ProtobufError(`more than ${MAX_SVIDS} identities`);
  return svids;
}

/** Of a field that occurs more than once, the last counts (Protocol Buffers, "Encoding"). */
function required(values: readonly Uint8Array[] | undefined, what: string): Uint8Array {
  const value = values?.at(-1);
  if (value !== undefined && value.length > 0) return value;
  throw new ProtobufError(`an identity without ${what}`);
}

function idOf(values: readonly Uint8Array[] | undefined): string {
  const id = readText(required(values, 'its SPIFFE ID'));
  if (!isSpiffeId(id)) throw new ProtobufError('a name that is no SPIFFE ID');
  return id;
}

/** Certificates that stand one behind another, with nothing between. */
function certificatesIn(bytes: Uint8Array): Uint8Array[] {
  return readChildren({ tag: TAG.sequence, content: bytes, der: bytes }, MAX_CERTIFICATES).map((value) =>
    Uint8Array.from(expectTag(value, TAG.sequence, 'a certificate').der),
  );
}

/** What a call tells. */
interface X509Listener {
  /** Called with each answer, whole: all identities that there are now. The keys are the listener's to overwrite. */
  readonly onSvids: (svids: readonly X509Svid[]) => void;
  /** Called once when the stream is over; it should not be, so that there is always an error. */
  readonly onEnd: (error: RolesAnywhereError) => void;
}

/** What is waited for until its first answer, in words that follow `waiting for`. */
export function waitFor({ where }: Pick<SpiffeReference, 'where'>): string {
  return `the SPIFFE Workload API at ${where} to answer`;
}

/** Opens the stream of X.509-SVIDs. The first answer must come within `timeoutMs`. */
export function openX509Stream(
  { address, where }: SpiffeReference,
  timeoutMs: number,
  { onSvids, onEnd }: X509Listener,
): OpenCall {
  return openCall({
    address,
    where,
    path: '/SpiffeWorkloadAPI/FetchX509SVID',
    request: new Uint8Array(),
    timeoutMs,
    onMessage: (message) => onSvids(readAnswer(where, () => readX509Answer(message))),
    onEnd: (error) => onEnd(error ?? answerError(where, 'the end of the stream of identities')),
  });
}

/**
 * The X.509-SVIDs that there are now. The keys are the caller's to overwrite.
 *
 * @throws RolesAnywhereError `ERR_SPIFFE_...`
 */
export function fetchX509Svids(reference: SpiffeReference, timeoutMs: number): Promise<readonly X509Svid[]> {
  const first = new Promise<readonly X509Svid[]>((resolve, reject) => {
    const call = openX509Stream(reference, timeoutMs, {
      onSvids(svids) {
        resolve(svids);
        call.close();
      },
      onEnd: reject,
    });
  });
  return awaited(waitFor(reference), async () => await first);
}

/**
 * JWT-SVIDs for an audience.
 *
 * @throws RolesAnywhereError `ERR_SPIFFE_...`
 */
export function fetchJwtSvids(reference: SpiffeReference, timeoutMs: number): Promise<readonly JwtSvid[]> {
  const { address, where, id, audiences } = reference;
  const ended = new Promise<readonly JwtSvid[]>((resolve, reject) => {
    let svids: readonly JwtSvid[] | undefined;
    openCall({
      address,
      where,
      path: '/SpiffeWorkloadAPI/FetchJWTSVID',
      request: writeTexts([
        ...audiences.map((audience): [number, string] => [1, audience]),
        ...(id === undefined ? [] : [[2, id] as const]),
      ]),
      timeoutMs,
      isUnary: true,
      onMessage(message) {
        if (svids !== undefined) throw answerError(where, 'two answers to one question');
        svids = readAnswer(where, () => readJwtAnswer(message));
      },
      onEnd(error) {
        if (error !== undefined) reject(error);
        else if (svids === undefined) reject(answerError(where, 'no answer'));
        else resolve(svids);
      },
    });
  });
  return awaited(waitFor(reference), async () => await ended);
}

/** The cause is left out where it could quote the answer. */
function readAnswer<T>(where: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ProtobufError || error instanceof DerError)
      throw answerError(where, `an answer that is not well-formed: ${error.message}`);
    throw error;
  }
}

/**
 * The one of the identities that is wanted: the first that has the SPIFFE ID, or the hint, or the first of all (SPIFFE
 * Workload API, section 5.3).
 *
 * @throws RolesAnywhereError `ERR_SPIFFE_ID`
 */
export function chooseSvid<T extends { readonly id: string; readonly hint: string }>(
  svids: readonly T[],
  { id, hint, where }: SpiffeReference,
): T {
  const found = svids.find(
    (svid) => (id === undefined || svid.id === id) && (hint === undefined || svid.hint === hint),
  );
  if (found !== undefined) return found;
  const wanted = [
    ...(id === undefined ? [] : [id]),
    ...(hint === undefined ? [] : [`hint ${JSON.stringify(hint)}`]),
  ].join(' with ');
  const given = svids.map((svid) => (svid.hint === '' ? svid.id : `${svid.id} (hint ${JSON.stringify(svid.hint)})`));
  throw new RolesAnywhereError('ERR_SPIFFE_ID', `the Workload API at ${where} does not give this process ${wanted}`, {
    hint: `it gives ${given.slice(0, 5).join(', ')}${given.length > 5 ? ' and others' : ''}`,
  });
}
