/** The console of `serve` as programs meet it: what opens the browser, TLS, and the line that it prints. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { EXTERNAL_ID, FIRST, startChainEmulator } from '../support/chain-world.ts';
import { COMMAND_LINE, PKI, runCli, runProgram } from '../support/cli.ts';

import { identityFlags, startServe } from './serve-process.ts';
import type { ServeProcess } from './serve-process.ts';

let emulator: Emulator;
let dir: string;
const running: ServeProcess[] = [];

beforeAll(async () => {
  emulator = await startChainEmulator();
  dir = mkdtempSync(join(tmpdir(), 'ra-serve-console-'));
});
afterEach(async () => {
  for (const serve of running.splice(0)) {
    serve.kill('SIGTERM');
    await serve.exited;
  }
});
afterAll(async () => {
  await emulator.close();
  rmSync(dir, { recursive: true, force: true });
});

async function serveWith(flags: readonly string[], env: Record<string, string> = {}): Promise<ServeProcess> {
  const serve = await startServe([...identityFlags(emulator), '--port', '0', '--console', ...flags], { env });
  running.push(serve);
  return serve;
}

interface Answer {
  readonly status: number;
  readonly cookie: string;
  readonly body: Record<string, unknown>;
}

/** What the page asks. */
function ask(base: URL, path: string, body?: object, headers: Record<string, string> = {}): Promise<Answer> {
  const request = base.protocol === 'https:' ? tlsRequest : plainRequest;
  return new Promise((resolve, reject) => {
    const sent = request(
      new URL(`/console/api/${path}`, base),
      {
        method: body === undefined ? 'GET' : 'POST',
        headers: { Origin: base.origin, 'Content-Type': 'application/json', ...headers },
        agent: false,
        ca: readFileSync(`${PKI}tls-root.pem`),
      },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => (text += part));
        answer.on('end', () =>
          resolve({
            status: answer.statusCode ?? 0,
            cookie: answer.headers['set-cookie']?.[0] ?? '',
            body: JSON.parse(text) as Record<string, unknown>,
          }),
        );
      },
    );
    sent.on('error', reject).end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** The link that was printed. */
function linkOf(serve: ServeProcess): URL {
  return new URL(/^console: (\S+)$/m.exec(serve.log())?.[1] ?? '');
}

/** Opens a session with the code of a link: the headers of whoever has it. */
async function unlock(link: URL): Promise<Record<string, string>> {
  const { status, cookie, body } = await ask(link, 'unlock', { code: link.hash.slice(1) });
  expect(status).toBe(200);
  return { Cookie: cookie.split(';')[0] ?? '', 'X-CSRF-Token': String(body['csrf']) };
}

describe('the line that the console prints', () => {
  it.each<[string, object]>([
    ['a role of the server', { role: 'Workload', durationSeconds: 900 }],
    [
      'another role, with an external id, a policy and tags that a shell would take apart',
      {
        role: 'Workload',
        durationSeconds: 900,
        further: {
          roleArn: FIRST,
          externalId: EXTERNAL_ID,
          roleSessionName: 'me@example',
          policy: JSON.stringify({
            Version: '2012-10-17',
            Statement: [
              {
                Effect: 'Allow',
                Action: '*',
                Resource: '*',
                Condition: { StringNotEquals: { 'aws:username': "it's $HOME `x` \\ !" } },
              },
            ],
          }),
          tags: [['Team', 'b c']],
        },
      },
    ],
  ])('gets the same by itself, in a shell: %s', async (_, asked) => {
    const serve = await serveWith(['--sts-endpoint', emulator.url]);
    const link = linkOf(serve);
    const headers = await unlock(link);
    const { status, body } = await ask(link, 'credentials', asked, headers);
    expect(status).toBe(200);
    const line = String(body['exec'])
      .replace(/^roles-anywhere/, COMMAND_LINE)
      .replace(/ -- .*$/, ' -- env');
    const { status: ended, stdout } = await runProgram('sh', ['-c', line]);
    expect(ended).toBe(0);
    expect(stdout).toMatch(/^AWS_ACCESS_KEY_ID=ASIA/m);
    expect(stdout).not.toContain(String(body['accessKeyId']));
  });
});

describe('serve --console-open', () => {
  it('leads the browser by a private file, which tells neither arguments nor the environment a secret', async () => {
    const bin = join(dir, 'bin');
    mkdirSync(bin, { recursive: true });
    const seen = join(dir, 'seen');
    writeFileSync(
      join(bin, 'xdg-open'),
      `#!/bin/sh\n{ echo "$1"; stat -c %a "\${1#file://}" "$(dirname "\${1#file://}")"; cat "\${1#file://}"; env; } > ${seen}.part\nmv ${seen}.part ${seen}\n`,
    );
    chmodSync(join(bin, 'xdg-open'), 0o755);
    const serve = await serveWith(['--console-open'], {
      PATH: `${bin}:${process.env['PATH'] ?? ''}`,
      ROLES_ANYWHERE_PKCS11_PIN: 'the-pin-of-somebody',
      ROLES_ANYWHERE_PKCS12_PASSWORD: 'a-password-of-somebody',
    });
    await vi.waitFor(() => expect(existsSync(seen)).toBe(true), 10_000);
    const [url = '', ...rest] = readFileSync(seen, 'utf8').split('\n');
    const { href, hash } = linkOf(serve);
    expect(url).toMatch(/^file:\/\/.*\/roles-anywhere-console-\w+\/open\.html$/);
    expect(url).not.toContain(hash.slice(1));
    expect(rest.slice(0, 3)).toEqual(['600', '700', expect.stringContaining(href)]);
    expect(rest.join('\n')).not.toMatch(/the-pin-of-somebody|a-password-of-somebody/);
    serve.kill('SIGTERM');
    await serve.exited;
    expect(existsSync(new URL(url))).toBe(false);
  });

  it('goes on where there is no browser', async () => {
    const serve = await serveWith(['--console-open'], { PATH: join(dir, 'nowhere') });
    await serve.until('open the link of the console by hand');
    expect(await unlock(linkOf(serve))).toHaveProperty('Cookie');
  });
});

describe('the console over TLS', () => {
  it('gives a cookie to no page without TLS, and checks the origin', async () => {
    const serve = await serveWith(['--tls-cert', `${PKI}tls-server.crt.pem`, '--tls-key', `${PKI}tls-server.key.pem`]);
    const link = linkOf(serve);
    expect(link.protocol).toBe('https:');
    const foreign = await ask(
      link,
      'unlock',
      { code: link.hash.slice(1) },
      { Origin: link.origin.replace('https', 'http') },
    );
    expect(foreign.status).toBe(403);
    const { status, cookie, body } = await ask(link, 'unlock', { code: link.hash.slice(1) });
    expect(status).toBe(200);
    expect(cookie).toMatch(/; HttpOnly; SameSite=Strict; Secure$/);
    const headers = { Cookie: cookie.split(';')[0] ?? '', 'X-CSRF-Token': String(body['csrf']) };
    expect(await ask(link, 'overview', undefined, headers)).toMatchObject({ status: 200 });
    const issued = await ask(link, 'credentials', { role: 'Workload', durationSeconds: 900 }, headers);
    expect(issued).toMatchObject({ status: 200, body: { accessKeyId: expect.stringMatching(/^ASIA/) as string } });
  });

  it.each([
    [['--listen', '0.0.0.0'], /token file/],
    [['--listen', '0.0.0.0', '--token-file', 'TOKEN'], /TLS/],
    [
      [
        '--listen',
        '0.0.0.0',
        '--token-file',
        'TOKEN',
        '--tls-cert',
        `${PKI}tls-server.crt.pem`,
        '--tls-key',
        `${PKI}tls-server.key.pem`,
      ],
      /needs TLS and a passphrase/,
    ],
  ])('is refused beyond the loopback: %j', async (flags, words) => {
    const given = flags.map((flag) => (flag === 'TOKEN' ? join(dir, 'token') : flag));
    const { status, stderr } = await runCli(['serve', ...identityFlags(emulator), '--console', ...given]);
    expect(status).toBe(2);
    expect(stderr).toMatch(words);
  });
});
