import { connect as tcpConnect } from 'node:net';
import { request as httpsRequest } from 'node:https';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Authority } from '../../certs-dev/authority.ts';
import { type Emulator, startEmulator } from '../../src/emulator/emulator.ts';
import { signedCall } from './services/control/drivers.ts';
import { ADMIN, stsClient } from './support/callers.ts';
import { draft, send, signed } from './support/signed-request.ts';
import { type Client, NOW, certificatePem, makeAuthority, makeClient, makeServer, startWith } from './support/world.ts';

let root: Authority;
let alice: Client;
let tls: { ca: string; cert: string; key: string };
beforeAll(async () => {
  root = await makeAuthority('root');
  alice = await makeClient(root);
  tls = await makeServer();
});

describe('the listeners', () => {
  let emulator: Emulator;
  beforeAll(async () => {
    emulator = await startWith(root, { tls });
  });
  afterAll(() => emulator.close());

  it('answer over HTTPS as over HTTP', async () => {
    const status = await new Promise((resolve, reject) => {
      const options = { ca: tls.ca, agent: false };
      httpsRequest(`${emulator.tlsUrl}/nowhere`, options, (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode));
      })
        .on('error', reject)
        .end();
    });
    expect(status).toBe(404);
    expect(emulator.verdicts.at(-1)).toMatchObject({ method: 'GET', path: '/nowhere', status: 404, accepted: false });
  });

  it('refuse a body above 512 KiB, and say so', async () => {
    const request = draft(alice, emulator.url, { now: NOW });
    request.body = `{"other":"${'a'.repeat(512 * 1024 - 12)}"}`;
    expect(Buffer.byteLength(request.body)).toBe(512 * 1024);
    expect(await send(emulator.url, signed(request, alice))).toMatchObject({ status: 201 });
    request.body += ' ';
    const reply = await send(emulator.url, signed(request, alice));
    expect(reply).toMatchObject({ status: 413, headers: { connection: 'close' } });
    expect(emulator.verdicts.at(-1)).toMatchObject({ status: 413, accepted: false });
  });

  it('refuse headers above 64 KiB', async () => {
    const request = draft(alice, emulator.url, { now: NOW });
    request.headers.push(['Padding', 'a'.repeat(64 * 1024)]);
    expect(await send(emulator.url, signed(request, alice))).toMatchObject({ status: 431 });
  });

  it('leave the query, which may hold a token, out of the verdict', async () => {
    await send(emulator.url, {
      method: 'GET',
      path: '/nowhere',
      query: 'X-Amz-Security-Token=secret',
      headers: [['Host', 'a']],
      body: '',
    });
    expect(emulator.verdicts.at(-1)).toMatchObject({ path: '/nowhere' });
    expect(JSON.stringify(emulator.verdicts)).not.toContain('secret');
  });

  it('end open connections when they close', async () => {
    const other = await startWith(root);
    const socket = tcpConnect(other.port, '127.0.0.1');
    await new Promise((resolve) => socket.once('connect', resolve));
    const ended = new Promise((resolve) => socket.once('close', () => resolve('ended')));
    socket.on('error', () => undefined); // a reset is an end, too
    await other.close();
    expect(await ended).toBe('ended');
  });

  it('tell of each member that is not known, once for an operation, wherever it is', async () => {
    const told: string[] = [];
    const other = await startWith(root, {
      onUnknownMember: (operation, member) => told.push(`${operation} ${member}`),
    });
    const at = { region: 'us-east-1', now: NOW };
    const body = { name: 'a', roleArns: [], newMember: 1, tags: [{ key: 'a', value: 'b', more: 2 }] };
    for (let count = 0; count < 2; count += 1)
      await signedCall(other.url, { method: 'POST', path: '/profiles', query: { page: '1' }, body }, undefined, at);
    await stsClient(other, ADMIN).send(new GetCallerIdentityCommand({}));
    const request = draft(alice, other.url, { now: NOW });
    request.query += '&zone=a';
    expect((await send(other.url, signed(request, alice))).status).toBe(201);
    expect(told.toSorted()).toEqual([
      'CreateProfile ?page',
      'CreateProfile newMember',
      'CreateProfile tags.1.member.more',
      'CreateSession zone',
    ]);
    await fetch(`${other.url}/?Action=GetCallerIdentity&Version=2011-06-15&Other=1`);
    expect(told).toContain('GetCallerIdentity Other');
    await other.close();
  });

  it('tell of each verdict, and keep the last thousand', async () => {
    let told = 0;
    const other = await startEmulator({
      trustAnchors: [{ certificates: certificatePem(root.certificate) }],
      onVerdict: () => (told += 1),
    });
    const nothing = {
      method: 'GET',
      path: '/nowhere',
      query: '',
      headers: [['Host', 'a']] as [string, string][],
      body: '',
    };
    for (let count = 0; count < 1010; count += 1) await send(other.url, nothing);
    expect({ told, kept: other.verdicts.length }).toEqual({ told: 1010, kept: 1000 });
    await other.close();
  });
});
