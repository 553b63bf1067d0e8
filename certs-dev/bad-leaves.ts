/** Leaves that Roles Anywhere refuses, each for one reason, and what it takes to try them. All have P-256 keys. */
import 'reflect-metadata'; // before @peculiar/x509, which needs it
import { KeyObject, sign } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import * as asn1js from 'asn1js';
import {
  type Authority,
  DAY_MS,
  HOUR_MS,
  type LeafOptions,
  certificatePem,
  generateKeys,
  issueAuthority,
  issueLeaf,
  leafExtensions,
  privateKeyPem,
} from './authority.ts';

/** Each is `bad-NAME.crt.pem`, with the key in `bad.key.pem` except for `mismatch`. */
export const BAD_LEAVES = [
  'expired',
  'not-yet-valid',
  'ca',
  'no-digital-signature',
  'no-key-usage',
  'sha-1',
  'v1',
  'empty-subject',
  'wrong-issuer',
  'mismatch',
  'six-deep',
] as const;
export type BadLeaf = (typeof BAD_LEAVES)[number];

/** A file of the PKI, by name. */
type Texts = Map<string, string>;

/**
 * Makes all of {@link BAD_LEAVES}, `expires-soon` (three days left), which is
 * good, and `revoked`, which is good too until one looks at `crl.pem`.
 */
export async function makeBadLeaves(root: Authority, intermediate: Authority): Promise<Texts> {
  const files: Texts = new Map();
  const keys = await generateKeys('ec-p256');
  files.set('bad.key.pem', privateKeyPem(keys));
  const issue = async (name: string, changes: Partial<LeafOptions> = {}): Promise<x509.X509Certificate> =>
    await issueLeaf({
      subject: `CN=${name}`,
      issuer: intermediate,
      publicKey: keys.publicKey,
      extensions: leafExtensions([{ type: 'dns', value: `${name}.dev.example` }]),
      ...changes,
    });
  const now = Date.now();
  const { digitalSignature, keyEncipherment, keyCertSign } = x509.KeyUsageFlags;
  const { issuer: deepIssuer, bundle } = await sixAuthorities(root);
  const leaves: Readonly<Record<BadLeaf, x509.X509Certificate>> = {
    expired: await issue('expired', {
      notBefore: new Date(now - 30 * DAY_MS),
      notAfter: new Date(now - 2 * DAY_MS - HOUR_MS),
    }),
    'not-yet-valid': await issue('not-yet-valid', { notBefore: new Date(now + 2 * DAY_MS + HOUR_MS) }),
    ca: await issue('ca', { extensions: extensions(true, digitalSignature | keyCertSign) }),
    'no-digital-signature': await issue('no-digital-signature', { extensions: extensions(false, keyEncipherment) }),
    'no-key-usage': await issue('no-key-usage', { extensions: extensions(false) }),
    'sha-1': await issue('sha-1', { hash: 'SHA-1' }),
    v1: versionOne(await issue('v1'), intermediate),
    'empty-subject': await issue('empty-subject', { subject: '' }),
    'wrong-issuer': await issue('wrong-issuer', {
      // The same name, and a key of its own.
      issuer: await issueAuthority({ subject: intermediate.certificate.subject, keys: await generateKeys('ec-p256') }),
    }),
    mismatch: await issue('mismatch', { publicKey: (await generateKeys('ec-p256')).publicKey }),
    'six-deep': await issue('six-deep', { issuer: deepIssuer }),
  };
  for (const name of BAD_LEAVES) files.set(`bad-${name}.crt.pem`, certificatePem(leaves[name]));
  files.set('bad-six-deep.chain.pem', bundle);

  const soon = new Date(now + 3 * DAY_MS + HOUR_MS);
  // A little less than a tenth of its life is left, and its authority, an hour old, was there when the tenth began.
  const begun = new Date(soon.getTime() - 10 * (3 * DAY_MS + 1.5 * HOUR_MS));
  const expiring = await issue('expires-soon', { notBefore: begun, notAfter: soon });
  files.set('expires-soon.crt.pem', certificatePem(expiring));
  files.set('expires-soon.key.pem', privateKeyPem(keys));
  const revoked = await issue('revoked');
  files.set('revoked.crt.pem', certificatePem(revoked));
  files.set('revoked.key.pem', privateKeyPem(keys));
  files.set('crl.pem', await revocationList(revoked, intermediate));
  return files;
}

function extensions(isAuthority: boolean, ...usages: number[]): x509.Extension[] {
  return [
    new x509.BasicConstraintsExtension(isAuthority, undefined, true),
    ...usages.map((usage) => new x509.KeyUsagesExtension(usage, true)),
  ];
}

/** Authorities that stand one above the other below `root`, and their bundle, the lowest first. */
async function sixAuthorities(root: Authority): Promise<{ issuer: Authority; bundle: string }> {
  const keys = await generateKeys('ec-p256');
  let issuer = root;
  let bundle = '';
  for (let depth = 1; depth <= 6; depth++) {
    issuer = await issueAuthority({ subject: `CN=Development intermediate ${depth} of 6`, keys, issuer });
    bundle = certificatePem(issuer.certificate) + bundle;
  }
  return { issuer, bundle };
}

/** The same without version and extensions, which is X.509 version 1, signed again. */
function versionOne({ rawData }: x509.X509Certificate, issuer: Authority): x509.X509Certificate {
  const [signedPart, algorithm] = children(asn1js.fromBER(rawData).result);
  const fields = children(signedPart).filter(({ idBlock }) => idBlock.tagClass !== CONTEXT_SPECIFIC);
  const plain = new asn1js.Sequence({ value: fields });
  const signature = sign('sha256', new Uint8Array(plain.toBER()), KeyObject.from(issuer.keys.privateKey));
  const whole = [plain, algorithm, new asn1js.BitString({ valueHex: signature })].filter((part) => part !== undefined);
  return new x509.X509Certificate(new asn1js.Sequence({ value: whole }).toBER());
}

const CONTEXT_SPECIFIC = 3;

function children(block: asn1js.AsnType | undefined): asn1js.AsnType[] {
  if (block instanceof asn1js.Sequence) return block.valueBlock.value;
  throw new TypeError('not a sequence');
}

async function revocationList(revoked: x509.X509Certificate, issuer: Authority): Promise<string> {
  const now = Date.now();
  const list = await x509.X509CrlGenerator.create({
    issuer: issuer.certificate.subject,
    thisUpdate: new Date(now - HOUR_MS),
    nextUpdate: new Date(now + 397 * DAY_MS),
    entries: [
      {
        serialNumber: revoked.serialNumber,
        revocationDate: new Date(now - HOUR_MS),
        reason: x509.X509CrlReason.keyCompromise,
      },
    ],
    signingKey: issuer.keys.privateKey,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
  });
  return `${x509.PemConverter.encode(list.rawData, 'X509 CRL')}\n`; // RFC 7468, section 6
}
