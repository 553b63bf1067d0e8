// Of src/identity/tpm/device-file.ts, socket.ts, location.ts, connect.ts and transport.ts.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type Socket, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openHandle } from '../../../src/identity/tpm/index.ts';
import {
  type LocationSettings,
  chooseLocation,
  describeLocation,
  isManaged,
} from '../../../src/identity/tpm/location.ts';
import { openError } from '../../../src/identity/tpm/connect.ts';
import { cleanEnv, PROGRAM } from '../../support/cli.ts';
import { outcome, refusal, refusalCode } from '../../support/refusal.ts';
import { requireTool } from '../../support/tools.ts';
import { type MadeKey, madeKeys } from '../../support/tpm/keys.ts';
import { keyNamed, openMade, verifies } from '../../support/tpm/open.ts';
import { Simulator, hasSimulator } from '../../support/tpm/simulator.ts';

const DEVICE = fileURLToPath(new URL('../../support/tpm/device.py', import.meta.url));

/** A device file that is none, since no machine for tests has one. */
class Device {
  readonly path: string;
  readonly #child: ChildProcess;

  private constructor(path: string, child: ChildProcess) {
    this.path = path;
    this.#child = child;
  }

  static async start(port: number, mode: 'ok' | 'hang' | 'once' | 'half'): Promise<Device> {
    const child = spawn('python3', [DEVICE, String(port), mode], { stdio: ['pipe', 'pipe', 'inherit'] });
    const path = await new Promise<string>((resolve) => {
      child.stdout.once('data', (text: Buffer) => resolve(text.toString().trim()));
    });
    return new Device(path, child);
  }

  async stop(): Promise<void> {
    const exited = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.stdin?.end();
    await exited;
  }
}

const open = (device: string) => () =>
  openHandle('handle:81010002', '--private-key', { device }, { env: {}, timeoutMs: 300 });

describe.skipIf(!hasSimulator() || !requireTool('python3'))('a TPM behind a device file', () => {
  let directory: string;
  let keys: readonly MadeKey[];
  let tpm: Simulator;
  beforeAll(async () => {
    ({ directory, keys } = await madeKeys());
    tpm = await new Simulator('tcp', directory).start();
  }, 240_000);
  afterAll(() => tpm.remove());

  const through = async <T>(mode: 'ok' | 'hang' | 'once' | 'half', body: (path: string) => Promise<T>): Promise<T> => {
    const device = await Device.start(tpm.port, mode);
    try {
      return await body(device.path);
    } finally {
      await device.stop();
    }
  };

  it.each(['ok', 'half'] as const)('signs by one write and one read for each command (%s)', async (mode) => {
    await through(mode, async (path) => {
      for (const name of ['h-ecc256-pw', 'o-owner-rsa2048', 'o-parentpw-p256-pw']) {
        const made = keyNamed(keys, name);
        const key = await openMade({ tcti: `device:${path}`, env: tpm.env }, directory, made);
        const message = Buffer.from('message');
        expect(verifies(directory, made, message, await key.signer.sign(message))).toBe(true);
      }
    });
    expect(await tpm.leftovers()).toEqual([]);
  });

  it('that hangs ends the wait, and the process too', async () => {
    await through('hang', async (path) => {
      expect(await refusalCode(open(path))).toBe('ERR_TPM_TIMEOUT');
    });
    await through('hang', async (path) => {
      const args = ['sign-string', '--private-key', 'handle:81010002', '--tpm-device', path];
      const started = performance.now();
      const { status, stderr } = await new Promise<{ status: number; stderr: string }>((resolve) => {
        execFile(
          PROGRAM[0],
          [...PROGRAM.slice(1), ...args],
          { env: cleanEnv(), timeout: 60_000 },
          (error, _out, text) => resolve({ status: Number(error?.code ?? 0), stderr: text }),
        );
      });
      expect([status, /ERR_\w+/.exec(stderr)?.[0]]).toEqual([3, 'ERR_TPM_TIMEOUT']);
      // What was promised is 30 seconds in all.
      expect(performance.now() - started).toBeLessThan(30_000);
    });
  }, 90_000);

  it('that is no TPM is an error, not an endless wait', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tpm-device-'));
    const file = join(folder, 'file');
    writeFileSync(file, 'not a device, but a file of some length');
    expect(await refusalCode(open(file))).toMatch(/^ERR_TPM_(?:ANSWER|TIMEOUT|CLOSED|FAILED)$/);
    expect(await refusalCode(open('/dev/zero'))).toBe('ERR_TPM_ANSWER');
    expect(await refusalCode(open('/dev/null'))).toBe('ERR_TPM_TIMEOUT');
    expect(await refusalCode(open('/dev/full'))).toBe('ERR_TPM_FAILED');
    expect(await refusalCode(open(folder))).toBe('ERR_TPM_CONNECT');
    rmSync(folder, { recursive: true });
  });

  it('that this user may not open names the group', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tpm-access-'));
    const file = join(folder, 'tpmrm0');
    writeFileSync(file, '');
    chmodSync(file, 0o600);
    chmodSync(folder, 0o755);
    const isRoot = process.getuid?.() === 0;
    if (!isRoot) chmodSync(file, 0);
    const stderr = await new Promise<string>((resolve) => {
      execFile(
        PROGRAM[0],
        [...PROGRAM.slice(1), 'sign-string', '--private-key', 'handle:81010002', '--tpm-device', file],
        { env: cleanEnv(), ...(isRoot ? { uid: 65_534, gid: 65_534 } : {}) },
        (_error, _out, text) => resolve(text),
      );
    });
    expect(stderr).toContain('ERR_TPM_ACCESS');
    expect(stderr).toContain('tss');
    rmSync(folder, { recursive: true });
  });
});

