/** A SOCKS5 proxy on 127.0.0.1 (RFC 1928, with the passwords of RFC 1929), which leads every connection to one port. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

export interface SocksServer {
  readonly port: number;
  /** `HOST:PORT` of each connection that was asked for, as it was written. */
  readonly targets: string[];
  /** `USER:PASSWORD` of each, where they were given. */
  readonly users: string[];
  close(): Promise<void>;
}

export interface SocksOptions {
  readonly leadTo: number;
  /** `USER:PASSWORD` that it asks for. */
  readonly auth?: string | undefined;
  /** The reply to CONNECT, other than 0, that it has succeeded: RFC 1928, section 6. */
  readonly reply?: number | undefined;
}

const NO_METHOD = 0xff;
const PASSWORD_METHOD = 2;

/** Starts one. */
export async function startSocksServer({ leadTo, auth, reply = 0 }: SocksOptions): Promise<SocksServer> {
  const targets: string[] = [];
  const users: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    void serve(socket).catch(() => socket.destroy());
  });

  async function serve(socket: Socket): Promise<void> {
    const [, count = 0] = await take(socket, 2);
    const methods = [...(await take(socket, count))];
    const method =
      auth === undefined
        ? methods.includes(PASSWORD_METHOD) && methods.length === 1
          ? PASSWORD_METHOD
          : 0
        : PASSWORD_METHOD;
    if (!methods.includes(method)) {
      socket.end(Buffer.from([5, NO_METHOD]));
      return;
    }
    socket.write(Buffer.from([5, method]));
    if (method === PASSWORD_METHOD && !(await knows(socket))) {
      socket.end(Buffer.from([1, 1]));
      return;
    }
    const [, , , kind = 0] = await take(socket, 4);
    const host = await address(socket, kind);
    const port = (await take(socket, 2)).readUInt16BE();
    targets.push(`${host}:${port}`);
    const answer = Buffer.from([5, reply, 0, 1, 127, 0, 0, 1, 0, 0]);
    if (reply !== 0) {
      socket.end(answer);
      return;
    }
    const onward = connect(leadTo, '127.0.0.1');
    sockets.add(onward);
    onward.on('error', () => socket.destroy());
    await once(onward, 'connect');
    socket.write(answer);
    socket.pipe(onward).pipe(socket);
  }

  async function knows(socket: Socket): Promise<boolean> {
    const user = await text(socket, (await take(socket, 2)).at(1));
    const password = await text(socket, (await take(socket, 1)).at(0));
    users.push(`${user}:${password}`);
    const known = auth === undefined || users.at(-1) === auth;
    if (known) socket.write(Buffer.from([1, 0]));
    return known;
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    targets,
    users,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

async function address(socket: Socket, kind: number): Promise<string> {
  if (kind === 1) return (await take(socket, 4)).join('.');
  if (kind === 3) return await text(socket, (await take(socket, 1)).at(0));
  return (await take(socket, 16)).toString('hex');
}

async function text(socket: Socket, length = 0): Promise<string> {
  return length === 0 ? '' : (await take(socket, length)).toString();
}

async function take(socket: Socket, length: number): Promise<Buffer> {
  for (;;) {
    const bytes: unknown = socket.read(length);
    if (bytes instanceof Buffer && bytes.length === length) return bytes;
    if (socket.readableEnded || socket.destroyed) throw new Error('the client is gone');
    await Promise.race([once(socket, 'readable'), once(socket, 'end')]);
  }
}
