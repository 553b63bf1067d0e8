import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../src/commands/emulator.ts';
import { draft, send, setHeader, signed } from '../emulator/support/signed-request.ts';
import { ARNS, type Client, certificatePem, makeAuthority, makeClient, makeServer } from '../emulator/support/world.ts';
import { memoryIo } from '../support/io.ts';
import { pkiPath } from '../support/pki.ts';

const ANY_TIME = { notBefore: new Date(0), notAfter: new Date('2049-01-01T00:00:00Z') };

type Ready = Readonly<Record<string, string>>;

let dir: string;
let anchor: string;
let client: Client;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'roles-anywhere-emulator-'));
  const root = await makeAuthority('root', ANY_TIME);
  client = await makeClient(root, ANY_TIME);
  const { cert, key } = await makeServer();
  for (const [name, text] of Object.entries({
    'root.pem': certificatePem(root.certificate),
    'tls.pem': cert,
    'tls.key': key,
  }))
    writeFileSync(join(dir, name), text);
  anchor = join(dir, 'root.pem');
  execFileSync('mkfifo', [join(dir, 'pipe')]);
});
afterAll(() => rmSync(dir, { recursive: true }));

/** Runs the command until `use`, which is called when it is ready, is done with it. */
async function command(
  flags: Partial<Parameters<typeof run>[0]>,
  use: (ready: Ready) => Promise<unknown> = async () => undefined,
): Promise<{ ready: Ready; errors: string[] }> {
  const io = memoryIo();
  const ready = (): Ready => JSON.parse(io.out().toString()) as Ready;
  const stop = async (): Promise<void> => {
    await setImmediate(); // it listens to signals before it says that it is ready
    await use(ready());
  };
  await run({ port: 0, ...flags }, { ...io, stop });
  return { ready: ready(), errors: io.err().split('\n') };
}

async function ask(url: string): Promise<number> {
  return (await send(url, signed(draft(client, url, { now: new Date() }), client))).status;
}

