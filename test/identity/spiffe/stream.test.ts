import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadIdentity } from '../../../src/identity/load.ts';
import type { Identity } from '../../../src/identity/identity.ts';
import { watchIdentity } from '../../../src/identity/reload.ts';
import { SvidStream } from '../../../src/identity/spiffe/stream.ts';
import type { SvidStreamOptions } from '../../../src/identity/spiffe/stream.ts';
import { readReference } from '../../../src/identity/spiffe/reference.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import {
  type Question,
  type WorkloadApi,
  begin,
  freshSocket,
  makeTrustDomain,
  refuse,
  startWorkloadApi,
  x509Answer,
} from '../../support/workload-api.ts';

const domain = await makeTrustDomain();

let api: WorkloadApi | undefined;
let stream: SvidStream | undefined;
let socket: string;
let clock: FakeClock;
let answer: (question: Question) => void;

beforeEach(() => {
  socket = freshSocket();
  clock = new FakeClock(Date.now());
});

afterEach(async () => {
  stream?.close();
  await api?.close();
  [api, stream] = [undefined, undefined];
});

async function startAgent(): Promise<void> {
  api = await startWorkloadApi((question) => answer(question), socket);
}

function open(options: Partial<SvidStreamOptions> = {}, query = ''): SvidStream {
  const value = `spiffe:unix://${socket}${query}`;
  stream = new SvidStream(value, readReference(value, '--certificate', {}), { clock, random: () => 0, ...options });
  return stream;
}

/** The identity of the newest answer, as serve loads it. */
async function load(of: SvidStream): Promise<Identity> {
  const certificate = 'spiffe:';
  return of.guard(await loadIdentity({ certificate }, { spiffe: { stream: of }, now: () => clock.now() }));
}

/** The delays of the timers that are set from now on. */
function delaysOf(of: FakeClock): number[] {
  const delays: number[] = [];
  const set = of.setTimer.bind(of);
  of.setTimer = (callback, delayMs, keepAlive) => {
    delays.push(delayMs);
    return set(callback, delayMs, keepAlive);
  };
  return delays;
}

/** Waits for what another turn of the event loop, and the socket, bring about. */
async function until(there: () => boolean): Promise<void> {
  await vi.waitFor(() => expect(there()).toBe(true), { timeout: 10_000, interval: 5 });
}

