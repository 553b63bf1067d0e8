/** What bounds the console's issuing: how many at once, how many a minute, and a record that fails. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createActivity } from '../../src/console/activity.ts';
import { type ConsoleOptions, createConsole } from '../../src/console/console.ts';
import { browserNames } from '../../src/console/guard.ts';
import { type Emulator, startEmulator } from '../../src/emulator/emulator.ts';
import { directTransport } from '../../src/http/direct.ts';
import { loadIdentity } from '../../src/identity/load.ts';
import { RolesAnywhereError } from '../../src/platform/errors.ts';
import { createLog } from '../../src/platform/log.ts';
import { type RawAnswer, ask, servedRole } from '../server/support/server.ts';
import { PKI } from '../support/cli.ts';

const MINUTE = 60_000;
const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

interface Opened {
  readonly emulator: Emulator;
  readonly issue: () => Promise<RawAnswer>;
  readonly clock: { now: number };
}

/** A console that a browser has unlocked. */
async function openConsole(options: Partial<ConsoleOptions> = {}): Promise<Opened> {
  const emulator = await startEmulator({
    trustAnchors: [{ certificates: readFileSync(`${PKI}root.pem`, 'utf8') }],
  });
  const identity = await loadIdentity({
    certificate: `${PKI}ec-p256.crt.pem`,
    privateKey: `${PKI}ec-p256.key.pem`,
    intermediates: `${PKI}intermediate.pem`,
  });
  const clock = { now: Date.now() };
  const page = { type: 'text/html', body: Buffer.from('<!doctype html>') };
  const { provider } = servedRole();
  await provider.start();
  const made = createConsole({
    files: { 'index.html': page, 'app.js': page, 'app.css': page, 'icon.svg': page },
    activity: createActivity(() => clock.now),
    overview: () => ({ version: '1', identity: {}, roles: [], auditLog: false }) as never,
    health: () => ({ certificateEnd: 'x', connections: 1, roles: [] }),
    signIn: () => Promise.resolve('https://example.com/login'),
    log: createLog({ write: () => undefined }),
    now: () => clock.now,
    uidOf: () => Promise.resolve(1000),
    roles: [
      {
        name: 'Workload',
        session: {
          trustAnchorArn: emulator.trustAnchorArns[0] ?? '',
          profileArn: emulator.profileArns[0] ?? '',
          roleArn: emulator.roleArns[0] ?? '',
          region: 'us-east-1',
        },
        provider,
      },
    ],
    useIdentity: (task) => task(identity),
    connection: () => ({ transport: directTransport, endpoints: { rolesanywhere: new URL(emulator.url) } }),
    flags: [],
    ...options,
  });
  let names = browserNames(['127.0.0.1'], 0, 'http');
  const server = createServer((request, response) => made.handle(names, request, response));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  names = browserNames(['127.0.0.1'], port, 'http');
  closing.push(
    () => emulator.close(),
    () => provider.close(),
    () => void server.close(),
    () => made.close(),
  );

  const post = (path: string, body: object, headers: Readonly<Record<string, string>> = {}): Promise<RawAnswer> => {
    const text = JSON.stringify(body);
    const all = { Origin: `http://127.0.0.1:${port}`, 'Content-Type': 'application/json', ...headers };
    return ask({ port }, 'POST', path, { ...all, 'Content-Length': String(text.length) }, text);
  };
  const { headers, body } = await post('/console/api/unlock', { code: made.newCode() });
  const { csrf } = JSON.parse(body) as { csrf: string };
  const unlocked = { Cookie: headers['set-cookie']?.split(';')[0] ?? '', 'X-CSRF-Token': csrf };
  const asked = { role: 'Workload', durationSeconds: 900 };
  return { emulator, clock, issue: async () => await post('/console/api/credentials', asked, unlocked) };
}

describe('the credentials that a console issues', () => {
  it('are thirty sets a minute, and no more are asked for', async () => {
    const { emulator, clock, issue } = await openConsole();
    for (let set = 0; set < 30; set++) expect((await issue()).status).toBe(200);
    const { status, body } = await issue();
    expect([status, JSON.parse(body)]).toEqual([429, expect.objectContaining({ code: 'TooManyRequests' })]);
    expect(emulator.verdicts).toHaveLength(30);
    clock.now += MINUTE - 1;
    expect((await issue()).status).toBe(429);
    clock.now += 1;
    expect((await issue()).status).toBe(200);
  });

  it('do not wait for a clock that was set back', async () => {
    const { clock, issue } = await openConsole();
    for (let set = 0; set < 30; set++) await issue();
    expect((await issue()).status).toBe(429);
    clock.now -= 10 * MINUTE;
    expect((await issue()).status).toBe(200);
  });

  it('are asked for by four requests at once, and a fifth is refused', async () => {
    const held = new AbortController();
    let waiting = 0;
    const first = await openConsole({
      useIdentity: async () => {
        waiting++;
        if (!held.signal.aborted) await once(held.signal, 'abort');
        throw new RolesAnywhereError('ERR_CERTIFICATE_EXPIRED', 'there is none');
      },
    });
    const four = Array.from({ length: 4 }, async () => (await first.issue()).status);
    await expect.poll(() => waiting).toBe(4);
    expect((await first.issue()).status).toBe(429);
    held.abort();
    expect(await Promise.all(four)).not.toContain(429);
    waiting = 0;
    expect((await first.issue()).status).not.toBe(429);
    expect(waiting).toBe(1);
  });

  it('are kept back when they cannot be recorded', async () => {
    const { emulator, issue } = await openConsole({
      record: () => Promise.reject(new RolesAnywhereError('ERR_AUDIT_LOG', 'the disk is full')),
    });
    const { status, body } = await issue();
    expect(emulator.verdicts).toHaveLength(1);
    expect(status).not.toBe(200);
    expect(body).toContain('ERR_AUDIT_LOG');
    expect(body).not.toMatch(/ASIA|secret/i);
  });
});
