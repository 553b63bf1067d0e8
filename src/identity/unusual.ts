/**
 * Files that are not what was asked for: told by what they hold, not by their labels, with the command that makes them
 * what is wanted. Loaded when something is wrong, and for base64 without labels.
 */
import { RolesAnywhereError } from '../platform/errors.ts';
import { DerError, TAG, readChildren, readDer } from '../x509/der.ts';
import type { PemBlock } from '../x509/pem.ts';
import { binaryLabel } from './der-forms.ts';
import type { Material, MaterialFlag } from './material.ts';
import { isPrivateKeyLabel } from '../x509/keys.ts';

/** Tab, line feed, carriage return and blank. */
const BLANKS: ReadonlySet<number> = new Set([0x09, 0x0a, 0x0d, 0x20]);

/** What something is, and what to do about it. */
interface Kind {
  readonly what: string;
  readonly hint: string;
}

const REQUEST: Kind = {
  what: 'a certificate request',
  hint: 'send the request to your CA, and use the certificate that it answers with',
};
const REVOCATION_LIST: Kind = {
  what: 'a certificate revocation list',
  hint: 'a revocation list goes to the service with ImportCrl: a client needs none',
};
const PUBLIC_KEY: Kind = {
  what: 'a public key',
  hint: 'a public key is neither certificate nor private key: find the two that were made with it',
};
const OPENSSH: Kind = {
  what: 'a private key in the format of OpenSSH',
  hint: 'write a copy as PKCS#8: `cp KEY NEW && ssh-keygen -p -m PKCS8 -f NEW`',
};
const PGP: Kind = {
  what: 'OpenPGP data',
  hint: 'Roles Anywhere takes X.509: give the certificate and the key that your CA made, not those of gpg',
};
const PUTTY: Kind = {
  what: "a private key in PuTTY's format",
  hint: 'write it as PEM with `puttygen KEY -O private-openssh -o NEW`; it must be the key of an X.509 certificate',
};
const keystore = (name: string): Kind => ({
  what: `a Java keystore (${name})`,
  hint: `write it as PKCS#12 with \`keytool -importkeystore -srcstoretype ${name} -srckeystore FILE -deststoretype PKCS12 -destkeystore NEW.p12\``,
});
const NSS: Kind = {
  what: 'a database of NSS (SQLite)',
  hint: 'write certificate and key as PKCS#12 with `pk12util -d sql:FOLDER -n NICKNAME -o NEW.p12`',
};

/** By PEM label. */
const LABELS: Readonly<Record<string, Kind>> = {
  'CERTIFICATE REQUEST': REQUEST,
  'NEW CERTIFICATE REQUEST': REQUEST,
  'X509 CRL': REVOCATION_LIST,
  'PUBLIC KEY': PUBLIC_KEY,
  'RSA PUBLIC KEY': PUBLIC_KEY,
  'TRUSTED CERTIFICATE': {
    what: 'a certificate with the trust settings of OpenSSL',
    hint: 'write it as a plain certificate with `openssl x509 -in FILE -out CERTIFICATE`',
  },
  'OPENSSH PRIVATE KEY': OPENSSH,
  // Where they were not opened.
  PKCS12: {
    what: 'PKCS#12',
    hint: 'take out of it what is wanted: `openssl pkcs12 -in FILE -nokeys -out CERTIFICATE`, and under `umask 077` `openssl pkcs12 -in FILE -nocerts -noenc -out KEY`',
  },
  PKCS7: {
    what: 'PKCS#7',
    hint: 'write its certificates with `openssl pkcs7 -in FILE -print_certs -out CERTIFICATE`, for DER with `-inform DER`',
  },
};

/**
 * Blocks of a file that is neither DER nor PEM: PKCS#7 in base64, as EST servers send it (RFC 7030, section 4.1.3).
 *
 * @param problem what reading it as PEM has thrown
 * @throws RolesAnywhereError `ERR_FORMAT_UNKNOWN`, `ERR_PEM_MALFORMED`, or `problem`, when that says most
 */
