/** An HTTPS server on the loopback that asks its clients for a certificate, as CAs do. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { certificatePem, generateKeys, issueLeaf, privateKeyPem } from '../../../certs-dev/authority.ts';
import { x509 } from '../../../src/platform/x509-library.ts';
import type { TestCa } from './ca.ts';

/** A request that was read whole. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** DER of the certificate that the client showed and that the CA has issued; undefined without one. */
  readonly client: Buffer | undefined;
  /** Which of the server's connections it came over. */
  readonly connection: number;
}

export interface Answered {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | undefined;
}

export interface TestServer {
  readonly port: number;
  readonly origin: string;
  close(): Promise<void>;
}

/** @param answer undefined: never */
export async function startHttps(
  ca: TestCa,
  answer: (asked: Asked) => Promise<Answered | undefined>,
): Promise<TestServer> {
  const keys = await generateKeys('ec-p256');
  const certificate = await issueLeaf({
    subject: 'CN=localhost',
    issuer: ca.intermediate,
    publicKey: keys.publicKey,
    extensions: [
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: 'localhost' }]),
    ],
  });
  let connections = 0;
  const numbers = new WeakMap<object, number>();
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- node:https gives no other
    const socket = request.socket as TLSSocket;
    const shown = socket.authorized ? socket.getPeerCertificate().raw : undefined;
    const answered = await answer({
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      body: Buffer.concat(chunks).toString('latin1'),
      client: shown,
      connection: numbers.get(socket) ?? 0,
    });
    if (answered === undefined) return;
    response.writeHead(answered.status, { ...answered.headers });
    response.end(answered.body ?? '');
  };
  const server: Server = createServer(
    {
      cert: certificatePem(certificate) + certificatePem(ca.intermediate.certificate),
      key: privateKeyPem(keys),
      ca: certificatePem(ca.root.certificate),
      requestCert: true,
      // Not for every path: each says for itself.
      rejectUnauthorized: false,
    },
    (request, response) => void handle(request, response).catch(() => response.destroy()),
  );
  server.on('secureConnection', (socket: TLSSocket) => numbers.set(socket, ++connections));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    origin: `https://localhost:${address.port}`,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}
