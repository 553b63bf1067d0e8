/**
 * A port on a module in a helper process. The helper is restarted when it dies
 * or does not answer, with a growing pause between the attempts; the event loop
 * of this process never waits for a module.
 */
import type { ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { systemClock } from '../../platform/clock.ts';
import type { Clock } from '../../platform/clock.ts';
import { RolesAnywhereError } from '../../platform/errors.ts';
import { VERSION } from '../../platform/version.ts';
import { awaited } from '../../platform/waits.ts';
import { fromFailure } from './failures.ts';
import { findHelper } from './helper-path.ts';
import type { HelperPathOptions } from './helper-path.ts';
import { CHANNEL_ARGUMENT, CHANNEL_DESCRIPTOR, PIN_DESCRIPTOR, readReply } from './messages.ts';
import type { AskMessage, ReplyMessage } from './messages.ts';
import type { Connect, Operation, Operations, Port } from './port.ts';
import { Lines, fromLine, readAnswer, toLine } from './wire.ts';

export interface BridgeOptions extends HelperPathOptions {
  libraries: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  /** How long a module may take for one call. Default 30 seconds: a person may have to touch the token. */
  callTimeoutMs?: number | undefined;
  /** The pause after the first crash; it doubles with each one that follows, up to 100 times as much. Default 100 ms. */
  backoffMs?: number | undefined;
  /** For that pause. */
  clock?: Clock | undefined;
  /** Takes what the module prints. Default: it goes nowhere. */
  moduleOutput?: ((text: Uint8Array) => void) | undefined;
  /** See {@link HelperEnvironmentOptions}. */
  environment?: HelperEnvironmentOptions | undefined;
}

const START_TIMEOUT_MS = 10_000;
/** How long a helper whose channel has closed may take to end, so that its end can be told by its status or signal. */
const END_TIMEOUT_MS = 1000;

/** Node's own settings, and what a service manager tells the process that it started: none of it is meant for a helper. */
const FOREIGN = /^(NODE_\w+|NOTIFY_SOCKET|LISTEN_\w+|WATCHDOG_\w+)$/i;
/** This program's settings: PINs, passwords and keys are among them. */
const OWN = /^ROLES_ANYWHERE_/i;
const AWS = /^AWS_/i;

export interface HelperEnvironmentOptions {
  /** Whether the module sees what is there for the AWS SDKs, credentials too. Default false. */
  aws?: boolean | undefined;
  /** Further variables that hold secrets of this program. */
  secrets?: readonly string[] | undefined;
  /** What this process runs in. Default: `process.versions`. */
  versions?: Readonly<Record<string, string | undefined>> | undefined;
}

/**
 * The environment of a helper: all but what must not go in. A list of what modules need would never be whole: each
 * vendor has variables of its own, and so have the proxies, session buses and agents that modules talk to.
 */
export function helperEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  { aws = false, secrets = [], versions = process.versions }: HelperEnvironmentOptions = {},
): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || FOREIGN.test(name) || OWN.test(name) || secrets.includes(name)) continue;
    if (aws || !AWS.test(name)) kept[name] = value;
  }
  // Electron's executable is a Node only where it is told to be.
  if (versions['electron'] !== undefined) kept['ELECTRON_RUN_AS_NODE'] = '1';
  return kept;
}

/** Opens ports on a module, each with a helper of its own. */
export interface Bridge {
  readonly connect: Connect;
  /** Ends every helper, also one that is in the midst of a call, and opens no port any more. */
  readonly close: () => Promise<void>;
}

export function createBridge(options: BridgeOptions): Bridge {
  const { backoffMs = 100, clock = systemClock } = options;
  const ports = new Set<HelperPort>();
  let closed = false;
  let failures = 0;
  let failedAt = 0;
  const watch: Watch = {
    signed: () => (failures = 0),
    died: () => {
      failures += 1;
      failedAt = clock.monotonic();
    },
  };
  const connect = async (): Promise<Port> => {
    if (failures > 0) {
      const pause = Math.min(backoffMs * 2 ** (failures - 1), backoffMs * 100);
      const rest = Math.max(0, failedAt + pause - clock.monotonic());
      await awaited(
        'the next start of the helper process with the PKCS#11 module',
        async () => await new Promise<void>((resolve) => void clock.setTimer(resolve, rest)),
      );
    }
    if (closed) throw closedError();
    const port = new HelperPort(options, watch);
    ports.add(port);
    void port.ended.then(() => ports.delete(port));
    try {
      await port.start();
      await port.ask('open', { libraries: options.libraries });
      return port;
    } catch (error) {
      await port.close();
      throw error;
    }
  };
  return {
    connect,
    async close() {
      closed = true;
      await Promise.all([...ports].map((port) => port.close()));
    },
  };
}

