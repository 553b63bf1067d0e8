/** What the built program does when it stands in for AWS's helper, next to what it does under its own name. */
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/index.ts';
import { identityFlags, spawnServe } from '../clients/serve-process.ts';
import type { ServeProcess } from '../clients/serve-process.ts';
import { makeAuthority } from '../http/support/pki.ts';
import { startTlsEmulator } from '../network/support.ts';
import { PKI, runCli } from '../support/cli.ts';
import { startTestEmulator, worldFlags } from '../support/vending.ts';

let dir: string;
let emulator: Emulator;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ra-in-place-'));
  emulator = await startTestEmulator();
});
afterAll(async () => {
  await emulator.close();
  rmSync(dir, { recursive: true });
});

function file(name: string, text: string): string {
  const path = join(dir, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

/** A line that vends, with a flag's value replaced or a flag added. */
function line(changes: Readonly<Record<string, string>> = {}, ...more: string[]): string[] {
  return [
    'credential-process',
    ...identityFlags(emulator),
    ...Object.entries(changes).flatMap(([flag, value]) => [`--${flag}`, value]),
    ...more,
  ];
}

describe('what is printed', () => {
  it('has neither an account nor a line feed in place of the helper, and both under our own name', async () => {
    const [ours, theirs] = await Promise.all([runCli(line()), runCli(line({}, '--compat'))]);
    expect(ours.stdout).toMatch(/"AccountId":"123456789012"\}\n$/);
    expect(theirs.stdout).toMatch(/"Expiration":"[^"]+"\}$/);
  });

  it('has no account with --no-account-id, and has one with --no-account-id=false', async () => {
    const [without, back] = await Promise.all([
      runCli(line({}, '--no-account-id')),
      runCli(line({}, '--compat', '--no-account-id=false')),
    ]);
    expect(without.stdout).toMatch(/"Expiration":"[^"]+"\}\n$/);
    expect(back.stdout).toMatch(/"AccountId":"123456789012"\}$/);
  });
});

describe('standard error of a good run', () => {
  it('is empty in place of the helper, where our own name has warnings', async () => {
    const key = join(dir, 'mounted.key');
    copyFileSync(`${PKI}ec-p256.key.pem`, key);
    chmodSync(key, 0o640);
    const empty = file('empty.pem', '');
    const changes = { 'private-key': key, intermediates: empty };
    const anchored = await startTestEmulator({
      trustAnchors: [{ certificates: readFileSync(`${PKI}intermediate.pem`, 'utf8') }],
    });
    try {
      const more = worldFlags(anchored);
      const [ours, theirs] = await Promise.all([
        runCli(line(changes, ...more)),
        runCli(line(changes, ...more, '--compat', 'stray')),
      ]);
      expect(ours).toMatchObject({
        status: 0,
        stderr: expect.stringMatching(/no intermediates are sent[\s\S]*0640/) as string,
      });
      expect(theirs).toMatchObject({ status: 0, stderr: '' });
    } finally {
      await anchored.close();
    }
  });

  it('has the warnings again with --log-level warn', async () => {
    const { stderr } = await runCli(line({}, '--compat', '--log-level', 'warn', 'stray'));
    expect(stderr).toContain('warning: arguments that belong to no flag are ignored');
  });
});

describe('intermediates', () => {
  it.each([
    ['empty', ''],
    ['white space', ' \n\t\r\n'],
  ])('may be a file that is %s', async (_what, text) => {
    // The emulator trusts the root alone: it is the service that refuses the leaf without its issuer.
    const { stderr } = await runCli(line({ intermediates: file('bundle.pem', text) }));
    expect(stderr).toContain('ERR_ACCESS_DENIED');
    expect(stderr).toContain('no intermediates are sent');
  });

  it('may not be a file of anything else', async () => {
    expect((await runCli(line({ intermediates: file('bundle.pem', 'words') }, '--compat'))).stderr).toContain(
      'ERR_FORMAT_UNKNOWN',
    );
  });
});

