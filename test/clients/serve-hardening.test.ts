import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { cleanEnv, IS_EXECUTABLE, PKI, PROGRAM, runCli } from '../support/cli.ts';
import { scriptedServer } from '../support/scripted-server.ts';
import { startTestEmulator } from '../support/vending.ts';
import { sendRaw } from '../server/support/server.ts';
import { identityFlags, runLines, spawnServe } from './serve-process.ts';
import type { ServeProcess } from './serve-process.ts';

let emulator: Emulator;
let dir: string;
const running: ServeProcess[] = [];

beforeAll(async () => {
  emulator = await startTestEmulator();
});
afterAll(() => emulator.close());
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ra-hardening-'));
});
afterEach(async () => {
  for (const serve of running.splice(0)) {
    serve.kill('SIGKILL');
    await serve.exited;
  }
  rmSync(dir, { recursive: true, force: true });
});

function spawned(args: readonly string[], options?: Parameters<typeof spawnServe>[1]): ServeProcess {
  const identity = identityFlags(emulator);
  const own = args.includes('--certificate') ? identity.slice(2) : identity;
  const serve = spawnServe([...own, '--port', '0', ...args], options);
  running.push(serve);
  return serve;
}

/** Asks the container endpoint, and gives the status. */
async function askFor(serve: ServeProcess): Promise<number> {
  const env = runLines(serve.lines());
  const url = new URL(env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] ?? '');
  const token = readFileSync(env['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'] ?? '', 'utf8');
  return (await fetch(url, { headers: { authorization: token } })).status;
}