function notStarted(cause?: unknown): RolesAnywhereError {
  return new RolesAnywhereError('ERR_PKCS11_HELPER', 'the PKCS#11 helper program cannot be started', { cause });
}

function closedError(): RolesAnywhereError {
  return new RolesAnywhereError('ERR_SIGN', 'the identity is closed');
}

/** What a person waits for meanwhile. */
const WAITS: Readonly<Record<Operation, string>> = {
  open: 'the PKCS#11 module to load',
  tokens: 'the PKCS#11 module to list its tokens',
  token: 'the PKCS#11 token to tell its state',
  certificates: 'the PKCS#11 token to list its certificates',
  keys: 'the PKCS#11 token to list its keys',
  replace: 'the PKCS#11 token to write the certificate',
  mechanisms: 'the PKCS#11 token to tell what it can do',
  login: 'the PKCS#11 token to take the PIN',
  authorise: 'the PKCS#11 token to take the PIN for this signature',
  sign: 'the PKCS#11 token to sign: it may want to be touched',
};

function nameOf(operation: Operation, ask: object): string {
  return 'pin' in ask && ask.pin === null
    ? "the PIN to be entered at the PKCS#11 token's own keypad"
    : WAITS[operation];
}

interface Watch {
  signed(): void;
  died(): void;
}

interface Pending {
  operation: Operation | 'start';
  timer: NodeJS.Timeout;
  resolve: (answer: unknown) => void;
  reject: (error: Error) => void;
}

class HelperPort implements Port {
  readonly #child: ChildProcess;
  readonly #channel: Socket;
  readonly #lines = new Lines();
  readonly #pins: Socket;
  readonly #watch: Watch;
  readonly #callTimeoutMs: number;
  readonly #pending = new Map<number, Pending>();
  /** When the helper is gone. */
  readonly ended: Promise<void>;
  #lastId = 0;
  #gone: RolesAnywhereError | undefined;
  #closing = false;

