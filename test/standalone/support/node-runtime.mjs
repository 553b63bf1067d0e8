// What the executable calls of its runtime, by Node's modules: for tests of the code above it. What the runtime itself does is
// tested with the executable (test/standalone/hot-path.heavy.test.ts).
import { createHash } from 'node:crypto';
import net from 'node:net';
import tls from 'node:tls';

/** As `Bun.connect`: https://bun.com/docs/api/tcp. */
export async function connect({ hostname, port, tls: settings, socket: handlers }) {
  const where = { host: hostname, port };
  const socket =
    settings === undefined
      ? net.connect(where)
      : tls.connect({
          ...where,
          ca: settings.ca,
          servername: settings.serverName,
          minVersion: settings.minVersion === 0x03_04 ? 'TLSv1.3' : 'TLSv1.2',
          ALPNProtocols: [settings.ALPNProtocols.slice(1)],
          rejectUnauthorized: false,
        });
  const seen = {
    get authorized() {
      return socket.authorized;
    },
    get alpnProtocol() {
      return socket.alpnProtocol;
    },
    write(bytes) {
      // A part at first, as of a socket whose buffer is full.
      const taken = Math.ceil(bytes.length / 2);
      socket.write(bytes.subarray(0, taken), () => handlers.drain(seen));
      return taken;
    },
    terminate: () => socket.destroy(),
    getTLSVersion: () => socket.getProtocol(),
    getPeerCertificate: () => socket.getPeerCertificate(),
  };
  let isOpen = false;
  let failure;
  socket.on('data', (bytes) => handlers.data(seen, bytes));
  socket.on('end', () => handlers.end(seen));
  socket.on('close', () => isOpen && handlers.close(seen, failure));
  if (settings !== undefined)
    socket.on('secureConnect', () =>
      handlers.handshake(seen, socket.authorized, socket.authorized ? null : new Error(socket.authorizationError)),
    );
  await new Promise((resolve, reject) => {
    socket.once('connect', () => {
      isOpen = true;
      handlers.open(seen);
      resolve();
    });
    socket.on('error', (error) => {
      failure = error;
      if (isOpen) return handlers.error(seen, error);
      handlers.connectError(seen, error);
      return reject(error);
    });
  });
  return seen;
}

/** As `Bun.CryptoHasher`, of SHA-256. */
export class CryptoHasher {
  #hash = createHash('sha256');
  update(data) {
    this.#hash.update(data);
    return this;
  }
  digest(encoding) {
    return this.#hash.digest(encoding);
  }
}
