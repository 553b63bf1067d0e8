/** The structures of PKCS#12 (RFC 7292, section 4): what is where, before any password. */
// Tests: test/identity/containers/malformed.test.ts
import { createHmac } from 'node:crypto';
import { RolesAnywhereError } from '../../platform/errors.ts';
import {
  type Asn1Value,
  StructureError,
  count,
  encoded,
  explicit,
  identifier,
  isTagged,
  members,
  octets,
  readBer,
  sequence,
} from './asn1.ts';
import { type PasswordMac, type Scheme, readPbmac1, readScheme } from './pbe.ts';
import { type DerivationSettings, PURPOSE, bmpPassword, derivePkcs12, digestLength } from './pkcs12-kdf.ts';

/** Content types by RFC 5652, bags by RFC 7292, certificates and attributes by RFC 2985. */
const DATA = '1.2.840.113549.1.7.1';
const SIGNED_DATA = '1.2.840.113549.1.7.2';
const ENVELOPED_DATA = '1.2.840.113549.1.7.3';
const ENCRYPTED_DATA = '1.2.840.113549.1.7.6';
const KEY_BAG = '1.2.840.113549.1.12.10.1.1';
const SHROUDED_KEY_BAG = '1.2.840.113549.1.12.10.1.2';
const CERTIFICATE_BAG = '1.2.840.113549.1.12.10.1.3';
const SAFE_CONTENTS_BAG = '1.2.840.113549.1.12.10.1.6';
const X509_CERTIFICATE = '1.2.840.113549.1.9.22.1';
const PBMAC1 = '1.2.840.113549.1.5.14';
const LOCAL_KEY_ID = '1.2.840.113549.1.9.21';

const MAC_DIGESTS: Readonly<Record<string, DerivationSettings['digest']>> = {
  '1.3.14.3.2.26': 'sha1',
  '2.16.840.1.101.3.4.2.4': 'sha224',
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
};

const MAX_BAGS = 256;
const MAX_BAG_DEPTH = 4;

/** The outermost structure. */
export interface Container {
  /** What the MAC is over. */
  readonly content: Uint8Array;
  readonly mac: Mac | undefined;
  readonly parts: readonly Part[];
}

/** @throws StructureError; RolesAnywhereError `ERR_ENCRYPTION_UNSUPPORTED` */
export function readContainer(bytes: Uint8Array, source: string): Container {
  const [version, authSafe, macData] = sequence(readBer(bytes, 'the container'), 'the container');
  if (count(version, 'its version') !== 3) throw new StructureError('its version is not 3');
  const content = contentOf(authSafe, source);
  const mac = macData === undefined ? undefined : readMac(macData, source);
  return { content, mac, parts: readParts(content, source) };
}

/** The content of the outer ContentInfo. */
function contentOf(authSafe: Asn1Value | undefined, source: string): Uint8Array {
  const [type, content] = sequence(authSafe, 'its content');
  const oid = identifier(type, 'its content');
  if (oid === SIGNED_DATA) throw unsupported(source, 'signed with a key instead of a password');
  if (oid !== DATA) throw new StructureError(`its content is of the type ${oid}`);
  return octets(explicit(content, 0, 'its content'), 'its content');
}

/** What protects the content, and how to make it again. */
export interface Mac extends PasswordMac {
  /** Whether no password and an empty one give different keys. */
  readonly tellsAbsent: boolean;
  readonly expected: Uint8Array;
}

/** `MacData ::= SEQUENCE { mac DigestInfo, macSalt OCTET STRING, iterations INTEGER DEFAULT 1 }` */
function readMac(macData: Asn1Value, source: string): Mac {
  const [info, salt, iterations] = sequence(macData, 'its MAC');
  const [algorithm, digest] = sequence(info, 'its MAC');
  const [id, parameters] = sequence(algorithm, "its MAC's digest");
  const oid = identifier(id, "its MAC's digest");
  const expected = octets(digest, 'its MAC');
  // It has a salt and an iteration count of its own, and those of MacData mean nothing (RFC 9879, section 3).
  if (oid === PBMAC1) return { ...readPbmac1(parameters, source), tellsAbsent: false, expected };
  const name = MAC_DIGESTS[oid];
  if (name === undefined) throw unsupported(source, `protected by a MAC of the unknown kind ${oid}`);
  const settings = {
    digest: name,
    salt: octets(salt, "its MAC's salt"),
    iterations: iterations === undefined ? 1 : count(iterations, "its MAC's iteration count"),
  };
  if (settings.iterations < 1) throw new StructureError("its MAC's iteration count is 0");
  return { ...pkcs12Mac(settings), tellsAbsent: true, expected };
}