export function readUnusual({ bytes, source, flag }: Material, problem: unknown): PemBlock[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length > 0 && bytes.every((byte) => BLANKS.has(byte)))
    throw new RolesAnywhereError('ERR_PEM_EMPTY', `${source} holds white space and nothing else`, {
      hint: 'whatever writes it may have failed',
    });
  const bare = bareBase64(text);
  if (bare !== undefined && binaryLabel(bare) === 'PKCS7') return [{ label: 'PKCS7', headers: new Map(), der: bare }];
  const isVariable = source.startsWith(`${flag} env:`);
  const broken = brokenLines(text);
  if (broken !== undefined)
    throw new RolesAnywhereError('ERR_PEM_MALFORMED', `${source} is ${broken.what}`, {
      hint: isVariable
        ? 'what sets the variable cannot hold several lines: put base64 of the file into it, as `base64 -w0 FILE` prints'
        : broken.hint,
    });
  const kind = textKind(text, flag) ?? binaryKind(bytes) ?? (bare === undefined ? undefined : base64Kind(bare));
  bare?.fill(0);
  if (kind !== undefined)
    throw new RolesAnywhereError('ERR_FORMAT_UNKNOWN', `${source} is ${kind.what}`, { hint: kind.hint });
  if (problem !== undefined) throw problem;
  if (bytes[0] === TAG.sequence && (bytes[1] ?? 0) >= 0x80)
    throw new RolesAnywhereError(
      'ERR_FORMAT_UNKNOWN',
      `${source} looks like DER that was cut, changed or is of another kind`,
      { hint: 'copy it again from its origin; DER may be a certificate, a private key, PKCS#7 or PKCS#12' },
    );
  throw new RolesAnywhereError('ERR_FORMAT_UNKNOWN', `${source} is neither PEM nor DER that is read here`, {
    hint: 'a PEM file has a line like -----BEGIN CERTIFICATE-----; DER may be a certificate, a private key, PKCS#7 or PKCS#12',
  });
}

/** Whether a line holds a block's BEGIN and, behind it, an END. */
function hasWholeBlock(line: string): boolean {
  const begin = /-----BEGIN [^-]+-----/.exec(line);
  return begin !== null && line.includes('-----END ', begin.index + begin[0].length);
}

