import 'reflect-metadata';
import { connect as tcpConnect } from 'node:net';
import { request as httpsRequest } from 'node:https';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Authority } from '../../certs-dev/authority.ts';
import type { Io } from '../../src/commands/command.ts';
import { run } from '../../src/commands/emulator.ts';
import { type Emulator, startEmulator } from '../../src/emulator/emulator.ts';
import { draft, send, setHeader, signed } from './support/signed-request.ts';
import { ARNS, type Client, NOW, certificatePem, makeAuthority, makeClient, startWith } from './support/world.ts';

let root: Authority;
let alice: Client;
let tls: { ca: string; cert: string; key: string };
beforeAll(async () => {
  root = await makeAuthority('root');
  alice = await makeClient(root);
  const anyTime = { notBefore: new Date(0), notAfter: new Date('2049-01-01') }; // TLS goes by the system's clock
  const issuer = await makeAuthority('TLS root', anyTime);
  const server = await makeClient(issuer, {
    subject: 'CN=localhost',
    extensions: [
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }]),
    ],
    ...anyTime,
  });
  tls = {
    ca: certificatePem(issuer.certificate),
    cert: certificatePem(server.certificate),
    key: server.key.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
});

describe('the listeners', () => {
  let emulator: Emulator;
  beforeAll(async () => {
    emulator = await startWith(root, { tls });
  });
  afterAll(() => emulator.close());

  it('answer over HTTPS as over HTTP', async () => {
    const status = await new Promise((resolve, reject) => {
      const options = { ca: tls.ca, agent: false };
      httpsRequest(`${emulator.tlsUrl}/nowhere`, options, (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode));
      })
        .on('error', reject)
        .end();
    });
    expect(status).toBe(404);
    expect(emulator.verdicts.at(-1)).toMatchObject({ method: 'GET', path: '/nowhere', status: 404, accepted: false });
  });

  it('refuse a body above 512 KiB, and say so', async () => {
    const request = draft(alice, emulator.url, { now: NOW });
    request.body = `{"other":"${'a'.repeat(512 * 1024 - 12)}"}`;
    expect(Buffer.byteLength(request.body)).toBe(512 * 1024);
    expect(await send(emulator.url, signed(request, alice))).toMatchObject({ status: 201 });
    request.body += ' ';
    const reply = await send(emulator.url, signed(request, alice));
    expect(reply).toMatchObject({ status: 413, headers: { connection: 'close' } });
    expect(emulator.verdicts.at(-1)).toMatchObject({ status: 413, accepted: false });
  });

  it('refuse headers above 64 KiB', async () => {
    const request = draft(alice, emulator.url, { now: NOW });
    request.headers.push(['Padding', 'a'.repeat(64 * 1024)]);
    expect(await send(emulator.url, signed(request, alice))).toMatchObject({ status: 431 });
  });

  it('leave the query, which may hold a token, out of the verdict', async () => {
    await send(emulator.url, {
      method: 'GET',
      path: '/nowhere',
      query: 'X-Amz-Security-Token=secret',
      headers: [['Host', 'a']],
      body: '',
    });
    expect(emulator.verdicts.at(-1)).toMatchObject({ path: '/nowhere' });
    expect(JSON.stringify(emulator.verdicts)).not.toContain('secret');
  });

  it('end open connections when they close', async () => {
    const other = await startWith(root);
    const socket = tcpConnect(other.port, '127.0.0.1');
    await new Promise((resolve) => socket.once('connect', resolve));
    const ended = new Promise((resolve) => socket.once('close', () => resolve('ended')));
    socket.on('error', () => undefined); // a reset is an end, too
    await other.close();
    expect(await ended).toBe('ended');
  });

  it('tell of each verdict, and keep the last thousand', async () => {
    let told = 0;
    const other = await startEmulator({
      trustAnchors: [{ certificates: certificatePem(root.certificate) }],
      onVerdict: () => (told += 1),
    });
    const nothing = {
      method: 'GET',
      path: '/nowhere',
      query: '',
      headers: [['Host', 'a']] as [string, string][],
      body: '',
    };
    for (let count = 0; count < 1010; count += 1) await send(other.url, nothing);
    expect({ told, kept: other.verdicts.length }).toEqual({ told: 1010, kept: 1000 });
    await other.close();
  });
});

/** Where a command reads and writes, kept; `use` runs when it is ready, and then it is told to stop. */
function captured(use: (ready: Record<string, string>) => Promise<unknown>): {
  io: Io;
  out: string[];
  errors: string[];
} {
  const out: string[] = [];
  const errors: string[] = [];
  const io: Io = {
    stdout: (text) => out.push(text.toString()),
    stderr: (text) => errors.push(text),
    env: {},
    args: [],
    program: 'roles-anywhere',
    compat: false,
    stop: async () => {
      await use(JSON.parse(out.join('')) as Record<string, string>);
    },
  };
  return { io, out, errors };
}

