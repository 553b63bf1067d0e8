import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HttpRequest, HttpTransport } from '../../src/http/http.ts';
import { withSystemRoots } from '../../src/http/system-roots.ts';
import { RolesAnywhereError } from '../../src/platform/errors.ts';
import { refusalCode } from '../support/refusal.ts';
import { makeAuthority } from './support/pki.ts';

const REQUEST: HttpRequest = {
  method: 'POST',
  url: new URL('https://service.test/'),
  headers: {},
  timeoutMs: 1000,
  maxResponseBytes: 1000,
};
const OK = { status: 200, headers: {}, body: '' };

let dir: string;
let env: Record<string, string>;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ra-system-'));
  env = { SSL_CERT_FILE: join(dir, 'roots.pem'), SSL_CERT_DIR: join(dir, 'none') };
  writeFileSync(env['SSL_CERT_FILE'] ?? '', (await makeAuthority('System')).root);
});
afterEach(() => rmSync(dir, { recursive: true }));

/** A transport that believes a server only by the roots that it is given, and what it was given each time. */
function believing(code: 'ERR_TLS_AUTHORITY' | 'ERR_TLS_NAME'): {
  transport: HttpTransport;
  seen: (string | undefined)[];
} {
  const seen: (string | undefined)[] = [];
  return {
    seen,
    async transport({ tls }) {
      seen.push(tls?.ca);
      if (tls?.ca === undefined) throw new RolesAnywhereError(code, 'not believed');
      return OK;
    },
  };
}

const refusing: HttpTransport = async () => {
  throw new RolesAnywhereError('ERR_TLS_AUTHORITY', 'not believed');
};

describe("the system's roots", () => {
  it("are asked when Node's own do not vouch for a server, and first from then on", async () => {
    const { transport, seen } = believing('ERR_TLS_AUTHORITY');
    const trusting = withSystemRoots(transport, env);
    expect(await trusting(REQUEST)).toBe(OK);
    expect(await trusting(REQUEST)).toBe(OK);
    const root = expect.stringContaining('BEGIN CERTIFICATE') as string;
    expect(seen).toEqual([undefined, root, root]);
  });

  it('are read again for other TLS settings, as a reload makes them', async () => {
    const { transport, seen } = believing('ERR_TLS_AUTHORITY');
    const trusting = withSystemRoots(transport, env);
    await trusting({ ...REQUEST, tls: {} });
    await trusting({ ...REQUEST, tls: {} });
    expect(seen.map((ca) => ca === undefined)).toEqual([true, false, true, false]);
  });

  it('are not asked for any other fault', async () => {
    const { transport, seen } = believing('ERR_TLS_NAME');
    expect(await refusalCode(() => withSystemRoots(transport, env)(REQUEST))).toBe('ERR_TLS_NAME');
    expect(seen).toEqual([undefined]);
  });

  it('leave the error as it is where they do not vouch either', async () => {
    expect(await refusalCode(() => withSystemRoots(refusing, env)(REQUEST))).toBe('ERR_TLS_AUTHORITY');
  });
});
