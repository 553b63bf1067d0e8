import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync, copyFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { ERROR_CLASSES, EXIT_STATUS } from '../../src/platform/errors.ts';
import { cleanEnv, IS_EXECUTABLE, PKI } from '../support/cli.ts';
import { scriptedServer } from '../support/scripted-server.ts';
import { requireTool } from '../support/tools.ts';
import { startTestEmulator, worldFlags } from '../support/vending.ts';
import { ask } from '../server/support/server.ts';
import { flagsOf, identityFlags, runLines, spawnServe, startServe } from './serve-process.ts';
import type { ServeProcess } from './serve-process.ts';

let emulator: Emulator;
let dir: string;
const running: ServeProcess[] = [];

beforeAll(async () => {
  emulator = await startTestEmulator();
});
afterAll(() => emulator.close());
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ra-operation-'));
});
afterEach(async () => {
  for (const serve of running.splice(0)) {
    serve.kill('SIGKILL');
    await serve.exited;
  }
  rmSync(dir, { recursive: true, force: true });
});

async function start(args: readonly string[], options?: Parameters<typeof startServe>[1]): Promise<ServeProcess> {
  const serve = await startServe([...identityFlags(emulator), '--port', '0', ...args], options);
  running.push(serve);
  return serve;
}

/** The port, and the token that the printed file holds. */
function endpointOf(serve: ServeProcess): { port: number; token: string; file: string } {
  const env = runLines(serve.lines());
  const file = env['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'] ?? '';
  return {
    port: Number(new URL(env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] ?? '').port),
    file,
    token: readFileSync(file, 'utf8'),
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('signals', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('%s ends it with 0, and no token file is left', async (signal) => {
    const serve = await start(['--token-file', join(dir, 'token')]);
    expect(existsSync(join(dir, 'token'))).toBe(true);
    serve.kill(signal);
    expect(await serve.exited).toBe(0);
    expect(readdirSync(dir)).toEqual([]);
  });

  it('SIGTERM before the first credentials ends it with 0 too', async () => {
    const port = await freePort();
    const flags = identityFlags(emulator).map((flag) => (flag === emulator.url ? `http://127.0.0.1:${port}` : flag));
    const serve = spawnServe([...flags, '--port', '0']);
    running.push(serve);
    await serve.until('no new credentials');
    serve.kill('SIGTERM');
    expect(await serve.exited).toBe(0);
    expect(serve.lines()).toBe('');
  });

  it('SIGHUP before the first credentials asks for them at once, and takes what has changed', async () => {
    let open = false;
    const service = await scriptedServer((response) => {
      const expiration = `${new Date(Date.now() + 3_600_000).toISOString().slice(0, 19)}Z`;
      const credentials = { accessKeyId: 'ASIAX', secretAccessKey: 'hidden', sessionToken: 'hidden', expiration };
      response.writeHead(open ? 201 : 503, { 'content-type': 'application/json' });
      response.end(JSON.stringify(open ? { credentialSet: [{ credentials }], subjectArn: 'x' } : { message: 'later' }));
    });
    const flags = identityFlags(emulator).map((flag) => (flag === emulator.url ? service.url : flag));
    writeFileSync(join(dir, 'source'), 'first-token-0123456789');
    for (const name of ['crt', 'key']) copyFileSync(`${PKI}tls-server.${name}.pem`, join(dir, `${name}.pem`));
    const tls = { 'tls-cert': join(dir, 'crt.pem'), 'tls-key': join(dir, 'key.pem') };
    const serve = spawnServe([...flags, '--port', '0', '--token-source', join(dir, 'source'), ...flagsOf(tls)]);
    running.push(serve);
    await serve.until('no new credentials');
    writeFileSync(join(dir, 'source'), 'second-token-0123456789');
    for (const name of ['crt', 'key']) copyFileSync(`${PKI}ec-p256.${name}.pem`, join(dir, `${name}.pem`));
    open = true;
    serve.kill('SIGHUP');
    await serve.until('AWS_CONTAINER_CREDENTIALS_FULL_URI');
    expect(serve.log()).toContain('reading files again');
    expect(serve.log()).toContain('"reason":"requested"');
    const [, port] = /are served","address":"127.0.0.1","port":(\d+)/.exec(serve.log()) ?? [];
    const socket = connectTls({ host: '127.0.0.1', port: Number(port), rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const { raw } = socket.getPeerCertificate();
    expect(raw.equals(new X509Certificate(readFileSync(`${PKI}ec-p256.crt.pem`)).raw)).toBe(true);
    const answered = once(socket.setEncoding('latin1'), 'data') as Promise<[string]>;
    socket.write(
      `GET /credentials HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: second-token-0123456789\r\n\r\n`,
    );
    expect((await answered)[0]).toContain('200 OK');
    socket.destroy();
    await service.close();
  });

  it('an issuer without --renew is said to have no effect', async () => {
    const serve = spawnServe([...identityFlags(emulator), '--port', '0', '--renew-command', 'true']);
    running.push(serve);
    await serve.until('--renew-command has no effect without --renew');
    await serve.until('AWS_CONTAINER_CREDENTIALS_FULL_URI');
    serve.kill('SIGTERM');
    expect(await serve.exited).toBe(0);
  });

  it('SIGHUP at the very start does not end it', async () => {
    const serve = spawnServe([...identityFlags(emulator), '--port', '0', '--hop-limit', '2']);
    running.push(serve);
    // The first thing that is logged, with everything still to do.
    await serve.until('--hop-limit has no effect');
    serve.kill('SIGHUP');
    await serve.until('AWS_CONTAINER_CREDENTIALS_FULL_URI');
    serve.kill('SIGTERM');
    expect(await serve.exited).toBe(0);
  });

  it('a second SIGINT does not wait for those who are still being answered', async () => {
    // One set that ends at once, and then no answer: who asks has to wait.
    let asked = 0;
    const service = await scriptedServer((response) => {
      asked += 1;
      if (asked > 1) return;
      const expiration = `${new Date(Date.now() + 3000).toISOString().slice(0, 19)}Z`;
      const credentials = { accessKeyId: 'ASIAX', secretAccessKey: 'hidden', sessionToken: 'hidden', expiration };
      response.writeHead(201, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ credentialSet: [{ credentials }], subjectArn: 'x' }));
    });
    const flags = identityFlags(emulator).map((flag) => (flag === emulator.url ? service.url : flag));
    const serve = await startServe([...flags, '--port', '0', '--metrics-listen', '0']);
    running.push(serve);
    const { port, token } = endpointOf(serve);
    const [, metrics] = /are served","address":"127.0.0.1","port":(\d+)/.exec(serve.log()) ?? [];
    await expect.poll(() => asked, { timeout: 10_000 }).toBe(2);
    const waiting = ask({ port }, 'GET', '/credentials', { Authorization: token });
    const connections = async (): Promise<string> => (await ask({ port: Number(metrics) }, 'GET', '/metrics')).body;
    await expect.poll(connections).toContain('roles_anywhere_connections 1\n');
    serve.kill('SIGINT');
    await serve.until('stopping');
    serve.kill('SIGINT');
    expect(await serve.exited).toBe('SIGINT');
    expect((await waiting).status).toBeNaN();
    await service.close();
  });

  it('SIGHUP takes a renewed token, certificate and audit log, and goes on', async () => {
    for (const name of ['crt', 'key']) copyFileSync(`${PKI}ec-p256.${name}.pem`, join(dir, `${name}.pem`));
    writeFileSync(join(dir, 'source'), 'first-token-0123456789');
    const serve = await startServe([
      ...flagsOf({
        certificate: join(dir, 'crt.pem'),
        'private-key': join(dir, 'key.pem'),
        intermediates: `${PKI}intermediate.pem`,
        port: '0',
        'token-source': join(dir, 'source'),
        'audit-log': join(dir, 'audit.log'),
      }),
      ...worldFlags(emulator),
    ]);
    running.push(serve);
    const { port } = endpointOf(serve);
    expect((await ask({ port }, 'GET', '/credentials', { Authorization: 'first-token-0123456789' })).status).toBe(200);
    writeFileSync(join(dir, 'source'), 'second-token-0123456789');
    rmSync(join(dir, 'audit.log'));
    serve.kill('SIGHUP');
    await serve.until('a new token is in use');
    expect((await ask({ port }, 'GET', '/credentials', { Authorization: 'first-token-0123456789' })).status).toBe(401);
    expect((await ask({ port }, 'GET', '/credentials', { Authorization: 'second-token-0123456789' })).status).toBe(200);
    expect(readFileSync(join(dir, 'audit.log'), 'utf8').trim().split('\n')).toHaveLength(1);
  });

  it('a server that is killed leaves its file, and the next one replaces it', async () => {
    const first = await start(['--token-file', join(dir, 'token')]);
    first.kill('SIGKILL');
    await first.exited;
    const second = await start(['--token-file', join(dir, 'token')]);
    const { port, token } = endpointOf(second);
    expect((await ask({ port }, 'GET', '/credentials', { Authorization: token })).status).toBe(200);
  });
});