describe('the command', () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'roles-anywhere-emulator-'));
    for (const [name, text] of Object.entries({
      'root.pem': certificatePem(root.certificate),
      'tls.pem': tls.cert,
      'tls.key': tls.key,
    }))
      writeFileSync(join(dir, name), text);
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  it('prints one line of JSON when it is ready, a line for people for each request, and ends when told to', async () => {
    const now = new Date();
    const client = await makeClient(
      await makeAuthority('now', { notBefore: new Date(0), notAfter: new Date(now.getTime() + 3_600_000) }),
      { notBefore: new Date(0), notAfter: new Date(now.getTime() + 3_600_000) },
    );
    let url = '';
    const { io, out, errors } = captured(async (ready) => {
      url = ready['url'] ?? '';
      await send(url, signed(draft(client, url, { now }), client));
    });
    await run({ port: 0, 'trust-anchor': join(dir, 'root.pem') }, io);
    expect(out).toHaveLength(1);
    expect(JSON.parse(out[0] ?? '')).toEqual({
      url,
      region: 'us-east-1',
      ...ARNS,
      trustAnchorArns: [ARNS.trustAnchorArn],
    });
    expect(errors[0]).toContain(`listening on ${url}`);
    expect(errors[1]).toMatch(/POST \/sessions 403 refused AccessDeniedException: no path to trust anchor .*root\.pem/);
    await expect(send(url, { method: 'GET', path: '/', query: '', headers: [], body: '' })).rejects.toThrow(
      /ECONNREFUSED/,
    );
  });

  it('takes several trust anchors, and a certificate for HTTPS', async () => {
    const { io, out } = captured(async () => undefined);
    const file = join(dir, 'root.pem');
    await run(
      { port: 0, 'trust-anchor': [file, file], 'tls-cert': join(dir, 'tls.pem'), 'tls-key': join(dir, 'tls.key') },
      io,
    );
    expect(JSON.parse(out[0] ?? '')).toMatchObject({
      tlsUrl: expect.stringMatching(/^https:\/\/127\.0\.0\.1:\d+$/),
      trustAnchorArns: [ARNS.trustAnchorArn, ARNS.trustAnchorArn.replace(/.$/, '3')],
    });
  });

  it('keeps a log in a file, explains signatures, and makes a certificate for TLS', async () => {
    const now = new Date();
    const anyTime = { notBefore: new Date(0), notAfter: new Date(now.getTime() + 3_600_000) };
    const client = await makeClient(await makeAuthority('now', anyTime), anyTime);
    const [log, ca] = [join(dir, 'log.jsonl'), join(dir, 'ca.pem')];
    let port = 0;
    let status: number | undefined;
    const { io, errors } = captured(async ({ url = '', tlsUrl = '' }) => {
      port = Number(new URL(url).port);
      const right = draft(client, url, { now });
      const message = signed(
        { ...right, headers: right.headers.map(([name, value]) => [name, name === 'Host' ? '127.0.0.1' : value]) },
        client,
      );
      setHeader(message, 'host', () => `127.0.0.1:${port}`);
      await send(url, message);
      status = await new Promise((resolve, reject) => {
        httpsRequest(`${tlsUrl}/nowhere`, { ca: readFileSync(ca, 'utf8'), agent: false }, (response) => {
          response.resume().on('end', () => resolve(response.statusCode));
        })
          .on('error', reject)
          .end();
      });
    });
    await run({ port: 0, 'trust-anchor': join(dir, 'root.pem'), log, explain: true, 'tls-dev': ca }, io);
    expect(status).toBe(404);
    expect(errors[1]).toContain('but over one with the host without its port');
    expect(errors[2]).toBe(
      `  line 5 of the canonical request:\n    the client signed  "host:127.0.0.1"\n    it sent            "host:127.0.0.1:${port}"\n`,
    );
    const lines = readFileSync(log, 'utf8').trim().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { path: '/sessions', accepted: false, code: 'AccessDeniedException', signed: expect.any(String) as unknown },
      { path: '/nowhere', accepted: false, status: 404 },
    ]);
    expect(statSync(log).mode & 0o077).toBe(0);
  });

  it.each([
    ['a log that cannot be written', { 'trust-anchor': 'root.pem', log: '/nonexistent/log' }, 'ERR_OUTPUT'],
    ['no trust anchor', {}, 'ERR_USAGE'],
    ['a missing file', { 'trust-anchor': '/nonexistent' }, 'ERR_FILE_NOT_FOUND'],
    ['a key and no certificate', { 'trust-anchor': 'a', 'tls-key': 'b' }, 'ERR_FLAG_REQUIRED'],
    ['an impossible port', { 'trust-anchor': 'a', port: 65_536 }, 'ERR_FLAG_VALUE'],
    ['a host that others reach', { 'trust-anchor': 'root.pem', host: '0.0.0.0' }, 'ERR_LISTEN'],
  ])('fails with %s and leaves stdout empty', async (_, flags, code) => {
    const { io, out } = captured(async () => undefined);
    const anchor = flags['trust-anchor' as keyof typeof flags] as string | undefined;
    const named = anchor === 'root.pem' ? { ...flags, 'trust-anchor': join(dir, anchor) } : flags;
    await expect(run({ port: 0, ...named }, io)).rejects.toMatchObject({ code });
    expect(out).toEqual([]);
  });
});
