import { RolesAnywhereError } from '../platform/errors.ts';
import { readNamedFile } from '../platform/files.ts';

const MAX_BYTES = 4 * 1024 * 1024;
// OpenSSL reads all three labels alike.
const CERTIFICATE =
  /-----BEGIN ((?:X509 |TRUSTED )?CERTIFICATE)-----([^-]*)(-----END (?:X509 |TRUSTED )?CERTIFICATE-----)?/g;
const HINT = 'give a file with the trusted root certificates in PEM form';

/**
 * Reads the roots that replace Node's own.
 *
 * Every certificate in the file must be whole: OpenSSL stops at the first that
 * is not, and would trust those before it without a word.
 *
 * @param source where the path came from, for messages: `--ca-bundle`, `AWS_CA_BUNDLE`
 * @returns the certificates, as OpenSSL wants PEM: it overlooks one behind a byte order mark, a blank or another's last
 * line, and would believe nobody by it. For {@link TlsSettings.ca}
 * @throws RolesAnywhereError `ERR_CA_BUNDLE` when it cannot be read, is over 4 MiB, holds no
 * certificate or a malformed one
 */
export function readCaBundle(path: string, source = '--ca-bundle'): string {
  const text = readText(path, source);
  const certificates = certificatesOf(text);
  if (certificates.length === 0)
    throw new RolesAnywhereError('ERR_CA_BUNDLE', `${source}: ${path} holds no certificate`, {
      hint: insteadOf(text) ?? HINT,
    });
  const broken = certificates.indexOf(undefined);
  if (broken >= 0)
    throw new RolesAnywhereError('ERR_CA_BUNDLE', `${source}: certificate ${broken + 1} in ${path} is malformed`, {
      hint: /^\s*[{[]/.test(text)
        ? 'it is JSON: take the PEM out of it, with `jq -r`'
        : text.includes(String.raw`\n`)
          ? 'it has \\n for line ends: write them as such, `printf \'%b\\n\' "$(cat FILE)" >NEW`'
          : 'remove it, or get the file again: OpenSSL would ignore what follows it',
    });
  return `${certificates.join('\n')}\n`;
}

/**
 * The certificates in a file, each as PEM text; those that are not whole are left out.
 *
 * @throws RolesAnywhereError `ERR_CA_BUNDLE` when it cannot be read, or is over 4 MiB
 */
export function certificatesIn(path: string): string[] {
  return certificatesOf(readText(path, 'a root')).filter((pem) => pem !== undefined);
}

/** The certificates in a text, each as PEM, or undefined where it is not whole. */
function certificatesOf(text: string): (string | undefined)[] {
  return [...text.matchAll(CERTIFICATE)].map(([, label = '', base64 = '', end]) => {
    const der = Buffer.from(base64, 'base64');
    if (end === undefined || !isSequence(der)) return undefined;
    const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
    return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----`;
  });
}

const NO_PLACE = 'a private key has no place there: give the certificates of the CAs that the server is trusted by';

/** What a file looks like that is none of certificates, and what to do about it. */
const INSTEAD: readonly (readonly [RegExp, string])[] = [
  [/^\s*$/, 'it is empty: whatever should write it failed'],
  [
    /^(?:\u00ff\u00fe|\u00fe\u00ff)|-\0-\0-/,
    'it is UTF-16: save it as ASCII or UTF-8, for example with `iconv -f UTF-16 -t UTF-8 FILE >NEW`',
  ],
  [/^\s*<(?:!doctype|html|\?xml)/i, 'it is a page of the web or XML: the download gave an error page'],
  [
    /^[\sA-Za-z0-9+/]{64,}(?:={1,2}\s*)?$/,
    'it is base64 without a label: put -----BEGIN CERTIFICATE----- and -----END CERTIFICATE----- around it',
  ],
  [/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/, NO_PLACE],
  [
    /-----BEGIN (?:PKCS7|PKCS #7 SIGNED DATA|CMS)-----/,
    'it is PKCS#7: write its certificates with `openssl pkcs7 -in FILE -print_certs -out NEW`',
  ],
  [
    /-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----/,
    'it is a certificate request: give the certificates of the CAs that the server is trusted by',
  ],
];

/** The same of DER, by its first octets in hexadecimal: a SEQUENCE, its length, and what is first in it. */
const INSTEAD_DER: readonly (readonly [RegExp, string])[] = [
  [/^3082.{4}30/, 'it is DER: write it as PEM with `openssl x509 -inform DER -in FILE -out NEW`'],
  [
    /^3082.{4}06/,
    'it is PKCS#7: write its certificates with `openssl pkcs7 -inform DER -in FILE -print_certs -out NEW`',
  ],
  [
    /^30(?:80|82.{4})020103/,
    'it is PKCS#12: write its certificates with `openssl pkcs12 -in FILE -cacerts -nokeys -out NEW`',
  ],
  [/^30(?:81..|82.{4})02/, NO_PLACE],
];

/** What to do about a file that is none of certificates, where that can be told. */
function insteadOf(text: string): string | undefined {
  const octets = Buffer.from(text.slice(0, 8), 'latin1').toString('hex');
  const kind = INSTEAD.find(([pattern]) => pattern.test(text)) ?? INSTEAD_DER.find(([pattern]) => pattern.test(octets));
  return kind?.[1];
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
    hint: HINT,
  });
  return Buffer.from(bytes.buffer).toString('latin1');
}
