/** Writes the development PKI: a folder of certificates and keys, described in README.md beside this file. */
import 'reflect-metadata'; // before @peculiar/x509, which needs it
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { KeyObject } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import {
  type Authority,
  KEY_KINDS,
  type KeyKind,
  certificatePem,
  generateKeys,
  issueAuthority,
  issueLeaf,
  leafExtensions,
  privateKeyPem,
} from './authority.ts';

import { makeBadLeaves } from './bad-leaves.ts';
import { PASSWORD, encryptPkcs8, makePkcs12 } from './containers.ts';
import {
  type MlDsaAuthority,
  type MlDsaKind,
  ML_DSA_KINDS,
  generateMlDsaKeys,
  issueMlDsaAuthority,
  issueMlDsaLeaf,
  mlDsaPkcs8,
} from './ml-dsa.ts';

const ORGANISATION = 'O=Roles Anywhere development';

/** Leaves with a serial number that is easy to get wrong, in hexadecimal, all with P-256 keys. */
const SERIALS = {
  'serial-1': '01',
  'serial-80': '80',
  'serial-20-bytes': 'f0e1d2c3b4a5968778695a4b3c2d1e0f00112233',
} as const;

export interface PkiOptions {
  /** The kinds of leaves to make; default all. Fewer are faster: RSA 4096 takes seconds. */
  kinds?: readonly (KeyKind | MlDsaKind)[] | undefined;
}

/** The authorities, with which tests issue more certificates. */
export interface Pki {
  root: Authority;
  intermediate: Authority;
  /** Issued by the root; issued the leaves with ML-DSA keys. */
  mlDsaIntermediate: MlDsaAuthority;
}

/** Name of a file in the PKI's folder, and what is in it. */
type Files = Map<string, string | Uint8Array>;

/**
 * Makes a whole PKI in `dir`, replacing what was there. The files are written
 * into a folder beside it that takes its place when all are there: a failure
 * leaves the old one as it was. The folder has mode 0700, its files 0600.
 */
export async function makePki(dir: string, options: PkiOptions = {}): Promise<Pki> {
  const files: Files = new Map();
  const [pki] = await Promise.all([
    makeClientSide(files, options.kinds ?? [...KEY_KINDS, ...ML_DSA_KINDS]),
    makeTlsSide(files),
  ]);
  await replaceFolder(dir, files);
  return pki;
}

async function makeClientSide(files: Files, kinds: readonly (KeyKind | MlDsaKind)[]): Promise<Pki> {
  // All keys at once: RSA key generation runs on Node's threads and varies from one second to several.
  const classic = kinds.filter((kind): kind is KeyKind => !isMlDsa(kind));
  const leafKeys = Promise.all(classic.map(async (kind) => ({ kind, keys: await generateKeys(kind) })));
  const root = await issueAuthority({
    subject: `CN=Development root,${ORGANISATION}`,
    keys: await generateKeys('ec-p256'),
  });
  const intermediate = await issueAuthority({
    subject: `CN=Development intermediate,${ORGANISATION}`,
    keys: await generateKeys('ec-p256'),
    issuer: root,
    pathLength: 0,
  });
  for (const [name, authority] of Object.entries({ root, intermediate })) {
    files.set(`${name}.pem`, certificatePem(authority.certificate));
    files.set(`${name}.key.pem`, privateKeyPem(authority.keys));
  }
  const bundle = chainBundle(intermediate.certificate);

  for (const { kind, keys } of await leafKeys) {
    const certificate = await issueClient(kind, intermediate, keys);
    const pem = certificatePem(certificate);
    files.set(`${kind}.crt.pem`, pem);
    files.set(`${kind}.key.pem`, privateKeyPem(keys));
    if (kind.startsWith('rsa-')) files.set(`${kind}.pkcs1.pem`, privateKeyPem(keys, 'pkcs1'));
    else files.set(`${kind}.sec1.pem`, privateKeyPem(keys, 'sec1'));
    files.set(`${kind}.combined.pem`, pem + privateKeyPem(keys));
    files.set(`${kind}.chain.pem`, bundle);
    files.set(`${kind}.text.pem`, describe(certificate) + pem);
    const pkcs8 = KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'der' });
    addContainers(files, kind, pkcs8, certificate, intermediate.certificate);
  }
  const mlDsaIntermediate = makeMlDsaSide(files, kinds.filter(isMlDsa), root);
  for (const [name, serialNumber] of Object.entries(SERIALS)) {
    const keys = await generateKeys('ec-p256');
    files.set(`${name}.crt.pem`, certificatePem(await issueClient(name, intermediate, keys, serialNumber)));
    files.set(`${name}.key.pem`, privateKeyPem(keys));
  }
  for (const [name, text] of await makeBadLeaves(root, intermediate)) files.set(name, text);
  return { root, intermediate, mlDsaIntermediate };
}

function isMlDsa(kind: KeyKind | MlDsaKind): kind is MlDsaKind {
  return kind.startsWith('ml-dsa-');
}

