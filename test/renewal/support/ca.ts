/** An authority in this process that signs requests as a test wants it to, and identities in files that it has issued. */
import { createPrivateKey } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { x509 } from '../../../src/platform/x509-library.ts';
import {
  type Authority,
  HOUR_MS,
  type KeyKind,
  certificatePem,
  generateKeys,
  issueAuthority,
  issueLeaf,
  leafExtensions,
  privateKeyPem,
} from '../../../certs-dev/authority.ts';
import type { IssueRequest, Issuer } from '../../../src/renewal/issuer.ts';

/** A root, the intermediate that issues, and what it issued last. */
export interface TestCa {
  readonly root: Authority;
  readonly intermediate: Authority;
}

export async function makeCa(name = 'Renewal'): Promise<TestCa> {
  const root = await issueAuthority({ subject: `CN=${name} root`, keys: await generateKeys('ec-p256') });
  const intermediate = await issueAuthority({
    subject: `CN=${name} intermediate`,
    keys: await generateKeys('ec-p256'),
    issuer: root,
  });
  return { root, intermediate };
}

/** What differs from what was asked for. */
export interface Twist {
  readonly subject?: string | undefined;
  readonly names?: x509.JsonGeneralNames | undefined;
  readonly lifeMs?: number | undefined;
  readonly notBefore?: Date | undefined;
  readonly notAfter?: Date | undefined;
  readonly keyIdentifiers?: boolean | undefined;
  readonly publicKey?: x509.PublicKey | undefined;
  readonly extensions?: x509.Extension[] | undefined;
}

/** Signs a request, whose own signature is verified first. */
export async function sign(ca: TestCa, csr: Uint8Array, twist: Twist = {}): Promise<x509.X509Certificate> {
  const request = new x509.Pkcs10CertificateRequest(Uint8Array.from(csr).buffer);
  if (!(await request.verify())) throw new Error('the signature of the request is wrong');
  const key = twist.publicKey ?? request.publicKey;
  return await issueLeaf({
    subject: twist.subject ?? request.subject,
    issuer: ca.intermediate,
    publicKey: await key.export(),
    notBefore: twist.notBefore,
    notAfter: twist.notAfter ?? new Date(Date.now() + (twist.lifeMs ?? 24 * HOUR_MS)),
    keyIdentifiers: twist.keyIdentifiers,
    extensions: twist.extensions ?? (twist.names === undefined ? [...request.extensions] : leafExtensions(twist.names)),
  });
}

/** An issuer that asks nobody. */
export function issuerOf(ca: TestCa, twist: Twist = {}, asked: IssueRequest[] = []): Issuer {
  return {
    name: 'the test CA',
    async issue(request) {
      asked.push(request);
      const leaf = await sign(ca, request.csr, twist);
      return { certificates: [leaf, ca.intermediate.certificate].map(({ rawData }) => new Uint8Array(rawData)) };
    },
  };
}

/** An identity in a folder of its own. */
export interface TestFiles {
  readonly folder: string;
  readonly certificate: string;
  readonly privateKey: string;
}

export interface FilesOptions {
  readonly kind?: KeyKind | undefined;
  readonly lifeMs?: number | undefined;
  readonly notBefore?: Date | undefined;
  readonly subject?: string | undefined;
  /** How the key is written. Default PKCS#8. */
  readonly form?: 'pkcs8' | 'pkcs1' | 'sec1' | undefined;
  /** Of an encrypted PKCS#8 key. */
  readonly password?: string | undefined;
  /** Whether the chain stands behind the leaf. Default true. */
  readonly withChain?: boolean | undefined;
}

export const NAMES: x509.JsonGeneralNames = [
  { type: 'dns', value: 'web.example' },
  { type: 'ip', value: '10.0.0.1' },
  { type: 'url', value: 'spiffe://example/web' },
];

/** Issues an identity, and writes certificate and key. */
export async function writeIdentity(ca: TestCa, options: FilesOptions = {}): Promise<TestFiles> {
  const { kind = 'ec-p256', lifeMs = HOUR_MS, notBefore, subject = 'CN=web,O=Example', form } = options;
  const folder = mkdtempSync(join(tmpdir(), 'ra-renewal-'));
  const keys = await generateKeys(kind);
  const leaf = await issueLeaf({
    subject,
    issuer: ca.intermediate,
    publicKey: keys.publicKey,
    notBefore,
    notAfter: new Date(Date.now() + lifeMs),
    extensions: leafExtensions(NAMES),
  });
  const files = { folder, certificate: join(folder, 'web.crt'), privateKey: join(folder, 'web.key') };
  const chain = options.withChain === false ? '' : certificatePem(ca.intermediate.certificate);
  writeFileSync(files.certificate, certificatePem(leaf) + chain);
  let key = privateKeyPem(keys, form);
  if (options.password !== undefined)
    key = createPrivateKey(key)
      .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: options.password })
      .toString();
  writeFileSync(files.privateKey, key, { mode: 0o600 });
  return files;
}