/** Files of the development PKI as the server's certificate and key. */
function tlsFlags(cert: string, key: string): string[] {
  return ['--tls-cert', `${PKI}${cert}`, '--tls-key', key.startsWith('--') ? key : `${PKI}${key}`];
}

describe('a start that cannot succeed ends at once', () => {
  it.each<[string, keyof typeof ERROR_CLASSES, () => string[]]>([
    ['a key of another certificate', 'ERR_KEY_MISMATCH', () => ['--private-key', `${PKI}ec-p384.key.pem`]],
    ['a bad ARN', 'ERR_ARN', () => ['--role-arn', 'nonsense']],
    ['a role that the profile lacks', 'ERR_ACCESS_DENIED', () => ['--role-arn', 'arn:aws:iam::123456789012:role/None']],
    ['an address that needs TLS', 'ERR_LISTEN', () => ['--listen', '0.0.0.0', '--token-file', join(dir, 'token')]],
    ['a container address without a token file', 'ERR_LISTEN', () => ['--listen', '169.254.170.2']],
    ['a token source that is not there', 'ERR_TOKEN_FILE', () => ['--token-source', join(dir, 'none')]],
    ['an audit log that cannot be', 'ERR_AUDIT_LOG', () => ['--audit-log', join(dir, 'none/audit.log')]],
    ['a token file where no folder can be', 'ERR_TOKEN_FILE', () => ['--token-file', `${PKI}root.pem/token`]],
    ['a flag in the place of the token file', 'ERR_FLAG_VALUE', () => ['--token-file', '--no-imds']],
    ['a flag in the place of the token source', 'ERR_FLAG_VALUE', () => ['--token-source', '--no-imds']],
    ['a flag in the place of the audit log', 'ERR_FLAG_VALUE', () => ['--audit-log', '--print-token']],
    ['a flag in the place of the TLS key', 'ERR_FLAG_VALUE', () => tlsFlags('tls-server.crt.pem', '--no-imds')],
    ['a TLS key that does not fit', 'ERR_KEY_MISMATCH', () => tlsFlags('tls-server.crt.pem', 'ec-p256.key.pem')],
    ['TLS files that are swapped', 'ERR_PEM_LABEL', () => tlsFlags('tls-server.key.pem', 'tls-server.crt.pem')],
    ['an encrypted TLS key', 'ERR_KEY_ENCRYPTED', () => tlsFlags('ec-p256.crt.pem', 'ec-p256.encrypted.pem')],
    ['a TLS certificate that is none', 'ERR_PEM_LABEL', () => tlsFlags('ec-p256.p12', 'ec-p256.key.pem')],
    ['a TLS certificate that is not there', 'ERR_FILE_NOT_FOUND', () => tlsFlags('none.pem', 'tls-server.key.pem')],
    ['a shell that is none', 'ERR_FLAG_VALUE', () => ['--shell', 'csh']],
    ['no time to renew', 'ERR_FLAG_CONFLICT', () => ['--refresh-before', '900', '--session-duration', '900']],
  ])('with %s: %s', async (_what, code, more) => {
    const asked = emulator.verdicts.length;
    const serve = spawnServe([...identityFlags(emulator), '--port', '0', ...more()]);
    running.push(serve);
    expect(await serve.exited).toBe(EXIT_STATUS[ERROR_CLASSES[code]]);
    expect(serve.log()).toContain(`"code":"${code}"`);
    expect(serve.lines()).toBe('');
    expect(readdirSync(dir)).toEqual([]);
    // Only the service can tell that it denies; for the rest, no session is spent.
    expect(emulator.verdicts.length - asked).toBe(code === 'ERR_ACCESS_DENIED' ? 1 : 0);
  });

  it.each<[string, (path: string) => string[]]>([
    ['--token-file', (path) => ['--token-file', path]],
    ["a role's token-file", (path) => ['--role', `own=${emulator.roleArns[0]},token-file=${path}`]],
    ['the usual place', () => []],
  ])('with %s being a file of something else, which stays as it is', async (_what, more) => {
    const precious = join(dir, 'token');
    writeFileSync(precious, 'a private key\n', { mode: 0o600 });
    const asked = emulator.verdicts.length;
    const serve = spawnServe([...identityFlags(emulator), '--port', '0', ...more(precious)], {
      env: { RUNTIME_DIRECTORY: dir },
    });
    running.push(serve);
    expect(await serve.exited).toBe(EXIT_STATUS.usage);
    expect(serve.log()).toContain(`${precious} exists and holds no token`);
    expect(readFileSync(precious, 'utf8')).toBe('a private key\n');
    expect(emulator.verdicts).toHaveLength(asked);
  });

  it('with a port that is taken, and the token file of who has it stays', async () => {
    const first = await start(['--token-file', join(dir, 'token')]);
    const { port } = endpointOf(first);
    const before = readFileSync(join(dir, 'token'), 'utf8');
    const asked = emulator.verdicts.length;
    const second = spawnServe([...identityFlags(emulator), '--port', String(port), '--token-file', join(dir, 'token')]);
    running.push(second);
    expect(await second.exited).toBe(EXIT_STATUS.usage);
    expect(second.log()).toContain('ERR_LISTEN');
    expect(emulator.verdicts).toHaveLength(asked);
    expect(readFileSync(join(dir, 'token'), 'utf8')).toBe(before);
  });
});