describe('the command emulator', () => {
  it('prints one line of JSON when it is ready, a line for people for each request, and ends when told to', async () => {
    const stranger = await makeClient(await makeAuthority('another root', ANY_TIME), ANY_TIME);
    const { ready, errors } = await command({ 'trust-anchor': [anchor] }, async ({ url = '' }) => {
      await send(url, signed(draft(stranger, url, { now: new Date() }), stranger));
    });
    const { url = '' } = ready;
    expect(ready).toEqual({ url, region: 'us-east-1', ...ARNS, trustAnchorArns: [ARNS.trustAnchorArn] });
    expect(errors[0]).toBe(`listening on ${url}`);
    expect(errors[1]).toMatch(
      /^warning: POST \/sessions 403 refused AccessDeniedException: no path to trust anchor .*root\.pem/,
    );
    await expect(send(url, { method: 'GET', path: '/', query: '', headers: [], body: '' })).rejects.toThrow(
      /ECONNREFUSED/,
    );
  });

  it('takes several trust anchors, and a certificate for HTTPS', async () => {
    const tls = { 'tls-cert': join(dir, 'tls.pem'), 'tls-key': join(dir, 'tls.key') };
    const { ready } = await command({ 'trust-anchor': [anchor, anchor], ...tls });
    expect(ready).toMatchObject({
      tlsUrl: expect.stringMatching(/^https:\/\/127\.0\.0\.1:\d+$/),
      trustAnchorArns: [ARNS.trustAnchorArn, ARNS.trustAnchorArn.replace(/.$/, '2')],
    });
  });

  it('keeps a log in a file, explains signatures, and makes a certificate for TLS', async () => {
    const [log, ca] = [join(dir, 'log.jsonl'), join(dir, 'ca.pem')];
    let port = 0;
    let status: number | undefined;
    const { errors } = await command(
      { 'trust-anchor': [anchor], log, explain: true, 'tls-dev': ca },
      async ({ url = '', tlsUrl = '' }) => {
        port = Number(new URL(url).port);
        const right = draft(client, url, { now: new Date() });
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
      },
    );
    expect(status).toBe(404);
    expect(errors[1]).toContain('but over one with the host without its port');
    expect(errors.slice(2, 5)).toEqual([
      '  line 5 of the canonical request:',
      '    the client signed  "host:127.0.0.1"',
      `    it sent            "host:127.0.0.1:${port}"`,
    ]);
    const lines = readFileSync(log, 'utf8').trim().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { path: '/sessions', accepted: false, code: 'AccessDeniedException', signed: expect.any(String) as unknown },
      { path: '/nowhere', accepted: false, status: 404 },
    ]);
    expect(statSync(log).mode & 0o077).toBe(0);
  });

  it('takes what it begins with from --world, keeps it in --state-dir, and has quotas with --throttle', async () => {
    const file = join(dir, 'world.yaml');
    const stateDir = join(dir, 'state');
    const world = 'trustAnchors:\n  - certificateFile: root.pem\n';
    writeFileSync(file, world);
    const statuses: number[] = [];
    const { errors } = await command({ world: file, 'state-dir': stateDir, throttle: true }, async ({ url = '' }) => {
      expect(readdirSync(stateDir).toSorted()).toEqual(['journal', 'lock']);
      statuses.push(await ask(url));
      writeFileSync(file, 'trustAnchors: 3');
      statuses.push(await ask(url));
      writeFileSync(file, `${world}roles: []\n`);
      statuses.push(await ask(url));
      statuses.push(...(await Promise.all(Array.from({ length: 40 }, () => ask(url)))));
    });
    expect(statuses.slice(0, 3)).toEqual([201, 201, 403]);
    expect(statuses).toContain(429);
    expect(errors.join('\n')).toMatch(/error: the world stays as it was: .*world\.yaml: trustAnchors is not an array/);
    expect(errors).toContain('read the world again, since it changed');
    expect(readdirSync(stateDir)).toEqual(['journal']);
  });

  it('warns when --host lets other machines in, and not otherwise', async () => {
    const warning = /^warning: --host: other machines may reach this emulator/m;
    const outside = await command({ 'trust-anchor': [anchor], host: '0.0.0.0' });
    expect(outside.ready['url']).toMatch(/^http:\/\/0\.0\.0\.0:\d+$/);
    expect(outside.errors.join('\n')).toMatch(warning);
    const inside = await command({ 'trust-anchor': [anchor], host: '127.0.0.2' });
    expect(inside.errors.join('\n')).not.toMatch(warning);
  });

  it('says once which member of an input is not known', async () => {
    const { errors } = await command({ 'trust-anchor': [anchor] }, async ({ url = '' }) => {
      const request = draft(client, url, { now: new Date() });
      request.body = '{"newMember":true}';
      for (let count = 0; count < 2; count += 1) expect((await send(url, signed(request, client))).status).toBe(201);
    });
    expect(errors.filter((line) => line.includes('newMember'))).toEqual([
      'warning: CreateSession has a member newMember, which is not known here and has no effect',
    ]);
  });

  it.each([
    ['a log that cannot be written', () => ({ 'trust-anchor': [anchor], log: '/nonexistent/log' }), 'ERR_OUTPUT'],
    [
      'a log that is a pipe without a reader',
      () => ({ 'trust-anchor': [anchor], log: join(dir, 'pipe') }),
      'ERR_OUTPUT',
    ],
    ['neither a trust anchor nor a world', () => ({}), 'ERR_USAGE'],
    ['both a trust anchor and a world', () => ({ 'trust-anchor': [anchor], world: 'world.yaml' }), 'ERR_USAGE'],
    ['a missing file', () => ({ 'trust-anchor': ['/nonexistent'] }), 'ERR_FILE_NOT_FOUND'],
    ['a key and no certificate', () => ({ 'trust-anchor': [anchor], 'tls-key': 'b' }), 'ERR_FLAG_REQUIRED'],
    ['an impossible port', () => ({ 'trust-anchor': [anchor], port: 65_536 }), 'ERR_FLAG_VALUE'],
    ['a host that is not of this machine', () => ({ 'trust-anchor': [anchor], host: '192.0.2.1' }), 'ERR_LISTEN'],
  ])('fails with %s and leaves stdout empty', async (_, flags, code) => {
    await expect(command(flags())).rejects.toMatchObject({ code });
  });

  it.each([
    ['a host', () => ({ 'trust-anchor': [anchor], host: '192.0.2.1' }), { hint: 'give an address of this machine' }],
    ['a world', () => ({ world: '/nonexistent' }), { hint: 'check the path of the world file' }],
    [
      'a folder as log',
      () => ({ 'trust-anchor': [anchor], log: dir }),
      { message: expect.stringContaining(' cannot be written (EISDIR)') as string },
    ],
    [
      'a key as trust anchor',
      () => ({ 'trust-anchor': [pkiPath('ec-p256.key.pem')] }),
      { code: 'ERR_PEM_LABEL', message: expect.stringContaining('holds no certificate, but PRIVATE KEY') as string },
    ],
  ])('says of %s what is wrong with it', async (_, flags, error) => {
    await expect(command(flags())).rejects.toMatchObject(error);
  });
});
