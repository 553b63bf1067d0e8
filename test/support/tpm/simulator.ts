/** swtpm, a TPM 2.0 in software, and the tools of others that work with it. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cleanEnv } from '../cli.ts';
import { requireTool } from '../tools.ts';

/** Whether swtpm, the tools that make keys and openssl's provider are here. */
export function hasSimulator(): boolean {
  return ['swtpm', 'swtpm_ioctl', 'tpm2_create', 'openssl'].map((tool) => requireTool(tool)).every(Boolean);
}

export type Socket = 'tcp' | 'unix';

/** One swtpm with its state in a folder of its own. */
export class Simulator {
  readonly directory: string;
  readonly kind: Socket;
  #port = 0;
  #child: ChildProcess | undefined;

  /** @param from a folder whose `state` is copied */
  constructor(kind: Socket = 'tcp', from?: string) {
    this.directory = mkdtempSync(join(tmpdir(), 'swtpm-'));
    this.kind = kind;
    mkdirSync(this.#state);
    if (from !== undefined) cpSync(join(from, 'state'), this.#state, { recursive: true });
  }

  get #state(): string {
    return join(this.directory, 'state');
  }

  /** The socket's path, of one that listens on a socket. */
  get socket(): string {
    return join(this.directory, 'tpm.sock');
  }

  get port(): number {
    return this.#port;
  }

  /** As --tpm-device and TPM2TOOLS_TCTI take it. */
  get tcti(): string {
    return this.kind === 'tcp' ? `swtpm:host=127.0.0.1,port=${this.#port}` : `swtpm:path=${this.socket}`;
  }

  /** The environment of programs that work with it. The state folder of this project is beside that of swtpm. */
  get env(): Record<string, string> {
    return cleanEnv({
      TPM2TOOLS_TCTI: this.tcti,
      TPM2OPENSSL_TCTI: this.tcti,
      ROLES_ANYWHERE_STATE_DIR: join(this.directory, 'refused'),
    });
  }

  /** Starts it, or starts it again: at the same place. */
  async start(): Promise<this> {
    rmSync(this.socket, { force: true });
    if (this.kind === 'tcp' && this.#port === 0) this.#port = await twoFreePorts();
    const listeners =
      this.kind === 'tcp'
        ? [`type=tcp,port=${this.#port},bindaddr=127.0.0.1`, `type=tcp,port=${this.#port + 1},bindaddr=127.0.0.1`]
        : [`type=unixio,path=${this.socket}`, `type=unixio,path=${this.socket}.ctrl`];
    const [server = '', control = ''] = listeners;
    this.#child = spawn(
      'swtpm',
      ['socket', '--tpm2', '--tpmstate', `dir=${this.#state}`, '--server', server, '--ctrl', control].concat([
        '--flags',
        'not-need-init,startup-clear',
      ]),
      { stdio: 'ignore', env: cleanEnv() },
    );
    await this.#untilItListens();
    return this;
  }

  /** Ends it in order, or at once. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await exited;
  }

  /** Stops it in its tracks, and lets it go on. */
  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  async remove(): Promise<void> {
    this.resume();
    await this.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Runs a tool in the simulator's folder, and gives what it wrote on standard output. */
  async tool(command: string, ...args: readonly string[]): Promise<string> {
    return await runTool(command, args, { cwd: this.directory, env: this.env });
  }

  /** What programs have left in it: handles of keys, and of sessions. */
  async leftovers(): Promise<string[]> {
    const objects = await this.tool('tpm2_getcap', 'handles-transient');
    const sessions = await this.tool('tpm2_getcap', 'handles-loaded-session');
    return `${objects}\n${sessions}`.match(/0x[\dA-F]+/gi) ?? [];
  }

  /** Flushes all of that. */
  async flush(): Promise<void> {
    await this.tool('tpm2_flushcontext', '-t');
    await this.tool('tpm2_flushcontext', '-l');
  }

  async #untilItListens(): Promise<void> {
    const target = this.kind === 'tcp' ? { port: this.#port, host: '127.0.0.1' } : { path: this.socket };
    for (let tries = 0; tries < 500; tries++) {
      const isThere = await new Promise<boolean>((resolve) => {
        const socket = connect(target, () => {
          socket.destroy();
          resolve(true);
        });
        socket.once('error', () => resolve(false));
      });
      if (isThere) return;
      await sleep(20);
    }
    throw new Error('swtpm does not listen');
  }
}

/** Runs a program to its end; rejects with what it said when it fails. */
export async function runTool(
  command: string,
  args: readonly string[],
  { cwd, env }: { cwd: string; env: Record<string, string> },
): Promise<string> {
  return await new Promise((resolve, reject) => {
    execFile(command, [...args], { cwd, env, timeout: 60_000 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${command} ${args.join(' ')}: ${stderr}`, { cause: error }));
    });
  });
}

/** The tools of tpm2-tss want the control port behind the other one. */
async function twoFreePorts(): Promise<number> {
  for (;;) {
    const first = await listening(0);
    const { port } = first.address() as { port: number };
    const second = await listening(port + 1).catch(() => undefined);
    await new Promise((resolve) => first.close(resolve));
    if (second === undefined) continue;
    await new Promise((resolve) => second.close(resolve));
    return port;
  }
}

async function listening(port: number): Promise<ReturnType<typeof createServer>> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve);
  });
  return server;
}
