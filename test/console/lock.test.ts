import { describe, expect, it } from 'vitest';
import { createLock } from '../../src/console/lock.ts';

const setUp = (passphrase?: string) => {
  const time = { now: 1_000_000, monotonic: 5000 };
  const lock = createLock({ passphrase, now: () => time.now, monotonic: () => time.monotonic });
  const unlock = (secret: { code?: string; passphrase?: string }, client = 'uid 1', uid: number | undefined = 1) =>
    lock.unlock({ ...secret, client, uid });
  const open = () => {
    const outcome = unlock({ code: lock.newCode() });
    if (outcome.kind !== 'open') throw new Error(outcome.kind);
    return outcome;
  };
  return { time, lock, unlock, open };
};

describe('the code of a link', () => {
  it('opens once', () => {
    const { lock, unlock } = setUp();
    const code = lock.newCode();
    expect(unlock({ code }).kind).toBe('open');
    expect(unlock({ code }).kind).toBe('wrong');
  });

  it('is good for five minutes, and no longer', () => {
    const { lock, unlock, time } = setUp();
    const first = lock.newCode();
    time.now += 5 * 60_000 - 1;
    expect(unlock({ code: first }).kind).toBe('open');
    const second = lock.newCode();
    time.now += 5 * 60_000;
    expect(unlock({ code: second }).kind).toBe('wrong');
  });

  it('gives way to a newer one', () => {
    const { lock, unlock } = setUp();
    const [old, fresh] = [lock.newCode(), lock.newCode()];
    expect(unlock({ code: old }).kind).toBe('wrong');
    expect(unlock({ code: fresh }).kind).toBe('open');
  });

  it('has 256 random bits', () => {
    const { lock } = setUp();
    expect(lock.newCode()).toMatch(/^[\w-]{43}$/);
    expect(lock.newCode()).not.toBe(lock.newCode());
  });
});

describe('the passphrase', () => {
  it('opens as often as it is given', () => {
    const { unlock } = setUp('correct horse');
    expect(unlock({ passphrase: 'correct horse' }).kind).toBe('open');
    expect(unlock({ passphrase: 'correct horse' }).kind).toBe('open');
  });

  it('is none where none was given: nothing empty opens', () => {
    const { unlock } = setUp();
    expect([unlock({ passphrase: '' }).kind, unlock({ code: '' }).kind, unlock({}).kind]).toEqual([
      'wrong',
      'wrong',
      'wrong',
    ]);
  });
});

describe('wrong attempts', () => {
  it('are counted down, and then cost a wait that doubles, during which nothing opens', () => {
    const { lock, unlock, time } = setUp('correct horse');
    expect([1, 2, 3, 4].map(() => unlock({ passphrase: 'no' }))).toEqual(
      [4, 3, 2, 1].map((left) => ({ kind: 'wrong', left })),
    );
    expect(unlock({ passphrase: 'no' })).toEqual({ kind: 'wait', waitMs: 60_000 });
    expect(unlock({ passphrase: 'correct horse' }).kind).toBe('wait');
    expect(unlock({ code: lock.newCode() }).kind).toBe('wait');
    time.now += 60_000;
    expect(unlock({ passphrase: 'no' })).toEqual({ kind: 'wait', waitMs: 120_000 });
    time.now += 120_000;
    expect(unlock({ passphrase: 'correct horse' }).kind).toBe('open');
    expect(unlock({ passphrase: 'no' })).toEqual({ kind: 'wrong', left: 4 });
  });

  it('lock out the client that made them, and nobody else', () => {
    const { unlock } = setUp('correct horse');
    for (let attempt = 0; attempt < 8; attempt++) unlock({ passphrase: 'no' }, 'uid 2', 2);
    expect(unlock({ passphrase: 'correct horse' }, 'uid 2', 2).kind).toBe('wait');
    expect(unlock({ passphrase: 'correct horse' }).kind).toBe('open');
  });

  it('of very many clients leave no room for new ones, and memory stays bounded', () => {
    const { unlock, time } = setUp('correct horse');
    for (let client = 0; client < 1000; client++) unlock({ passphrase: 'no' }, `address ${client}`);
    expect(unlock({ passphrase: 'correct horse' }, 'a new one').kind).toBe('wait');
    time.now += 3_600_001;
    expect(unlock({ passphrase: 'correct horse' }, 'a new one').kind).toBe('open');
  });
});

