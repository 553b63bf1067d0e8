/** A service, its TLS certificates good and bad, a CA that renews, and an identity: what the commands are run against. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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

/** The role that certificates are good for, and the one that a user may assume. */
export const ROLES = {
  workload: `arn:aws:iam::${ACCOUNT}:role/Workload`,
  operator: `arn:aws:iam::${ACCOUNT}:role/Operator`,
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
  const names = ['127.0.0.1', 'localhost'];
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
  return {
    emulator,
    folder,
    roots,
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