function makeMlDsaSide(files: Files, kinds: readonly MlDsaKind[], root: Authority): MlDsaAuthority {
  const keys = generateMlDsaKeys('ml-dsa-65');
  const intermediate = issueMlDsaAuthority(`CN=Development ML-DSA intermediate,${ORGANISATION}`, keys, root);
  files.set('ml-dsa-intermediate.pem', certificatePem(intermediate.certificate));
  files.set('ml-dsa-intermediate.key.pem', toPem('PRIVATE KEY', mlDsaPkcs8(keys)));
  const bundle = chainBundle(intermediate.certificate);
  for (const kind of kinds) {
    const leafKeys = generateMlDsaKeys(kind);
    const certificate = issueMlDsaLeaf(subjectOf(kind), leafKeys, intermediate, namesOf(kind));
    const text = certificatePem(certificate);
    const key = toPem('PRIVATE KEY', mlDsaPkcs8(leafKeys));
    files.set(`${kind}.crt.pem`, text);
    files.set(`${kind}.key.pem`, key);
    files.set(`${kind}.combined.pem`, text + key);
    files.set(`${kind}.chain.pem`, bundle);
    files.set(`${kind}.text.pem`, describe(certificate) + text);
    for (const form of ['seed', 'expanded'] as const) {
      const pkcs8 = mlDsaPkcs8(leafKeys, form);
      files.set(`${kind}.${form}.pem`, toPem('PRIVATE KEY', pkcs8));
      files.set(`${kind}.${form}.encrypted.pem`, toPem('ENCRYPTED PRIVATE KEY', encryptPkcs8(pkcs8, PASSWORD)));
    }
    addContainers(files, kind, mlDsaPkcs8(leafKeys), certificate, intermediate.certificate);
  }
  return intermediate;
}

/** Everything that holds a key and a certificate other than in plain PEM. */
function addContainers(
  files: Files,
  kind: string,
  pkcs8: Uint8Array,
  leaf: x509.X509Certificate,
  issuer: x509.X509Certificate,
): void {
  const certificates = [leaf, issuer].map(({ rawData }) => new Uint8Array(rawData));
  files.set(`${kind}.crt.der`, new Uint8Array(leaf.rawData));
  files.set(`${kind}.key.der`, pkcs8);
  files.set(`${kind}.encrypted.pem`, toPem('ENCRYPTED PRIVATE KEY', encryptPkcs8(pkcs8, PASSWORD)));
  files.set(`${kind}.encrypted.der`, encryptPkcs8(pkcs8, PASSWORD, 'legacy'));
  files.set(`${kind}.p12`, makePkcs12(pkcs8, certificates, PASSWORD));
  files.set(`${kind}.legacy.p12`, makePkcs12(pkcs8, certificates, PASSWORD, 'legacy'));
  files.set(`${kind}.no-password.p12`, makePkcs12(pkcs8, certificates, ''));
}

function toPem(label: string, der: Uint8Array): string {
  return `${x509.PemConverter.encode(der, label)}\n`;
}

function subjectOf(name: string): string {
  return `CN=${name},OU=Clients,${ORGANISATION}`;
}

function namesOf(name: string): x509.JsonGeneralNames {
  return [
    { type: 'dns', value: `${name}.dev.example` },
    { type: 'url', value: `spiffe://dev.example/${name}` },
  ];
}

async function issueClient(
  name: string,
  issuer: Authority,
  keys: Authority['keys'],
  serialNumber?: string,
): Promise<x509.X509Certificate> {
  return await issueLeaf({
    subject: subjectOf(name),
    issuer,
    publicKey: keys.publicKey,
    extensions: leafExtensions(namesOf(name)),
    serialNumber,
  });
}

/** A server certificate for tests over HTTPS, under a root that trusts nothing else. */
async function makeTlsSide(files: Files): Promise<void> {
  const root = await issueAuthority({
    subject: `CN=Development TLS root,${ORGANISATION}`,
    keys: await generateKeys('ec-p256'),
  });
  const keys = await generateKeys('ec-p256');
  const certificate = await issueLeaf({
    subject: `CN=localhost,${ORGANISATION}`,
    issuer: root,
    publicKey: keys.publicKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([
        { type: 'dns', value: 'localhost' },
        { type: 'ip', value: '127.0.0.1' },
        { type: 'ip', value: '::1' },
      ]),
    ],
  });
  files.set('tls-root.pem', certificatePem(root.certificate));
  files.set('tls-root.key.pem', privateKeyPem(root.keys));
  files.set('tls-server.crt.pem', certificatePem(certificate));
  files.set('tls-server.key.pem', privateKeyPem(keys));
}

/** Intermediates as people pass them on: comments before, between and behind. */
function chainBundle(intermediate: x509.X509Certificate): string {
  return `# Intermediates, issuer of the leaf first\n\n${describe(intermediate)}${certificatePem(intermediate)}\n# end of bundle\n`;
}

/** Text in the manner of `openssl x509 -text`, which many tools leave above the PEM block. */
function describe(certificate: x509.X509Certificate): string {
  return [
    'Certificate:',
    '    Data:',
    '        Version: 3 (0x2)',
    `        Serial Number: ${certificate.serialNumber}`,
    `        Issuer: ${certificate.issuer}`,
    '        Validity',
    `            Not Before: ${certificate.notBefore.toUTCString()}`,
    `            Not After : ${certificate.notAfter.toUTCString()}`,
    `        Subject: ${certificate.subject}`,
    '',
  ].join('\n');
}

async function replaceFolder(dir: string, files: Files): Promise<void> {
  await mkdir(dirname(dir), { recursive: true });
  const fresh = await mkdtemp(`${dir}.new-`); // mode 0700
  const old = `${fresh}.old`;
  try {
    for (const [name, content] of files) await writeFile(join(fresh, name), content, { mode: 0o600, flag: 'wx' });
    await rename(dir, old).catch(ignoreMissing);
    await rename(fresh, dir);
  } catch (error) {
    await rm(fresh, { recursive: true, force: true });
    await rename(old, dir).catch(ignoreMissing);
    throw error;
  }
  await rm(old, { recursive: true, force: true });
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
