import { RolesAnywhereError } from '../platform/errors.ts';
import { readNamedFile } from '../platform/files.ts';

const MAX_BYTES = 4 * 1024 * 1024;
// OpenSSL reads all three labels alike.
const CERTIFICATE =
  /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----([^-]*)(-----END (?:X509 |TRUSTED )?CERTIFICATE-----)?/g;

/**
 * Reads the roots that replace Node's own.
 *
 * Every certificate in the file must be whole: OpenSSL stops at the first that
 * is not, and would trust those before it without a word.
 *
 * @param source where the path came from, for messages: `--ca-bundle`, `AWS_CA_BUNDLE`
 * @returns the file's text, for {@link TlsSettings.ca}
 * @throws RolesAnywhereError `ERR_CA_BUNDLE` when it cannot be read, is over 4 MiB, holds no
 * certificate or a malformed one
 */
export function readCaBundle(path: string, source = '--ca-bundle'): string {
  const text = readText(path, source);
  const certificates = [...text.matchAll(CERTIFICATE)];
  if (certificates.length === 0) {
    throw new RolesAnywhereError('ERR_CA_BUNDLE', `${source}: ${path} holds no certificate`, {
      hint: 'give a file with the trusted root certificates in PEM form',
    });
  }
  for (const [index, [, base64 = '', end]] of certificates.entries()) {
    if (end === undefined || !isSequence(Buffer.from(base64, 'base64'))) {
      throw new RolesAnywhereError('ERR_CA_BUNDLE', `${source}: certificate ${index + 1} in ${path} is malformed`, {
        hint: 'remove it, or get the file again: OpenSSL would ignore what follows it',
      });
    }
  }
  return text;
}

/**
 * The certificates in a file, each as PEM text; those that are not whole are left out.
 *
 * @throws RolesAnywhereError `ERR_CA_BUNDLE` when it cannot be read, or is over 4 MiB
 */
export function certificatesIn(path: string): string[] {
  return [...readText(path, 'a root').matchAll(CERTIFICATE)].flatMap(([pem, base64 = '', end]) =>
    end !== undefined && isSequence(Buffer.from(base64, 'base64')) ? [pem] : [],
  );
}

/**
 * Whether DER begins with a SEQUENCE that is all there. Less than a parser would
 * see, but it finds what is cut off or garbled, and a system's hundred and fifty
 * roots take a parser longer than all the rest of a one-shot.
 */
function isSequence(der: Buffer): boolean {
  const lengthBytes = (der[1] ?? 0) - 0x80;
  if (der[0] !== 0x30 || lengthBytes < 1 || lengthBytes > 3 || der.length < 2 + lengthBytes) return false;
  return der.length >= 2 + lengthBytes + der.readUIntBE(2, lengthBytes);
}

function readText(path: string, source: string): string {
  const { bytes } = readNamedFile({
    path,
    name: `${source}: ${path}`,
    flag: /^--\S+/.exec(source)?.[0],
    code: 'ERR_CA_BUNDLE',
    maxBytes: MAX_BYTES,
    streams: 'open',
    hint: 'give a file with the trusted root certificates in PEM form',
  });
  return Buffer.from(bytes.buffer).toString('latin1');
}
