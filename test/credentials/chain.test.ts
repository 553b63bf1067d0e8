import { describe, expect, it } from 'vitest';
import { createChain } from '../../src/credentials/chain.ts';
import type { HopStage } from '../../src/credentials/chain.ts';
import type { AwsCredentials } from '../../src/credentials/credentials.ts';
import type { SessionCredentials } from '../../src/credentials/credentials.ts';
import { createProvider } from '../../src/credentials/refresher.ts';
import { FakeClock } from '../support/fake-clock.ts';

const MINUTE = 60_000;
const SIGNAL = new AbortController().signal;

/** Stages whose sessions live for `minutes` each, and the log of what was asked of them: `stage<-session that asked`. */
function world(...minutes: readonly number[]) {
  const clock = new FakeClock();
  const log: string[] = [];
  const fail = new Set<number>();
  const origin = { is: 'a' };
  let count = 0;
  const vend = (stage: number, from: string): Promise<SessionCredentials> => {
    log.push(`${stage}<-${from}`);
    if (fail.has(stage)) return Promise.reject(new Error('scripted'));
    return Promise.resolve({
      accessKeyId: `${stage}.${++count}`,
      secretAccessKey: 'x',
      sessionToken: 'x',
      expiration: new Date(clock.now() + (minutes[stage] ?? 0) * MINUTE),
    });
  };
  const hop = (stage: number): HopStage => {
    return (from) => vend(stage, from.accessKeyId);
  };
  const hops = [hop(1), ...minutes.slice(2).map((_, index) => hop(index + 2))] as const;
  return {
    clock,
    log,
    fail,
    origin,
    chain: createChain(
      () => vend(0, ''),
      hops,
      () => clock.now(),
      () => origin.is,
    ),
  };
}

describe('createChain', () => {
  it('asks each stage with the credentials of the one before', async () => {
    const { chain, log } = world(60, 60, 60);
    expect((await chain(SIGNAL)).accessKeyId).toBe('2.3');
    expect(log).toEqual(['0<-', '1<-0.1', '2<-1.2']);
  });

  it.each([
    ['the first', [20, 60, 60]],
    ['a middle one', [60, 20, 60]],
    ['the last', [60, 60, 20]],
  ])('ends with the earliest of its stages: %s', async (_, minutes) => {
    const { chain, clock } = world(...minutes);
    expect((await chain(SIGNAL)).expiration.getTime()).toBe(clock.now() + 20 * MINUTE);
  });

  it('asks again for what is stale alone', async () => {
    const { chain, log, clock } = world(720, 60, 15);
    await chain(SIGNAL);
    log.length = 0;
    await clock.advance(6 * MINUTE); // 9 minutes are left of the last
    await chain(SIGNAL);
    expect(log).toEqual(['2<-1.2']);
    log.length = 0;
    await clock.advance(34 * MINUTE); // 20 of the middle one, none of the last
    await chain(SIGNAL);
    expect(log).toEqual(['1<-0.1', '2<-1.5']);
  });

  it.each([
    // 10.5 of 15 minutes: the earliest moment at which a provider would renew it.
    [4.5 * MINUTE - 1, ['0<-', '1<-0.3']],
    [4.5 * MINUTE, ['1<-0.1']],
  ])('takes a set for stale as soon as a provider could, to the millisecond: %d', async (passedMs, asked) => {
    const { chain, log, clock } = world(720, 15);
    await chain(SIGNAL);
    log.length = 0;
    await clock.advance(passedMs);
    await chain(SIGNAL);
    expect(log).toEqual(asked);
  });

  it('leaves later stages alone when an earlier one is renewed', async () => {
    const { chain, log, clock } = world(15, 720);
    await chain(SIGNAL);
    log.length = 0;
    await clock.advance(6 * MINUTE);
    const { accessKeyId, expiration } = await chain(SIGNAL);
    expect(log).toEqual(['0<-']);
    expect(accessKeyId).toBe('1.2');
    expect(expiration.getTime()).toBe(clock.now() + 15 * MINUTE);
  });

  it('asks for all when nothing is stale: then someone wants new ones', async () => {
    const { chain, log, clock } = world(60, 60);
    await chain(SIGNAL);
    await clock.advance(MINUTE);
    await chain(SIGNAL);
    expect(log).toEqual(['0<-', '1<-0.1', '0<-', '1<-0.3']);
  });

  it('keeps what came before a failure', async () => {
    const { chain, log, fail } = world(60, 60);
    fail.add(1);
    await expect(chain(SIGNAL)).rejects.toThrow('scripted');
    fail.clear();
    await chain(SIGNAL);
    expect(log).toEqual(['0<-', '1<-0.1', '1<-0.1']);
  });

  it('asks for all when the first source is another one, however fresh and however far it came', async () => {
    const { chain, log, fail, origin } = world(60, 60);
    fail.add(1);
    await expect(chain(SIGNAL)).rejects.toThrow('scripted');
    origin.is = 'b';
    await expect(chain(SIGNAL)).rejects.toThrow('scripted');
    fail.clear();
    await chain(SIGNAL);
    expect(log).toEqual(['0<-', '1<-0.1', '0<-', '1<-0.2', '1<-0.2']);
  });

  it('mixes no stage of before into a chain that is asked for as a whole', async () => {
    const { chain, log, clock, fail, origin } = world(60, 60, 15);
    await chain(SIGNAL);
    await clock.advance(6 * MINUTE); // the last is stale, the middle one is not
    log.length = 0;
    origin.is = 'b';
    fail.add(1);
    await expect(chain(SIGNAL)).rejects.toThrow('scripted');
    fail.clear();
    await chain(SIGNAL);
    expect(log).toEqual(['0<-', '1<-0.4', '1<-0.4', '2<-1.5']);
  });

  it('asks a source that never ends once, unless new credentials are wanted', async () => {
    const clock = new FakeClock();
    let asked = 0;
    const first = (): Promise<AwsCredentials> => {
      asked += 1;
      return Promise.resolve({ accessKeyId: 'AKIA', secretAccessKey: 'x' });
    };
    const hop: HopStage = () => Promise.resolve({ ...session, expiration: new Date(clock.now() + 15 * MINUTE) });
    const session = { accessKeyId: 'ASIA', secretAccessKey: 'x', sessionToken: 'x' };
    const chain = createChain(first, [hop], () => clock.now());
    expect((await chain(SIGNAL)).expiration.getTime()).toBe(clock.now() + 15 * MINUTE);
    await clock.advance(10 * MINUTE);
    await chain(SIGNAL);
    expect(asked).toBe(1);
    await chain(SIGNAL);
    expect(asked).toBe(2);
  });

  it('feeds a provider for a day with few requests and never with expired credentials', async () => {
    const { chain, log, clock } = world(60, 15);
    const provider = createProvider({ vend: chain, clock, random: () => 0.5 });
    await provider.start();
    const end = clock.now() + 24 * 60 * MINUTE;
    while (clock.now() < end) {
      await clock.advance(MINUTE);
      expect(provider.peek()).toBeDefined();
    }
    provider.close();
    const asked = (stage: string): number => log.filter((line) => line.startsWith(stage)).length;
    expect(asked('0')).toBeLessThan(60);
    expect(asked('1')).toBeLessThan(24 * 20);
  });
});