describe('a session', () => {
  it('ends 15 minutes after its last use, and tells who waits for that', () => {
    const { lock, open, time } = setUp();
    const { cookie, session } = open();
    let told = 0;
    session.ended.add(() => told++);
    time.now += 14 * 60_000;
    expect(lock.find(cookie, 1)).toBe(session);
    time.now += 14 * 60_000;
    expect(lock.find(cookie, 1, true)).toBe(session);
    time.now += 60_000;
    lock.sweep();
    expect([told, lock.find(cookie, 1)]).toEqual([1, undefined]);
  });

  it('ends after 8 hours, however busy', () => {
    const { lock, open, time } = setUp();
    const { cookie } = open();
    for (let minutes = 0; minutes < 8 * 60 - 10; minutes += 10) {
      expect(lock.find(cookie, 1)).toBeDefined();
      time.now += 10 * 60_000;
    }
    time.now += 10 * 60_000;
    expect(lock.find(cookie, 1)).toBeUndefined();
  });

  it('is good for the user alone who opened it', () => {
    const { lock, open } = setUp();
    const { cookie, session } = open();
    expect([lock.find(cookie, 2), lock.find(cookie, undefined)]).toEqual([undefined, undefined]);
    expect(lock.find(cookie, 1)).toBe(session);
  });

  it('accepts its own token and no other', () => {
    const { lock, open } = setUp();
    const [one, other] = [open().session, open().session];
    expect(lock.accepts(one, one.csrf)).toBe(true);
    expect([lock.accepts(one, other.csrf), lock.accepts(one, undefined), lock.accepts(one, '')]).toEqual([
      false,
      false,
      false,
    ]);
  });

  it('makes room for new ones: 16 are open at most', () => {
    const { lock, open, time } = setUp();
    const first = open();
    time.now += 1;
    for (let count = 0; count < 16; count++) open();
    expect(lock.find(first.cookie, 1)).toBeUndefined();
  });
});

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

const fail = ({ unlock }: ReturnType<typeof setUp>, times: number) =>
  Array.from({ length: times }, () => unlock({ passphrase: 'no' })).at(-1);

describe('failures', () => {
  it('cost a quarter of an hour at most', () => {
    const console = setUp('correct horse');
    fail(console, 4);
    const waits = Array.from({ length: 7 }, () => {
      const outcome = fail(console, 1);
      const waitMs = outcome?.kind === 'wait' ? outcome.waitMs : 0;
      console.time.now += waitMs;
      return waitMs;
    });
    expect(waits.map((wait) => wait / MINUTE_MS)).toEqual([1, 2, 4, 8, 15, 15, 15]);
  });

  it('are waited for to the last millisecond', () => {
    const console = setUp('correct horse');
    fail(console, 5);
    console.time.now += MINUTE_MS - 1;
    expect(console.unlock({ passphrase: 'correct horse' })).toEqual({ kind: 'wait', waitMs: 1 });
    console.time.now += 1;
    expect(console.unlock({ passphrase: 'correct horse' }).kind).toBe('open');
  });

  it.each([
    [HOUR_MS, 3],
    [HOUR_MS + 1, 4],
  ])('are counted together after %i ms', (passedMs, left) => {
    const console = setUp('correct horse');
    // However long the console has been up.
    console.time.now += 2 * HOUR_MS;
    fail(console, 1);
    console.time.now += passedMs;
    expect(fail(console, 1)).toEqual({ kind: 'wrong', left });
  });

  it('of a thousand clients are kept in mind for an hour, and not of one more', () => {
    const { unlock, time } = setUp('correct horse');
    time.now += 2 * HOUR_MS;
    const attempt = (client: number): string => unlock({ passphrase: 'no' }, `address ${client}`).kind;
    for (let client = 1; client < 1000; client++) attempt(client);
    expect([attempt(1000), attempt(1001)]).toEqual(['wrong', 'wait']);
    time.now += HOUR_MS;
    expect(attempt(1001)).toBe('wait');
    time.now += 1;
    expect(attempt(1001)).toBe('wrong');
  });
});