it.each<[string, string, string[], boolean]>([
  ['0.0.0.0 without an allowed host', '0.0.0.0', [], true],
  ['0.0.0.0 with one', '0.0.0.0', ['--allowed-host', 'credentials.internal'], false],
  ['the loopback', '127.0.0.1', [], false],
])('a warning that no client can call it: %s', async (_what, address, more, warns) => {
  const serve = await start([
    '--listen',
    address,
    '--token-file',
    join(dir, 'token'),
    ...tlsFlags('tls-server.crt.pem', 'tls-server.key.pem'),
    ...more,
  ]);
  expect(serve.log().includes(`no client can call ${address}`)).toBe(warns);
});

it('logs are JSON away from a terminal, without the token and the keys', async () => {
  const serve = await start(['--print-token']);
  const { port, token } = endpointOf(serve);
  const { body } = await ask({ port }, 'GET', '/credentials', { Authorization: token });
  serve.kill('SIGTERM');
  await serve.exited;
  const lines = serve
    .log()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { message: string });
  expect(lines.map(({ message }) => message)).toEqual(
    expect.arrayContaining(['new credentials', 'credentials are served', 'stopping']),
  );
  const { SecretAccessKey, Token, AccessKeyId } = JSON.parse(body) as Record<string, string>;
  for (const secret of [token, SecretAccessKey, Token, AccessKeyId]) expect(serve.log()).not.toContain(secret);
});

