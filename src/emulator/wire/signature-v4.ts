/**
 * The parts that both signature schemes share: the Authorization header, or
 * the parameters of a presigned request in its place, the canonical request
 * and the string to sign, rebuilt from the bytes received. The rules
 * are those of the IAM User Guide ("Create a signed AWS API request") and of
 * the IAM Roles Anywhere User Guide ("Signing process").
 */
// Tests: test/emulator/services/create-session/signature.test.ts
import { createHash } from 'node:crypto';
import type { Refuse } from './refusal.ts';
import { type ReceivedRequest, headerValues, parseQuery, singleHeader } from './received.ts';

/** An Authorization header, or what a presigned request has in its place, taken apart. */
export interface Authorization {
  readonly algorithm: string;
  /** The first part of the credential scope: an access key id, or a serial number. */
  readonly identifier: string;
  /** `YYYYMMDD` */
  readonly date: string;
  readonly region: string;
  readonly service: string;
  readonly signedHeaders: readonly string[];
  readonly signature: Buffer;
  /** The time of the request: `YYYYMMDDTHHMMSSZ`, when it is one. */
  readonly timestamp: string | undefined;
  /** The session token that goes with the credentials, if there is one. */
  readonly sessionToken: string | undefined;
  /** Seconds for which a presigned request is good; undefined for any other, and where it does not say. */
  readonly expires: number | undefined;
  readonly isPresigned: boolean;
}

/** The parts of a canonical request, as this side rebuilt them from what was sent. */
export interface CanonicalParts {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  /** The headers that are signed, in the order of their names. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Hexadecimal SHA-256 of the body. */
  readonly payload: string;
}

/** A week, in seconds. */
const MAX_EXPIRES = 604_800;

const SIGNATURE_PART = /^(Credential|SignedHeaders|Signature)=(\S+)$/;

/** The names of the parameters that a presigned request has in place of the header. */
const SIGNATURE_PARAMETER = 'X-Amz-Signature';

/**
 * Reads what the request is signed with.
 *
 * @returns undefined for a request that is not signed
 */
export function readAuthorization(request: ReceivedRequest, refuse: Refuse): Authorization | undefined {
  const header = singleHeader(request, 'authorization', refuse);
  if (header !== undefined) {
    return {
      ...parseAuthorization(header, refuse),
      // Whether they came once is for those who use them to say.
      timestamp: headerValues(request, 'x-amz-date')[0],
      sessionToken: headerValues(request, 'x-amz-security-token')[0],
      expires: undefined,
      isPresigned: false,
    };
  }
  const query = parseQuery(request.query, refuse);
  return query.some(([name]) => name === SIGNATURE_PARAMETER) ? parsePresigned(query, refuse) : undefined;
}

/** IAM User Guide, "Create a signed AWS API request": authentication by the query string. */
function parsePresigned(query: readonly (readonly [string, string])[], refuse: Refuse): Authorization {
  const parameters = new Map<string, string>();
  for (const [name, value] of query) {
    if (!name.startsWith('X-Amz-')) continue;
    if (parameters.has(name)) throw refuse(`parameter ${name} was sent twice`);
    parameters.set(name, value);
  }
  const expires = parameters.get('X-Amz-Expires');
  if (expires !== undefined && !(/^\d{1,6}$/.test(expires) && Number(expires) >= 1 && Number(expires) <= MAX_EXPIRES))
    throw refuse(`X-Amz-Expires is not from 1 to ${MAX_EXPIRES}`);
  return {
    algorithm: parameters.get('X-Amz-Algorithm') ?? '',
    ...parseScope(parameters.get('X-Amz-Credential') ?? '', refuse),
    signedHeaders: parseSignedHeaders(parameters.get('X-Amz-SignedHeaders') ?? '', refuse),
    signature: parseSignature(parameters.get(SIGNATURE_PARAMETER) ?? '', refuse),
    timestamp: parameters.get('X-Amz-Date'),
    sessionToken: parameters.get('X-Amz-Security-Token'),
    expires: expires === undefined ? undefined : Number(expires),
    isPresigned: true,
  };
}

type Header = Omit<Authorization, 'timestamp' | 'sessionToken' | 'expires' | 'isPresigned'>;

function parseAuthorization(value: string, refuse: Refuse): Header {
  const [, algorithm, rest] = /^(AWS4-[A-Z0-9-]+) +(.+)$/.exec(value) ?? [];
  if (algorithm === undefined || rest === undefined) throw refuse('the Authorization header names no AWS4 algorithm');
  const parts = new Map<string, string>();
  for (const part of rest.split(',')) {
    const [, name, content] = SIGNATURE_PART.exec(part.replaceAll(/^ +| +$/g, '')) ?? [];
    if (name === undefined || content === undefined || parts.has(name))
      throw refuse('the Authorization header is not Credential, SignedHeaders and Signature, each once');
    parts.set(name, content);
  }
  return {
    algorithm,
    ...parseScope(parts.get('Credential') ?? '', refuse),
    signedHeaders: parseSignedHeaders(parts.get('SignedHeaders') ?? '', refuse),
    signature: parseSignature(parts.get('Signature') ?? '', refuse),
  };
}