describe('sessions', () => {
  it('have secrets of 256 random bits', () => {
    const { cookie, session } = setUp().open();
    expect([cookie, session.csrf].filter((secret) => /^[\w-]{43}$/.test(secret))).toHaveLength(2);
    expect(cookie).not.toBe(session.csrf);
  });

  it('are found by a cookie alone', () => {
    const { lock, open } = setUp();
    open();
    expect([lock.find(undefined, 1), lock.find('', 1)]).toEqual([undefined, undefined]);
  });

  it('last for a quarter of an hour without use, to the millisecond, and say how long that is yet', () => {
    const { lock, open, time } = setUp();
    const { cookie, session } = open();
    expect([lock.leftOf(session), lock.leftOf(session)]).toEqual([15 * MINUTE_MS, 15 * MINUTE_MS]);
    time.now += 15 * MINUTE_MS - 1;
    expect(lock.leftOf(session)).toBe(1);
    lock.sweep();
    expect(lock.find(cookie, 1, true)).toBe(session);
    time.now += 1;
    expect(lock.find(cookie, 1)).toBeUndefined();
  });

  it('last for eight hours in use, to the millisecond', () => {
    const { lock, open, time } = setUp();
    const { cookie, session } = open();
    for (let minutes = 0; minutes < 8 * 60 - 10; minutes += 10) {
      time.now += 10 * MINUTE_MS;
      lock.find(cookie, 1);
    }
    time.now += 10 * MINUTE_MS - 1;
    expect(lock.find(cookie, 1)).toBe(session);
    expect(lock.leftOf(session)).toBe(1);
    time.now += 1;
    expect(lock.find(cookie, 1)).toBeUndefined();
  });

  it('are 16, and the one that was idle for longest makes room', () => {
    const { lock, open, time } = setUp();
    const all = Array.from({ length: 16 }, () => {
      time.now += 1;
      return open();
    });
    expect(all.filter(({ cookie }) => lock.find(cookie, 1, true) === undefined)).toEqual([]);
    time.now += 1;
    // All but the third are used.
    for (const [index, { cookie }] of all.entries()) if (index !== 2) lock.find(cookie, 1);
    open();
    expect(all.map(({ cookie }) => lock.find(cookie, 1) === undefined).indexOf(true)).toBe(2);
    expect(all.filter(({ cookie }) => lock.find(cookie, 1) === undefined)).toHaveLength(1);
  });

  it('end one by one, and those who wait for it are told once', () => {
    const { lock, open } = setUp();
    const [one, other] = [open(), open()];
    let told = 0;
    one.session.ended.add(() => told++);
    lock.end(one.session);
    lock.end(one.session);
    expect(told).toBe(1);
    expect([lock.find(one.cookie, 1), lock.find(other.cookie, 1)]).toEqual([undefined, other.session]);
  });

  it('end all at once', () => {
    const { lock, open } = setUp();
    const all = [open(), open()];
    lock.endAll();
    expect(all.map(({ cookie }) => lock.find(cookie, 1))).toEqual([undefined, undefined]);
  });

  it('whose time is over end, and tell so, when they are asked for', () => {
    const { lock, open, time } = setUp();
    const { cookie, session } = open();
    let told = 0;
    session.ended.add(() => told++);
    time.now += 15 * MINUTE_MS;
    expect([lock.find(cookie, 1), told]).toEqual([undefined, 1]);
  });
});

describe('a clock that is set back by a day', () => {
  const DAY_MS = 24 * 3_600_000;
  /** The clock is set back, and time goes on. */
  const setBackAndPass = (time: ReturnType<typeof setUp>['time'], passedMs: number): void => {
    time.now += passedMs - DAY_MS;
    time.monotonic += passedMs;
  };

  it('makes the code of a link good for no longer', () => {
    const { lock, unlock, time } = setUp();
    const code = lock.newCode();
    setBackAndPass(time, 5 * 60_000);
    expect(lock.hasCode()).toBe(false);
    expect(unlock({ code }).kind).toBe('wrong');
  });

  it('makes a session last no longer', () => {
    const { lock, open, time } = setUp();
    const { cookie } = open();
    setBackAndPass(time, 15 * 60_000);
    expect(lock.find(cookie, 1)).toBeUndefined();
  });

  it('makes nobody wait for longer', () => {
    const { lock, unlock, time } = setUp('right');
    for (let count = 0; count < 5; count++) unlock({ passphrase: 'wrong' });
    expect(unlock({ passphrase: 'right' }).kind).toBe('wait');
    setBackAndPass(time, 60_000);
    expect(unlock({ passphrase: 'right' }).kind).toBe('open');
    expect(lock.hasCode()).toBe(false);
  });
});
