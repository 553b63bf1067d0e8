/** The built program through proxies that people have: squid and tinyproxy, with authentication, and one that inspects TLS. */
import { spawn, execFileSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { makeAuthority } from '../http/support/pki.ts';
import type { Authority } from '../http/support/pki.ts';
import { freePort } from '../http/support/servers.ts';
import { startConnectProxy } from '../support/connect-proxy.ts';
import { cleanEnv, runCli } from '../support/cli.ts';
import { startSocksServer } from '../support/socks-server.ts';
import type { CliResult } from '../support/cli.ts';
import { requireTool } from '../support/tools.ts';
import { credentialsIn, line, startTlsEmulator } from './support.ts';

const USER = 'someone';
const PASSWORD = 'Geheim-0815';

let dir: string;
let authority: Authority;
let emulator: Emulator;
let ca: string;
let port: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ra-proxies-'));
  chmodSync(dir, 0o755); // squid gives up its privileges
  authority = await makeAuthority('Service');
  emulator = await startTlsEmulator(await authority.issue(['service.test', '127.0.0.1']));
  ca = write('ca.pem', authority.root);
  port = new URL(emulator.tlsUrl ?? '').port;
});
afterAll(async () => {
  await emulator.close();
  rmSync(dir, { recursive: true });
});

function write(name: string, text: string): string {
  const path = join(dir, name);
  writeFileSync(path, text, { mode: 0o644 });
  return path;
}

/** Starts a proxy in the foreground and waits until it takes connections. */
async function start(command: string, args: readonly string[], at: number): Promise<ChildProcess> {
  const child = spawn(command, args, {
    env: cleanEnv({ PATH: '/usr/sbin:/usr/bin:/bin' }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += String(text)));
  for (let tries = 0; ; tries++) {
    if (child.exitCode !== null || tries > 200) throw new Error(`${command} does not listen:\n${said}`);
    if (await takesConnections(at)) return child;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function takesConnections(at: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(at, '127.0.0.1');
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}

async function stop(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

/** Runs a line that makes one attempt; nothing it says holds the password. */
async function run(endpoint: string, more: readonly string[], env: Record<string, string> = {}): Promise<CliResult> {
  const result = await runCli(line(emulator, endpoint, ['--ca-bundle', ca, '--max-attempts', '1', ...more]), { env });
  for (const secret of [PASSWORD, Buffer.from(`${USER}:${PASSWORD}`).toString('base64')])
    expect(result.stderr).not.toContain(secret);
  return result;
}

/** What a run that vended looks like. */
function outcome({ status, stdout, stderr }: CliResult): unknown {
  return { status, stderr, version: status === 0 ? credentialsIn(stdout)['Version'] : undefined };
}
const VENDED = { status: 0, stderr: '', version: 1 };

/** What every proxy is tried with; it allows and resolves only what its configuration names. */
function matrix(proxy: () => { port: number; allowed: string; forbidden: string; unresolvable: string }): void {
  const url = (auth = `${USER}:${PASSWORD}@`): string => `http://${auth}127.0.0.1:${proxy().port}`;
  const service = (host = proxy().allowed): string => `https://${host}:${port}`;

  it('vends with --proxy', async () => {
    expect(outcome(await run(service(), ['--proxy', url()]))).toEqual(VENDED);
  });

  it.each(['--debug', '--debug --log-format=json'])('vends with %s without showing the password', async (flags) => {
    const { status, stderr } = await run(service(), ['--proxy', url(), ...flags.split(' ')]);
    expect({ status, stderr }).toMatchObject({ status: 0, stderr: expect.stringContaining('canonical request') });
  });

  it('is refused without a password: ERR_PROXY_AUTH', async () => {
    const { status, stderr } = await run(service(), ['--proxy', url('')]);
    expect({ status, stderr }).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/asks for a user name.*ERR_PROXY_AUTH/),
    });
  });

  it('is refused with a wrong password: ERR_PROXY_AUTH', async () => {
    const { status, stderr } = await run(service(), ['--proxy', url(`${USER}:wrong@`)]);
    expect({ status, stderr }).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/does not accept.*ERR_PROXY_AUTH/),
    });
  });

  it('is told that the proxy forbids the target: ERR_PROXY', async () => {
    const { status, stderr } = await run(service(proxy().forbidden), ['--proxy', url()]);
    expect({ status, stderr }).toMatchObject({
      status: 5,
      stderr: expect.stringMatching(/does not connect to .*403.*ERR_PROXY\b/),
    });
  });

  it('is told that the proxy cannot find the target: ERR_PROXY', async () => {
    const { status, stderr } = await run(service(proxy().unresolvable), ['--proxy', url()]);
    expect({ status, stderr }).toMatchObject({
      status: 5,
      stderr: expect.stringMatching(/does not connect to .*50\d.*ERR_PROXY\b/),
    });
  });

  it('vends from a service of plain http', async () => {
    const http = `http://${proxy().allowed}:${emulator.port}`;
    expect(outcome(await run(http, ['--proxy', url(), '--allow-http']))).toEqual(VENDED);
  });
}

