/** The service with twenty roles, and the servers of credentials before it, each with an identity and a network of its own. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { certificatePem } from '../../certs-dev/authority.ts';
import { type Emulator, startEmulator } from '../../src/emulator/emulator.ts';
import { type ServeProcess, flagsOf, runLines, startServe } from '../clients/serve-process.ts';
import { type FaultProxy, startFaultProxy } from '../faults/support/fault-proxy.ts';
import { makeAuthority } from '../http/support/pki.ts';
import { serveTls } from '../http/support/servers.ts';
import { makeCa } from '../renewal/support/ca.ts';
import { type EstServer, startEst } from '../renewal/support/est-server.ts';
import { KINDS, type SoakIdentity, makeIdentity } from './identities.ts';

const ACCOUNT = '123456789012';
const ROLES_EACH = 4;
const ROLES = KINDS.length * ROLES_EACH;

/** A role, as its clients find it. */
export interface SoakRole {
  readonly name: string;
  readonly arn: string;
  readonly port: number;
  /** The container endpoint's. */
  readonly token: () => string;
  /** Whether the role has a token of its own, and is not given by IMDS. */
  readonly ownToken: boolean;
  readonly server: SoakServer;
}

/** A `serve`, with what it stands on. */
export interface SoakServer {
  readonly identity: SoakIdentity;
  readonly serve: ServeProcess;
  readonly proxy: FaultProxy;
  /** Renews its certificate. */
  readonly est: EstServer;
  /** Sets its clock, by so many seconds; undefined when it has that of the machine. */
  readonly setClock?: ((seconds: number) => void) | undefined;
}

export interface SoakWorld {
  readonly emulator: Emulator;
  /** The file with the roots that service and CA are believed by. */
  readonly roots: string;
  readonly servers: readonly SoakServer[];
  readonly roles: readonly SoakRole[];
  /** Ports of the service, and of servers with a certificate that nobody should believe. */
  readonly ports: { readonly service: number; readonly expired: number; readonly stranger: number };
  close(): Promise<void>;
}

export async function makeSoakWorld(): Promise<SoakWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'ra-soak-'));
  const authority = await makeAuthority('Service');
  const stranger = await makeAuthority('Stranger');
  const names = ['127.0.0.1', 'localhost'];
  const ca = await makeCa('Soak');
  const emulator = await startEmulator({
    trustAnchors: [{ certificates: certificatePem(ca.root.certificate) }],
    tls: await authority.issue(names),
    roles: Array.from({ length: ROLES }, (_, index) => ({ arn: arnOf(index) })),
  });
  const service = Number(new URL(emulator.tlsUrl ?? '').port);
  const bad = [
    await serveTls(await authority.issue(names, Date.now() - 10 * 86_400_000), () => undefined),
    await serveTls(await stranger.issue(names), () => undefined),
  ] as const;
  const roots = join(folder, 'roots.pem');
  writeFileSync(roots, `${authority.root}\n${certificatePem(ca.root.certificate)}`);
  const servers: SoakServer[] = [];
  const roles: SoakRole[] = [];
  const close = async (): Promise<void> => {
    for (const { serve } of servers) serve.kill('SIGKILL');
    await Promise.all(servers.map(({ serve }) => serve.exited));
    await Promise.all(servers.flatMap(({ proxy, est, identity }) => [proxy.close(), est.close(), identity.close()]));
    await Promise.all([emulator.close(), ...bad.map((server) => server.close())]);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    for (const [at, kind] of KINDS.entries()) {
      const identity = await makeIdentity(kind, ca, folder);
      const proxy = await startFaultProxy(service);
      const est = await startEst(ca);
      est.twist = { lifeMs: 3 * 86_400_000 };
      const clock = kind === 'encrypted' ? clockOf(join(folder, 'clock')) : undefined;
      const served = Array.from({ length: ROLES_EACH }, (_, index) => {
        const number = at * ROLES_EACH + index;
        // Every second one has a token of its own.
        const tokenFile = index % 2 === 0 ? undefined : join(folder, `token-${number}`);
        return { name: `Role${number}`, arn: arnOf(number), tokenFile };
      });
      const shared = join(folder, `token-${kind}`);
      const serve = await startServe(
        [
          ...identity.flags,
          ...flagsOf({
            'trust-anchor-arn': emulator.trustAnchorArns[0] ?? '',
            'profile-arn': emulator.profileArns[0] ?? '',
            endpoint: `https://127.0.0.1:${proxy.port}`,
            'ca-bundle': roots,
            // The shortest that the service gives, so that there are many.
            'session-duration': '900',
            timeout: '20',
            'connect-timeout': '5',
            'token-file': shared,
            port: '0',
          }),
          ...served.flatMap(({ name, arn, tokenFile }) => [
            '--role',
            `${name}=${arn}${tokenFile === undefined ? '' : `,token-file=${tokenFile}`}`,
          ]),
        ],
        { env: { ...identity.env, ...clock?.env } },
      );
      const server = { identity, serve, proxy, est, setClock: clock?.set };
      servers.push(server);
      const port = Number(new URL(runLines(serve.lines())['AWS_CONTAINER_CREDENTIALS_FULL_URI'] ?? '').port);
      for (const { name, arn, tokenFile } of served)
        roles.push({
          name,
          arn,
          port,
          token: () => readFileSync(tokenFile ?? shared, 'utf8'),
          ownToken: tokenFile !== undefined,
          server,
        });
    }
  } catch (error) {
    await close();
    throw error;
  }
  const ports = { service, expired: bad[0].port, stranger: bad[1].port };
  return { emulator, roots, servers, roles, ports, close };
}

function arnOf(index: number): string {
  return `arn:aws:iam::${ACCOUNT}:role/Role${index}`;
}

/** A clock that is ahead or behind by what a file says. */
function clockOf(file: string): { env: Record<string, string>; set: (seconds: number) => void } {
  const set = (seconds: number): void => writeFileSync(file, seconds < 0 ? `${seconds}` : `+${seconds}`);
  set(0);
  const library = execFileSync('faketime', ['-f', '+0', 'printenv', 'LD_PRELOAD'], { encoding: 'utf8' }).trim();
  const env = {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
  return { env, set };
}
