/** tpm2-abrmd, the resource manager of tpm2-tss in a process of its own, on a D-Bus of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Simulator, runTool } from './simulator.ts';

const BUS_NAME = 'com.intel.tss2.Tabrmd9911';

export class Abrmd {
  readonly tcti = `tabrmd:bus_name=${BUS_NAME},bus_type=session`;
  readonly env: Record<string, string>;
  readonly #children: readonly ChildProcess[];

  private constructor(env: Record<string, string>, children: readonly ChildProcess[]) {
    this.env = env;
    this.#children = children;
  }

  static async start(tpm: Simulator): Promise<Abrmd> {
    const socket = join(tpm.directory, 'bus.sock');
    const env: Record<string, string> = { ...tpm.env, DBUS_SESSION_BUS_ADDRESS: `unix:path=${socket}` };
    const bus = spawn('dbus-daemon', ['--session', `--address=unix:path=${socket}`, '--nofork', '--nopidfile'], {
      stdio: 'ignore',
      env,
    });
    for (let tries = 0; tries < 200 && !existsSync(socket); tries++) await sleep(25);
    const options = ['--session', '--allow-root', `--dbus-name=${BUS_NAME}`, `--tcti=${tpm.tcti}`];
    const manager = spawn('tpm2-abrmd', options, {
      stdio: 'ignore',
      env: { ...env, PATH: `${env['PATH']}:/usr/sbin` },
    });
    const abrmd = new Abrmd(env, [manager, bus]);
    for (let tries = 0; ; tries++) {
      try {
        await runTool('tpm2_getcap', ['-T', abrmd.tcti, 'properties-fixed'], { cwd: tpm.directory, env });
        return abrmd;
      } catch (error) {
        if (tries === 100) throw error;
        await sleep(50);
      }
    }
  }

  async stop(): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null) continue;
      const exited = new Promise((resolve) => child.once('exit', resolve));
      child.kill();
      await exited;
    }
  }
}