describe('the stream of SVIDs', () => {
  it('gives the newest answer, and tells of each', async () => {
    const [first, second] = [await domain.issue(), await domain.issue()];
    answer = (question) => begin(question, x509Answer(first));
    await startAgent();
    const opened = open();
    await opened.open();
    expect((await load(opened)).serialNumber).toBe(first.serialNumber);
    let heard = 0;
    opened.subscribe(() => (heard += 1));
    const before = opened.version();
    api?.send(x509Answer(second));
    await until(() => heard === 1);
    expect(opened.version()).not.toBe(before);
    expect((await load(opened)).serialNumber).toBe(second.serialNumber);
    const now = opened.version();
    api?.send(Buffer.concat([x509Answer(second), Buffer.from([0x48, 1])]));
    await until(() => heard === 2);
    expect(opened.version()).toBe(now);
    expect(api?.questions).toHaveLength(1);
  });

  it('fails at once when the first answer is a failure', async () => {
    await expect(open().open()).rejects.toMatchObject({ code: 'ERR_SPIFFE_CONNECT' });
    answer = (question) => refuse(question, 7, 'no identity issued');
    await startAgent();
    await expect(open().open()).rejects.toMatchObject({ code: 'ERR_SPIFFE_DENIED' });
    expect(clock.timers.all).toBe(0);
  });

  it('is opened again after waits that grow, and keeps the last SVID meanwhile', async () => {
    const svid = await domain.issue();
    answer = (question) => begin(question, x509Answer(svid));
    await startAgent();
    const lost: string[] = [];
    let back = 0;
    const opened = open({ onLost: ({ code }) => lost.push(code), onBack: () => (back += 1) });
    await opened.open();
    const identity = await load(opened);
    const waits = delaysOf(clock);
    await api?.close();
    for (let attempt = 1; attempt <= 9; attempt++) {
      await until(() => waits.length === attempt);
      await clock.advance(waits.at(-1) ?? 0);
    }
    await until(() => waits.length === 10);
    // Without chance, half of each wait is left.
    expect(waits).toEqual([250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000, 15_000]);
    expect(lost).toEqual(['ERR_SPIFFE_CONNECT']);
    expect(back).toBe(0);
    await identity.signer.sign(Buffer.from('message'));
    expect((await load(opened)).serialNumber).toBe(svid.serialNumber);
    await startAgent();
    opened.retry();
    await until(() => back === 1);
    expect(lost).toHaveLength(1);
  });

  it('spreads its waits by chance', async () => {
    answer = (question) => begin(question, x509Answer(svid));
    const svid = await domain.issue();
    await startAgent();
    await open({ random: () => 0.5 }).open();
    const waits = delaysOf(clock);
    await api?.close();
    await until(() => waits.length === 1);
    expect(waits).toEqual([375]);
  });

  it('does not sign with an SVID that has ended, and says what keeps a newer one away', async () => {
    const svid = await domain.issue({ notAfter: new Date(clock.now() + 60_000) });
    answer = (question) => begin(question, x509Answer(svid));
    await startAgent();
    let lost = false;
    const opened = open({ onLost: () => (lost = true) });
    await opened.open();
    const identity = await load(opened);
    await api?.close();
    await until(() => lost);
    clock.jump(55_000);
    await identity.signer.sign(Buffer.from('message'));
    clock.jump(6000);
    await expect(identity.signer.sign(Buffer.from('message'))).rejects.toMatchObject({
      code: 'ERR_CERTIFICATE_EXPIRED',
      message: expect.stringMatching(/ended at .*: the Workload API at unix:.* ended the connection/),
    });
  });

  it('gives an SVID up a minute after the agent began to deny it, and takes the next one', async () => {
    const svid = await domain.issue();
    let denies = false;
    answer = (question) => (denies ? refuse(question, 7, 'no identity issued') : begin(question, x509Answer(svid)));
    await startAgent();
    const opened = open();
    await opened.open();
    const identity = await load(opened);
    denies = true;
    api?.drop();
    const asked = (): number => api?.questions.length ?? 0;
    let losses = 0;
    const off = opened.subscribe(() => (losses += 1));
    await until(() => losses === 1);
    // The first loss was the connection's, the second is the first denial.
    await clock.advance(250);
    await until(() => losses === 2);
    for (let waited = 0; waited < 60_000; waited += 15_000) {
      await identity.signer.sign(Buffer.from('message'));
      await clock.advance(15_000);
      await until(() => asked() >= losses && clock.timers.all === 1);
    }
    off();
    await expect(identity.signer.sign(Buffer.from('message'))).rejects.toMatchObject({ code: 'ERR_SPIFFE_DENIED' });
    denies = false;
    let heard = 0;
    opened.subscribe(() => (heard += 1));
    opened.retry();
    await until(() => heard === 1);
    await identity.signer.sign(Buffer.from('message'));
  });

  it('gives an SVID up that is not in the newest answer', async () => {
    const [web, batch] = [await domain.issue(), await domain.issue({ id: 'spiffe://example.org/batch' })];
    answer = (question) => begin(question, x509Answer(batch, web));
    await startAgent();
    const opened = open({}, `?id=${web.id}`);
    await opened.open();
    const identity = await load(opened);
    expect(identity.serialNumber).toBe(web.serialNumber);
    const before = opened.version();
    api?.send(x509Answer(batch));
    await until(() => opened.version() !== before);
    await expect(identity.signer.sign(Buffer.from('message'))).rejects.toMatchObject({ code: 'ERR_SPIFFE_ID' });
  });

  it('asks an agent anew that is silent late in the life of an SVID', async () => {
    const svid = await domain.issue({
      notBefore: new Date(clock.now() - 1000),
      notAfter: new Date(clock.now() + 3_599_000),
    });
    answer = (question) => begin(question, x509Answer(svid));
    await startAgent();
    await open().open();
    await clock.advance(2_690_000);
    expect(api?.questions).toHaveLength(1);
    await clock.advance(10_000);
    await until(() => api?.questions.length === 2);
  });

  it('ends when an answer is garbage, and keeps what was good', async () => {
    const svid = await domain.issue();
    answer = (question) => begin(question, x509Answer(svid));
    await startAgent();
    const lost: string[] = [];
    const opened = open({ onLost: ({ code }) => lost.push(code) });
    await opened.open();
    api?.send(Buffer.from('garbage'));
    await until(() => lost.length === 1);
    expect(lost).toEqual(['ERR_SPIFFE_ANSWER']);
    expect((await load(opened)).serialNumber).toBe(svid.serialNumber);
  });

  it('overwrites keys that it no longer needs', async () => {
    const svid = await domain.issue();
    answer = (question) => begin(question, x509Answer(svid));
    await startAgent();
    const opened = open();
    await opened.open();
    const contents = opened.contents();
    const [key] = contents.blocks.filter(({ label }) => label === 'PRIVATE KEY').map(({ der }) => der);
    expect(Buffer.from(key ?? [])).toEqual(svid.key);
    opened.close();
    expect(() => opened.contents()).toThrow('does not give this process');
    expect(clock.timers.all).toBe(0);
  });
});

describe('a watched identity of a stream', () => {
  it('changes with each answer, and ends the stream when it is closed', async () => {
    const svids = [await domain.issue(), await domain.issue(), await domain.issue()];
    answer = (question) => begin(question, x509Answer(...svids.slice(0, 1)));
    await startAgent();
    const value = `spiffe:unix://${socket}`;
    const opened = new SvidStream(value, readReference(value, '--certificate', {}), {});
    await opened.open();
    const seen: string[] = [];
    const errors: string[] = [];
    const watcher = await watchIdentity({
      load: async () => opened.guard(await loadIdentity({ certificate: value }, { spiffe: { stream: opened } })),
      paths: [],
      changes: opened,
      settleMs: 5,
      onChange: ({ serialNumber }) => seen.push(serialNumber),
      onError: ({ code }) => errors.push(code),
    });
    for (const svid of svids.slice(1)) {
      api?.send(x509Answer(svid));
      await until(() => seen.includes(svid.serialNumber));
    }
    // An answer that cannot be used leaves the one before.
    const past = new Date(Date.now() - 1000);
    api?.send(x509Answer(await domain.issue({ notAfter: past })));
    await until(() => errors.length === 1);
    expect(errors).toEqual(['ERR_CERTIFICATE_EXPIRED']);
    expect(await watcher.use(async ({ serialNumber }) => serialNumber)).toBe(svids[2]?.serialNumber);
    await watcher.close();
    await sleep(20);
    expect(api?.questions.every(({ stream: { destroyed, closed } }) => destroyed || closed)).toBe(true);
  });
});
