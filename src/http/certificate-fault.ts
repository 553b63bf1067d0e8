/**
 * Which certificate of a server was not believed, and why. Node tells the
 * reason alone, so the server is asked once more, without believing it. Loaded
 * at a TLS fault.
 */
// Tests: test/http/tls.test.ts
import type { LookupFunction, Socket } from 'node:net';
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';
import { RolesAnywhereError } from '../platform/errors.ts';
import type { HttpRequest } from './http.ts';
import { serverName, tlsOptions } from './tls.ts';

/** How the server was reached. */
interface Way {
  proxy?: URL | undefined;
  lookup?: LookupFunction | undefined;
}

/** What the server showed. Nobody vouches for any of it. */
interface Shown {
  /** Its own certificate first. */
  chain: readonly DetailedPeerCertificate[];
  /** The time that it says it is. */
  date: number | undefined;
}

/** For the second look, all of it. */
const LOOK_MS = 3000;
const MAX_CHAIN = 10;
const MAX_SHOWN = 200;

/**
 * The fault with the certificate named; as it was, when the server does not
 * show its certificates again.
 *
 * @param reason OpenSSL's or Node's code
 */
export async function explainCertificate(
  fault: RolesAnywhereError,
  reason: string,
  request: HttpRequest,
  way: Way,
  now = Date.now(),
): Promise<RolesAnywhereError> {
  const aboutTime = reason === 'CERT_HAS_EXPIRED' || reason === 'CERT_NOT_YET_VALID';
  const shown = await look(request, way, aboutTime).catch(() => undefined);
  const [leaf] = shown?.chain ?? [];
  if (shown === undefined || leaf === undefined) return fault;
  const culprit = culpritOf(reason, shown.chain, now) ?? leaf;
  const position = shown.chain.indexOf(culprit);
  const which = position === 0 ? "the server's certificate" : `certificate ${position + 1} of its chain`;
  const facts = [`subject ${nameText(culprit.subject)}`, `issuer ${nameText(culprit.issuer)}`];
  if (reason === 'ERR_TLS_CERT_ALTNAME_INVALID') facts.push(`names ${plain(culprit.subjectaltname ?? 'none')}`);
  if (aboutTime) facts.push(`valid from ${isoTime(culprit.valid_from)} to ${isoTime(culprit.valid_to)}`);
  const clock = aboutTime ? clockText(shown, now) : undefined;
  const hint = clock === undefined ? fault.hint : "set this machine's clock";
  return new RolesAnywhereError(
    fault.code,
    `${fault.message}: ${which} (${facts.join(', ')})${clock === undefined ? '' : `; ${clock}`}`,
    { cause: fault.cause, hint },
  );
}

/** The certificate that the reason is about. */
function culpritOf(
  reason: string,
  chain: readonly DetailedPeerCertificate[],
  now: number,
): DetailedPeerCertificate | undefined {
  switch (reason) {
    case 'CERT_HAS_EXPIRED':
      return chain.find(({ valid_to }) => Date.parse(valid_to) < now);
    case 'CERT_NOT_YET_VALID':
      return chain.find(({ valid_from }) => Date.parse(valid_from) > now);
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
      return chain.at(-1);
    default:
      return chain[0];
  }
}

/** What to think of the clock, when all certificates would be good at the time that the server says it is. */
function clockText({ chain, date }: Shown, now: number): string | undefined {
  if (date === undefined || Math.abs(date - now) <= 60_000) return undefined;
  const good = chain.every(
    ({ valid_from, valid_to }) => Date.parse(valid_from) <= date && date <= Date.parse(valid_to),
  );
  return good
    ? `this machine's clock explains it: it is ${isoTime(now)} here and ${isoTime(date)} at the server`
    : undefined;
}

/** Connects without believing, and asks for the time when that matters. Sends nothing but the name of the host. */
async function look(request: HttpRequest, way: Way, wantsDate: boolean): Promise<Shown> {
  const { url } = request;
  const signal = AbortSignal.timeout(LOOK_MS);
  const { connect } = await import('node:tls');
  const hostname = url.hostname.replace(/^\[|\]$/g, '');
  const port = Number(url.port || 443);
  const options = { ...tlsOptions({ ...request.tls, verify: false }), servername: serverName(url) };
  const socket = connect(
    way.proxy === undefined
      ? { ...options, host: hostname, port, lookup: way.lookup }
      : { ...options, socket: await tunnel(way.proxy, { hostname: url.hostname, port }, request, way, signal) },
  );
  try {
    return await new Promise<Shown>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error('the second look took too long')));
      socket.once('error', reject);
      socket.once('secureConnect', () => {
        const chain = chainOf(socket);
        if (!wantsDate) resolve({ chain, date: undefined });
        else askDate(socket, url.host, (date) => resolve({ chain, date }));
      });
    });
  } finally {
    socket.on('error', () => {}).destroy();
  }
}

async function tunnel(
  proxy: URL,
  target: { hostname: string; port: number },
  { tls }: HttpRequest,
  { lookup }: Way,
  signal: AbortSignal,
): Promise<Socket> {
  const { openTunnel } = await import('./tunnel.ts');
  return await openTunnel({ proxy, target, tls, lookup, signal, timeoutMs: LOOK_MS });
}

function chainOf(socket: TLSSocket): DetailedPeerCertificate[] {
  const chain: DetailedPeerCertificate[] = [];
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (next !== undefined && chain.length < MAX_CHAIN) {
    const certificate: DetailedPeerCertificate = next;
    // Without a certificate Node gives an empty object; a self-signed one is its own issuer.
    if (
      certificate.raw === undefined ||
      chain.some(({ fingerprint256 }) => fingerprint256 === certificate.fingerprint256)
    )
      break;
    chain.push(certificate);
    next = certificate.issuerCertificate;
  }
  return chain;
}

/** The Date of the answer to a request for nothing. */
function askDate(socket: TLSSocket, host: string, answer: (date: number | undefined) => void): void {
  let head = '';
  const finish = (): void => {
    const date = Date.parse(/\r\ndate: ([^\r\n]{1,40})\r\n/i.exec(head)?.[1] ?? '');
    answer(Number.isNaN(date) ? undefined : date);
  };
  socket.setEncoding('latin1');
  socket.on('data', (text) => {
    head += String(text);
    if (head.includes('\r\n\r\n') || head.length > 16_384) finish();
  });
  socket.once('end', finish);
  socket.once('error', finish);
  setTimeout(finish, 1000).unref();
  socket.write(`HEAD / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
}

function nameText(name: object): string {
  const parts = Object.entries(name).map(([key, value]) => `${key}=${[value].flat().join('+')}`);
  return parts.length === 0 ? 'empty' : `"${plain(parts.join(', '))}"`;
}

/** Without what could steer a terminal, and bounded: the text is a stranger's. */
function plain(text: string): string {
  const safe = text.slice(0, 4 * MAX_SHOWN).replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ');
  return safe.length > MAX_SHOWN ? `${safe.slice(0, MAX_SHOWN)}...` : safe;
}

function isoTime(time: string | number): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? 'unknown' : `${date.toISOString().slice(0, 19)}Z`;
}
