/** The sender of a CreateSession request: its certificates, and the proof that the leaf's key signed it. */
import { type Certificate, decodeBase64, readCertificate } from '../../certificates/certificate.ts';
import { MAX_CHAIN_CERTIFICATES } from '../../certificates/path.ts';
import { type ReceivedRequest, singleHeader } from '../../wire/received.ts';
import { Refusal, type Refuse } from '../../wire/refusal.ts';
import { findMistake } from '../../wire/signature-mistakes.ts';
import {
  type Authorization,
  checkSignedHeaders,
  canonicalParts,
  formatCanonical,
  readAuthorization,
  readRequestDate,
  stringToSign,
} from '../../wire/signature-v4.ts';
import { MESSAGES } from './messages.ts';
import { algorithmProblem, verifySignature } from './algorithms.ts';

/** The difference that a request's time may have from the service's. It is not documented; IAM says 5 minutes of SigV4 at large. */
export const DATE_WINDOW_MS = 5 * 60_000;

const invalidSignature: Refuse = (reason, compared) =>
  new Refusal(403, 'AccessDeniedException', MESSAGES.invalidSignature.text, reason, compared);

const untrusted: Refuse = (reason) =>
  new Refusal(403, 'AccessDeniedException', MESSAGES.insufficientCertificate.text, reason);

/**
 * Reads X-Amz-X509 and X-Amz-X509-Chain.
 *
 * @throws Refusal
 */
export function readCertificates(request: ReceivedRequest): { leaf: Certificate; chain: Certificate[] } {
  const leafText = singleHeader(request, 'x-amz-x509', untrusted);
  if (leafText === undefined) throw untrusted('header x-amz-x509 was not sent');
  const chainText = singleHeader(request, 'x-amz-x509-chain', untrusted);
  const texts = chainText === undefined ? [] : chainText.split(',');
  if (texts.length > MAX_CHAIN_CERTIFICATES)
    throw untrusted(`x-amz-x509-chain holds ${texts.length} certificates, more than ${MAX_CHAIN_CERTIFICATES}`);
  return {
    leaf: readOne(leafText, 'x-amz-x509'),
    chain: texts.map((text, index) => readOne(text, `x-amz-x509-chain, certificate ${index + 1}`)),
  };
}

function readOne(text: string, where: string): Certificate {
  const der = decodeBase64(text);
  if (der === undefined) throw untrusted(`${where}: not padded base64 on one line`);
  const certificate = readCertificate(der);
  if (certificate === undefined) throw untrusted(`${where}: not one certificate in DER`);
  return certificate;
}

/**
 * Verifies that the request was signed, a short time ago and for this
 * endpoint, with the key of `leaf`.
 *
 * @throws Refusal
 */
export function verifyRequest(request: ReceivedRequest, leaf: Certificate, region: string, now: Date): void {
  const authorization = readAuthorization(request, invalidSignature);
  if (authorization === undefined || authorization.isPresigned)
    throw invalidSignature('the request is not signed: header authorization was not sent');
  const { algorithm, signature, signedHeaders } = authorization;
  const problem = algorithmProblem(algorithm, leaf) ?? scopeProblem(authorization, leaf, region);
  if (problem !== undefined) throw invalidSignature(problem);
  const required = ['host', 'x-amz-date', 'x-amz-x509'];
  checkSignedHeaders(request, signedHeaders, { required, ifSent: ['content-type'] }, invalidSignature);
  const date = readRequestDate(request, authorization, invalidSignature);
  const seconds = Math.round((now.getTime() - date.getTime()) / 1000);
  if (Math.abs(now.getTime() - date.getTime()) > DATE_WINDOW_MS)
    throw invalidSignature(
      `x-amz-date is ${Math.abs(seconds)} seconds ${seconds > 0 ? 'behind' : 'ahead of'} this clock`,
    );
  const parts = canonicalParts(request, authorization, invalidSignature);
  const expected = formatCanonical(parts);
  const fits = (bytes: Buffer): boolean => verifySignature(algorithm, leaf, bytes, signature);
  if (fits(stringToSign(authorization, expected))) return;
  const mistake = findMistake(request, authorization, parts, fits);
  const what = "the signature is not that of the certificate's key over this request";
  throw mistake === undefined
    ? invalidSignature(what, { expected })
    : invalidSignature(`${what}, but over one with ${mistake.what}`, { expected, signed: mistake.canonicalRequest });
}

function scopeProblem(scope: Authorization, { serial }: Certificate, region: string): string | undefined {
  if (scope.identifier !== serial.toString())
    return scope.identifier.toLowerCase().replace(/^0+/, '') === serial.toString(16)
      ? `the credential's serial number ${scope.identifier} is hexadecimal; it must be decimal`
      : `the credential's serial number is ${scope.identifier}, the certificate's ${serial}`;
  if (scope.region !== region) return `the credential scope is of region ${scope.region}, this endpoint of ${region}`;
  if (scope.service !== 'rolesanywhere')
    return `the credential scope is of service ${scope.service}, not rolesanywhere`;
  return undefined;
}