  constructor({ callTimeoutMs = 30_000, env, moduleOutput, environment, ...options }: BridgeOptions, watch: Watch) {
    this.#watch = watch;
    this.#callTimeoutMs = callTimeoutMs;
    const output = moduleOutput === undefined ? 'ignore' : 'pipe';
    // By name at run time: a bundler would take the helper's path for a module to follow.
    const { spawn } = process.getBuiltinModule('node:child_process');
    this.#child = spawn(process.execPath, [findHelper(options), CHANNEL_ARGUMENT], {
      env: helperEnvironment(env, environment),
      // Nothing inherited: a module that prints would write into the result, and what it starts would keep whoever reads
      // from this program waiting for the end.
      stdio: ['ignore', output, output, 'pipe', 'pipe'],
    });
    // A process that has no descriptors left gets none of the pipes.
    const pipes = (this.#child.stdio as ChildProcess['stdio'] | undefined) ?? [];
    const channel = pipes[CHANNEL_DESCRIPTOR];
    const pins = pipes[PIN_DESCRIPTOR];
    if (!(channel instanceof Socket) || !(pins instanceof Socket)) {
      this.#child.on('error', () => undefined);
      throw notStarted();
    }
    this.ended = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        this.#lose('ERR_PKCS11_MODULE_CRASHED', `ended ${signal === null ? `with status ${code}` : `by ${signal}`}`);
        resolve();
      });
      this.#child.once('error', (cause) => {
        this.#fail(notStarted(cause));
        resolve();
      });
    });
    this.#pins = pins.on('error', () => undefined); // a helper that is gone says so by its end
    this.#channel = channel
      .on('data', (chunk) => this.#read(chunk))
      .on('error', () => undefined) // 'close' follows
      .on('end', () => this.#waitForEnd())
      .on('close', () => this.#waitForEnd());
    if (moduleOutput !== undefined) for (const stream of this.#streams()) stream.on('data', moduleOutput);
    this.#rest();
  }

  /** Resolves when the helper is there. */
  start(): Promise<unknown> {
    return awaited('the PKCS#11 helper program to start', async () => await this.#expect(0, 'start', START_TIMEOUT_MS));
  }

  async ask<O extends Operation>(operation: O, ask: Operations[O]['ask']): Promise<Operations[O]['answer']> {
    if (this.#gone !== undefined) throw this.#gone;
    const id = (this.#lastId += 1);
    const answer = this.#expect(id, operation, this.#callTimeoutMs);
    const pin = 'pin' in ask && ask.pin !== null ? ask.pin : undefined;
    const message: AskMessage<O> = { id, operation, ask, pinBytes: pin?.length };
    if (pin !== undefined) {
      message.ask = { ...ask, pin: null };
      // Written from where it lies; whoever asks wipes it once there is an answer.
      this.#pins.write(pin);
    }
    this.#channel.write(toLine(message));
    // It has been read as an answer to this operation (see #receive).
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return (await awaited(nameOf(operation, ask), async () => await answer)) as Operations[O]['answer'];
  }

  /** Lets the module put itself away, for a second. One in the midst of a call does not see the end of the channel: it is ended. */
  async close(): Promise<void> {
    this.#closing = true;
    const isBusy = this.#pending.size > 0;
    if (isBusy) this.#fail(closedError());
    this.#channel.destroy();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 1000);
    this.#child.ref();
    await this.ended;
    clearTimeout(timer);
    await this.#drain();
  }

  #streams(): Readable[] {
    return [this.#child.stdout, this.#child.stderr].filter((stream) => stream !== null);
  }

  /** Reads what the helper has left in its pipes. What a module has started may keep them open: it is not waited for. */
  async #drain(): Promise<void> {
    this.#pins.destroy();
    for (const stream of this.#streams()) {
      if (!stream.readableEnded) await new Promise((resolve) => setImmediate(resolve));
      stream.destroy();
    }
  }

  #expect(id: number, operation: Operation | 'start', timeoutMs: number): Promise<unknown> {
    this.#child.ref();
    this.#channel.ref();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.#lose('ERR_PKCS11_TIMEOUT', `did not answer within ${timeoutMs / 1000} seconds`),
        timeoutMs,
      );
      this.#pending.set(id, { operation, timer, resolve, reject });
    });
  }

  /** A module that has lost its mind, or means harm, may have written anything: whatever it is, this process goes on. */
  #read(chunk: Uint8Array): void {
    try {
      for (const line of this.#lines.push(chunk)) {
        // What comes after a helper was given up concerns nobody.
        if (this.#gone !== undefined) return;
        this.#receive(readReply(fromLine(line)));
      }
    } catch {
      this.#lose('ERR_PKCS11_MODULE_CRASHED', 'sent what is no answer');
    }
  }

  /** @throws TypeError for what nobody has asked for, or is no answer to it */
  #receive(message: ReplyMessage | undefined): void {
    if (message === undefined) throw new TypeError('no message');
    const id = 'ready' in message ? 0 : message.id;
    const operation = this.#pending.get(id)?.operation;
    if (operation === undefined || (operation === 'start') !== 'ready' in message) throw new TypeError('not asked for');
    if ('ready' in message) {
      if (message.ready === VERSION) return this.#settle(id)?.resolve(undefined);
      return this.#fail(
        new RolesAnywhereError(
          'ERR_PKCS11_HELPER',
          `the PKCS#11 helper program is of version ${message.ready}, not ${VERSION}`,
          {
            hint: 'ship the helper program of the package that is bundled: helperPath names it',
          },
        ),
      );
    }
    if ('failure' in message) return this.#settle(id)?.reject(fromFailure(message.failure));
    const answer = operation === 'start' ? undefined : readAnswer(operation, message.answer);
    if (operation === 'sign') this.#watch.signed();
    return this.#settle(id)?.resolve(answer);
  }

  /** A helper that ends closes its channel first; a module can do so and go on. */
  #waitForEnd(): void {
    if (this.#closing || this.#gone !== undefined) return;
    setTimeout(() => this.#lose('ERR_PKCS11_MODULE_CRASHED', 'closed its channel'), END_TIMEOUT_MS).unref();
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    clearTimeout(pending?.timer);
    this.#rest();
    return pending;
  }

  /** An idle helper keeps no process alive: it ends with the channel. */
  #rest(): void {
    if (this.#pending.size > 0) return;
    this.#child.unref();
    this.#channel.unref();
    this.#pins.unref();
    for (const stream of this.#streams()) if ('unref' in stream && typeof stream.unref === 'function') stream.unref();
  }

  #lose(code: 'ERR_PKCS11_MODULE_CRASHED' | 'ERR_PKCS11_TIMEOUT', what: string): void {
    const [first] = this.#pending.values();
    const during = first === undefined ? '' : ` during "${first.operation}"`;
    this.#fail(
      new RolesAnywhereError(code, `the helper process with the PKCS#11 module ${what}${during}`, {
        hint: 'the next signature starts a fresh one; if it happens again, the module or its token is at fault',
      }),
    );
  }

  #fail(error: RolesAnywhereError): void {
    if (this.#gone !== undefined) return;
    this.#gone = error;
    if (!this.#closing) this.#watch.died();
    this.#child.kill('SIGKILL');
    this.#channel.destroy();
    for (const id of this.#pending.keys()) this.#settle(id)?.reject(error);
  }
}
