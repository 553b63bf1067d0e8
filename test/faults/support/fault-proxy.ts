/** Stands between a client and a service, below TLS, and does to the answers what bad networks do. */
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Where in the bytes that the service sends on a connection: a position, or one that is found by the records of TLS. */
export type Place = number | 'handshake' | 'answer';

/** What is done with the bytes that the service sends. */
export interface WireFault {
  /** Each piece comes so much later, in milliseconds. */
  readonly delayMs?: number | undefined;
  /** Pieces are no longer than this. */
  readonly pieceBytes?: number | undefined;
  readonly at?: Place | undefined;
  /** What happens there: the connection ends or is reset, nothing more comes, a bit is turned over, or two pieces change places. */
  readonly does?: 'end' | 'reset' | 'stall' | 'corrupt' | 'reorder' | undefined;
  /** The connections that it befalls, from the next one on. Default: all. */
  readonly connections?: number | undefined;
}

export interface FaultProxy {
  readonly port: number;
  /** From now on, for new connections. Undefined: everything goes through. */
  set(fault: WireFault | undefined): void;
  /** Where new connections lead. */
  leadTo(port: number): void;
  /** Resets the connections that are open. */
  reset(): void;
  /** Connections so far. */
  readonly connections: number;
  /** The bytes that the service sent on the last connection. */
  readonly answered: number;
  close(): Promise<void>;
}

/** So far into the service's first flight: amid its certificate. */
const IN_HANDSHAKE = 300;
const REORDERED = 60;

/** @param port of the service, on 127.0.0.1 */
export async function startFaultProxy(port: number): Promise<FaultProxy> {
  const sockets = new Set<Socket>();
  let fault: WireFault | undefined;
  let left = Infinity;
  let target = port;
  let connections = 0;
  let answered = 0;
  const server = createServer((client) => {
    connections += 1;
    answered = 0;
    const own = left > 0 ? fault : undefined;
    left -= 1;
    const service = connect(target, '127.0.0.1');
    for (const socket of [client, service]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    }
    client.on('close', () => service.destroy());
    let flights = 0;
    let isAnswering = false;
    client.on('data', (bytes) => {
      if (isAnswering || flights === 0) flights += 1;
      isAnswering = false;
      service.write(bytes);
    });
    client.on('end', () => service.end());
    let chain = Promise.resolve();
    const filter = faultFilter(own);
    service.on('data', (bytes) => {
      isAnswering = true;
      answered += bytes.length;
      const isAnswer = flights > 1;
      chain = chain.then(async () => await deliver(client, filter(bytes, isAnswer), own));
    });
    service.on('end', () => {
      chain = chain.then(() => (own?.does === 'stall' ? undefined : void client.end()));
    });
    service.on('error', () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    set(next) {
      fault = next;
      left = next?.connections ?? Infinity;
    },
    leadTo(next) {
      target = next;
    },
    reset() {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    get connections() {
      return connections;
    },
    get answered() {
      return answered;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** What goes on to the client of some bytes, and whether that is the end. */
interface Filtered {
  readonly bytes: Buffer;
  readonly last?: 'end' | 'reset' | 'stall' | undefined;
}

/** Follows the stream of one connection until the fault's place comes. */
function faultFilter({ at, does }: WireFault = {}): (bytes: Buffer, isAnswer: boolean) => Filtered {
  let passed = 0;
  let done = at === undefined || does === undefined;
  let ended: Filtered['last'];
  return (bytes, isAnswer) => {
    if (ended !== undefined) return { bytes: Buffer.alloc(0), last: ended };
    const here = done ? undefined : offsetOf(at ?? 0, bytes, passed, isAnswer);
    passed += bytes.length;
    if (here === undefined || does === undefined) return { bytes };
    done = true;
    if (does === 'corrupt') {
      const changed = Buffer.from(bytes);
      changed[here] = (changed[here] ?? 0) ^ 0x10;
      return { bytes: changed };
    }
    if (does === 'reorder') {
      const [one, other] = [here + REORDERED, here + 2 * REORDERED];
      const pieces = [[0, here], [one, other], [here, one], [other]] as const;
      return { bytes: Buffer.concat(pieces.map(([from, to]) => bytes.subarray(from, to))) };
    }
    ended = does;
    return { bytes: bytes.subarray(0, here), last: does };
  };
}

/** The place within these bytes, if it is there. */
function offsetOf(at: Place, bytes: Buffer, passed: number, isAnswer: boolean): number | undefined {
  if (at === 'answer') return isAnswer && bytes.length > 600 ? bytes.length - 100 : undefined;
  const position = at === 'handshake' ? IN_HANDSHAKE : at;
  return position >= passed && position < passed + bytes.length ? position - passed : undefined;
}

async function deliver(client: Socket, { bytes, last }: Filtered, fault: WireFault = {}): Promise<void> {
  const size = fault.pieceBytes ?? Math.max(1, bytes.length);
  for (let offset = 0; offset < bytes.length && !client.destroyed; offset += size) {
    if (fault.delayMs !== undefined) await sleep(fault.delayMs);
    client.write(bytes.subarray(offset, offset + size));
    // Else the kernel puts small pieces together again.
    if (fault.pieceBytes !== undefined) await new Promise((resolve) => setImmediate(resolve));
  }
  if (last === 'end') client.end();
  if (last !== 'reset') return;
  // What was written before must have gone out: a reset takes back what is in the buffer.
  if (client.writableLength > 0) await new Promise((resolve) => client.once('drain', resolve));
  await sleep(5);
  client.resetAndDestroy();
}