function parseScope(text: string, refuse: Refuse): Pick<Authorization, 'identifier' | 'date' | 'region' | 'service'> {
  const scope = text.split('/');
  const [identifier, date, region, service, terminator] = scope;
  if (scope.length !== 5 || !identifier || !date || !region || !service || terminator !== 'aws4_request')
    throw refuse('the credential is not IDENTIFIER/DATE/REGION/SERVICE/aws4_request');
  return { identifier, date, region, service };
}

function parseSignature(text: string, refuse: Refuse): Buffer {
  if (!/^(?:[0-9a-f]{2})+$/.test(text)) throw refuse('the signature is not lower-case hexadecimal');
  return Buffer.from(text, 'hex');
}

function parseSignedHeaders(text: string, refuse: Refuse): string[] {
  const names = text.split(';');
  if (names.some((name, index) => !/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name) || (names[index - 1] ?? '') >= name))
    throw refuse('SignedHeaders is not a sorted list of different names in lower case');
  return names;
}

/**
 * Refuses a request in which a header that must be signed is not.
 *
 * @param required must be there and be signed; every `x-amz-` header that was sent must be signed too
 * @param ifSent must be signed when sent
 */
export function checkSignedHeaders(
  request: ReceivedRequest,
  signed: readonly string[],
  { required, ifSent = [] }: { required: readonly string[]; ifSent?: readonly string[] | undefined },
  refuse: Refuse,
): void {
  const sent = new Set(request.headers.map(([name]) => name));
  for (const name of signed) if (!sent.has(name)) throw refuse(`signed header ${name} was not sent`);
  for (const name of required) if (!signed.includes(name)) throw refuse(`header ${name} is not signed`);
  for (const name of sent)
    if ((name.startsWith('x-amz-') || ifSent.includes(name)) && !signed.includes(name))
      throw refuse(`header ${name} was sent and is not signed`);
}

/** The moment in X-Amz-Date, which must be of the day in the credential scope. */
export function readRequestDate(request: ReceivedRequest, authorization: Authorization, refuse: Refuse): Date {
  const { timestamp, isPresigned } = authorization;
  const text = isPresigned ? timestamp : singleHeader(request, 'x-amz-date', refuse);
  if (text === undefined) throw refuse('x-amz-date was not sent');
  const date = parseBasicDate(text);
  if (date === undefined) throw refuse('x-amz-date is not a time of the form YYYYMMDDTHHMMSSZ');
  if (text.slice(0, 8) !== authorization.date)
    throw refuse(`the credential scope is of ${authorization.date}, x-amz-date of ${text.slice(0, 8)}`);
  return date;
}

function parseBasicDate(text: string): Date | undefined {
  if (!/^\d{8}T\d{6}Z$/.test(text)) return undefined;
  const date = new Date(text.replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5'));
  return !Number.isNaN(date.getTime()) && basicDate(date) === text ? date : undefined;
}

/** `YYYYMMDDTHHMMSSZ` */
export function basicDate(date: Date): string {
  return `${date.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
}

/** Rebuilds what the client must have signed. */
export function canonicalParts(
  request: ReceivedRequest,
  { service, signedHeaders, isPresigned }: Authorization,
  refuse: Refuse,
): CanonicalParts {
  return {
    method: request.method,
    path: canonicalPath(request.path, service),
    query: canonicalQuery(request.query, refuse),
    headers: signedHeaders.map((name) => [name, headerValues(request, name).map(collapse).join(',')]),
    payload: payloadHash(request, service, isPresigned),
  };
}

export function formatCanonical({ method, path, query, headers, payload }: CanonicalParts): string {
  return [
    method,
    path,
    query,
    ...headers.map(([name, value]) => `${name}:${value}`),
    '',
    headers.map(([name]) => name).join(';'),
    payload,
  ].join('\n');
}

/** The exact bytes under the signature of a canonical request. */
export function stringToSign(
  { algorithm, timestamp = '', date, region, service }: Authorization,
  canonicalRequest: string,
): Buffer {
  const lines = [
    algorithm,
    timestamp,
    `${date}/${region}/${service}/aws4_request`,
    createHash('sha256').update(canonicalRequest, 'latin1').digest('hex'),
  ];
  return Buffer.from(lines.join('\n'), 'latin1');
}

/** The path is encoded once more than it is sent, but for S3. */
function canonicalPath(path: string, service: string): string {
  return service === 's3' ? path : path.split('/').map(rfc3986).join('/');
}

/** S3 alone lets a client leave the body unsigned: in so many words, and where the request is presigned. */
function payloadHash(request: ReceivedRequest, service: string, isPresigned: boolean): string {
  const unsigned = 'UNSIGNED-PAYLOAD';
  return service === 's3' && (isPresigned || headerValues(request, 'x-amz-content-sha256').includes(unsigned))
    ? unsigned
    : createHash('sha256').update(request.body).digest('hex');
}

function canonicalQuery(query: string, refuse: Refuse): string {
  return parseQuery(query, refuse)
    .filter(([name]) => name !== SIGNATURE_PARAMETER)
    .map(([name, value]): [string, string] => [rfc3986(name), rfc3986(value)])
    .toSorted(([nameA, valueA], [nameB, valueB]) => compare(nameA, nameB) || compare(valueA, valueB))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

/** Everything but the unreserved characters of RFC 3986, section 2.3, as `%XX`. */
function rfc3986(bytes: string): string {
  return bytes.replaceAll(
    /[^A-Za-z0-9\-_.~]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function collapse(value: string): string {
  return value.replaceAll(/ +/g, ' ').replaceAll(/^ | $/g, '');
}
