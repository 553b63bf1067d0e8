/**
 * CRL distribution points: RFC 5280, section 4.2.1.13. The lists are fetched
 * when a trust anchor says so (`crlDpRevocationEnabled`), from the loopback
 * alone, since the emulator reaches for nothing else. What the service does
 * where no list can be had is not documented; here the request is refused.
 */
import { get } from 'node:http';
import * as asn1 from 'asn1js';
import type { Certificate } from './certificate.ts';
import { hexSerial } from './certificate.ts';
import { type Crl, readCrl } from './crl.ts';
import { GENERAL_NAME, childrenOf, generalName } from './general-names.ts';

const DISTRIBUTION_POINTS = '2.5.29.31';
/** The most points of a certificate that are tried. */
const MAX_POINTS = 4;
const MAX_BYTES = 1024 * 1024;
const TIMEOUT_MS = 3000;

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/** Why a path is refused; `isRevoked` when a list says so. */
export interface DistributedProblem {
  readonly isRevoked: boolean;
  readonly reason: string;
}

/**
 * Looks every certificate of a path but the anchor up in a list of its
 * distribution points. One without such points is not looked up.
 *
 * @param path from the end entity to the anchor
 */
export async function distributedProblem(
  path: readonly Certificate[],
  now: Date,
): Promise<DistributedProblem | undefined> {
  for (const [index, certificate] of path.entries()) {
    const issuer = path[index + 1];
    const points = distributionPoints(certificate);
    if (issuer === undefined || points === undefined) continue;
    const result = await firstList(points, certificate, issuer, now);
    const about = `"${certificate.subject}", serial number ${hexSerial(certificate)}`;
    if (typeof result === 'string') return { isRevoked: false, reason: `${about} cannot be looked up: ${result}` };
    if (result.crl.serials.has(hexSerial(certificate)))
      return { isRevoked: true, reason: `the CRL at ${result.url} has revoked ${about}` };
  }
  return undefined;
}

/** The URLs of the distribution points; undefined when there is no such extension. */
function distributionPoints({ extensions }: Pick<Certificate, 'extensions'>): string[] | undefined {
  const der = extensions.get(DISTRIBUTION_POINTS);
  if (der === undefined) return undefined;
  // Each point is a sequence whose element [0] has as its element [0] the full names.
  return childrenOf(asn1.fromBER(der).result)
    .flatMap((point) => childrenOf(point).filter(isFirst))
    .flatMap((name) => childrenOf(name).filter(isFirst))
    .flatMap((fullName) => childrenOf(fullName).map(generalName))
    .flatMap(({ tag, text }) => (tag === GENERAL_NAME.uri ? [text] : []));
}

function isFirst({ idBlock }: asn1.AsnType): boolean {
  return idBlock.tagClass === 3 && idBlock.tagNumber === 0;
}

/** @returns the first list that can be had and used, or why there is none */
async function firstList(
  points: readonly string[],
  { issuerDer }: Certificate,
  issuer: Certificate,
  now: Date,
): Promise<{ url: string; crl: Crl } | string> {
  const reasons: string[] = [];
  for (const url of points.slice(0, MAX_POINTS)) {
    const result = await fetchList(url);
    if (typeof result === 'string') reasons.push(`${url}: ${result}`);
    else if (!result.issuerDer.equals(issuerDer)) reasons.push(`${url}: the list is that of "${result.issuer}"`);
    else if (!result.isSignedBy(issuer)) reasons.push(`${url}: the list is not signed by the issuer`);
    else if (result.nextUpdate !== undefined && result.nextUpdate < now)
      reasons.push(`${url}: the list was to be replaced at ${result.nextUpdate.toISOString()}`);
    else return { url, crl: result };
  }
  return reasons.length === 0 ? 'its distribution points have no URL' : reasons.join('; ');
}

async function fetchList(text: string): Promise<Crl | string> {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:') return 'it is no http URL';
  if (!LOOPBACK.test(url.hostname)) return 'it is not on the loopback, and the emulator fetches nothing from elsewhere';
  const bytes = await fetchBytes(url);
  if (typeof bytes === 'string') return bytes;
  const pem = bytes.toString('latin1');
  return readCrl(pem.includes('-----BEGIN') ? pem : bytes.toString('base64')) ?? 'it holds no CRL';
}

/** Redirects are not followed. */
function fetchBytes(url: URL): Promise<Buffer | string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const request = get(url, { agent: false, signal: AbortSignal.timeout(TIMEOUT_MS) }, (response) => {
      if (response.statusCode !== 200) {
        resolve(`the answer has status ${response.statusCode}`);
        response.destroy();
        return;
      }
      response.on('data', (chunk: Buffer) => {
        length += chunk.length;
        chunks.push(chunk);
        if (length <= MAX_BYTES) return;
        resolve(`the answer is larger than ${MAX_BYTES} bytes`);
        response.destroy();
      });
      response.on('end', () => resolve(Buffer.concat(chunks)));
      response.on('error', ({ message }) => resolve(message));
    });
    request.on('error', ({ message }) => resolve(message));
  });
}
