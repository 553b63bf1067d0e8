/** Stands between a program and a TPM: keeps every command and answer, and makes things go wrong. */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { type Server, type Socket, connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Names of commands, by their codes. */
const COMMANDS: Readonly<Record<number, string>> = {
  0x131: 'CreatePrimary',
  0x14e: 'NV_Read',
  0x157: 'Load',
  0x15d: 'Sign',
  0x165: 'FlushContext',
  0x169: 'NV_ReadPublic',
  0x16b: 'PolicyAuthValue',
  0x173: 'ReadPublic',
  0x176: 'StartAuthSession',
  0x17a: 'GetCapability',
  0x17d: 'Hash',
  0x17f: 'PolicyPCR',
  0x189: 'PolicyGetDigest',
};

/** What goes wrong, and with which command. */
export interface WireFault {
  /** Default: any. */
  readonly command?: string | undefined;
  /** How often. Default: always. */
  readonly times?: number | undefined;
  /** Answered without asking the TPM. */
  readonly code?: number | undefined;
  /** Makes another answer of the TPM's own. */
  readonly change?: ((answer: Buffer) => Uint8Array) | undefined;
  /** The answer in two pieces. */
  readonly split?: number | undefined;
  /** The answer ends after so many bytes, and so does the connection. */
  readonly cut?: number | undefined;
  /** No answer ever. */
  readonly hang?: boolean | undefined;
  readonly delayMs?: number | undefined;
}

export interface Exchange {
  readonly connection: number;
  readonly name: string;
  readonly command: Buffer;
  readonly answer: Buffer;
}

/** A listener on a socket, with a TPM on TCP behind it. One connection there for each here. */
export class Proxy {
  readonly exchanges: Exchange[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #path: string;
  #fault: WireFault | undefined;
  #left = 0;
  #connections = 0;

  private constructor(path: string, port: number) {
    this.#path = path;
    this.#server = createServer((client) => void this.#serve(client, port));
  }

  /** @param path of the socket */
  static async start(path: string, port: number): Promise<Proxy> {
    rmSync(path, { force: true });
    const proxy = new Proxy(path, port);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once('error', reject).listen(path, resolve);
    });
    return proxy;
  }

  get path(): string {
    return this.#path;
  }

  get connections(): number {
    return this.#connections;
  }

  /** From now on. Without one, everything goes through. */
  set fault(fault: WireFault | undefined) {
    this.#fault = fault;
    this.#left = fault?.times ?? Infinity;
  }

  /** Names of the commands so far. */
  get names(): string[] {
    return this.exchanges.map(({ name }) => name);
  }

  /** Everything that went over the wire, both ways. */
  get wire(): Buffer {
    return Buffer.concat(this.exchanges.flatMap(({ command, answer }) => [command, answer]));
  }

  reset(): void {
    this.fault = undefined;
    this.exchanges.length = 0;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(client: Socket, port: number): Promise<void> {
    const connection = ++this.#connections;
    const tpm = connect(port, '127.0.0.1');
    for (const socket of [client, tpm]) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
    }
    const end = (): void => {
      client.destroy();
      tpm.destroy();
    };
    client.on('close', end);
    tpm.on('close', end);
    const commands = messages(client);
    const answers = messages(tpm);
    for await (const command of commands) {
      const name = COMMANDS[command.readUInt32BE(6)] ?? `0x${command.readUInt32BE(6).toString(16)}`;
      const fault = this.#take(name);
      if (fault?.delayMs !== undefined) await sleep(fault.delayMs);
      if (fault?.hang === true) await new Promise((resolve) => client.once('close', resolve));
      if (client.destroyed) return;
      const answer = fault?.code === undefined ? await ask(tpm, answers, command) : refusal(fault.code);
      if (answer === undefined) return end();
      this.exchanges.push({ connection, name, command, answer });
      if (fault?.cut !== undefined) {
        client.end(answer.subarray(0, fault.cut));
        return undefined;
      }
      const changed = Buffer.from(fault?.change?.(answer) ?? answer);
      const split = fault?.split ?? changed.length;
      client.write(changed.subarray(0, split));
      if (split === changed.length) continue;
      await sleep(30);
      client.write(changed.subarray(split));
    }
    return undefined;
  }

  #take(name: string): WireFault | undefined {
    const fault = this.#fault;
    if (fault === undefined || this.#left <= 0 || (fault.command ?? name) !== name) return undefined;
    this.#left--;
    return fault;
  }
}

async function ask(tpm: Socket, answers: AsyncGenerator<Buffer>, command: Buffer): Promise<Buffer | undefined> {
  tpm.write(command);
  const { value, done } = await answers.next();
  return done === true ? undefined : value;
}

/** Whole messages, by the length in their header. */
async function* messages(socket: Socket): AsyncGenerator<Buffer, undefined> {
  let bytes = Buffer.alloc(0);
  try {
    for await (const piece of socket as AsyncIterable<Buffer>) {
      bytes = Buffer.concat([bytes, piece]);
      while (bytes.length >= 10 && bytes.length >= bytes.readUInt32BE(2)) {
        const length = bytes.readUInt32BE(2);
        yield bytes.subarray(0, length);
        bytes = bytes.subarray(length);
      }
    }
  } catch {
    // The other side went away.
  }
  return undefined;
}

/** An answer that is an error. */
function refusal(code: number): Buffer {
  const answer = Buffer.from('80010000000a00000000', 'hex');
  answer.writeUInt32BE(code, 6);
  return answer;
}

/** An answer with the right length in its header, and nothing else that is right. */
export function garbage(length: number): Buffer {
  const answer = randomBytes(length);
  if (length >= 6) answer.writeUInt32BE(length, 2);
  return answer;
}
