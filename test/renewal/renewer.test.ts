import { beforeAll, describe, expect, it } from 'vitest';
import { loadIdentity } from '../../src/identity/load.ts';
import { RolesAnywhereError } from '../../src/platform/errors.ts';
import { createLog } from '../../src/platform/log.ts';
import type { Renewal } from '../../src/renewal/renew.ts';
import { startRenewer, timeText } from '../../src/renewal/renewer.ts';
import { type Certificate, readCertificate } from '../../src/x509/certificate.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { makeCa, writeIdentity } from './support/ca.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

let template: Certificate;

beforeAll(async () => {
  const { certificate } = await loadIdentity(await writeIdentity(await makeCa()));
  template = readCertificate(certificate, 'the leaf');
});

interface Options {
  /** How long certificates live. Default 30 days. */
  readonly lifeMs?: number;
  /** What comes in the way of looking at the certificate in use. */
  readonly unreadable?: (at: number) => Error | undefined;
  /** What a renewal waits for. */
  readonly until?: Promise<void>;
}

function setUp(
  outcomes: (at: number) => Error | undefined,
  { lifeMs = 30 * DAY, unreadable = () => undefined, until }: Options = {},
) {
  const clock = new FakeClock();
  const lines: { level: string; message: string; failures?: number; next?: string; notAfter?: string }[] = [];
  const log = createLog({ write: (line) => lines.push(JSON.parse(line)), format: 'json', now: () => clock.now() });
  const from = clock.now();
  const life = (): Certificate => ({
    ...template,
    notBefore: new Date(clock.now()),
    notAfter: new Date(clock.now() + lifeMs),
  });
  let current = life();
  const [asked, looks, signals, told]: [number[], number[], AbortSignal[], Renewal[]] = [[], [], [], []];
  const renewer = startRenewer({
    async certificate() {
      looks.push(clock.now() - from);
      const failure = unreadable(clock.now() - from);
      if (failure !== undefined) throw failure;
      return current;
    },
    async renew(signal): Promise<Renewal> {
      asked.push(clock.now() - from);
      signals.push(signal);
      await until;
      const failure = outcomes(clock.now() - from);
      if (failure !== undefined) throw failure;
      const replaced = current;
      current = life();
      return { leaf: current, replaced, newKey: false };
    },
    at: { part: 1 / 3 },
    clock,
    log,
    random: () => 0.5,
    onRenewed: (renewal) => void told.push(renewal),
  });
  return { clock, lines, asked, looks, signals, told, renewer, life: () => current };
}

const away = (): RolesAnywhereError => new RolesAnywhereError('ERR_CONNECT', 'the CA is away');

