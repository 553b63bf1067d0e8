/** TPMs behind sockets: swtpm, which takes commands as they are, and Microsoft's simulator, which wants them framed. */
// Tests: test/identity/tpm/transport.test.ts
import { type Socket, createConnection } from 'node:net';
import { processAge } from '../../platform/clock.ts';
import { type TpmLocation, describeLocation } from './location.ts';
import {
  AnswerBuffer,
  MAX_MESSAGE_BYTES,
  type Transport,
  answerError,
  closedError,
  timeoutError,
} from './transport.ts';
import { concat, u32, u8 } from './wire.ts';

type SocketLocation = Extract<TpmLocation, { kind: 'unix' | 'tcp' | 'mssim' }>;

/** @throws Error the system's own, and RolesAnywhereError `ERR_TPM_TIMEOUT` */
export async function openSocket(location: SocketLocation, deadline: number): Promise<Transport> {
  const where = describeLocation(location);
  if (location.kind === 'unix') return new SwtpmTransport(await Stream.open({ path: location.path }, where, deadline));
  const { host, port, kind } = location;
  if (kind === 'tcp') return new SwtpmTransport(await Stream.open({ host, port }, where, deadline));
  const platform = await Stream.open({ host, port: port + 1 }, where, deadline);
  try {
    for (const signal of [SIMULATOR.powerOn, SIMULATOR.nvOn, SIMULATOR.sessionEnd]) {
      platform.write(u32(signal));
      if (signal !== SIMULATOR.sessionEnd) await acknowledged(platform, where, deadline);
    }
  } finally {
    platform.close();
  }
  return new SimulatorTransport(await Stream.open({ host, port }, where, deadline), where);
}

/** Commands as they are, and answers too. */
class SwtpmTransport implements Transport {
  readonly #stream: Stream;

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  async transmit(command: Uint8Array, deadline: number): Promise<Uint8Array> {
    const answer = new AnswerBuffer(this.#stream.where);
    this.#stream.write(command);
    return await this.#stream.read((piece) => answer.add(piece), deadline);
  }

  async close(): Promise<void> {
    this.#stream.close();
  }
}

/** The simulator's own protocol (TPM 2.0 Library, part 4, Simulator_fp.h and TpmTcpProtocol.h). */
const SIMULATOR = { powerOn: 1, sendCommand: 8, nvOn: 11, sessionEnd: 20 } as const;

class SimulatorTransport implements Transport {
  readonly #stream: Stream;
  readonly #where: string;

  constructor(stream: Stream, where: string) {
    this.#stream = stream;
    this.#where = where;
  }

  async transmit(command: Uint8Array, deadline: number): Promise<Uint8Array> {
    const locality = u8(0);
    this.#stream.write(concat(u32(SIMULATOR.sendCommand), locality, u32(command.length), command));
    const size = numberIn(await this.#exactly(4, deadline));
    if (size > MAX_MESSAGE_BYTES) throw answerError(this.#where, `a length of ${size} bytes`);
    const bytes = await this.#exactly(size, deadline);
    await acknowledged(this.#stream, this.#where, deadline);
    const answer = new AnswerBuffer(this.#where).add(bytes);
    if (answer === undefined) throw answerError(this.#where, 'a frame that is shorter than the answer in it');
    return answer;
  }

  async close(): Promise<void> {
    this.#stream.write(u32(SIMULATOR.sessionEnd));
    this.#stream.close();
  }

  async #exactly(length: number, deadline: number): Promise<Uint8Array> {
    return await exactly(this.#stream, length, deadline);
  }
}

async function acknowledged(stream: Stream, where: string, deadline: number): Promise<void> {
  const status = numberIn(await exactly(stream, 4, deadline));
  if (status !== 0) throw answerError(where, `the simulator said ${status} where 0 stands for success`);
}

async function exactly(stream: Stream, length: number, deadline: number): Promise<Uint8Array> {
  let bytes: Uint8Array = new Uint8Array();
  if (length === 0) return bytes;
  return await stream.read((piece) => {
    bytes = concat(bytes, piece);
    if (bytes.length < length) return undefined;
    stream.unread(bytes.subarray(length));
    return bytes.subarray(0, length);
  }, deadline);
}

function numberIn(bytes: Uint8Array): number {
  return bytes.reduce((value, byte) => value * 256 + byte, 0);
}

/** A socket that is read on demand. What it sends unasked waits, and is looked at with the next answer. */
class Stream {
  readonly where: string;
  readonly #socket: Socket;
  #pieces: Uint8Array[] = [];
  #ended = false;
  #error: unknown;
  #wake: (() => void) | undefined;

  private constructor(socket: Socket, where: string) {
    this.#socket = socket;
    this.where = where;
    socket.on('data', (piece) => {
      this.#pieces.push(piece);
      this.#wake?.();
    });
    socket.on('error', (error) => {
      this.#error = error;
    });
    socket.on('close', () => {
      this.#ended = true;
      this.#wake?.();
    });
  }

  static async open(
    target: { path: string } | { host: string; port: number },
    where: string,
    deadline: number,
  ): Promise<Stream> {
    const socket = createConnection(target);
    const timer = setTimeout(
      () => socket.destroy(timeoutError(where, 'did not take the connection in time')),
      Math.max(0, deadline - processAge()),
    );
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('connect', resolve).once('error', reject);
      });
    } finally {
      clearTimeout(timer);
    }
    socket.setNoDelay(true);
    return new Stream(socket, where);
  }

  write(bytes: Uint8Array): void {
    // An error comes as an event, and ends the read that follows.
    if (!this.#ended) this.#socket.write(bytes);
  }

  /** Gives pieces to `take` until it returns something. */
  async read<T>(take: (piece: Uint8Array) => T | undefined, deadline: number): Promise<T> {
    let received = 0;
    for (;;) {
      const piece = this.#pieces.shift();
      if (piece !== undefined) {
        received += piece.length;
        const taken = take(piece);
        if (taken !== undefined) return taken;
      } else if (this.#ended) {
        throw closedError(this.where, received, this.#error);
      } else {
        await this.#more(deadline);
      }
    }
  }

  /** Puts back what was read too much. */
  unread(piece: Uint8Array): void {
    if (piece.length > 0) this.#pieces.unshift(piece);
  }

  close(): void {
    // What was written last is sent before the end; nothing is waited for.
    this.#socket.destroySoon();
    this.#socket.unref();
  }

  async #more(deadline: number): Promise<void> {
    const left = deadline - processAge();
    if (left <= 0) throw timeoutError(this.where);
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        timer = setTimeout(resolve, left);
      });
    } finally {
      this.#wake = undefined;
      clearTimeout(timer);
    }
  }
}
