/**
 * A TPM behind tpm2-abrmd, a resource manager that is reached over D-Bus and gives each program a socket of its own by
 * passing a file descriptor, which Node cannot take. tpm2_send of tpm2-tools can: it passes commands on from its standard
 * input, one after the other.
 */
// Tests: test/cli/tpm/commands.test.ts
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { processAge } from '../../platform/clock.ts';
import { RolesAnywhereError } from '../../platform/errors.ts';
import { AnswerBuffer, type Transport, closedError, timeoutError } from './transport.ts';

const WHERE = 'tpm2-abrmd';
const MAX_ERROR_TEXT = 4096;

/** @param configuration what follows `tabrmd:`, for example `bus_type=session` */
export function openSender(configuration: string): Transport {
  return new Sender(spawn('tpm2_send', ['--tcti', `tabrmd:${configuration}`], { stdio: 'pipe', windowsHide: true }));
}

class Sender implements Transport {
  readonly #child: ChildProcessWithoutNullStreams;
  #pieces: Uint8Array[] = [];
  #said = '';
  #failure: Error | undefined;
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    const wake = (): void => this.#wake?.();
    child.stdout.on('data', (piece: Buffer) => {
      this.#pieces.push(piece);
      wake();
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#said = `${this.#said}${text}`.slice(0, MAX_ERROR_TEXT);
    });
    // It may end before it has read everything; what matters of that comes with its end.
    child.stdin.on('error', () => undefined);
    child.on('error', (error) => {
      this.#failure = error;
      this.#ended = true;
      wake();
    });
    child.on('close', () => {
      this.#ended = true;
      wake();
    });
  }

  async transmit(command: Uint8Array, deadline: number): Promise<Uint8Array> {
    const answer = new AnswerBuffer(WHERE);
    if (!this.#ended) this.#child.stdin.write(command);
    for (;;) {
      const piece = this.#pieces.shift();
      const whole = piece === undefined ? undefined : answer.add(piece);
      if (whole !== undefined) return whole;
      if (piece !== undefined) continue;
      if (this.#ended) throw this.#endError(answer.length);
      const left = deadline - processAge();
      if (left <= 0) throw timeoutError(WHERE);
      await this.#event(left);
    }
  }

  async close(): Promise<void> {
    // At the end of its input it leaves by itself, and the resource manager takes back what it had.
    this.#child.stdin.destroy();
    if (!this.#ended) this.#child.kill();
    this.#child.stdout.destroy();
    this.#child.stderr.destroy();
    this.#child.unref();
  }

  async #event(atMostMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      timer = setTimeout(resolve, atMostMs);
    });
    this.#wake = undefined;
    clearTimeout(timer);
  }

  #endError(received: number): RolesAnywhereError {
    const cause = this.#failure;
    if (cause !== undefined && 'code' in cause && cause.code === 'ENOENT') {
      return new RolesAnywhereError(
        'ERR_TPM_NOT_FOUND',
        'tpm2-abrmd is reached by the program tpm2_send, which is not there',
        {
          hint: 'install tpm2-tools, or name the device itself with --tpm-device /dev/tpmrm0',
          cause,
        },
      );
    }
    if (received > 0 || this.#said === '') return closedError(WHERE, received, cause);
    return new RolesAnywhereError('ERR_TPM_CONNECT', 'tpm2-abrmd does not answer: tpm2_send ended', {
      hint: 'see whether tpm2-abrmd runs and this user may reach it (systemctl status tpm2-abrmd), and what `tpm2_getcap properties-fixed` says',
      cause: new Error(this.#said),
    });
  }
}
