/**
 * A port on a module in a helper process. The helper is restarted when it dies
 * or does not answer, with a growing pause between the attempts; the event loop
 * of this process never waits for a module.
 */
import type { ChildProcess } from 'node:child_process';
import { systemClock } from '../../platform/clock.ts';
import type { Clock } from '../../platform/clock.ts';
import { RolesAnywhereError } from '../../platform/errors.ts';
import { VERSION } from '../../platform/version.ts';
import { fromFailure } from './failures.ts';
import { findHelper } from './helper-path.ts';
import type { HelperPathOptions } from './helper-path.ts';
import type { AskMessage, ReplyMessage } from './messages.ts';
import type { Connect, Operation, Operations, Port } from './port.ts';

export interface BridgeOptions extends HelperPathOptions {
  libraries: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  /** How long a module may take for one call. Default 30 seconds: a person may have to touch the token. */
  callTimeoutMs?: number | undefined;
  /** The pause after the first crash; it doubles with each one that follows, up to 100 times as much. Default 100 ms. */
  backoffMs?: number | undefined;
  /** For that pause. */
  clock?: Clock | undefined;
}

const START_TIMEOUT_MS = 10_000;

/**
 * What helpers see of the environment: what a library needs to be found and to
 * find its configuration and devices. No credentials, no PIN, no NODE_OPTIONS.
 */
const ENVIRONMENT =
  /^(PATH|HOME|USER|LOGNAME|LANG|LC_\w+|TZ|TMPDIR|TMP|TEMP|XDG_\w+|LD_LIBRARY_PATH|DYLD_(FALLBACK_)?LIBRARY_PATH|SYSTEMROOT|WINDIR|SYSTEMDRIVE|USERPROFILE|APPDATA|LOCALAPPDATA|PROGRAMDATA|PROGRAMFILES(\(X86\))?|COMMONPROGRAMFILES|SOFTHSM2_CONF|P11_KIT_\w+|OPENSC_\w+|PCSCLITE_\w+|PKCS11SPY\w*|YUBIHSM_PKCS11_\w+|TPM2_PKCS11_\w+|TSS2_\w+|NFAST_\w+|CKNFAST_\w+|CHRYSTOKICONFIGURATIONPATH|CS_PKCS11_\w+|KRYOPTIC_\w+|KMS_PKCS11_CONFIG|GOOGLE_APPLICATION_CREDENTIALS)$/i;
const SECRET = /PIN$|PIN_|PASS|SECRET/i;

/** The environment of a helper. */
export function helperEnvironment(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined && ENVIRONMENT.test(name) && !SECRET.test(name)) kept[name] = value;
  }
  return kept;
}

/** @returns opens a port; each call starts a helper */
export function createBridge(options: BridgeOptions): Connect {
  const { backoffMs = 100, clock = systemClock } = options;
  let failures = 0;
  let failedAt = 0;
  const watch: Watch = {
    signed: () => (failures = 0),
    died: () => {
      failures += 1;
      failedAt = clock.monotonic();
    },
  };
  return async () => {
    if (failures > 0) {
      const pause = Math.min(backoffMs * 2 ** (failures - 1), backoffMs * 100);
      const rest = Math.max(0, failedAt + pause - clock.monotonic());
      await new Promise<void>((resolve) => void clock.setTimer(resolve, rest));
    }
    const port = new HelperPort(options, watch);
    try {
      await port.start();
      await port.ask('open', { libraries: options.libraries });
      return port;
    } catch (error) {
      await port.close();
      throw error;
    }
  };
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
  readonly #watch: Watch;
  readonly #callTimeoutMs: number;
  readonly #pending = new Map<number, Pending>();
  readonly #exited: Promise<void>;
  #lastId = 0;
  #gone: RolesAnywhereError | undefined;
  #closing = false;

  constructor({ callTimeoutMs = 30_000, env, ...options }: BridgeOptions, watch: Watch) {
    this.#watch = watch;
    this.#callTimeoutMs = callTimeoutMs;
    // By name at run time: a bundler would take the helper's path for a module to follow.
    this.#child = process.getBuiltinModule('node:child_process').fork(findHelper(options), [], {
      execArgv: [],
      env: helperEnvironment(env),
      serialization: 'advanced',
      // Nothing inherited: a module that prints would write into the result.
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    this.#child.on('message', (message: ReplyMessage) => this.#receive(message));
    this.#exited = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        this.#lose('ERR_PKCS11_MODULE_CRASHED', `ended ${signal === null ? `with status ${code}` : `by ${signal}`}`);
        resolve();
      });
      this.#child.once('error', (cause) => {
        this.#fail(
          new RolesAnywhereError('ERR_PKCS11_HELPER', 'the PKCS#11 helper program cannot be started', { cause }),
        );
        resolve();
      });
    });
    this.#rest();
  }

  /** Resolves when the helper is there. */
  start(): Promise<unknown> {
    return this.#expect(0, 'start', START_TIMEOUT_MS);
  }

  async ask<O extends Operation>(operation: O, ask: Operations[O]['ask']): Promise<Operations[O]['answer']> {
    if (this.#gone !== undefined) throw this.#gone;
    const id = (this.#lastId += 1);
    const answer = this.#expect(id, operation, this.#callTimeoutMs);
    const message: AskMessage<O> = { id, operation, ask };
    this.#child.send(message, (error) => {
      if (error !== null) this.#lose('ERR_PKCS11_MODULE_CRASHED', 'closed its channel');
    });
    // The helper is of the same version (see #receive), so its answer has the type of the question.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return (await answer) as Operations[O]['answer'];
  }

  async close(): Promise<void> {
    this.#closing = true;
    if (this.#child.connected) this.#child.disconnect();
    // A helper whose module hangs does not see the end of the channel.
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 1000);
    this.#child.ref();
    await this.#exited;
    clearTimeout(timer);
  }

  #expect(id: number, operation: Operation | 'start', timeoutMs: number): Promise<unknown> {
    this.#child.ref();
    this.#child.channel?.ref();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.#lose('ERR_PKCS11_TIMEOUT', `did not answer within ${timeoutMs / 1000} seconds`),
        timeoutMs,
      );
      this.#pending.set(id, { operation, timer, resolve, reject });
    });
  }

  #receive(message: ReplyMessage): void {
    if ('ready' in message) {
      if (message.ready === VERSION) return this.#settle(0)?.resolve(undefined);
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
    const pending = this.#settle(message.id);
    if ('failure' in message) return pending?.reject(fromFailure(message.failure));
    if (pending?.operation === 'sign') this.#watch.signed();
    return pending?.resolve(message.answer);
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
    this.#child.channel?.unref();
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
    for (const id of this.#pending.keys()) this.#settle(id)?.reject(error);
  }
}