/** RFC 7292, appendix A. */
function pkcs12Mac(settings: DerivationSettings): PasswordMac {
  const { digest, iterations } = settings;
  return {
    charge: (budget) => budget.takeIterations(iterations),
    async compute(password, content) {
      const bmp = password === undefined ? new Uint8Array() : bmpPassword(password);
      const key = await derivePkcs12(bmp, PURPOSE.mac, settings, digestLength(digest));
      const computed = createHmac(digest, key).update(content).digest();
      bmp.fill(0);
      key.fill(0);
      return computed;
    },
  };
}

/** One ContentInfo of the AuthenticatedSafe: SafeContents as they are, or under a scheme. */
export interface Part {
  readonly scheme?: Scheme | undefined;
  readonly data: Uint8Array;
}

function readParts(content: Uint8Array, source: string): Part[] {
  return sequence(readBer(content, 'its content'), 'its content').map((part) => {
    const [type, inner] = sequence(part, 'a part');
    const oid = identifier(type, 'a part');
    if (oid === ENVELOPED_DATA) throw unsupported(source, 'encrypted with a key instead of a password');
    const value = explicit(inner, 0, 'a part');
    if (oid === DATA) return { data: octets(value, 'a part') };
    if (oid !== ENCRYPTED_DATA) throw new StructureError(`a part is of the type ${oid}`);
    // EncryptedData: RFC 5652, section 8.
    const [, info] = sequence(value, 'an encrypted part');
    const [, algorithm, encrypted] = sequence(info, 'an encrypted part');
    if (!isTagged(encrypted, 0)) throw new StructureError('an encrypted part has no content');
    return { scheme: readScheme(algorithm, source, 'pkcs12'), data: octets(encrypted, 'an encrypted part') };
  });
}

export type Bag =
  | { readonly kind: 'certificate' | 'key'; readonly der: Uint8Array; readonly keyId: string | undefined }
  | {
      readonly kind: 'locked key';
      readonly scheme: Scheme;
      readonly data: Uint8Array;
      readonly keyId: string | undefined;
    };

export function isLocked(bag: Bag): bag is Extract<Bag, { kind: 'locked key' }> {
  return bag.kind === 'locked key';
}

/** The bags of SafeContents that matter here; CRLs and secrets do not. */
export function readBags(bytes: Uint8Array, source: string): Bag[] {
  const bags = sequence(readBer(bytes, 'a part'), 'a part').flatMap((bag) => readBag(bag, source, 0));
  if (bags.length > MAX_BAGS) throw new StructureError(`it holds more than ${MAX_BAGS} certificates and keys`);
  return bags;
}

function readBag(bag: Asn1Value, source: string, depth: number): Bag[] {
  const [id, content, attributes] = sequence(bag, 'a bag');
  const oid = identifier(id, 'a bag');
  const value = explicit(content, 0, 'the content of a bag');
  const keyId = attributes === undefined ? undefined : readKeyId(attributes);
  switch (oid) {
    case KEY_BAG:
      sequence(value, 'a key');
      return [{ kind: 'key', der: encoded(value), keyId }];
    case SHROUDED_KEY_BAG: {
      const [algorithm, data] = sequence(value, 'an encrypted key');
      const scheme = readScheme(algorithm, source, 'pkcs12');
      return [{ kind: 'locked key', scheme, data: octets(data, 'an encrypted key'), keyId }];
    }
    case CERTIFICATE_BAG: {
      const [type, certificate] = sequence(value, 'a certificate');
      if (identifier(type, 'a certificate') !== X509_CERTIFICATE) return []; // SDSI
      return [{ kind: 'certificate', der: octets(explicit(certificate, 0, 'a certificate'), 'a certificate'), keyId }];
    }
    case SAFE_CONTENTS_BAG:
      if (depth === MAX_BAG_DEPTH) throw new StructureError('its bags are nested too deeply');
      return sequence(value, 'a bag').flatMap((inner) => readBag(inner, source, depth + 1));
    default:
      return [];
  }
}

/** The localKeyId that programs give to a key and its certificate alike (RFC 2985, section 5.5.2). */
function readKeyId(attributes: Asn1Value): string | undefined {
  for (const attribute of members(attributes, 'the attributes of a bag')) {
    const [type, values] = sequence(attribute, 'an attribute of a bag');
    if (identifier(type, 'an attribute of a bag') !== LOCAL_KEY_ID) continue;
    const [value] = members(values, 'a localKeyId');
    return Buffer.from(octets(value, 'a localKeyId')).toString('hex');
  }
  return undefined;
}

function unsupported(source: string, how: string): RolesAnywhereError {
  return new RolesAnywhereError('ERR_ENCRYPTION_UNSUPPORTED', `${source} is ${how}, which is not supported`, {
    hint: 'export it again with a password, encrypted with AES',
  });
}
