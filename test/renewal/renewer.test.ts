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

function setUp(outcomes: (at: number) => Error | undefined) {
  const clock = new FakeClock();
  const lines: { level: string; message: string; failures?: number }[] = [];
  const log = createLog({ write: (line) => lines.push(JSON.parse(line)), format: 'json', now: () => clock.now() });
  const from = clock.now();
  const life = (): Certificate => ({
    ...template,
    notBefore: new Date(clock.now()),
    notAfter: new Date(clock.now() + 30 * DAY),
  });
  let current = life();
  const asked: number[] = [];
  const renewer = startRenewer({
    certificate: async () => current,
    async renew(): Promise<Renewal> {
      asked.push(clock.now() - from);
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
  });
  return { clock, lines, asked, renewer };
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

  it('catches up after a suspend', async () => {
    const { clock, asked, renewer } = setUp(() => undefined);
    await clock.advance(HOUR);
    clock.jump(25 * DAY);
    await clock.advance(HOUR);
    expect(asked).toHaveLength(1);
    await renewer.close();
  });

  it.each([
    [5000, '5 s'],
    [300_000, '5 min'],
    [5 * HOUR + 60_000, '5 h 1 min'],
    [3 * DAY + 2 * HOUR, '3 d 2 h'],
  ])('calls %i ms %s', (ms, text) => {
    expect(timeText(ms)).toBe(text);
  });
});
