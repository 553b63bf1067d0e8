/**
 * Refuses what is no HTTP and what does not come in time, but nothing that had come before this process looked: after a
 * stall (the machine is overloaded, swaps, was suspended), timers fire before sockets are read.
 * Tests: test/platform/late-requests.test.ts, test/server/limits.test.ts
 */
import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** Why a connection was refused without a look at its request. */
export type Refusal = 'timeout' | 'malformed';

/**
 * Does in node:http's place what it does at the end of `headersTimeout`, `requestTimeout` and `keepAliveTimeout`, and
 * with malformed requests. To be called when the server's other listeners are there.
 *
 * @param graceMs how much longer than the first two a request may take, in milliseconds in which this process runs
 * @param refused is told of each refusal
 */
export function refuseLate(server: Server, graceMs: number, refused?: (why: Refusal) => void): void {
  /** The newest request of each connection: node:http says of a limit only where, not of which request. */
  const newest = new WeakMap<Duplex, IncomingMessage>();
  const note = (request: IncomingMessage): void => void newest.set(request.socket, request);
  server.on('request', note);
  // To listen for these is to answer them.
  if (server.listenerCount('checkExpectation') > 0) server.on('checkExpectation', note);

  const refuse = (socket: Duplex, why: Refusal | undefined, status: string): void => {
    // What follows a refusal, or the client's end, is refused no more.
    if (!socket.writable) {
      socket.destroy();
      return;
    }
    if (why !== undefined) refused?.(why);
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy());
  };

  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') {
      const before = newest.get(socket);
      const lacksBody = before?.complete === false;
      const timer = setTimeout(() => {
        afterReading(() => {
          const now = newest.get(socket);
          // node:http looks at a late request no more, so that what is not whole by now is refused.
          if (now !== undefined && now.complete && (now !== before || lacksBody)) return;
          refuse(socket, 'timeout', '408 Request Timeout');
        });
      }, graceMs);
      timer.unref();
      return;
    }
    const malformed = error.code?.startsWith('HPE_') === true;
    if (error.code === 'ECONNRESET') socket.destroy();
    else if (error.code === 'HPE_HEADER_OVERFLOW') refuse(socket, 'malformed', '431 Request Header Fields Too Large');
    else refuse(socket, malformed ? 'malformed' : undefined, '400 Bad Request');
  });

  server.on('timeout', (socket: Socket) => {
    const before = newest.get(socket);
    const { bytesRead } = socket;
    afterReading(() => {
      if (newest.get(socket) === before && socket.bytesRead === bytesRead) socket.destroy();
    });
  });
}

/** Calls back when what has arrived by now is read: immediates come behind the poll for input. */
function afterReading(callback: () => void): void {
  setImmediate(callback);
}