describe('a log that nobody reads', () => {
  it.each(['2', '1 and 2'])('holds up neither credentials nor SIGTERM (descriptor %s)', async (which) => {
    const path = join(dir, 'pipe');
    execFileSync('mkfifo', [path]);
    const both = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    const fill = (): void => {
      for (;;) writeSync(both, Buffer.alloc(4096, '.'));
    };
    expect(fill).toThrow('EAGAIN');
    const before = emulator.verdicts.length;
    const redirect = which === '2' ? '2> "$0"' : '> "$0" 2>&1';
    const serve = spawned([], {
      command: ['sh', '-c', `exec "$@" ${redirect}`, path],
    });
    let status = 200;
    if (which === '2') {
      await serve.until('AWS_EC2_METADATA_SERVICE_ENDPOINT=');
      status = await askFor(serve);
    } else {
      // Nothing can be heard of it but that a session was asked for.
      while (emulator.verdicts.length === before) await new Promise((resolve) => setTimeout(resolve, 20));
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    expect(status).toBe(200);
    serve.kill('SIGTERM');
    expect(await serve.exited).toBe(0);
    closeSync(both);
  });
});

describe("Node's debugger", () => {
  it('is not opened by SIGUSR1, and serve goes on', async () => {
    const serve = spawned([]);
    await serve.until('AWS_EC2_METADATA_SERVICE_ENDPOINT=');
    serve.kill('SIGUSR1');
    serve.kill('SIGHUP');
    await serve.until('reading files again');
    expect(await askFor(serve)).toBe(200);
    expect(serve.log()).not.toContain('Debugger listening');
  });

  it.skipIf(IS_EXECUTABLE)('is closed where NODE_OPTIONS opened it', async () => {
    const serve = spawned([], { env: { NODE_OPTIONS: '--inspect=127.0.0.1:0' } });
    await serve.until('AWS_EC2_METADATA_SERVICE_ENDPOINT=');
    const [, port] = /Debugger listening on ws:\/\/127\.0\.0\.1:(\d+)\//.exec(serve.log()) ?? [];
    expect(serve.log()).toContain('the private key');
    await expect(sendRaw(Number(port), 'GET / HTTP/1.1\r\n\r\n')).rejects.toThrow('ECONNREFUSED');
    expect(await askFor(serve)).toBe(200);
  });

  it('is not opened in a command that runs once, while it waits', async () => {
    const service = await scriptedServer(() => undefined);
    const flags = identityFlags(emulator).map((flag) => (flag === emulator.url ? service.url : flag));
    const child = spawn(PROGRAM[0], [...PROGRAM.slice(1), 'credential-process', ...flags], {
      env: cleanEnv(),
      stdio: 'pipe',
    });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    while (service.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill('SIGUSR1');
    await new Promise((resolve) => setTimeout(resolve, 500));
    child.kill('SIGTERM');
    await once(child, 'close');
    expect(said).not.toContain('Debugger');
    await service.close();
  });
});

describe('a low limit on open files', () => {
  it('leaves others their credentials and the refresh its connection, whoever holds connections open', async () => {
    const serve = spawned(['--audit-log', join(dir, 'audit'), '--refresh-before', '1'], {
      command: ['sh', '-c', 'ulimit -n 160; exec "$@"', 'sh'],
    });
    await serve.until('AWS_EC2_METADATA_SERVICE_ENDPOINT=');
    const url = new URL(runLines(serve.lines())['AWS_EC2_METADATA_SERVICE_ENDPOINT'] ?? '');
    const idle: Socket[] = [];
    for (let opened = 0; opened < 300; opened++) {
      const socket = connect(Number(url.port), url.hostname);
      socket.on('error', () => undefined);
      idle.push(socket);
    }
    await Promise.all(idle.map(async (socket) => await once(socket, 'connect').catch(() => undefined)));
    expect(await askFor(serve)).toBe(200);
    const before = emulator.verdicts.length;
    serve.kill('SIGHUP');
    await serve.until('"reason":"requested"');
    expect(emulator.verdicts.length).toBeGreaterThan(before);
    expect(serve.log()).not.toContain('ERR_INTERNAL');
    expect(serve.log()).not.toContain('no new credentials');
    for (const socket of idle) socket.destroy();
  });
});

describe('a pipe in the place of a file', () => {
  it.each(['certificate', 'ca-bundle', 'audit-log', 'token-source'])('does not stop serve (--%s)', async (name) => {
    const files = {
      certificate: join(dir, 'certificate'),
      'ca-bundle': join(dir, 'ca-bundle'),
      'audit-log': join(dir, 'audit-log'),
      'token-source': join(dir, 'token-source'),
    };
    copyFileSync(`${PKI}ec-p256.crt.pem`, files.certificate);
    copyFileSync(`${PKI}root.pem`, files['ca-bundle']);
    writeFileSync(files['audit-log'], '');
    writeFileSync(files['token-source'], 'a-token-of-this-test-0123456789', { mode: 0o600 });
    const path = files[name as keyof typeof files];
    const serve = spawned(Object.entries(files).flatMap(([flag, file]) => [`--${flag}`, file]));
    await serve.until('AWS_EC2_METADATA_SERVICE_ENDPOINT=');
    const url = runLines(serve.lines())['AWS_CONTAINER_CREDENTIALS_FULL_URI'] ?? '';
    rmSync(path);
    execFileSync('mkfifo', [path]);
    // Somebody holds it open, and neither reads nor writes.
    const held = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    serve.kill('SIGHUP');
    await serve.until(name === 'audit-log' ? 'reading files again' : 'is a pipe and not a file');
    const headers = { authorization: 'a-token-of-this-test-0123456789' };
    expect((await fetch(url, { headers })).status).toBe(200);
    serve.kill('SIGTERM');
    expect(await serve.exited).toBe(0);
    closeSync(held);
  });
});

describe('SIGHUP', () => {
  it('does not end serve that has just been started', async () => {
    const preload = join(dir, 'hup.cjs');
    writeFileSync(preload, "setImmediate(() => process.kill(process.pid, 'SIGHUP'));");
    const serve = spawned([], { env: { NODE_OPTIONS: `-r ${preload}` } });
    await serve.until('AWS_EC2_METADATA_SERVICE_ENDPOINT=');
    expect(await askFor(serve)).toBe(200);
  });
});

describe('an empty HOME', () => {
  it('does not make the working directory a home', async () => {
    mkdirSync(join(dir, '.aws'));
    writeFileSync(join(dir, '.aws/config'), '[profile mine]\nroles_anywhere_region = eu-west-1\n');
    const args = ['credential-process', '--config-profile', 'mine', '--print-config'];
    const { stderr } = await runCli(args, { env: { HOME: '' }, cwd: dir });
    expect(stderr).toContain('ERR_CONFIG');
  });
});