describe('what the system says of a device', () => {
  it.each([
    ['ENOENT', 'ERR_TPM_NOT_FOUND', '--device'],
    ['ENXIO', 'ERR_TPM_NOT_FOUND', 'firmware'],
    ['EACCES', 'ERR_TPM_ACCESS', 'group'],
    ['EPERM', 'ERR_TPM_NOT_PERMITTED', 'container'],
    ['EBUSY', 'ERR_TPM_BUSY', '/dev/tpmrm0'],
    ['EAGAIN', 'ERR_TPM_BUSY', 'one program at a time'],
    ['ECONNREFUSED', 'ERR_TPM_CONNECT', 'start the simulator'],
    ['EMFILE', 'ERR_TPM_CONNECT', '--tpm-device'],
  ])('%s is %s', (system, code, hint) => {
    const error = openError(Object.assign(new Error(system), { code: system }), '/dev/tpmrm0');
    expect(error).toMatchObject({ code, hint: expect.stringContaining(hint) as string });
    expect(error.message).toContain('/dev/tpmrm0');
  });
});

/** On a Linux machine without a TPM, unless the settings say otherwise. */
function chosen(settings: LocationSettings): ReturnType<typeof outcome> {
  return outcome(() => chooseLocation({ env: {}, platform: 'linux', look: () => undefined, ...settings }));
}

describe('where the TPM is', () => {
  it.each([
    ['/dev/tpmrm0', { kind: 'device', path: '/dev/tpmrm0' }],
    ['device:/dev/tpm0', { kind: 'device', path: '/dev/tpm0' }],
    ['device', { kind: 'device', path: '/dev/tpmrm0' }],
    ['relative/path', { kind: 'device', path: 'relative/path' }],
    ['swtpm:', { kind: 'tcp', host: '127.0.0.1', port: 2321 }],
    ['swtpm', { kind: 'tcp', host: '127.0.0.1', port: 2321 }],
    ['swtpm:port=5000', { kind: 'tcp', host: '127.0.0.1', port: 5000 }],
    ['swtpm:host=localhost,port=5000', { kind: 'tcp', host: 'localhost', port: 5000 }],
    ['swtpm:path=/run/a=b.sock', { kind: 'unix', path: '/run/a=b.sock' }],
    ['mssim:host=::1', { kind: 'mssim', host: '::1', port: 2321 }],
    ['tabrmd:', { kind: 'tabrmd', configuration: '' }],
    ['tabrmd:bus_type=session', { kind: 'tabrmd', configuration: 'bus_type=session' }],
  ] as const)('%s is understood', (device, value) => expect(chosen({ device })).toEqual({ value }));

  it.each([
    'cmd:sh',
    'pcap:',
    'swtpm:x=1',
    'swtpm:host=',
    'swtpm:port=0',
    'swtpm:port=65535',
    'swtpm:port=0x10',
    'swtpm:path=',
    'mssim:path=/x',
    'swtpm:path=/x,port=1',
  ])('%s is not', (device) => expect(chosen({ device })).toEqual({ code: 'ERR_TPM_DEVICE' }));

  it('follows the flag, TPM_DEVICE, TPM2TOOLS_TCTI, and then what there is', () => {
    const env = { TPM_DEVICE: '/dev/a', TPM2TOOLS_TCTI: 'swtpm:port=7' };
    expect(chosen({ device: '/dev/b', env })).toEqual({ value: { kind: 'device', path: '/dev/b' } });
    expect(chosen({ env })).toEqual({ value: { kind: 'device', path: '/dev/a' } });
    expect(chosen({ env: { ...env, TPM_DEVICE: '' } })).toEqual({ value: { kind: 'tcp', host: '127.0.0.1', port: 7 } });
    expect(chosen({ look: () => 'other' })).toEqual({ value: { kind: 'device', path: '/dev/tpmrm0' } });
    expect(chosen({ look: (path) => (path === '/dev/tpm0' ? 'other' : undefined) })).toEqual({
      value: { kind: 'device', path: '/dev/tpm0' },
    });
    expect(chosen({ env: { TPM_DEVICE: '/run/x' }, look: () => 'socket' })).toEqual({
      value: { kind: 'unix', path: '/run/x' },
    });
    expect(chosen({})).toEqual({ code: 'ERR_TPM_NOT_FOUND' });
  });

  it('on Windows is said not to be reached, but for simulators', () => {
    expect(chosen({ platform: 'win32' })).toEqual({ code: 'ERR_TPM_PLATFORM' });
    expect(chosen({ platform: 'win32', device: 'C:\\tpm' })).toEqual({ code: 'ERR_TPM_PLATFORM' });
    expect(chosen({ platform: 'win32', device: 'swtpm:port=7' })).toEqual({
      value: { kind: 'tcp', host: '127.0.0.1', port: 7 },
    });
  });

  it('tells what a resource manager stands before', () => {
    expect(
      [
        { kind: 'device', path: '/dev/tpmrm0' },
        { kind: 'tabrmd', configuration: '' },
      ].map((it_) => isManaged(it_ as never)),
    ).toEqual([true, true]);
    expect(isManaged({ kind: 'device', path: '/dev/tpm0' })).toBe(false);
    expect(describeLocation({ kind: 'mssim', host: 'h', port: 1 })).toBe('mssim h:1');
  });
});

