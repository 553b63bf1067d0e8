/**
 * A TPM behind a device file: a command is one write, its answer one read, and neither has a position in the file
 * (Linux, drivers/char/tpm/tpm-dev-common.c).
 */
// Tests: test/identity/tpm/transport.test.ts
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { processAge } from '../../platform/clock.ts';
import { RolesAnywhereError } from '../../platform/errors.ts';
import { AnswerBuffer, MAX_MESSAGE_BYTES, type Transport, closedError, timeoutError } from './transport.ts';

/** @throws Error the system's own */
export async function openDevice(path: string): Promise<Transport> {
  // Without waiting in the system: a thread that hangs in a read there cannot be called back, and keeps the process alive.
  return new DeviceFile(await open(path, constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOCTTY), path);
}

class DeviceFile implements Transport {
  readonly #file: FileHandle;
  readonly #path: string;

  constructor(file: FileHandle, path: string) {
    this.#file = file;
    this.#path = path;
  }

  async transmit(command: Uint8Array, deadline: number): Promise<Uint8Array> {
    const written = await this.#system('write', async () => {
      const { bytesWritten } = await this.#file.write(command, 0, command.length, null);
      return bytesWritten;
    });
    if (written !== command.length) throw this.#failed('write', `${written} of ${command.length} bytes`);
    const answer = new AnswerBuffer(this.#path);
    const piece = new Uint8Array(MAX_MESSAGE_BYTES);
    for (let pauseMs = 0.5; ; pauseMs = Math.min(pauseMs * 1.5, 10)) {
      // Nothing yet is EAGAIN where the rule of read(2) is kept, and a length of 0 in the kernel's TPM driver.
      const length = await this.#system('read', async () => {
        const { bytesRead } = await this.#file.read(piece, 0, piece.length, null);
        return bytesRead;
      });
      const whole = length === 0 ? undefined : answer.add(piece.subarray(0, length));
      if (whole !== undefined) return whole;
      if (processAge() >= deadline) throw timeoutError(this.#path);
      if (length === 0) await sleep(pauseMs);
    }
  }

  async close(): Promise<void> {
    await this.#file.close().catch(() => undefined);
  }

  async #system(what: 'read' | 'write', call: () => Promise<number>): Promise<number> {
    try {
      return await call();
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
      if (what === 'read' && code === 'EAGAIN') return 0;
      if (code === 'EIO' || code === 'ENODEV') throw closedError(this.#path, 0, error);
      throw this.#failed(what, code, error);
    }
  }

  #failed(what: string, reason: string, cause?: unknown): RolesAnywhereError {
    return new RolesAnywhereError(
      'ERR_TPM_FAILED',
      `the TPM at ${this.#path} cannot be used: ${what} gives ${reason}`,
      {
        hint: 'see what the kernel says of it (dmesg), and that the path is that of a TPM',
        cause,
      },
    );
  }
}