it('several roles: each at its path, one of them with a token of its own and not in IMDS', async () => {
  const arn = emulator.roleArns[0] ?? '';
  const serve = await start(['--role', `ci=${arn}`, '--role', `admin=${arn},token-file=${join(dir, 'admin')}`]);
  const { port, token } = endpointOf(serve);
  const admin = readFileSync(join(dir, 'admin'), 'utf8');
  const get = async (path: string, authorization: string): Promise<number> =>
    (await ask({ port }, 'GET', path, { Authorization: authorization })).status;
  expect(await Promise.all([get('/credentials', token), get('/role/Workload', token), get('/role/ci', token)])).toEqual(
    [200, 200, 200],
  );
  expect([await get('/role/admin', token), await get('/role/admin', admin), await get('/role/ci', admin)]).toEqual([
    401, 200, 401,
  ]);
  const { body } = await ask({ port }, 'PUT', '/latest/api/token', { 'X-aws-ec2-metadata-token-ttl-seconds': '60' });
  const imds = (path: string) =>
    ask({ port }, 'GET', `/latest/meta-data/iam/security-credentials/${path}`, { 'X-aws-ec2-metadata-token': body });
  expect(await imds('')).toMatchObject({ status: 200, body: 'Workload' });
  expect([(await imds('ci')).status, (await imds('admin')).status]).toEqual([200, 404]);
});

