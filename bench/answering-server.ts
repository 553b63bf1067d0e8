/** Answers every CreateSession at once, over HTTP and HTTPS: what is measured is the program, not who it talks to. */
import { once } from 'node:events';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';

const LIFETIME_MS = 3_600_000;

/** Where the server listens. */
export interface AnsweringServer {
  readonly url: string;
  readonly tlsUrl: string;
  close(): void;
}

/**
 * @param tls PEM of a certificate and its key: for `localhost`, or for the address
 * @param address where to listen; default 127.0.0.1
 */
export async function startAnsweringServer(
  tls: { cert: string; key: string },
  address = '127.0.0.1',
): Promise<AnsweringServer> {
  const plain = createServer(answer);
  const secure = createTlsServer(tls, answer);
  return {
    url: `http://${address}:${await listen(plain, address)}`,
    tlsUrl: `https://${address === '127.0.0.1' ? 'localhost' : address}:${await listen(secure, address)}`,
    close: () => {
      plain.close();
      secure.close();
    },
  };
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  request.resume().on('end', () => {
    response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify(credentialSet()));
  });
}

/** As large as the service's. */
function credentialSet(): object {
  const expiration = new Date(Date.now() + LIFETIME_MS).toISOString().replace(/\.\d+/, '');
  return {
    credentialSet: [
      {
        assumedRoleUser: {
          arn: 'arn:aws:sts::123456789012:assumed-role/Workload/bench',
          assumedRoleId: 'AROAEXAMPLE:bench',
        },
        credentials: {
          accessKeyId: 'ASIAEXAMPLEEXAMPLE00',
          secretAccessKey: 'x'.repeat(40),
          sessionToken: 'y'.repeat(900),
          expiration,
        },
        roleArn: 'arn:aws:iam::123456789012:role/Workload',
      },
    ],
    subjectArn: 'arn:aws:rolesanywhere:us-east-1:123456789012:subject/11111111-1111-1111-1111-111111111111',
  };
}

async function listen(server: Server, address: string): Promise<number> {
  server.listen(0, address);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
