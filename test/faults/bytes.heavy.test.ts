/** An answer that is ended, reset or changed at each of its bytes, over TLS, as both transports of the library take it. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSession } from '../../src/aws/create-session.ts';
import { directTransport } from '../../src/http/direct.ts';
import type { HttpTransport } from '../../src/http/http.ts';
import { createPooledTransport } from '../../src/http/pooled.ts';
import type { Identity } from '../../src/identity/identity.ts';
import { loadIdentity } from '../../src/identity/load.ts';
import { RolesAnywhereError } from '../../src/platform/errors.ts';
import { PKI } from '../support/cli.ts';
import { type FaultProxy, startFaultProxy } from './support/fault-proxy.ts';
import { ROLES, type World, makeWorld } from './support/world.ts';

const LONG = process.env['ROLES_ANYWHERE_LONG'] === '1';
/** In the short form, every so manieth byte. */
const STEP = LONG ? 1 : 23;

let world: World;
let proxy: FaultProxy;
let identity: Identity;
beforeAll(async () => {
  world = await makeWorld();
  proxy = await startFaultProxy(world.ports.service);
  identity = await loadIdentity({
    certificate: `${PKI}ec-p256.crt.pem`,
    privateKey: `${PKI}ec-p256.key.pem`,
    intermediates: `${PKI}intermediate.pem`,
  });
});
afterAll(async () => {
  await identity.close();
  await proxy.close();
  await world.close();
});

const TRANSPORTS: Readonly<Record<string, () => { request: HttpTransport; close: () => unknown }>> = {
  direct: () => ({ request: directTransport, close: () => undefined }),
  pooled: () => createPooledTransport(),
};

/** The role of the credentials that came, or the code of the error. */
async function ask(transport: string): Promise<string> {
  const { request, close } = TRANSPORTS[transport]?.() ?? { request: directTransport, close: () => undefined };
  try {
    const { assumedRoleArn = '', expiration } = await createSession(
      {
        identity,
        trustAnchorArn: world.emulator.trustAnchorArns[0] ?? '',
        profileArn: world.emulator.profileArns[0] ?? '',
        roleArn: ROLES.workload,
        region: world.emulator.region,
      },
      {
        transport: request,
        tls: { ca: readFileSync(world.roots, 'utf8') },
        endpoints: { rolesanywhere: new URL(`https://127.0.0.1:${proxy.port}`) },
        retry: { attempts: 1 },
      },
    );
    return expiration.getTime() > Date.now() ? assumedRoleArn.replace(/\/[^/]*$/, '') : 'past their end';
  } catch (error) {
    return error instanceof RolesAnywhereError ? error.code : String(error);
  } finally {
    await close();
  }
}

describe.each(Object.keys(TRANSPORTS))('%s transport', (transport) => {
  it.each(['end', 'reset', 'corrupt'] as const)(
    'gives right credentials, or an error with a code, when byte after byte the answer is at its fault: %s',
    async (does) => {
      proxy.set(undefined);
      const right = await ask(transport);
      expect(right).toBe('arn:aws:sts::123456789012:assumed-role/Workload');
      const length = proxy.answered;
      expect(length).toBeGreaterThan(1000);
      const seen = new Map<string, number>();
      for (let at = 0; at < length; at += STEP) {
        proxy.set({ at, does });
        const outcome = await ask(transport);
        seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
      }
      console.log(`${transport} ${does}: ${length} bytes, every ${STEP}: ${JSON.stringify([...seen])}`);
      const others = [...seen.keys()].filter(
        (outcome) => outcome !== right && !/^ERR_(?:CONNECT|TLS\w*|RESPONSE_INVALID|TIMEOUT)$/.test(outcome),
      );
      expect(others).toEqual([]);
      expect([...seen.keys()].some((outcome) => outcome.startsWith('ERR_'))).toBe(true);
    },
    900_000,
  );
});