it('a failure that it goes on after says which values are from elsewhere than the command line', async () => {
  const flags = identityFlags(emulator);
  flags.splice(flags.indexOf('--endpoint'), 2);
  const serve = spawnServe([...flags, '--port', '0'], { env: { ROLES_ANYWHERE_ENDPOINT: 'http://127.0.0.1:9' } });
  running.push(serve);
  const words = 'asked with --endpoint (ROLES_ANYWHERE_ENDPOINT)';
  await serve.until(words);
  expect(serve.log()).toContain(words);
});

it('many roles start without a warning of Node', async () => {
  const names = Array.from({ length: 12 }, (_, index) => `role-${index}`);
  const serve = await start(names.flatMap((name) => ['--role', `${name}=${emulator.roleArns[0]}`]));
  expect(serve.log()).not.toContain('Warning');
});

it('roles of profiles in the config file: each is served under the name of its profile', async () => {
  const arn = (kind: 'trustAnchorArns' | 'profileArns' | 'roleArns'): string => emulator[kind][0] ?? '';
  const config = join(dir, 'config');
  writeFileSync(
    config,
    `[profile host]
rolesanywhere_certificate = ${PKI}ec-p256.crt.pem
rolesanywhere_private_key = ${PKI}ec-p256.key.pem
rolesanywhere_intermediates = ${PKI}intermediate.pem
rolesanywhere_trust_anchor_arn = ${arn('trustAnchorArns')}
rolesanywhere_profile_arn = ${arn('profileArns')}
rolesanywhere_endpoint = ${emulator.url}
rolesanywhere_port = 0
rolesanywhere_role_profiles = app backup

[profile app]
rolesanywhere_role_arn = ${arn('roleArns')}

[profile backup]
rolesanywhere_role_arn = ${arn('roleArns')}
rolesanywhere_session_duration = 900
rolesanywhere_token_file = ${join(dir, 'backup')}
`,
  );
  const serve = await startServe(['--config-profile', 'host'], { env: { AWS_CONFIG_FILE: config } });
  running.push(serve);
  const { port, token } = endpointOf(serve);
  const backup = readFileSync(join(dir, 'backup'), 'utf8');
  const lifeOf = async (path: string, authorization: string): Promise<number> => {
    const { status, body } = await ask({ port }, 'GET', path, { Authorization: authorization });
    expect(status).toBe(200);
    return Date.parse((JSON.parse(body) as { Expiration: string }).Expiration) - Date.now();
  };
  expect(await lifeOf('/credentials', token)).toBeGreaterThan(900_000);
  expect(await lifeOf('/role/app', token)).toBeGreaterThan(900_000);
  expect(await lifeOf('/role/backup', backup)).toBeLessThanOrEqual(900_000);
  expect((await ask({ port }, 'GET', '/role/backup', { Authorization: token })).status).toBe(401);
});

