/**
 * What `spiffe:` values name: a Workload API, by an address or SPIFFE_ENDPOINT_SOCKET (SPIFFE Workload Endpoint, section 4),
 * and which of the identities that it gives.
 */
// Tests: test/identity/spiffe/reference.test.ts
import { isIP } from 'node:net';
import { RolesAnywhereError } from '../../platform/errors.ts';

/** Where a Workload API listens. */
export type Address =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** A `spiffe:` value, taken apart. */
export interface SpiffeReference {
  readonly address: Address;
  /** How errors name the address. */
  readonly where: string;
  /** The SPIFFE ID of the identity that is wanted. Default: the first that the API gives. */
  readonly id: string | undefined;
  /** The hint of the identity that is wanted. */
  readonly hint: string | undefined;
  /** For whom a token is. None for certificates. */
  readonly audiences: readonly string[];
}

const VARIABLE = 'SPIFFE_ENDPOINT_SOCKET';

/** SPIFFE-ID, sections 2.1 to 2.4: lower case in the trust domain, no empty or dotted parts in the path. */
const SPIFFE_ID = /^spiffe:\/\/[a-z0-9._-]{1,255}(?:\/(?!\.{1,2}(?:\/|$))[\w.-]+)*$/;
const MAX_ID = 2048;
/** SPIFFE Workload API, section 5.3. */
const MAX_HINT = 1024;
const MAX_AUDIENCES = 16;

/** Whether a value is one of these. */
export function isSpiffeId(text: string): boolean {
  return text.length <= MAX_ID && SPIFFE_ID.test(text);
}

/**
 * Takes a value apart: `spiffe:[ADDRESS][?id=SPIFFE-ID][&hint=HINT][&audience=AUDIENCE ...]`.
 *
 * @param flag what errors are about
 * @throws RolesAnywhereError `ERR_SPIFFE_ADDRESS`
 */
export function readReference(
  value: string,
  flag: '--certificate' | '--web-identity-token',
  env: Readonly<Record<string, string | undefined>> = process.env,
): SpiffeReference {
  const text = value.slice('spiffe:'.length);
  const example = flag === '--certificate' ? 'spiffe:' : 'spiffe:?audience=sts.amazonaws.com';
  const bad = (what: string, hint: string): RolesAnywhereError =>
    new RolesAnywhereError('ERR_SPIFFE_ADDRESS', `${flag}: ${what}`, { flag, hint });
  if (text.startsWith('//'))
    throw bad(
      'this is a SPIFFE ID, and no Workload API',
      `write spiffe:?id=${/^[\w./-]*$/.test(text) ? `spiffe:${text}` : 'spiffe://...'} for that identity, and ${example} for the one that the API gives`,
    );
  const mark = text.indexOf('?');
  const named = mark < 0 ? text : text.slice(0, mark);
  const query = new URLSearchParams(mark < 0 ? '' : text.slice(mark + 1));
  for (const key of query.keys())
    if (!['id', 'hint', 'audience'].includes(key))
      throw bad(`spiffe: does not know ${JSON.stringify(key)}`, 'give id=, hint= or audience=, joined by &');
  const single = (key: string): string | undefined => {
    const [first, ...others] = query.getAll(key);
    if (first === '' || others.length > 0)
      throw bad(`spiffe: needs one value of ${key}=`, 'give it once, or leave it out');
    return first;
  };
  const [id, hint] = [single('id'), single('hint')];
  if (id !== undefined && !isSpiffeId(id))
    throw bad('what follows id= is not a SPIFFE ID', 'one looks like spiffe://example.org/web');
  if (hint !== undefined && Buffer.byteLength(hint) > MAX_HINT)
    throw bad('what follows hint= is too long', `a hint has ${MAX_HINT} bytes at most`);
  const audiences = query.getAll('audience');
  if (flag === '--certificate' && audiences.length > 0)
    throw bad(
      'audience= is for tokens, not for certificates',
      'leave it out, or use web-identity --web-identity-token',
    );
  if (flag === '--web-identity-token' && (audiences.length === 0 || audiences.includes('')))
    throw bad(
      'spiffe: needs the audience of the token',
      `write ${example}, with an audience that the identity provider in IAM lists`,
    );
  if (audiences.length > MAX_AUDIENCES) throw bad('there are too many audiences', `give ${MAX_AUDIENCES} at most`);
  return { ...endpoint(named, env, flag), id, hint, audiences };
}

function endpoint(
  named: string,
  env: Readonly<Record<string, string | undefined>>,
  flag: string,
): Pick<SpiffeReference, 'address' | 'where'> {
  const text = named === '' ? (env[VARIABLE] ?? '') : named;
  const source = named === '' ? VARIABLE : `the address of ${flag}`;
  if (text === '')
    throw new RolesAnywhereError('ERR_SPIFFE_ADDRESS', `${flag}: where the Workload API listens is not given`, {
      flag,
      hint: `set ${VARIABLE}, or write spiffe:unix:///run/spire/agent.sock with the path of the agent's socket`,
    });
  const found = text.startsWith('unix:') ? unixAddress(text.slice('unix:'.length)) : tcpAddress(text);
  if (typeof found !== 'string') return { address: found, where: text };
  throw new RolesAnywhereError('ERR_SPIFFE_ADDRESS', `${source} is no address of a Workload API: ${found}`, {
    flag: named === '' ? undefined : flag,
    hint: 'it is unix:///absolute/path, or tcp://IP-ADDRESS:PORT',
  });
}

/** @returns the address, or what is wrong */
function unixAddress(rest: string): Address | string {
  const path = rest.startsWith('//') ? rest.slice(2) : rest;
  if (!path.startsWith('/')) return 'the path of a unix: address is absolute, with three slashes before it';
  if (/[?#\0]/.test(path)) return 'a unix: address has a path and nothing behind it';
  try {
    const decoded = decodeURIComponent(path);
    return decoded.includes('\0') ? 'its path cannot be one' : { kind: 'unix', path: decoded };
  } catch {
    return 'a percent sign in its path stands for nothing';
  }
}

/** @returns the address, or what is wrong */
function tcpAddress(text: string): Address | string {
  if (!text.startsWith('tcp:')) return 'it begins with neither unix: nor tcp:';
  const [, bracketed, plain, digits = ''] =
    /^tcp:\/\/(?:\[([\da-fA-F:.]+)\]|([^[\]/?#@:]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined) return 'a tcp: address is an IP address and a port, and nothing else';
  if (isIP(host) !== (bracketed === undefined ? 4 : 6))
    return 'the host of a tcp: address is an IP address, not a name';
  const port = Number(digits);
  return port >= 1 && port <= 65_535 ? { kind: 'tcp', host, port } : 'its port is out of range';
}
