import 'reflect-metadata';
import { KeyObject } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import {
  type Authority,
  type KeyKind,
  type LeafOptions,
  certificatePem,
  generateKeys,
  issueAuthority,
  issueLeaf,
} from '../../../certs-dev/authority.ts';
import { type Emulator, type EmulatorOptions, startEmulator } from '../../../src/emulator/emulator.ts';

/** The moment at which all tests of the emulator take place. */
export const NOW = new Date('2030-06-15T12:00:00.250Z');
const DAY_MS = 86_400_000;
const VALIDITY = { notBefore: new Date(NOW.getTime() - DAY_MS), notAfter: new Date(NOW.getTime() + DAY_MS) };

/** A certificate and its key, as a client holds them. */
export interface Client {
  readonly certificate: x509.X509Certificate;
  readonly key: KeyObject;
}

export async function makeAuthority(
  name: string,
  options: Partial<Parameters<typeof issueAuthority>[0]> = {},
): Promise<Authority> {
  return await issueAuthority({ subject: `CN=${name}`, keys: await generateKeys('ec-p256'), ...VALIDITY, ...options });
}

export async function makeClient(
  issuer: Authority,
  options: Partial<LeafOptions> & { kind?: KeyKind } = {},
): Promise<Client> {
  const { kind = 'ec-p256', ...rest } = options;
  const keys = await generateKeys(kind);
  const certificate = await issueLeaf({
    subject: 'CN=Alice,OU=Tests',
    serialNumber: '00f0e1d2c3b4a596',
    issuer,
    publicKey: keys.publicKey,
    ...VALIDITY,
    ...rest,
  });
  return { certificate, key: KeyObject.from(keys.privateKey) };
}

/** A TLS server on the loopback, valid at any time: TLS goes by the system's clock. All in PEM. */
export async function makeServer(): Promise<{ ca: string; cert: string; key: string }> {
  const anyTime = { notBefore: new Date(0), notAfter: new Date('2049-01-01') };
  const issuer = await makeAuthority('TLS root', anyTime);
  const { certificate, key } = await makeClient(issuer, {
    subject: 'CN=localhost',
    extensions: [
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }]),
    ],
    ...anyTime,
  });
  return {
    ca: certificatePem(issuer.certificate),
    cert: certificatePem(certificate),
    key: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

/** The emulator with its clock at {@link NOW}, trusting `root`. */
export async function startWith(root: Authority, options: Partial<EmulatorOptions> = {}): Promise<Emulator> {
  return await startEmulator({
    trustAnchors: [{ certificates: certificatePem(root.certificate) }],
    now: () => NOW,
    ...options,
  });
}

/** The ARNs of the built-in world, which are documented and must not change. */
export const ARNS = {
  trustAnchorArn: 'arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/11111111-1111-1111-1111-111111111111',
  profileArn: 'arn:aws:rolesanywhere:us-east-1:123456789012:profile/22222222-2222-2222-2222-222222222222',
  roleArn: 'arn:aws:iam::123456789012:role/Workload',
} as const;

export { certificatePem };
