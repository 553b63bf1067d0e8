/** Runs the program of `--on-update`, one at a time. */
// Tests: test/clients/update.test.ts
import { spawn } from 'node:child_process';
import type { SessionCredentials } from '../../credentials/credentials.ts';
import { formatExpiration } from '../../credentials/expiration.ts';
import type { Program } from '../../options/update.ts';
import { CREDENTIAL_VARIABLES, childEnvironment } from '../../output/environment.ts';
import type { Environment } from '../../output/environment.ts';
import { RolesAnywhereError } from '../../platform/errors.ts';
import { systemCode } from '../../platform/files.ts';
import { awaited } from '../../platform/waits.ts';

/** What was written. */
export interface Written {
  readonly profile: string;
  readonly file: string;
  readonly credentials: Pick<SessionCredentials, 'expiration'>;
}

export interface HookOptions {
  readonly program: Program;
  readonly env: Environment;
  /** Names of variables that are not for the program. */
  readonly secrets: readonly string[];
  /** Longest time for one run, in milliseconds. Default 60,000. */
  readonly timeoutMs?: number | undefined;
}

const DEFAULT_TIMEOUT_MS = 60_000;
/** From the request to end to the end without mercy. */
const MERCY_MS = 5000;

/** A run of the program, which may be ended. */
interface Run {
  readonly done: Promise<void>;
  end(): void;
}

/** The program, and the writes that it is still to be run for. */
export class Hook {
  readonly #options: HookOptions;
  /** By profile: for several writes of one that came meanwhile, one run is enough. */
  readonly #waiting = new Map<string, Written>();
  readonly #onError: (error: RolesAnywhereError, written: Written) => void;
  #current: Run | undefined;
  #working: Promise<void> | undefined;

  /** @param onError told of runs that fail */
  constructor(options: HookOptions, onError: (error: RolesAnywhereError, written: Written) => void) {
    this.#options = options;
    this.#onError = onError;
  }

  /** Runs the program after the runs before it. */
  run(written: Written): void {
    this.#waiting.set(written.profile, written);
    this.#working ??= this.#work().finally(() => (this.#working = undefined));
  }

  /** Resolves when every run is over. */
  async idle(): Promise<void> {
    await this.#working;
  }

  /** Ends the run that goes on, and begins no other. */
  async close(): Promise<void> {
    this.#waiting.clear();
    this.#current?.end();
    await this.#working;
  }

  async #work(): Promise<void> {
    for (const [profile, written] of this.#waiting) {
      this.#waiting.delete(profile);
      this.#current = start(this.#options, written);
      try {
        await awaited(`the program of --on-update, for profile ${profile}`, async () => await this.#current?.done);
      } catch (error) {
        if (error instanceof RolesAnywhereError) this.#onError(error, written);
        else throw error;
      } finally {
        this.#current = undefined;
      }
    }
  }
}

/** Starts the program. What it prints goes to standard error: standard output is for results. */
function start({ program, env, secrets, timeoutMs = DEFAULT_TIMEOUT_MS }: HookOptions, written: Written): Run {
  const set = new Map([
    ['AWS_PROFILE', written.profile],
    ['AWS_SHARED_CREDENTIALS_FILE', written.file],
    ['AWS_CREDENTIAL_EXPIRATION', formatExpiration(written.credentials.expiration)],
  ]);
  const remove = CREDENTIAL_VARIABLES.filter((name) => !set.has(name));
  const [file, ...args] = 'shell' in program ? [program.shell] : program;
  const windows = process.platform === 'win32';
  const child = spawn(file, args, {
    env: childEnvironment(env, { set, remove }, secrets),
    stdio: ['ignore', 2, 2],
    shell: 'shell' in program,
    windowsHide: true,
    // A group of its own, so that what it starts ends with it, and Ctrl-C is for this program.
    detached: !windows,
  });
  const signal = (name: NodeJS.Signals): void => {
    try {
      if (windows || child.pid === undefined) child.kill(name);
      else process.kill(-child.pid, name);
    } catch {
      // Gone by itself.
    }
  };
  let ended: string | undefined;
  let last: NodeJS.Timeout | undefined;
  const end = (why: string): void => {
    ended ??= why;
    signal('SIGTERM');
    last ??= setTimeout(() => signal('SIGKILL'), MERCY_MS);
  };
  const timer = setTimeout(() => end(`was ended after ${timeoutMs / 1000} s`), timeoutMs);
  const done = new Promise<void>((resolve, reject) => {
    child.once('error', (cause) =>
      reject(hookError(`cannot be run: ${systemCode(cause) ?? 'unknown reason'}`, 'check its path and mode', cause)),
    );
    child.once('exit', (status, by) => {
      if (status === 0 && ended === undefined) resolve();
      else
        reject(
          hookError(ended ?? `ended with ${status === null ? String(by) : `status ${status}`}`, 'see what it printed'),
        );
    });
  }).finally(() => {
    clearTimeout(timer);
    clearTimeout(last);
  });
  return { done, end: () => end('was ended, as this program ends') };
}

function hookError(what: string, hint: string, cause?: unknown): RolesAnywhereError {
  return new RolesAnywhereError('ERR_ON_UPDATE', `the program of --on-update ${what}`, {
    flag: '--on-update',
    hint,
    cause,
  });
}