/** PEM whose line ends became something else on the way through a variable, JSON or a shell. */
function brokenLines(text: Buffer): Kind | undefined {
  const latin = text.toString('latin1');
  if (/^\s*[{[]/.test(latin)) return undefined; // JSON has a line of its own, and jq does it all
  if (/-----END [^\r\n-]+----------BEGIN /.test(latin))
    return {
      what: 'PEM with two blocks on one line',
      hint: 'put a line end between them: `(cat FIRST; echo; cat SECOND) >BUNDLE`',
    };
  if (!latin.split(/[\r\n]/).some(hasWholeBlock)) return undefined;
  const isEscaped = latin.includes(String.raw`\n`);
  return {
    what: 'PEM without its line ends',
    hint: isEscaped
      ? 'write \\n as line ends: `printf \'%b\\n\' "$(cat FILE)" >NEW`, under `umask 077` for a key'
      : 'the text lost its line ends on its way: copy the file itself, and in a shell quote the variable, as in `printf \'%s\\n\' "$VARIABLE" >NEW`',
  };
}

const HAS_BEGIN = '-----BEGIN ';

function textKind(text: Buffer, flag: string): Kind | undefined {
  const head = text
    .subarray(0, 512)
    .toString('latin1')
    .replace(/^\u00ef\u00bb\u00bf/, '')
    .trimStart();
  const wide = wideText(text);
  if (wide !== undefined) return wide;
  if (/^PuTTY-User-Key-File-\d/.test(head)) return PUTTY;
  if (/^-----BEGIN PGP /m.test(head)) return PGP;
  if (/^---- BEGIN SSH2 (?:ENCRYPTED )?PRIVATE KEY/.test(head)) return OPENSSH;
  if (/^(?:---- BEGIN SSH2 PUBLIC KEY|(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-\S+|sk-\S+@openssh\.com) AAAA)/.test(head))
    return { ...PUBLIC_KEY, what: 'a public key of SSH' };
  if (/^<(?:!doctype|html|\?xml)/i.test(head))
    return {
      what: 'a page of the web or XML',
      hint: 'the download gave an error page or a form: open it and see what it says',
    };
  if (head.startsWith('{') || head.startsWith('[')) return jsonKind(text, flag);
  return undefined;
}

/** UTF-16, with its mark or without. */
function wideText(text: Buffer): Kind | undefined {
  const hasMark = /^(?:\u00ff\u00fe|\u00fe\u00ff)/.test(text.subarray(0, 2).toString('latin1'));
  const little = Buffer.from(HAS_BEGIN, 'utf16le');
  const hasBegin = text.includes(little) || text.includes(Buffer.from(little).swap16());
  return hasMark || hasBegin
    ? {
        what: 'UTF-16 text',
        hint: 'save it as ASCII or UTF-8, for example with `iconv -f UTF-16 -t UTF-8 FILE >NEW`; the > of Windows PowerShell writes UTF-16',
      }
    : undefined;
}

/** Levels of JSON that are looked into. */
const MAX_LEVELS = 6;

function jsonKind(text: Buffer, flag: string): Kind {
  let json: unknown;
  try {
    json = JSON.parse(text.toString('utf8').replace(/^\ufeff/, ''));
  } catch {
    return { what: 'text that looks like JSON', hint: 'give the PEM itself: take it out with `jq -r`' };
  }
  if (jwkPath(json) !== undefined)
    return {
      what: 'a key as JWK (JSON)',
      hint: `write it as PKCS#8: \`(umask 077; node -p 'crypto.createPrivateKey({format: "jwk", key: JSON.parse(fs.readFileSync("FILE"))${jwkPath(json)}}).export({type: "pkcs8", format: "pem"})' >NEW)\``,
    };
  const wanted =
    flag === '--private-key' || flag === '--tls-key'
      ? /-----BEGIN [A-Z ]*PRIVATE KEY-----/
      : /-----BEGIN [A-Z0-9 ]*CERTIFICATE-----/;
  const path = pathTo(json, wanted, MAX_LEVELS) ?? pathTo(json, /-----BEGIN /, MAX_LEVELS);
  return path === undefined
    ? { what: 'JSON', hint: 'give a certificate or a key in PEM' }
    : {
        what: 'JSON that holds PEM',
        hint: `take it out with \`jq -r '${path}' FILE >NEW\`, under \`umask 077\` for a key`,
      };
}

/** Where a JWK (RFC 7517) is in some JSON, as JavaScript: the whole, or the first of a set. */
function jwkPath(json: unknown): string | undefined {
  if (member(json, 'kty') !== undefined) return '';
  const keys = member(json, 'keys');
  return Array.isArray(keys) && member(keys[0], 'kty') !== undefined ? '.keys[0]' : undefined;
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? Object.entries(value).find(([key]) => key === name)?.[1]
    : undefined;
}

/** The jq filter of the first text that matches; names are shown if they are plain words. */
function pathTo(value: unknown, pattern: RegExp, levels: number): string | undefined {
  if (typeof value === 'string') return pattern.test(value) ? '.' : undefined;
  if (typeof value !== 'object' || value === null || levels === 0) return undefined;
  for (const [name, inner] of Object.entries(value)) {
    const rest = pathTo(inner, pattern, levels - 1);
    if (rest === undefined || !/^[A-Za-z_][\w-]{0,40}$|^\d+$/.test(name)) continue;
    const step = Array.isArray(value) ? `[${name}]` : name.includes('-') ? `["${name}"]` : name;
    return `.${step}${rest === '.' ? '' : rest.replace(/^\.(?=\[)/, '')}`;
  }
  return undefined;
}

/** First octets. */
const MAGIC: readonly (readonly [hex: string, kind: Kind])[] = [
  ['feedfeed', keystore('JKS')],
  ['cececece', keystore('JCEKS')],
  ['53514c69746520666f726d61742033', NSS],
  ['00061561', { ...NSS, what: 'a database of NSS' }],
  ['504b0304', { what: 'a ZIP archive', hint: 'unpack it, and give the file in it' }],
  ['1f8b08', { what: 'a file compressed with gzip', hint: 'unpack it with `gunzip`' }],
];

function binaryKind(bytes: Uint8Array): Kind | undefined {
  const hex = Buffer.from(bytes.subarray(0, 16)).toString('hex');
  const known = MAGIC.find(([magic]) => hex.startsWith(magic))?.[1];
  return known ?? derKind(bytes) ?? (isPgpPacket(bytes) ? PGP : undefined);
}

/** A key packet comes first (RFC 9580, section 4.2): of the old format or the new, with its version. */
function isPgpPacket(bytes: Uint8Array): boolean {
  const [first = 0, second = 0] = bytes;
  if (![0x94, 0x95, 0x98, 0x99, 0xc5, 0xc6].includes(first)) return false;
  const header = first < 0xc0 ? 2 + (first & 1) : second < 192 ? 2 : second < 224 ? 3 : 6;
  return [3, 4, 5, 6].includes(bytes[header] ?? 0);
}

/** Well-formed DER of what is neither a certificate nor a private key. */
function derKind(bytes: Uint8Array): Kind | undefined {
  try {
    const outer = readDer(bytes);
    const fields = outer.tag === TAG.sequence ? readChildren(outer) : [];
    const tags = fields.map(({ tag }) => tag);
    const [first] = fields;
    if (matches(tags, [TAG.sequence, TAG.bitString]) || matches(tags, [TAG.integer, TAG.integer])) return PUBLIC_KEY;
    if (first === undefined || !matches(tags, [TAG.sequence, TAG.sequence, TAG.bitString])) return undefined;
    const inner = readChildren(first).map(({ tag }) => tag);
    // CertificationRequestInfo (RFC 2986): version, subject, subjectPKInfo, attributes.
    if (matches(inner.slice(0, 3), [TAG.integer, TAG.sequence, TAG.sequence]) && inner.length <= 4 && isKeyInfo(first))
      return REQUEST;
    // TBSCertList (RFC 5280, section 5.1): version, signature, issuer, thisUpdate; a time where a certificate has its validity.
    const list = inner[0] === TAG.integer ? inner.slice(1) : inner;
    const isTime = list[2] === TAG.utcTime || list[2] === TAG.generalizedTime;
    return isTime && matches(list.slice(0, 2), [TAG.sequence, TAG.sequence]) ? REVOCATION_LIST : undefined;
  } catch (error) {
    if (error instanceof DerError) return undefined;
    throw error;
  }
}

function matches(tags: readonly number[], expected: readonly number[]): boolean {
  return tags.length === expected.length && expected.every((tag, index) => tags[index] === tag);
}

/** Whether the third field of a request's inside is a SubjectPublicKeyInfo. */
function isKeyInfo(inside: ReturnType<typeof readDer>): boolean {
  const [, , info] = readChildren(inside);
  return (
    info !== undefined &&
    matches(
      readChildren(info).map(({ tag }) => tag),
      [TAG.sequence, TAG.bitString],
    )
  );
}

/** What base64 without labels stands for (RFC 4648, section 4), if a file is nothing else. */
function bareBase64(text: Buffer): Buffer | undefined {
  const latin = text.toString('latin1').trim();
  if (latin.length < 16 || !/^[A-Za-z0-9+/\s]+={0,2}$/.test(latin)) return undefined;
  const pooled = Buffer.from(latin, 'base64');
  const own = Buffer.from(Uint8Array.from(pooled).buffer);
  pooled.fill(0);
  return own;
}

function base64Kind(decoded: Uint8Array): Kind | undefined {
  const isKnown = binaryLabel(decoded) !== undefined || Buffer.from(decoded).includes(HAS_BEGIN);
  const kind = derKind(decoded);
  if (kind !== undefined) return { ...kind, what: `${kind.what} in base64` };
  return isKnown
    ? { what: 'base64 without a label', hint: 'decode it with `base64 -d FILE >NEW`, under `umask 077` for a key' }
    : undefined;
}

/** The error for certificates of which one cannot be read: perhaps it is something else. */
export function notCertificate(blocks: readonly PemBlock[], error: unknown, { source }: Material): unknown {
  for (const { der } of blocks) {
    const label = binaryLabel(der);
    const kind =
      label === 'CERTIFICATE' || label === undefined
        ? derKind(der)
        : {
            what: label === 'PKCS12' ? 'PKCS#12' : 'a private key',
            hint: 'correct the label, or name the file with the flag that it is for',
          };
    if (kind !== undefined)
      return new RolesAnywhereError('ERR_FORMAT_UNKNOWN', `${source} holds ${kind.what} where a certificate belongs`, {
        hint: kind.hint,
      });
  }
  return error;
}

/** The error for a key that cannot be used: perhaps there is a way to use it. */
export function notKey(blocks: readonly PemBlock[], error: unknown): unknown {
  if (!(error instanceof RolesAnywhereError) || error.code !== 'ERR_KEY_UNSUPPORTED') return error;
  const kind = blocks.map(({ label }) => LABELS[label]).find((known) => known !== undefined);
  return kind === undefined
    ? error
    : new RolesAnywhereError(error.code, error.message, { hint: kind.hint, cause: error });
}

/** The flag of a certificate, and that of its key. */
const KEY_FLAG: Readonly<Partial<Record<MaterialFlag, MaterialFlag>>> = {
  '--certificate': '--private-key',
  '--tls-cert': '--tls-key',
};

/**
 * The error for well-formed contents that are not of the kind that was asked for.
 *
 * @param keyFile what is in the file that was named as the key's, if certificates were asked for
 */
export function wrongKind(
  { source, flag }: Material,
  blocks: readonly PemBlock[],
  wanted: 'certificate' | 'private key',
  keyFile?: readonly PemBlock[],
): RolesAnywhereError {
  const kind = blocks.map(({ label, der }) => LABELS[label] ?? derKind(der)).find((known) => known !== undefined);
  const labels = [
    ...new Set(blocks.map(({ label, der }) => (LABELS[label] === undefined && derKind(der)?.what) || label)),
  ];
  if (labels.length === 0)
    return new RolesAnywhereError(
      'ERR_PEM_LABEL',
      `${source} holds no ${wanted}: it is a container with nothing in it`,
      {
        hint: 'export it again, with the certificate and its private key',
      },
    );
  const isKey = wanted === 'certificate' && blocks.some(({ label }) => isPrivateKeyLabel(label));
  const hint = kind?.hint ?? (isKey ? keyHint(flag, keyFile) : `name a file that holds a ${wanted} with ${flag}`);
  return new RolesAnywhereError('ERR_PEM_LABEL', `${source} holds no ${wanted}, but ${labels.slice(0, 3).join(', ')}`, {
    hint,
  });
}

/** What to do about a private key where a certificate belongs. */
function keyHint(flag: MaterialFlag, keyFile: readonly PemBlock[] | undefined): string {
  const keyFlag = KEY_FLAG[flag];
  if (keyFlag === undefined || keyFile === undefined)
    return `a private key has no place there: name the file of the certificates with ${flag}`;
  const both = `name the certificate with ${flag} and its private key with ${keyFlag}`;
  if (!keyFile.some(({ label }) => label.endsWith('CERTIFICATE'))) return both;
  return keyFile.some(({ label }) => isPrivateKeyLabel(label))
    ? `the file of ${keyFlag} holds a certificate as well: name that file with ${flag} too`
    : `the two files seem swapped: ${both}`;
}

/** The error for contents without a private key. */
export function noKey(material: Material, blocks: readonly PemBlock[]): RolesAnywhereError {
  if (material.flag !== '--certificate') return wrongKind(material, blocks, 'private key');
  return new RolesAnywhereError(
    'ERR_KEY_MISSING',
    `${material.source} holds no private key, and no --private-key is given`,
    { flag: '--private-key', hint: 'name the file with the private key with --private-key' },
  );
}

/**
 * The error for a key and a certificate that do not belong together.
 *
 * @param owner how it names what holds the key
 * @param isSwapped whether the key is that of a certificate in --intermediates
 */
export function mismatch(owner: string, source: string, isSwapped = false): RolesAnywhereError {
  return new RolesAnywhereError(
    'ERR_KEY_MISMATCH',
    `the private key in ${owner} is not that of the certificate in ${source}`,
    {
      hint: isSwapped
        ? 'it is that of a certificate in --intermediates: name that file with --certificate, and the CAs with --intermediates'
        : 'give the key that the certificate was requested with; after a renewal, both files must be the new ones',
    },
  );
}

/** The error for a key whose signature its own public part does not verify. */
export function notOwn(source: string): RolesAnywhereError {
  return new RolesAnywhereError(
    'ERR_KEY_MISMATCH',
    `the public key in ${source} is not that of its private key: a signature by the one does not fit the other`,
    { hint: 'the file was put together of two keys: give the key as it was made' },
  );
}