describe('a renewer', () => {
  it('renews when a third is left, again and again, and does not keep the process alive', async () => {
    const { clock, lines, asked, renewer } = setUp(() => undefined);
    await clock.advance(100 * DAY);
    expect(clock.timers).toEqual({ all: 1, keepAlive: 0 });
    expect(asked.length).toBe(4);
    expect(asked[0]).toBeGreaterThanOrEqual(20 * DAY);
    expect(asked[0]).toBeLessThan(21 * DAY + HOUR);
    expect(lines.map(({ level }) => level)).toEqual(['info', 'info', 'info', 'info']);
    expect(renewer.status()).toMatchObject({ succeeded: 4, failed: 0, failures: 0 });
    await renewer.close();
    expect(clock.timers.all).toBe(0);
  });

  it('meets a CA that is away for days with waits that grow to an hour, and says so ever louder', async () => {
    const { clock, lines, asked, renewer } = setUp(away);
    await clock.advance(31 * DAY);
    const gaps = asked.slice(1).map((time, index) => time - (asked[index] ?? 0));
    expect(gaps.slice(0, 6).map((gap) => Math.round(gap / 60_000))).toEqual([1, 2, 4, 8, 16, 32]);
    const times = gaps.map((gap, index) => ({ gap, left: 30 * DAY - (asked[index] ?? 0) }));
    const early = times.slice(6).filter(({ left }) => left > 4 * HOUR || left <= 0);
    expect(new Set(early.map(({ gap }) => Math.round(gap / 60_000)))).toEqual(new Set([60]));
    // A CA that is back an hour before the end is found at once: no wait takes more than a part of what is left.
    const late = times.filter(({ left }) => left > 0 && left < HOUR);
    expect(late.length).toBeGreaterThan(9);
    expect(late.every(({ gap, left }) => gap <= Math.max(left / 3, 75_000))).toBe(true);
    const levels = lines.map(({ level, message }) => /^THE CERTIFICATE (\S+)/.exec(message)?.[1] ?? level);
    expect([...new Set(levels)]).toEqual(['warn', 'error', 'ENDS', 'HAS']);
    expect(lines.at(-1)?.failures).toBe(asked.length);
    expect(renewer.status().failures).toBe(asked.length);
    await renewer.close();
  });

  it('says so when too many files are open, and tries again', async () => {
    const cause = Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE', syscall: 'open' });
    const { clock, lines, renewer } = setUp((at) => (at < 21 * DAY ? cause : undefined));
    await clock.advance(23 * DAY);
    expect(lines[0]).toMatchObject({ code: 'ERR_FILE_UNREADABLE', hint: expect.stringContaining('ulimit -n') });
    expect(renewer.status()).toMatchObject({ succeeded: 1, failures: 0 });
    await renewer.close();
  });

  it('goes back to quiet once the CA is back', async () => {
    const { clock, lines, renewer } = setUp((at) => (at < 25 * DAY ? away() : undefined));
    await clock.advance(26 * DAY);
    expect(lines.at(-1)).toMatchObject({ level: 'info', message: 'the certificate was renewed' });
    expect(renewer.status()).toMatchObject({ succeeded: 1, failures: 0 });
    await renewer.close();
  });

  it('waits as long as the CA asks for', async () => {
    const { clock, asked, renewer } = setUp(
      () => new RolesAnywhereError('ERR_THROTTLED', 'too many', { retryAfterMs: 1_800_000 }),
    );
    await clock.advance(22 * DAY);
    expect((asked[1] ?? 0) - (asked[0] ?? 0)).toBe(1_800_000);
    await renewer.close();
  });

  it('says when it tries again, and until when there is time', async () => {
    const { clock, lines, asked, renewer, life } = setUp(away);
    const from = clock.now();
    await clock.advance(20 * DAY);
    while (asked.length === 0) await clock.advance(1000);
    const [next, { next: told, ...counts }] = [new Date(from + (asked[0] ?? 0) + 60_000), renewer.status()];
    expect(lines).toMatchObject([
      { message: 'the certificate is not renewed: the CA is away', notAfter: life().notAfter.toISOString() },
    ]);
    expect(lines[0]?.next).toBe(next.toISOString());
    expect(told).toBeCloseTo(next.getTime(), -1);
    expect(counts).toEqual({ succeeded: 0, failed: 1, failures: 1, lastSuccess: undefined });
    await renewer.close();
  });

  it('tries at once, and after a failure no sooner for being told to look', async () => {
    const { clock, asked, renewer } = setUp(away, { lifeMs: 0 });
    expect(renewer.status().next).toBe(clock.now());
    await clock.advance(0);
    renewer.check();
    await clock.advance(0);
    expect(asked).toEqual([0]);
    await renewer.close();
  });

  it('looks at the certificate every ten minutes, and when it is told to', async () => {
    const { clock, looks, renewer } = setUp(() => undefined);
    await clock.advance(600_000 - 1);
    expect(looks).toEqual([0]);
    await clock.advance(1);
    expect(looks).toEqual([0, 600_000]);
    await clock.advance(1000);
    renewer.check();
    renewer.check();
    await clock.advance(0);
    expect(looks).toEqual([0, 600_000, 601_000]);
    expect(clock.timers.all).toBe(1);
    await renewer.close();
  });

  it('tells of a renewal, and when the next is due', async () => {
    const { clock, lines, asked, looks, told, renewer, life } = setUp(() => undefined);
    const from = clock.now();
    await clock.advance(22 * DAY);
    const { next, lastSuccess, ...counts } = renewer.status();
    expect(counts).toEqual({ succeeded: 1, failed: 0, failures: 0 });
    expect(lastSuccess).toBe(from + (asked[0] ?? 0));
    expect(told.map(({ leaf }) => leaf)).toEqual([life()]);
    expect(life().notAfter.getTime() - (next ?? 0)).toBeGreaterThan(9 * DAY);
    expect(lines[0]?.next).toBe(new Date(next ?? 0).toISOString());
    // It is not looked at sooner than any other.
    expect(looks.find((look) => look > (asked[0] ?? 0))).toBe((asked[0] ?? 0) + 600_000);
    await renewer.close();
  });

  it('asks a CA whose certificates are due as they come once a second', async () => {
    const { clock, lines, asked, renewer } = setUp(() => undefined, { lifeMs: 0 });
    const from = clock.now();
    await clock.advance(3500);
    expect(asked).toEqual([0, 1000, 2000, 3000]);
    expect(lines.at(-1)?.next).toBe(new Date(from + 4000).toISOString());
    await renewer.close();
  });

  it('waits less where a certificate lives for minutes', async () => {
    const { clock, asked, renewer } = setUp(away, { lifeMs: 400_000 });
    await clock.advance(400_000);
    expect(asked.slice(1, 4).map((time, index) => time - (asked[index] ?? 0))).toEqual([2000, 4000, 8000]);
    await renewer.close();
  });

  it('says that the certificate in use cannot be read, and looks again', async () => {
    const gone = new RolesAnywhereError('ERR_FILE_NOT_FOUND', 'no file');
    const { clock, lines, looks, renewer } = setUp(() => undefined, {
      unreadable: (at) => (at < 200_000 ? gone : undefined),
    });
    await clock.advance(300_000);
    expect(looks).toEqual([0, 60_000, 180_000]);
    await clock.advance(200_000);
    expect(looks.at(-1)).toBe(420_000);
    expect(lines.map(({ level, notAfter }) => `${level} ${notAfter}`)).toEqual(Array(3).fill('error undefined'));
    expect(lines[0]?.message).toBe('the certificate is not renewed: no file');
    await renewer.close();
  });

  it('calls what nobody expected by what it was about', async () => {
    const { clock, lines, renewer } = setUp(() => new TypeError('no function'), { lifeMs: 3000 });
    await clock.advance(2900);
    expect(lines[0]).toMatchObject({ code: 'ERR_INTERNAL', message: expect.stringContaining('could not be renewed') });
    await renewer.close();
  });

  it('does not keep to a wait that began on a clock which was wrong', async () => {
    const { clock, lines, asked, renewer } = setUp((at) => (at > 1000 * DAY ? away() : undefined));
    clock.jump(1400 * DAY);
    await clock.advance(2 * HOUR);
    expect(lines.at(-1)?.message).toMatch(/^THE CERTIFICATE HAS ENDED/);
    clock.jump(-1400 * DAY);
    await clock.advance(22 * DAY);
    expect(lines.at(-1)?.message).toBe('the certificate was renewed');
    expect(asked.at(-1)).toBeLessThan(22 * DAY);
    await renewer.close();
  });

  it('closes at once when nothing is under way, and is no longer told to look', async () => {
    const { clock, looks, renewer } = setUp(() => undefined);
    await renewer.close();
    expect(clock.timers.all).toBe(0);
    renewer.check();
    await clock.advance(DAY);
    expect(looks).toEqual([0]);
  });

  it('gives up what is under way when it is closed, says nothing of it, and waits for its end', async () => {
    const end = new AbortController();
    const until = new Promise<void>((_, fail) => {
      end.signal.addEventListener('abort', () => fail(new Error('given up')));
    });
    const { clock, lines, signals, renewer } = setUp(() => undefined, { lifeMs: 0, until });
    await clock.advance(0);
    const order: string[] = [];
    const closed = renewer.close().then(() => order.push('closed'));
    expect(signals[0]?.aborted).toBe(true);
    await clock.advance(0);
    order.push('ended');
    end.abort();
    await closed;
    expect(order).toEqual(['ended', 'closed']);
    await clock.advance(DAY);
    expect([lines, clock.timers.all]).toEqual([[], 0]);
  });

  it('catches up after a suspend', async () => {
    const { clock, asked, renewer } = setUp(() => undefined);
    await clock.advance(HOUR);
    clock.jump(25 * DAY);
    await clock.advance(HOUR);
    expect(asked).toHaveLength(1);
    await renewer.close();
  });

  it.each([
    [-5, '0 s'],
    [0, '0 s'],
    [999, '0 s'],
    [1000, '1 s'],
    [5000, '5 s'],
    [59_999, '59 s'],
    [60_000, '1 min'],
    [120_000 - 1, '1 min'],
    [300_000, '5 min'],
    [HOUR, '1 h 0 min'],
    [DAY - 1, '23 h 59 min'],
    [DAY, '1 d 0 h'],
    [2 * DAY - 1, '1 d 23 h'],
    [5 * HOUR + 60_000, '5 h 1 min'],
    [3 * DAY + 2 * HOUR, '3 d 2 h'],
  ])('calls %i ms %s', (ms, text) => {
    expect(timeText(ms)).toBe(text);
  });
});