describe('roots of trust, under either name,', () => {
  it.each([[[]], [['--compat']]])('are those that the environment names: %j', async (name) => {
    const authority = await makeAuthority('Corporate');
    const service = await startTlsEmulator(await authority.issue(['127.0.0.1']));
    const roots = file('roots.pem', authority.root);
    const vend = (env: Record<string, string>) =>
      runCli(line({ endpoint: service.tlsUrl ?? '' }, ...worldFlags(service).slice(0, 6), ...name), { env });
    try {
      const results = await Promise.all([vend({ SSL_CERT_FILE: roots }), vend({ SSL_CERT_DIR: dir }), vend({})]);
      expect(results.map(({ status }) => status)).toEqual([0, 0, 5]);
      expect(results[2]?.stderr).toMatch(/issuer "CN=Corporate".*ERR_TLS_AUTHORITY/);
    } finally {
      await service.close();
    }
  });
});

/** One answer of a server's IMDS. */
function ask(
  port: number,
  path: string,
  headers: Readonly<Record<string, string>>,
  method = 'GET',
): Promise<{ status: number; body: string; ttl: unknown }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (incoming) => {
      let body = '';
      incoming.on('data', (chunk) => (body += String(chunk)));
      incoming.on('end', () =>
        resolve({
          status: incoming.statusCode ?? 0,
          body,
          ttl: incoming.headers['x-aws-ec2-metadata-token-ttl-seconds'],
        }),
      );
    });
    outgoing.on('error', reject).end();
  });
}

async function stopped(server: ServeProcess): Promise<void> {
  server.kill('SIGTERM');
  await server.exited;
}

describe('serve in place of the helper', () => {
  it('prints the three lines that scripts wait for, and nothing on standard output', async () => {
    const server = spawnServe([...identityFlags(emulator), '--port', '0', '--compat']);
    await server.until('AWS_EC2_METADATA_SERVICE_ENDPOINT');
    const [, port = ''] = /started on port: (\d+)\n/.exec(server.log()) ?? [];
    const time = String.raw`\d{4}/\d\d/\d\d \d\d:\d\d:\d\d`;
    expect(server.log()).toMatch(
      new RegExp(
        `^${time} Local server started on port: ${port}\n${time} Make it available to the sdk by running:\n` +
          `${time} export AWS_EC2_METADATA_SERVICE_ENDPOINT=http://127\\.0\\.0\\.1:${port}/\n$`,
      ),
    );
    expect(server.lines()).toBe('');
    const token = await ask(Number(port), '/latest/api/token', {}, 'PUT');
    expect(token).toMatchObject({ status: 200, ttl: '21600' });
    await stopped(server);
  });

  it('asks for the life of a token under our own name', async () => {
    const server = spawnServe([...identityFlags(emulator), '--port', '0']);
    await server.until('AWS_EC2_METADATA_SERVICE_ENDPOINT');
    const [, port = ''] = /http:\/\/127\.0\.0\.1:(\d+)/.exec(server.lines()) ?? [];
    expect(await ask(Number(port), '/latest/api/token', {}, 'PUT')).toMatchObject({ status: 400 });
    await stopped(server);
  });
});

describe('serve where nothing can be written', () => {
  const nowhere = { XDG_RUNTIME_DIR: '', RUNTIME_DIRECTORY: '', TMPDIR: '/nonexistent' };

  it('gives credentials over IMDS, and names the flag for the token of the container endpoint', async () => {
    const server = spawnServe([...identityFlags(emulator), '--port', '0'], { env: nowhere });
    await server.until('AWS_EC2_METADATA_SERVICE_ENDPOINT');
    expect(server.log()).toMatch(/container endpoint needs a file.*--token-file/);
    expect(server.lines()).not.toContain('AWS_CONTAINER');
    const [, port = ''] = /http:\/\/127\.0\.0\.1:(\d+)/.exec(server.lines()) ?? [];
    const ttl = { 'X-aws-ec2-metadata-token-ttl-seconds': '60' };
    const { body: token } = await ask(Number(port), '/latest/api/token', ttl, 'PUT');
    const list = await ask(Number(port), '/latest/meta-data/iam/security-credentials/', {
      'X-aws-ec2-metadata-token': token,
    });
    expect(list).toMatchObject({ status: 200, body: 'Workload' });
    await stopped(server);
  });

  it('is an error that names the flag when IMDS is left out', async () => {
    const server = spawnServe([...identityFlags(emulator), '--port', '0', '--no-imds'], { env: nowhere });
    expect(await server.exited).toBe(2);
    expect(server.log()).toMatch(/ERR_TOKEN_FILE.*--token-file/);
  });
});
