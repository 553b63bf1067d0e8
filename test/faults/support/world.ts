/** A service, its TLS certificates good and bad, a CA that renews, and an identity: what the commands are run against. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { generateKeyPairSync, sign } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { certificatePem } from '../../../certs-dev/authority.ts';
import { type Emulator, startEmulator } from '../../../src/emulator/emulator.ts';
import { makeAuthority } from '../../http/support/pki.ts';
import { serveTls } from '../../http/support/servers.ts';
import { type TestCa, makeCa } from '../../renewal/support/ca.ts';
import { type EstServer, startEst } from '../../renewal/support/est-server.ts';
import { PKI } from '../../support/cli.ts';

const ACCOUNT = '123456789012';
const DAY_MS = 86_400_000;

const ISSUER = 'https://idp.example.com/tenant';
const AUDIENCE = 'sts.amazonaws.com';

/** The role that certificates are good for, the one that a user may assume, and the one for the subjects of an identity provider. */
export const ROLES = {
  workload: `arn:aws:iam::${ACCOUNT}:role/Workload`,
  operator: `arn:aws:iam::${ACCOUNT}:role/Operator`,
  federated: `arn:aws:iam::${ACCOUNT}:role/Federated`,
} as const;

/** Credentials of the user that starts `assume-role`: those of the emulator's built-in world. */
export const USER = {
  AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
} as const;

export interface World {
  readonly emulator: Emulator;
  /** The folder of this world, and the file with the roots that its servers are believed by. */
  readonly folder: string;
  readonly roots: string;
  /** The file with a token of the identity provider. */
  readonly webIdentity: string;
  /** Ports of the service with each certificate, and of the CA. */
  readonly ports: Readonly<Record<'service' | 'expired' | 'other-name' | 'other-authority', number>>;
  readonly ca: TestCa;
  /** A server that renews what {@link ca} has issued: one for each renewal, since it takes none but the newest certificate. */
  startEst(): Promise<EstServer>;
  close(): Promise<void>;
}

export async function makeWorld(): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'ra-faults-'));
  const authority = await makeAuthority('Service');
  const stranger = await makeAuthority('Stranger');
  const names = ['127.0.0.1', 'localhost', 'service.test'];
  const issuer = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const emulator = await startEmulator({
    trustAnchors: [{ certificates: readFileSync(`${PKI}root.pem`, 'utf8') }],
    tls: await authority.issue(names),
    roles: [
      { arn: ROLES.workload, maxSessionDuration: 43_200 },
      {
        arn: ROLES.operator,
        trustPolicy: {
          Version: '2012-10-17',
          Statement: [
            { Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` }, Action: 'sts:AssumeRole' },
          ],
        },
      },
      {
        arn: ROLES.federated,
        trustPolicy: {
          Version: '2012-10-17',
          Statement: [
            {
              Effect: 'Allow',
              Principal: { Federated: `arn:aws:iam::${ACCOUNT}:oidc-provider/${ISSUER.slice('https://'.length)}` },
              Action: 'sts:AssumeRoleWithWebIdentity',
            },
          ],
        },
      },
    ],
    oidcProviders: [
      {
        url: ISSUER,
        clientIds: [AUDIENCE],
        jwks: { keys: [{ ...issuer.publicKey.export({ format: 'jwk' }), kid: '1', alg: 'RS256', use: 'sig' }] },
      },
    ],
  });
  const ca = await makeCa();
  const bad = {
    expired: await serveTls(await authority.issue(names, Date.now() - 10 * DAY_MS), () => undefined),
    'other-name': await serveTls(await authority.issue(['elsewhere.example']), () => undefined),
    'other-authority': await serveTls(await stranger.issue(names), () => undefined),
  };
  const roots = join(folder, 'roots.pem');
  writeFileSync(roots, `${authority.root}\n` + certificatePem(ca.root.certificate));
  const webIdentity = join(folder, 'token.jwt');
  const now = Math.floor(Date.now() / 1000);
  const token = [
    { alg: 'RS256', typ: 'JWT', kid: '1' },
    { iss: ISSUER, sub: 'pod-7', aud: AUDIENCE, iat: now, exp: now + 86_400 },
  ]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  writeFileSync(webIdentity, `${token}.${sign('sha256', Buffer.from(token), issuer.privateKey).toString('base64url')}`);
  return {
    emulator,
    folder,
    roots,
    webIdentity,
    ca,
    startEst: () => startEst(ca),
    ports: {
      service: Number(new URL(emulator.tlsUrl ?? '').port),
      expired: bad.expired.port,
      'other-name': bad['other-name'].port,
      'other-authority': bad['other-authority'].port,
    },
    async close() {
      await Promise.all([emulator.close(), ...Object.values(bad).map((server) => server.close())]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
