import { connect } from 'node:net';
import { request as httpsRequest } from 'node:https';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type Authority,
  type IssuedCertificate,
  createAuthority,
} from '../../../src/emulator/certificates/authority.ts';
import { type Clock, createClock } from '../../../src/emulator/clock.ts';
import { type Emulator, startEmulator } from '../../../src/emulator/emulator.ts';
import { fromRolesAnywhere } from '../../../src/index.ts';
import { signedCall } from '../services/control/drivers.ts';

const NOW = new Date('2031-02-03T04:05:06Z');

let authority: Authority;
let clock: Clock;
let emulator: Emulator;
let client: IssuedCertificate;
beforeEach(async () => {
  const validity = { notBefore: new Date(0), notAfter: new Date('2040-01-01T00:00:00Z') };
  authority = await createAuthority(validity);
  clock = createClock(NOW);
  emulator = await startEmulator({ trustAnchors: [{ certificates: authority.certificate }], now: clock.now });
  client = await authority.issue({ subject: 'CN=worker', dnsNames: ['worker.example'], ...validity });
});
afterEach(() => emulator.close());

/** What reaches a client of one plain GET, byte for byte. */
function bare(path = '/nowhere'): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(emulator.port, '127.0.0.1', () => {
      socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    });
    socket.setEncoding('latin1').on('data', (chunk) => (text += String(chunk)));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
  });
}

async function statuses(...paths: string[]): Promise<number[]> {
  const found: number[] = [];
  for (const path of paths) found.push(Number((await bare(path)).slice(9, 12)));
  return found;
}

describe('faults', () => {
  it('answer with a status in the place of the service, in the form of its protocol', async () => {
    emulator.inject({ status: 503 });
    expect(await bare()).toMatch(/^HTTP\/1\.1 503 [^]*X-Amzn-ErrorType: InternalFailure\r\n[^]*\{"message":/);
    emulator.inject({ status: 429, code: 'SlowDown', path: '/' });
    expect(await bare('/')).toMatch(/^HTTP\/1\.1 429 [^]*<Code>SlowDown<\/Code>/);
    expect(emulator.verdicts.map(({ status, code }) => [status, code])).toEqual([
      [503, 'InternalFailure'],
      [429, 'SlowDown'],
    ]);
  });

  it('cut the connection before the answer, or in the middle of its body', async () => {
    emulator.inject({ cut: 'before' });
    expect(await bare()).toBe('');
    emulator.inject({ cut: 'middle' });
    const text = await bare();
    const [, length] = /Content-Length: (\d+)/.exec(text) ?? [];
    expect(text.split('\r\n\r\n')[1]).toHaveLength(Math.floor(Number(length) / 2));
    expect(emulator.verdicts.at(-1)?.reason).toContain('(fault: cut in the middle of the answer)');
  });

  it('date the answer wrongly', async () => {
    emulator.inject({ date: new Date('2001-02-03T04:05:06Z') });
    expect(await bare()).toContain('Date: Sat, 03 Feb 2001 04:05:06 GMT');
    expect(await bare()).toContain('Date: Mon, 03 Feb 2031 04:05:06 GMT');
  });

  it('delay the answer past what comes later', async () => {
    emulator.inject({ delayMs: 300 });
    const order: string[] = [];
    const late = bare('/late').then(() => order.push('late'));
    while (emulator.verdicts.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await bare('/next').then(() => order.push('next'));
    await late;
    expect(order).toEqual(['next', 'late']);
  });

  it('befall the requests that they name, as often as they say, in their order, until they are taken back', async () => {
    emulator.inject({ status: 500, path: '/a', times: 2 });
    emulator.inject({ status: 502, method: 'POST' });
    emulator.inject({ status: 503 });
    expect(await statuses('/a', '/a', '/a', '/a')).toEqual([500, 500, 503, 404]);
    const takeBack = emulator.inject({ status: 504, times: Infinity });
    expect(await statuses('/a', '/b')).toEqual([504, 504]);
    takeBack();
    expect(await statuses('/a')).toEqual([404]);
  });

  it('show that this client tries again, and corrects its clock', async () => {
    const [trustAnchorArn, profileArn, roleArn] = [
      emulator.trustAnchorArns[0]!,
      emulator.profileArns[0]!,
      emulator.roleArns[0]!,
    ];
    const { certificate, privateKey } = client;
    const provider = fromRolesAnywhere({
      certificate,
      privateKey,
      trustAnchorArn,
      profileArn,
      roleArn,
      endpoint: emulator.url,
    });
    emulator.inject({ cut: 'before' });
    emulator.inject({ status: 500 });
    // The system's clock is years behind the emulator's: the first answer's Date tells.
    expect((await provider()).accessKeyId).toMatch(/^ASIA/);
    expect(emulator.verdicts.length).toBeGreaterThan(2);
  });
});

describe('a clock', () => {
  it('stands still, and ends sessions when it is moved on', async () => {
    expect(clock.now()).toEqual(NOW);
    clock.advance(90);
    expect(clock.now()).toEqual(new Date('2031-02-03T04:06:36Z'));
    clock.set(NOW);
    expect(clock.now()).toEqual(NOW);
    const list = () => signedCall(emulator.url, { method: 'GET', path: '/crls' }, undefined, { now: NOW });
    expect(await list()).toMatchObject({ status: 200 });
    clock.advance(15 * 60 + 1);
    expect(await list()).toMatchObject({ status: 403, type: 'InvalidSignatureException' });
  });
});

describe('the development certificate', () => {
  it('is one that its CA vouches for, for localhost and the loopback addresses', async () => {
    const other = await startEmulator({
      trustAnchors: [{ certificates: authority.certificate }],
      tls: 'development',
    });
    const { port } = new URL(other.tlsUrl!);
    for (const host of ['127.0.0.1', 'localhost']) {
      const status = await new Promise((resolve, reject) => {
        httpsRequest(`https://${host}:${port}/nowhere`, { ca: other.tlsCa, family: 4, agent: false }, (response) => {
          response.resume().on('end', () => resolve(response.statusCode));
        })
          .on('error', reject)
          .end();
      });
      expect(status).toBe(404);
    }
    await other.close();
  });
});