describe.skipIf(!requireTool('squid'))('squid', () => {
  let child: ChildProcess | undefined;
  let at = 0;
  beforeAll(async () => {
    at = await freePort();
    const hash = execFileSync('openssl', ['passwd', '-apr1', PASSWORD], { encoding: 'utf8' }).trim();
    const passwords = write('squid.passwords', `${USER}:${hash}\n`);
    const hosts = write('squid.hosts', '127.0.0.1 service.test forbidden.test\n');
    const config = write(
      'squid.conf',
      [
        `http_port 127.0.0.1:${at}`,
        `auth_param basic program /usr/lib/squid/basic_ncsa_auth ${passwords}`,
        'acl known proxy_auth REQUIRED',
        'acl forbidden dstdomain forbidden.test',
        'http_access deny !known',
        'http_access deny forbidden',
        'http_access allow known',
        'http_access deny all',
        `hosts_file ${hosts}`,
        'dns_nameservers 127.0.0.1',
        'dns_timeout 1 seconds',
        'pid_filename none',
        'access_log none',
        'cache_log /dev/null',
        'cache deny all',
        'shutdown_lifetime 0 seconds',
        'pinger_enable off',
      ].join('\n'),
    );
    child = await start('squid', ['-N', '-f', config], at);
  });
  afterAll(() => stop(child));

  matrix(() => ({ port: at, allowed: 'service.test', forbidden: 'forbidden.test', unresolvable: 'nowhere.invalid' }));

  describe('in the environment', () => {
    let service = '';
    let way = '';
    beforeAll(() => {
      service = `https://service.test:${port}`;
      way = `http://${USER}:${PASSWORD}@127.0.0.1:${at}`;
    });
    it.each(['HTTPS_PROXY', 'https_proxy'])('is found by %s', async (name) => {
      expect(outcome(await run(service, ['--with-proxy'], { [name]: way }))).toEqual(VENDED);
    });

    it('is found by HTTP_PROXY for plain http', async () => {
      const http = `http://service.test:${emulator.port}`;
      expect(outcome(await run(http, ['--with-proxy', '--allow-http'], { HTTP_PROXY: way }))).toEqual(VENDED);
    });

    it.each([
      ['NO_PROXY', 'service.test', 'ERR_DNS'],
      ['no_proxy', '.test', 'ERR_DNS'],
      ['NO_PROXY', '*', 'ERR_DNS'],
    ])('is left aside for %s=%s', async (name, value, code) => {
      // Only the proxy can resolve the name.
      const { stderr } = await run(service, ['--with-proxy'], { HTTPS_PROXY: way, [name]: value });
      expect(stderr).toContain(code);
    });

    it('is left aside for this machine', async () => {
      const broken = { HTTPS_PROXY: 'http://127.0.0.1:1' };
      expect(outcome(await run(`https://127.0.0.1:${port}`, ['--with-proxy'], broken))).toEqual(VENDED);
    });

    it.each([[[]], [['--with-proxy=false']]])('is used whatever the flag says: %j', async (flags) => {
      expect(outcome(await run(service, flags, { HTTPS_PROXY: way }))).toEqual(VENDED);
    });

    it('is left aside for --no-proxy', async () => {
      const { stderr } = await run(service, ['--no-proxy'], { HTTPS_PROXY: way });
      expect(stderr).toContain('ERR_DNS');
    });
  });
});

describe.skipIf(!requireTool('tinyproxy'))('tinyproxy', () => {
  let child: ChildProcess | undefined;
  let at = 0;
  beforeAll(async () => {
    at = await freePort();
    const filter = write('tinyproxy.filter', '^127\\.0\\.0\\.2$\n');
    const config = write(
      'tinyproxy.conf',
      [
        `Port ${at}`,
        'Listen 127.0.0.1',
        'Timeout 20',
        'MaxClients 20',
        'LogLevel Critical',
        `BasicAuth ${USER} ${PASSWORD}`,
        `Filter "${filter}"`,
        'FilterExtended On',
      ].join('\n'),
    );
    child = await start('tinyproxy', ['-d', '-c', config], at);
  });
  afterAll(() => stop(child));

  // It asks the system's resolver: addresses alone are sure.
  matrix(() => ({ port: at, allowed: '127.0.0.1', forbidden: '127.0.0.2', unresolvable: 'nowhere.invalid' }));
});

describe('a proxy that speaks SOCKS5', () => {
  it.each(['socks5', 'socks5h'])(
    'resolves the name itself, by the scheme %s, and is shown no password in vain',
    async (scheme) => {
      const proxy = await startSocksServer({ leadTo: Number(port), auth: `${USER}:${PASSWORD}` });
      const way = { HTTPS_PROXY: `${scheme}://${USER}:${PASSWORD}@127.0.0.1:${proxy.port}` };
      expect(outcome(await run('https://service.test', [], way))).toEqual(VENDED);
      expect(proxy.targets).toEqual(['service.test:443']);
      const wrong = await run('https://service.test', ['--proxy', `${scheme}://${USER}:wrong@127.0.0.1:${proxy.port}`]);
      await proxy.close();
      expect(wrong).toMatchObject({ status: 2, stderr: expect.stringMatching(/does not accept.*ERR_PROXY_AUTH/) });
    },
  );
});

describe('a proxy that inspects TLS', () => {
  it('vends with its root in --ca-bundle, and is suspected without', async () => {
    const inspector = await makeAuthority('Corporate Inspection');
    const proxy = await startConnectProxy({ inspect: (host) => inspector.issue([host]), auth: `${USER}:${PASSWORD}` });
    const way = ['--proxy', `http://${USER}:${PASSWORD}@127.0.0.1:${proxy.port}`];
    const both = write('both.pem', `${authority.root}\n${inspector.root}\n`);
    const endpoint = `https://service.test:${port}`;
    expect(outcome(await runCli(line(emulator, endpoint, ['--ca-bundle', both, ...way])))).toEqual(VENDED);
    expect(proxy.seen.join('')).toContain('/sessions');
    const { status, stderr } = await run(endpoint, way);
    await proxy.close();
    expect({ status, stderr }).toMatchObject({
      status: 5,
      stderr: expect.stringMatching(
        /issuer "CN=Corporate Inspection".*ERR_TLS_AUTHORITY[\s\S]*hint: does a proxy inspect TLS/,
      ),
    });
  });
});