describe.skipIf(!hasSimulator())('Microsoft’s simulator', () => {
  it('is switched on at one port and talked to at the other, in its own frames', async () => {
    const { directory, keys } = await madeKeys();
    const tpm = await new Simulator('tcp', directory).start();
    const signals: number[] = [];
    const fake = new FakeSimulator(tpm.port, signals);
    const port = await fake.listen();
    try {
      const made = keyNamed(keys, 'o-owner-p256-pw');
      const key = await openMade({ tcti: `mssim:host=127.0.0.1,port=${port}`, env: tpm.env }, directory, made);
      const message = Buffer.from('message');
      expect(verifies(directory, made, message, await key.signer.sign(message))).toBe(true);
      expect(signals).toEqual([1, 11, 20]);
      fake.status = 7;
      const { code, message: text } = await refusal(() => key.signer.sign(message));
      expect([code, text]).toEqual(['ERR_TPM_ANSWER', expect.stringContaining('7')]);
    } finally {
      fake.close();
      await tpm.remove();
    }
  });
});

/** Its protocol with swtpm behind it. */
class FakeSimulator {
  status = 0;
  readonly #tpm: number;
  readonly #platform;
  readonly #commands;
  readonly #sockets = new Set<Socket>();

  constructor(tpm: number, signals: number[]) {
    this.#tpm = tpm;
    this.#platform = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('data', (bytes: Buffer) => {
        for (let at = 0; at < bytes.length; at += 4) {
          signals.push(bytes.readUInt32BE(at));
          if (bytes.readUInt32BE(at) !== 20) socket.write(Buffer.from([0, 0, 0, 0]));
        }
      });
    });
    this.#commands = createServer((socket) => void this.#serve(socket));
  }

  async listen(): Promise<number> {
    for (;;) {
      await new Promise<void>((resolve) => this.#commands.listen(0, '127.0.0.1', resolve));
      const { port } = this.#commands.address() as { port: number };
      const isFree = await new Promise<boolean>((resolve) => {
        this.#platform.once('error', () => resolve(false)).listen(port + 1, '127.0.0.1', () => resolve(true));
      });
      if (isFree) return port;
      await new Promise((resolve) => this.#commands.close(resolve));
    }
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#platform.close();
    this.#commands.close();
  }

  async #serve(socket: Socket): Promise<void> {
    this.#sockets.add(socket);
    const tpm = connect(this.#tpm, '127.0.0.1');
    socket.on('close', () => tpm.destroy());
    tpm.on('data', (answer: Buffer) => {
      const size = Buffer.alloc(4);
      size.writeUInt32BE(answer.length);
      const status = Buffer.alloc(4);
      status.writeUInt32BE(this.status);
      socket.write(Buffer.concat([size, answer, status]));
    });
    socket.on('data', (frame: Buffer) => {
      if (frame.readUInt32BE(0) !== 8) return;
      tpm.write(frame.subarray(9, 9 + frame.readUInt32BE(5)));
    });
  }
}
