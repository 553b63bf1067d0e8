/**
 * Against gRPC for Go with go-spiffe's own protocol package, whose client asks beside ours on the same socket: one-shots,
 * and rotations under `serve` with a client that polls.
 */
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Emulator, startEmulator } from '../../../src/emulator/emulator.ts';
import { flagsOf, runLines, startServe } from '../../clients/serve-process.ts';
import type { ServeProcess } from '../../clients/serve-process.ts';
import { ask } from '../../server/support/server.ts';
import { runCli as cli } from '../../support/cli.ts';
import { requireTool } from '../../support/tools.ts';
import { worldFlags } from '../../support/vending.ts';

const ROTATIONS = process.env['ROLES_ANYWHERE_LONG'] === '1' ? 200 : 30;
const PROGRAM = join(import.meta.dirname, 'workload-api');

/** The agent, told what to do by lines. */
class Agent {
  readonly socket: string;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  constructor(binary: string, folder: string) {
    this.socket = join(folder, 'agent.sock');
    this.#child = spawn(binary, [this.socket], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async #line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error('the agent ended');
    return value;
  }

  /** @returns the root of its trust domain, in PEM */
  async ready(): Promise<string> {
    let root = '';
    for (let line = await this.#line(); line !== 'ready'; line = await this.#line()) root += `${line}\n`;
    return root;
  }

  async tell(command: string): Promise<string> {
    this.#child.stdin.write(`${command}\n`);
    return await this.#line();
  }

  end(): void {
    this.#child.kill('SIGKILL');
  }
}

/** Every file below a folder. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, String(name)))
    .filter((path) => statSync(path).isFile());
}

/** Polls until it is told to end, and counts what it gets. */
function poll(of: ServeProcess): { statuses: Map<number, number>; end(): Promise<void> } {
  const env = runLines(of.lines());
  const port = Number(new URL(env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] ?? '').port);
  const token = readFileSync(env['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'] ?? '', 'utf8');
  const statuses = new Map<number, number>();
  const stopped = new AbortController();
  const polling = (async () => {
    while (!stopped.signal.aborted) {
      const { status } = await ask({ port }, 'GET', '/credentials', { Authorization: token });
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      await sleep(20);
    }
  })();
  return {
    statuses,
    async end() {
      stopped.abort();
      await polling;
    },
  };
}

describe.runIf(requireTool('go'))('beside go-spiffe', () => {
  let folder: string;
  let binary: string;
  let agent: Agent;
  let emulator: Emulator;
  let serve: ServeProcess | undefined;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'ra-spiffe-go-'));
    binary = join(folder, 'workload-api');
    execFileSync('go', ['build', '-o', binary, '.'], { cwd: PROGRAM });
  }, 600_000);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  beforeEach(async () => {
    agent = new Agent(binary, mkdtempSync(join(folder, 'agent-')));
    emulator = await startEmulator({ trustAnchors: [{ certificates: await agent.ready() }] });
    await agent.tell('start');
  });

  afterEach(async () => {
    serve?.kill('SIGKILL');
    await serve?.exited;
    serve = undefined;
    agent.end();
    await emulator.close();
  });

  const value = (): string => `spiffe:unix://${agent.socket}`;

  const once = () => cli(['credential-process', '--certificate', value(), ...worldFlags(emulator)]);

  it('takes the SVID that go-spiffe takes, and is let in by it', async () => {
    const [id, serialNumber, certificates, tokenId] = (await agent.tell('compare')).split(' ');
    const data = await cli(['read-certificate-data', '--certificate', value()]);
    expect(JSON.parse(data.stdout)).toMatchObject({ serialNumber });
    const text = await cli(['read-certificate-data', '--certificate', value(), '--format', 'text']);
    expect(text.stdout).toContain(`URI:${id}`);
    expect(text.stdout).toContain(`session tag x509SAN/URI = ${id}`);
    expect(certificates).toBe('2');
    expect(tokenId).toBe(id);
    const { status, stdout, stderr } = await once();
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout)).toHaveProperty('AccessKeyId');
    expect(emulator.verdicts.map(({ accepted }) => accepted)).toEqual([true]);
  });

  it('says what the agent says, and that there is none', async () => {
    await agent.tell('deny');
    const denied = await once();
    expect(denied.status).toBe(3);
    expect(denied.stderr).toContain('has no identity for this process: PermissionDenied: no identity issued');
    await agent.tell('unimplemented');
    expect((await once()).stderr).toContain('has not what is asked for: Unimplemented');
    await agent.tell('stop');
    const absent = await once();
    expect(absent.status).toBe(5);
    expect(absent.stderr).toContain('cannot be reached: ENOENT');
  });

  const startServing = async (): Promise<ServeProcess> =>
    (serve = await startServe([
      ...flagsOf({ certificate: value(), port: '0', 'refresh-before': '1', 'log-level': 'debug' }),
      ...worldFlags(emulator),
    ]));

  it(`${ROTATIONS} rotations and restarts of the agent under serve: no poll fails, and no key is in a file or the log`, async () => {
    const keys: string[] = [await agent.tell('key')];
    const running = await startServing();
    await agent.tell('watch');
    const client = poll(running);
    let serialNumber = '';
    for (let step = 1; step <= ROTATIONS; step++) {
      if (step % 10 === 0) {
        await agent.tell('stop');
        await running.until('the stream of SVIDs ended');
      }
      [, serialNumber = ''] = (await agent.tell('rotate')).split(' ');
      keys.push(await agent.tell('key'));
      if (step % 10 === 0) await agent.tell('start');
      await running.until(`"serialNumber":"${serialNumber}"`);
    }
    await client.end();
    expect([...client.statuses.keys()]).toEqual([200]);
    expect(emulator.verdicts.filter(({ accepted }) => !accepted)).toEqual([]);
    const [seen, lastOne] = (await agent.tell('watched')).split(' ');
    expect(Number(seen)).toBeGreaterThan(1);
    expect(lastOne).toMatch(/^\d+$/);
    const texts = [
      running.log(),
      running.lines(),
      ...filesIn(running.runtimeDir).map((path) => readFileSync(path, 'latin1')),
    ];
    for (const key of keys) {
      const der = Buffer.from(key, 'base64');
      // The private scalar of a PKCS#8 EC key on P-256.
      const scalar = der.subarray(36, 68);
      for (const form of [scalar.toString('base64'), scalar.toString('hex'), scalar.toString('latin1'), key])
        expect(texts.some((text) => text.includes(form))).toBe(false);
    }
  }, 600_000);

  it('an agent that is away for longer than the SVID lives, and comes back', async () => {
    await agent.tell('rotate 6');
    const running = await startServing();
    const client = poll(running);
    await agent.tell('stop');
    await running.until('the certificate has expired');
    // Credentials outlive the certificate.
    expect([...client.statuses.keys()]).toEqual([200]);
    const [, serialNumber] = (await agent.tell('rotate')).split(' ');
    await agent.tell('start');
    await running.until(`"serialNumber":"${serialNumber}"`);
    await running.until('the stream of SVIDs is back');
    await client.end();
    expect([...client.statuses.keys()]).toEqual([200]);
  }, 120_000);
});
