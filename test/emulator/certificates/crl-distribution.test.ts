import 'reflect-metadata';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as x509 from '@peculiar/x509';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Authority, leafExtensions } from '../../../certs-dev/authority.ts';
import type { Emulator } from '../../../src/emulator/emulator.ts';
import { draft, send, signed } from '../support/signed-request.ts';
import { ARNS, type Client, NOW, certificatePem, makeAuthority, makeClient, startWith } from '../support/world.ts';

const REVOKED = '00f0e1d2c3b4a596';
const DAY_MS = 86_400_000;

let root: Authority;
let intermediate: Authority;
let emulator: Emulator;
let server: Server;
let port: number;
const asked: string[] = [];
/** What the server answers with, by path. */
const lists = new Map<string, Buffer>();

async function crl(issuer: Authority, serials: string[], days = 1): Promise<Buffer> {
  const list = await x509.X509CrlGenerator.create({
    issuer: issuer.certificate.subject,
    thisUpdate: new Date(NOW.getTime() - 2 * DAY_MS),
    nextUpdate: new Date(NOW.getTime() + days * DAY_MS),
    entries: serials.map((serialNumber) => ({ serialNumber, revocationDate: NOW })),
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    signingKey: issuer.keys.privateKey,
  });
  return Buffer.from(list.rawData);
}

beforeAll(async () => {
  server = createServer((request, response) => {
    const path = request.url ?? '';
    asked.push(path);
    const body = lists.get(path);
    if (path === '/moved.crl') response.writeHead(302, { Location: '/good.crl' }).end();
    else if (path === '/endless.crl') response.writeHead(200).end(Buffer.alloc(1024 * 1024 + 1));
    else if (body === undefined) response.writeHead(404).end();
    else response.end(body);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  ({ port } = server.address() as AddressInfo);
  root = await makeAuthority('root');
  intermediate = await makeAuthority('intermediate', { issuer: root, extensions: [points('root.crl')] });
  const stranger = await makeAuthority('root');
  lists.set('/root.crl', await crl(root, []));
  lists.set('/good.crl', await crl(root, ['01']));
  lists.set('/pem.crl', Buffer.from(x509.PemConverter.encode(await crl(root, ['01']), 'X509 CRL')));
  lists.set('/revoked.crl', await crl(root, [REVOKED]));
  lists.set('/old.crl', await crl(root, [], -1));
  lists.set('/unsigned.crl', await crl(stranger, []));
  lists.set('/other.crl', await crl(await makeAuthority('other'), []));
  lists.set('/text.crl', Buffer.from('no list'));
  lists.set('/below.crl', await crl(intermediate, []));
  emulator = await startWith(root, {
    trustAnchors: [{ certificates: certificatePem(root.certificate), crlDpRevocationEnabled: true }],
  });
});
afterAll(async () => {
  await emulator.close();
  server.close();
});

function points(...names: string[]): x509.Extension {
  const urls = names.map((name) => (name.includes(':') ? name : `http://127.0.0.1:${port}/${name}`));
  return new x509.CRLDistributionPointsExtension(urls);
}

async function ask(
  issuer: Authority,
  extensions: x509.Extension[],
  to: Emulator = emulator,
): Promise<{ status: number; message: unknown; reason: string | undefined }> {
  const client: Client = await makeClient(issuer, {
    serialNumber: REVOKED,
    extensions: [...leafExtensions([]), ...extensions],
  });
  const chain = issuer === root ? [] : [issuer.certificate];
  const { status, body } = await send(to.url, signed(draft(client, to.url, { now: NOW, chain }), client));
  const { message } = JSON.parse(body) as { message?: unknown };
  return { status, message, reason: to.verdicts.at(-1)?.reason };
}

const UNKNOWN = 'Unable to determine the revocation status of the certificate';

describe('CRL distribution points', () => {
  it.each<[string, string[]]>([
    ['a list that does not name the certificate', ['good.crl']],
    ['such a list in PEM', ['pem.crl']],
    ['the second of two, where the first has nothing', ['none.crl', 'good.crl']],
  ])('let a certificate through with %s', async (_, names) => {
    expect(await ask(root, [points(...names)])).toMatchObject({ status: 201 });
  });

  it('refuse a certificate that a list names', async () => {
    expect(await ask(root, [points('revoked.crl')])).toMatchObject({
      status: 403,
      message: 'Certificate revoked',
      reason: expect.stringContaining(`/revoked.crl has revoked "CN=Alice, OU=Tests"`),
    });
  });

  it.each<[string, string, string]>([
    ['a point that has nothing', 'none.crl', 'status 404'],
    ['a list that was to be replaced', 'old.crl', 'was to be replaced'],
    ['a list that another key signed', 'unsigned.crl', 'not signed by the issuer'],
    ['a list of another issuer', 'other.crl', 'is that of "CN=other"'],
    ['what is no list', 'text.crl', 'it holds no CRL'],
    ['a redirect', 'moved.crl', 'status 302'],
    ['more than 1 MiB', 'endless.crl', 'larger than 1048576 bytes'],
    ['another host, which is not asked', 'http://192.0.2.1/a.crl', 'not on the loopback'],
    ['another scheme', 'ldap://127.0.0.1/a', 'no http URL'],
    ['a port that nobody listens on', 'http://127.0.0.1:1/a.crl', 'ECONNREFUSED'],
  ])('refuse a certificate with %s', async (_, name, reason) => {
    expect(await ask(root, [points(name)])).toMatchObject({
      status: 403,
      message: UNKNOWN,
      reason: expect.stringContaining(reason),
    });
  });

  it('are those of intermediates as well, and a certificate without any is not looked up', async () => {
    asked.length = 0;
    expect(await ask(intermediate, [points('below.crl')])).toMatchObject({ status: 201 });
    expect(asked).toEqual(['/below.crl', '/root.crl']);
    expect(await ask(root, [])).toMatchObject({ status: 201 });
    expect(asked).toHaveLength(2);
  });

  it('are not looked at where the anchor does not say so', async () => {
    const other = await startWith(root);
    asked.length = 0;
    expect(other.trustAnchorArns).toEqual([ARNS.trustAnchorArn]);
    expect(await ask(root, [points('revoked.crl')], other)).toMatchObject({ status: 201 });
    expect(asked).toEqual([]);
    await other.close();
  });
});
