/** A server that answers each CreateSession at once, over HTTP and HTTPS, and remembers how it was asked. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type RequestListener, type Server, createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeAuthority } from '../../http/support/pki.ts';
import { PKI } from '../../support/cli.ts';

const ARN = 'arn:aws:rolesanywhere:eu-west-1:123456789012';
const ID = '11111111-2222-3333-4444-555555555555';

/** The same in every answer, for comparing. */
const EXPIRATION = new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d+/, '');

export interface Answering {
  /** The file of the root that vouches for it. */
  readonly root: string;
  /** The fields of each request, as they came. */
  readonly requests: readonly string[][];
  /** Everything that a line needs besides certificate and key. */
  flags(secure: boolean): string[];
  close(): Promise<void>;
}

export async function startAnswering(): Promise<Answering> {
  const dir = mkdtempSync(join(tmpdir(), 'ra-answering-'));
  const authority = await makeAuthority('Answering');
  const root = join(dir, 'root.pem');
  writeFileSync(root, authority.root);
  const requests: string[][] = [];
  const answer: RequestListener = (request, response) => {
    requests.push(request.rawHeaders);
    request
      .resume()
      .on('end', () => response.writeHead(201, { 'content-type': 'application/json' }).end(credentials()));
  };
  const servers = [createServer(answer), createTlsServer(await authority.issue(['localhost']), answer)] as const;
  const ports = await Promise.all(servers.map(listen));
  return {
    root,
    requests,
    flags: (secure) => [
      '--intermediates',
      `${PKI}intermediate.pem`,
      '--trust-anchor-arn',
      `${ARN}:trust-anchor/${ID}`,
      '--profile-arn',
      `${ARN}:profile/${ID}`,
      '--role-arn',
      'arn:aws:iam::123456789012:role/Role',
      '--endpoint',
      secure ? `https://localhost:${ports[1]}` : `http://127.0.0.1:${ports[0]}`,
    ],
    async close() {
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
        await once(server, 'close');
      }
      rmSync(dir, { recursive: true });
    },
  };
}

function credentials(): string {
  const assumedRoleUser = { arn: 'arn:aws:sts::123456789012:assumed-role/Role/session', assumedRoleId: 'AROAEXAMPLE' };
  const secret = { secretAccessKey: 'secret'.repeat(6), sessionToken: 'token'.repeat(50) };
  const one = { accessKeyId: 'ASIAEXAMPLEEXAMPLE00', ...secret, expiration: EXPIRATION };
  return JSON.stringify({
    credentialSet: [{ assumedRoleUser, credentials: one }],
    subjectArn: `${ARN}:subject/${ID}`,
  });
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