it('health and metrics have a port of their own, which is open before the first credentials', async () => {
  const port = await freePort();
  const nowhere = await freePort();
  const flags = identityFlags(emulator).map((flag) => (flag === emulator.url ? `http://127.0.0.1:${nowhere}` : flag));
  const serve = spawnServe([...flags, '--port', '0', '--metrics-listen', String(port)]);
  running.push(serve);
  await serve.until('no new credentials');
  expect((await ask({ port }, 'GET', '/healthz')).status).toBe(200);
  expect((await ask({ port }, 'GET', '/readyz')).status).toBe(503);
  const { body } = await ask({ port }, 'GET', '/metrics');
  expect(body).toContain('roles_anywhere_credentials_valid{role="Workload"} 0');
  expect(body).toMatch(/roles_anywhere_certificate_seconds_to_expiry\{role="Workload"\} \d+/);
  expect(body).toMatch(/roles_anywhere_refreshes_total\{role="Workload",result="failure"\} [1-9]/);
});

const MANAGER = fileURLToPath(new URL('notify-manager.py', import.meta.url));
const HAS_SYSTEMD =
  requireTool('systemd-notify') && requireTool('systemd-socket-activate') && requireTool('/usr/bin/python3');

describe.runIf(HAS_SYSTEMD)('under systemd', () => {
  it('says when it is ready, how it is, that it lives and that it stops', async () => {
    const socket = join(dir, 'notify');
    const manager = spawn('/usr/bin/python3', [MANAGER, socket], {
      env: cleanEnv(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let heard = '';
    const until = async (text: string): Promise<void> => {
      await expect.poll(() => heard, { timeout: 10_000 }).toContain(text);
    };
    manager.stdout.setEncoding('utf8').on('data', (chunk: string) => (heard += chunk));
    try {
      await until('listening');
      const serve = await start([], { env: { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '400000' } });
      await until('READY=1\n');
      await until('WATCHDOG=1\n');
      await until('STATUS=Workload: valid until ');
      serve.kill('SIGHUP');
      await until('RELOADING=1\n');
      await until('MONOTONIC_USEC=');
      serve.kill('SIGTERM');
      expect(await serve.exited).toBe(0);
      await until('STOPPING=1\n');
      expect(heard.indexOf('READY=1')).toBeLessThan(heard.indexOf('STOPPING=1'));
    } finally {
      manager.kill();
    }
  });

  it.runIf(IS_EXECUTABLE)('refuses the sockets that systemd opened, which its runtime cannot take', async () => {
    const port = await freePort();
    const serve = spawnServe(identityFlags(emulator), {
      command: ['systemd-socket-activate', '--listen', `127.0.0.1:${port}`, '--setenv=XDG_RUNTIME_DIR'],
    });
    running.push(serve);
    await serve.until(`Listening on 127.0.0.1:${port}`);
    await ask({ port }, 'GET', '/').catch(() => undefined);
    expect(await serve.exited).toBe(2);
    expect(serve.log()).toContain('cannot take sockets that systemd opened');
  });

  it.skipIf(IS_EXECUTABLE)('takes the sockets that systemd opened', async () => {
    const ports = [await freePort(), await freePort()];
    const serve = spawnServe(identityFlags(emulator), {
      command: [
        'systemd-socket-activate',
        '--fdname=main:metrics',
        ...ports.flatMap((port) => ['--listen', `127.0.0.1:${port}`]),
        '--setenv=XDG_RUNTIME_DIR',
      ],
    });
    running.push(serve);
    const [port = 0, status = 0] = ports;
    await serve.until(`Listening on 127.0.0.1:${status}`);
    // The first connection starts it, and waits until it is ready.
    const first = ask({ port }, 'PUT', '/latest/api/token', { 'X-aws-ec2-metadata-token-ttl-seconds': '60' }).catch(
      () => undefined,
    );
    await serve.until('AWS_CONTAINER_CREDENTIALS_FULL_URI');
    const { token } = endpointOf(serve);
    expect((await ask({ port }, 'GET', '/credentials', { Authorization: token })).status).toBe(200);
    expect((await ask({ port: status }, 'GET', '/readyz')).status).toBe(200);
    await first;
    serve.kill('SIGTERM');
    expect(await serve.exited).toBe(0);
  });
});
