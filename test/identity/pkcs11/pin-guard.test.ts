import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { deferred } from '../../../src/credentials/outcome.ts';
import type { Pin, PinSource } from '../../../src/identity/pkcs11/pin.ts';
import { PinGuard, guardDirectory } from '../../../src/identity/pkcs11/pin-guard.ts';
import type { Outcome, Purpose } from '../../../src/identity/pkcs11/pin-guard.ts';
import { refusal, refusalCode } from '../../support/refusal.ts';

/** How the guard waits, where a test does not let it wait by the clock. */
const held = vi.hoisted(() => ({ sleep: undefined as ((ms: number) => void) | undefined }));
vi.mock('node:timers/promises', async (original) => {
  const real = await original<typeof import('node:timers/promises')>();
  const sleep = async (ms: number): Promise<void> => {
    if (held.sleep === undefined) await real.setTimeout(ms);
    else held.sleep(ms);
  };
  return { ...real, setTimeout: sleep };
});
afterEach(() => {
  held.sleep = undefined;
  vi.restoreAllMocks();
});

const token = { label: 't', manufacturer: 'm', model: 'o', serial: '1', flags: 0 };
const COUNT_LOW = 0x10000;
const source: PinSource = { key: 'environment:X', description: 'X', read: async () => pin('') };

function pin(text: string, stamp?: string): Pin {
  return { bytes: Buffer.from(text), ...(stamp === undefined ? {} : { stamp }) };
}

const fails = async (): Promise<void> => await Promise.reject(new Error('lost'));

describe('the guard', () => {
  let directory: string;
  let logins: string[];
  beforeEach(() => {
    directory = join(mkdtempSync(join(tmpdir(), 'guard-')), 'pins');
    logins = [];
  });
  afterEach(() => rmSync(join(directory, '..'), { recursive: true }));

  /** One login, as another process would make it: only the folder is shared. */
  async function login(
    given: Pin,
    outcome: Outcome,
    {
      purpose = 'user',
      serial = '1',
      from = source,
      waitMs = 200,
      flags = 0,
      after = 0,
    }: {
      purpose?: Purpose;
      serial?: string;
      from?: PinSource;
      waitMs?: number;
      flags?: number;
      /** Seconds since the first login. */
      after?: number;
    } = {},
  ) {
    const now = () => new Date(Date.UTC(2026, 0, 1) + after * 1000);
    const guard = new PinGuard({ directory, waitMs, pollMs: 1, now });
    const body = async () => {
      logins.push(Buffer.from(given.bytes).toString());
      if (outcome !== 'accepted') throw new Error(outcome);
    };
    try {
      await guard.present({ ...token, serial, flags }, purpose, from, given, body, () => outcome);
    } catch (error) {
      if (error instanceof Error && error.message === outcome) return;
      throw error;
    }
  }

  const records = () => readdirSync(directory).filter((name) => name.endsWith('.json'));
  const record = (): Record<string, unknown> => JSON.parse(readFileSync(join(directory, records()[0] ?? ''), 'utf8'));
  const tags = (): string[] => (record()['refused'] as { tag: string }[]).map(({ tag }) => tag);
  const presentPassword = (given: string, outcome: Outcome): Promise<void> =>
    new PinGuard({ directory, secret: 'password' }).present(
      token,
      'key',
      source,
      pin(given),
      async () => {
        logins.push(given);
        if (outcome !== 'accepted') throw new Error(outcome);
      },
      () => outcome,
    );
  const presentByDefault = (): Promise<void> =>
    new PinGuard({ directory }).present(
      token,
      'user',
      source,
      pin('1'),
      async () => undefined,
      () => 'accepted',
    );

  it('keeps of a login that was accepted that it was, and nothing of the PIN', async () => {
    await login(pin('1234'), 'accepted');
    await login(pin('1234'), 'accepted');
    expect(records()).toHaveLength(1);
    expect(record()).toEqual({
      version: 2,
      token: 'm o 1 t',
      refused: [],
      accepted: { source: source.key },
    });
  });

  it('leaves nothing behind after a login that never reached the token', async () => {
    await login(pin('1234'), 'unpresented');
    expect(records()).toEqual([]);
  });

  it('does not present a PIN again whose login was refused', async () => {
    await login(pin('1234'), 'refused');
    expect(await refusalCode(() => login(pin('1234'), 'accepted'))).toBe('ERR_PIN_WITHHELD');
    expect(logins).toEqual(['1234']);
  });

  it('does not present a PIN again that was refused from another source', async () => {
    await login(pin('1234'), 'refused');
    for (const key of ['file:/pin', 'uri:pin-value', 'command:x'])
      expect(await refusalCode(() => login(pin('1234'), 'accepted', { from: { ...source, key } }))).toBe(
        'ERR_PIN_WITHHELD',
      );
    expect(logins).toEqual(['1234']);
  });

  it('holds back what another source has refused, also after a right PIN', async () => {
    await login(pin('1111'), 'refused', { from: { ...source, key: 'file:/x' } });
    await login(pin('22222'), 'accepted').catch(() => undefined);
    expect(await refusalCode(() => login(pin('1111'), 'accepted', { from: { ...source, key: 'file:/x' } }))).toBe(
      'ERR_PIN_WITHHELD',
    );
  });

  describe('after a login of unknown end', () => {
    it('presents the PIN once more, and then no more', async () => {
      await login(pin('1234'), 'unknown');
      await login(pin('1234'), 'unknown');
      const { code, message } = await refusal(() => login(pin('1234'), 'accepted'));
      expect([code, logins]).toEqual(['ERR_PIN_WITHHELD', ['1234', '1234']]);
      expect(message).toContain('the last 2 logins');
    });

    it('forgets about it once one was accepted', async () => {
      for (const outcome of ['unknown', 'accepted', 'unknown', 'accepted'] as const) await login(pin('1234'), outcome);
      expect(logins).toHaveLength(4);
    });

    it('presents a PIN that was accepted before again, with growing pauses', async () => {
      await login(pin('1234'), 'accepted');
      const made: number[] = [];
      for (let after = 0; after < 200; after += 2) {
        const count = logins.length;
        await refusal(() => login(pin('1234'), 'unknown', { after })).catch(() => undefined);
        if (logins.length > count) made.push(after);
      }
      expect(made).toEqual([0, 2, 12, 32, 72, 152]);
      const { message } = await refusal(() => login(pin('1234'), 'accepted', { after: 200 }));
      expect(message).toContain('is not presented for 112 seconds');
    });

    it('knows by the stamp that the PIN of a file is not the one that was accepted', async () => {
      await login(pin('1234', 'stamp 1'), 'accepted');
      await login(pin('1234', 'stamp 2'), 'unknown');
      await login(pin('1234', 'stamp 2'), 'unknown');
      expect(await refusalCode(() => login(pin('1234', 'stamp 2'), 'accepted', { after: 3600 }))).toBe(
        'ERR_PIN_WITHHELD',
      );
    });

    it('presents it no more where the token has counted a wrong one since', async () => {
      await login(pin('1234'), 'unknown');
      expect(await refusalCode(() => login(pin('1234'), 'accepted', { flags: COUNT_LOW }))).toBe('ERR_PIN_WITHHELD');
      expect(logins).toHaveLength(1);
    });

    it('presents it once more where the token had counted a wrong one before', async () => {
      await login(pin('1234'), 'unknown', { flags: COUNT_LOW });
      await login(pin('1234'), 'accepted', { flags: COUNT_LOW });
      expect(logins).toHaveLength(2);
    });

    it('presents the PIN of a file that was written again', async () => {
      for (let time = 0; time < 2; time += 1) await login(pin('1234', 'stamp 1'), 'unknown');
      expect(await refusalCode(() => login(pin('1234', 'stamp 1'), 'accepted'))).toBe('ERR_PIN_WITHHELD');
      await login(pin('1234', 'stamp 2'), 'accepted');
      expect(logins).toHaveLength(3);
    });

    it('presents another PIN of a source without a stamp', async () => {
      // One changed PIN in 256 has the same tag by chance, and waits for the operator.
      const results = await Promise.allSettled(
        ['1', '2', '3', '4'].map(async (serial) => {
          for (let time = 0; time < 2; time += 1) await login(pin('1234'), 'unknown', { serial });
          expect(await refusalCode(() => login(pin('1234'), 'accepted', { serial }))).toBe('ERR_PIN_WITHHELD');
          await login(pin('12345'), 'accepted', { serial });
        }),
      );
      expect(results.some(({ status }) => status === 'fulfilled')).toBe(true);
    });

    it('writes nothing of a PIN that is presented again, and of one that is not, a byte of a hash', async () => {
      await login(pin('87654321'), 'unknown');
      expect(record()['doubt']).not.toHaveProperty('tag');
      await login(pin('87654321'), 'unknown');
      expect(record()['doubt']).toMatchObject({ tag: expect.stringMatching(/^[0-9a-f]{16} [0-9a-f]{2}$/) as string });
      expect(JSON.stringify(record())).not.toContain('87654321');
    });

    it('counts what other sources presented', async () => {
      for (const key of ['a', 'b']) await login(pin('1234'), 'unknown', { from: { ...source, key } });
      expect(await refusalCode(() => login(pin('1234'), 'accepted', { from: { ...source, key: 'c' } }))).toBe(
        'ERR_PIN_WITHHELD',
      );
    });
  });

  it('presents another PIN of the same source after a refusal', async () => {
    // One changed PIN in 256 has the same tag by chance, and waits for the operator.
    const results = await Promise.allSettled(
      ['a', 'b', 'c', 'd'].map(async (name) => {
        const from = { ...source, key: name };
        await login(pin('1234'), 'refused', { from });
        await login(pin('12345'), 'accepted', { from });
      }),
    );
    expect(results.some(({ status }) => status === 'fulfilled')).toBe(true);
  });

  it('presents none of several refused PINs again that take turns', async () => {
    // As two lines of a configuration do. A tag that two PINs have by chance withholds one more, never presents one more.
    for (const turn of ['1111', '2222', '3333', '1111', '2222', '3333', '1111'])
      await login(pin(turn), 'refused').catch(() => undefined);
    expect(new Set(logins).size).toBe(logins.length);
    expect(await refusalCode(() => login(pin('1111'), 'accepted'))).toBe('ERR_PIN_WITHHELD');
  });

  it('does not take a rewritten file with the refused PIN for a change', async () => {
    await login(pin('1234', 'stamp 1'), 'refused');
    expect(await refusalCode(() => login(pin('1234', 'stamp 2'), 'accepted'))).toBe('ERR_PIN_WITHHELD');
  });

  it('does not wait for a pipe in the place of a record, and presents nothing', async () => {
    await login(pin('1234'), 'refused');
    const path = join(directory, records()[0] ?? '');
    rmSync(path);
    execFileSync('mkfifo', [path]);
    expect(await refusalCode(() => login(pin('5678'), 'accepted'))).toBe('ERR_PIN_STATE');
    expect(logins).toEqual(['1234']);
  });

  it('presents it again when the operator removed the record that the hint names', async () => {
    await login(pin('1234'), 'refused');
    const { hint } = await refusal(() => login(pin('1234'), 'accepted'));
    rmSync(/remove (\S+)/.exec(hint ?? '')?.[1] ?? '');
    await login(pin('1234'), 'accepted');
    expect(logins).toEqual(['1234', '1234']);
  });

  it('keeps tokens and purposes apart', async () => {
    await login(pin('1234'), 'refused');
    await login(pin('1234'), 'accepted', { serial: '2' });
    await login(pin('1234'), 'accepted', { purpose: 'context' });
    expect(logins).toHaveLength(3);
  });

  it.each([
    ['cut off', '{"version":2,"dou'],
    ['of another version', '{"version":3}'],
    ['empty', ''],
  ])('takes a record that is %s for a login of unknown end', async (_name, text) => {
    await login(pin('1234'), 'unknown');
    writeFileSync(join(directory, records()[0] ?? ''), text);
    await login(pin('1234'), 'unknown');
    expect(await refusalCode(() => login(pin('1234'), 'accepted'))).toBe('ERR_PIN_WITHHELD');
    expect(logins).toHaveLength(2);
  });

  it('lets logins wait for one another, and stops them all after one refusal', async () => {
    const attempts = Array.from({ length: 10 }, () =>
      refusalCode(() => login(pin('1234'), 'refused', { waitMs: 5000 })),
    );
    const codes = await Promise.allSettled(attempts);
    expect(logins).toEqual(['1234']);
    expect(codes.filter(({ status }) => status === 'fulfilled')).toHaveLength(9);
  });

  it('lets many logins with a right PIN through, one at a time', async () => {
    await Promise.all(Array.from({ length: 10 }, () => login(pin('1234'), 'accepted', { waitMs: 5000 })));
    expect(logins).toHaveLength(10);
    expect(records()).toHaveLength(1);
  });

  it("writes no PIN, for its owner's eyes only", async () => {
    await login(pin('87654321'), 'refused');
    const [name] = records();
    const text = readFileSync(join(directory, name ?? ''), 'utf8');
    expect(text).not.toContain('87654321');
    // A salt, and one byte of a hash.
    expect(record()['refused']).toEqual([
      { source: source.key, tag: expect.stringMatching(/^[0-9a-f]{16} [0-9a-f]{2}$/) as string },
    ]);
    expect(statSync(join(directory, name ?? '')).mode & 0o777).toBe(0o600);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
  });

  it('presents no PIN where it cannot keep a record', async () => {
    writeFileSync(join(directory, '..', 'file'), '');
    const guard = new PinGuard({ directory: join(directory, '..', 'file', 'pins') });
    const code = await refusalCode(() =>
      guard.present(
        token,
        'user',
        source,
        pin('1'),
        async () => void logins.push('1'),
        () => 'unknown',
      ),
    );
    expect([code, logins]).toEqual(['ERR_PIN_STATE', []]);
    chmodSync(join(directory, '..', 'file'), 0o600);
  });

  it.skipIf(process.platform !== 'linux')('gives up where the system makes no folders', async () => {
    directory = '/proc/nobody/state/pins';
    const code = await refusalCode(() => login(pin('1'), 'accepted'));
    directory = join(mkdtempSync(join(tmpdir(), 'guard-')), 'pins');
    expect([code, logins]).toEqual(['ERR_PIN_STATE', []]);
  });

  it('says so when another process takes long over a login, and leaves that process alone', async () => {
    const other = spawn('sleep', ['60'], { stdio: 'ignore' });
    const ended = once(other, 'exit');
    await once(other, 'spawn');
    await login(pin('1'), 'accepted');
    const lock = join(directory, `${records()[0]}.lock`);
    writeFileSync(lock, JSON.stringify({ pid: other.pid, owner: 'another' }));
    const { code, message, hint } = await refusal(() => login(pin('1'), 'accepted', { waitMs: 1 }));
    expect(code).toBe('ERR_PIN_WITHHELD');
    expect(message).toContain(`process ${other.pid} is presenting one there`);
    expect(hint).toContain(lock);
    other.kill('SIGKILL');
    expect(await ended).toEqual([null, 'SIGKILL']);
  });

  it('takes the place of one that died in a login', async () => {
    await login(pin('1'), 'accepted');
    const lock = join(directory, `${records()[0]}.lock`);
    const dead = Number(execFileSync('/bin/sh', ['-c', 'echo $$'], { encoding: 'utf8' }));
    for (const text of [
      JSON.stringify({ pid: dead, owner: 'another' }),
      JSON.stringify({ pid: process.pid, owner: 'of a former life' }),
      '{"cut',
    ]) {
      writeFileSync(lock, text);
      await login(pin('1'), 'accepted', { waitMs: 50 });
    }
    expect(logins).toHaveLength(4);
    expect(readdirSync(directory)).toHaveLength(1);
  });

  it('keeps its record by the token and the purpose, and a lock beside it that names this process', async () => {
    const name = createHash('sha256').update('["m","o","1","t","user"]').digest('hex').slice(0, 32);
    const seen: string[][] = [];
    const look = async (): Promise<void> => {
      seen.push(readdirSync(directory).toSorted());
      const lock = JSON.parse(readFileSync(join(directory, `${name}.json.lock`), 'utf8')) as object;
      expect(lock).toEqual({
        pid: process.pid,
        owner: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
        turn: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
      });
      expect(record()).toMatchObject({ token: 'm o 1 t', doubt: { count: 1, low: false, source: source.key } });
      const { at } = record()['doubt'] as { at: string };
      expect(Math.abs(Date.parse(at) - Date.now())).toBeLessThan(60_000);
    };
    await new PinGuard({ directory }).present(token, 'user', source, pin('1'), look, () => 'unknown');
    expect(seen).toEqual([[`${name}.json`, `${name}.json.lock`]]);
    expect(readdirSync(directory)).toEqual([`${name}.json`]);
  });

  it('forgets the first of nine refused PINs, and none of eight', async () => {
    for (let count = 0; count < 8; count++) await login(pin(`wrong ${count}`), 'refused').catch(() => undefined);
    // A PIN that has the tag of one before by chance is not presented, and leaves no tag.
    for (let count = 8; tags().length < 8; count++)
      await login(pin(`wrong ${count}`), 'refused').catch(() => undefined);
    const before = tags();
    const made = logins.length;
    for (let count = 100; logins.length === made; count++)
      await login(pin(`wrong ${count}`), 'refused').catch(() => undefined);
    expect(tags().slice(0, 7)).toEqual(before.slice(1));
    expect(tags()).toHaveLength(8);
  });

  it('says that a refused PIN is not presented again, and that the token said so', async () => {
    await login(pin('1234'), 'refused');
    const { message } = await refusal(() => login(pin('1234'), 'accepted'));
    expect(message).toBe('the PIN in X is not presented again: the token refused it before');
  });

  it('forgets of a source that its PIN was accepted once that is refused, and of no other', async () => {
    await login(pin('1234'), 'accepted');
    await login(pin('another'), 'refused', { from: { ...source, key: 'other' } });
    expect(record()['accepted']).toEqual({ source: source.key });
    await login(pin('a third'), 'refused').catch(() => login(pin('a fourth'), 'refused'));
    expect(record()).not.toHaveProperty('accepted');
  });

  it('forgets of a source what it refused once its PIN is accepted, and of no other', async () => {
    await login(pin('1111'), 'refused', { from: { ...source, key: 'other' } });
    await login(pin('2222'), 'refused').catch(() => login(pin('2223'), 'refused'));
    for (const right of ['3333', '3334', '3335', '3336'])
      if (record()['accepted'] === undefined) await login(pin(right), 'accepted').catch(() => undefined);
    expect(record()['refused']).toEqual([expect.objectContaining({ source: 'other' })]);
  });

  describe('of passwords of a TPM', () => {
    it('does not present one again that was refused, and says so in its words', async () => {
      await expect(presentPassword('1234', 'refused')).rejects.toThrow('refused');
      const { code, message } = await refusal(() => presentPassword('1234', 'accepted'));
      expect([code, message]).toEqual([
        'ERR_TPM_PASSWORD_WITHHELD',
        'the password in X is not presented again: the TPM refused it before',
      ]);
    });

    it('presents one again after any number of logins of unknown end', async () => {
      for (let count = 0; count < 4; count++)
        await expect(presentPassword('1234', 'unknown')).rejects.toThrow('unknown');
      await presentPassword('1234', 'accepted');
      expect(logins).toHaveLength(5);
    });
  });

  describe('by the clock', () => {
    it('presents a PIN that was accepted before when the pause is over, and not a millisecond sooner', async () => {
      await login(pin('1234'), 'accepted');
      for (let time = 0; time < 2; time++) await login(pin('1234'), 'unknown');
      const withheld = async (after: number): Promise<string> =>
        (await refusal(() => login(pin('1234'), 'unknown', { after }))).message;
      expect(await withheld(0)).toContain('for 10 seconds: nobody knows how the last 2 logins with it ended');
      expect(await withheld(8.999)).toContain('for 2 seconds');
      expect(await withheld(9)).toContain('for 1 seconds');
      expect(await withheld(9.999)).toContain('for 1 seconds');
      await login(pin('1234'), 'unknown', { after: 10 });
      expect(await withheld(29.999)).toContain('for 1 seconds: nobody knows how the last 3 logins');
      await login(pin('1234'), 'unknown', { after: 30 });
      expect(logins).toHaveLength(5);
    });

    it('counts a wrong PIN that the token has counted since as one more login', async () => {
      await login(pin('1234'), 'accepted');
      await login(pin('1234'), 'unknown');
      const { message } = await refusal(() => login(pin('1234'), 'unknown', { flags: COUNT_LOW }));
      expect(message).toContain('for 10 seconds: nobody knows how the last login with it ended');
    });

    it('presents it where the clock was set back since', async () => {
      await login(pin('1234'), 'accepted');
      for (let time = 0; time < 2; time++) await login(pin('1234'), 'unknown');
      await login(pin('1234'), 'accepted', { after: -0.001 });
      expect(logins).toHaveLength(4);
    });

    it('waits 35 seconds for another process, where nobody says otherwise, and looks every 20 milliseconds', async () => {
      const lock = await lockOfAnother();
      const clock = { now: 1000 };
      let looks = 0;
      // Who never sleeps is not waited for.
      vi.spyOn(performance, 'now').mockImplementation(() => (++looks > 1000 ? Infinity : clock.now));
      const slept: number[] = [];
      held.sleep = (ms) => {
        slept.push(ms);
        clock.now = [35_999.5, 36_000][slept.length - 1] ?? Infinity;
      };
      expect(await refusalCode(presentByDefault)).toBe('ERR_PIN_WITHHELD');
      expect(slept).toEqual([20, 20]);
      // As long as another one comes each time, there is no limit.
      const { pid } = JSON.parse(readFileSync(lock, 'utf8')) as { pid: number };
      slept.length = 0;
      clock.now = 1000;
      held.sleep = (ms) => {
        slept.push(ms);
        clock.now += 34_999;
        if (slept.length === 10) rmSync(lock);
        else writeFileSync(lock, JSON.stringify({ pid, owner: 'another', turn: slept.length }));
      };
      await presentByDefault();
      expect(slept).toHaveLength(10);
    });
  });

  /** Somebody who presents a PIN: `process.kill` says that it runs. */
  async function lockOfAnother(): Promise<string> {
    await login(pin('1'), 'accepted');
    const lock = join(directory, `${records()[0]}.lock`);
    writeFileSync(lock, JSON.stringify({ pid: 123_456, owner: 'another' }));
    vi.spyOn(process, 'kill').mockReturnValue(true);
    return lock;
  }

  it.each([
    ['EPERM', true],
    ['ESRCH', false],
  ])('takes a process of which the system says %s for one that runs: %s', async (code, runs) => {
    const lock = await lockOfAnother();
    const kill = vi.spyOn(process, 'kill').mockImplementation(() => {
      throw Object.assign(new Error(code), { code });
    });
    const outcome = await login(pin('1'), 'accepted', { waitMs: 1 }).then(
      () => 'presented',
      (error: { code?: string }) => error.code,
    );
    expect(outcome).toBe(runs ? 'ERR_PIN_WITHHELD' : 'presented');
    expect(kill.mock.calls[0]).toEqual([123_456, 0]);
    rmSync(lock, { force: true });
  });

  it('waits for a login of its own process', async () => {
    const inside = deferred<void>();
    const over = deferred<void>();
    const slow = async (): Promise<void> => {
      inside.resolve();
      await over.promise;
    };
    const first = new PinGuard({ directory }).present(token, 'user', source, pin('1'), slow, () => 'accepted');
    await inside.promise;
    const kill = vi.spyOn(process, 'kill');
    expect((await refusal(() => login(pin('1'), 'accepted', { waitMs: 5 }))).message).toContain(
      `process ${process.pid} is presenting one there`,
    );
    expect(kill).not.toHaveBeenCalled();
    over.resolve();
    await first;
  });

  describe('after logins of unknown end, in the words and marks of the record', () => {
    it('says so of the one login behind which the token counts a wrong PIN', async () => {
      await login(pin('1234'), 'unknown');
      const { message } = await refusal(() => login(pin('1234'), 'accepted', { flags: COUNT_LOW }));
      expect(message).toBe('the PIN in X is not presented again: nobody knows how the last login with it ended');
    });

    it('keeps whether the token had counted a wrong one at the first', async () => {
      await login(pin('1234'), 'unknown', { flags: COUNT_LOW });
      await login(pin('1234'), 'unknown');
      expect(record()['doubt']).toMatchObject({ count: 2, low: true });
      await login(pin('1234'), 'accepted').catch(() => undefined);
      rmSync(join(directory, records()[0] ?? ''));
      await login(pin('1234'), 'unknown');
      expect(record()['doubt']).toMatchObject({ low: false, at: '2026-01-01T00:00:00.000Z' });
    });

    it('takes a token that says nothing of its tries for one that has counted none', async () => {
      const { flags: _flags, ...silent } = token;
      await new PinGuard({ directory }).present(
        silent,
        'user',
        source,
        pin('1'),
        async () => undefined,
        () => 'unknown',
      );
      const guard = new PinGuard({ directory });
      await expect(guard.present(silent, 'user', source, pin('1'), fails, () => 'unknown')).rejects.toThrow('lost');
      expect(record()['doubt']).toMatchObject({ low: false });
    });

    it('marks no PIN that has a stamp, nor one that was accepted before', async () => {
      for (let time = 0; time < 2; time++) await login(pin('1234', 'stamp'), 'unknown');
      expect(record()['doubt']).toMatchObject({ count: 2, stamp: 'stamp' });
      expect(record()['doubt']).not.toHaveProperty('tag');
      await login(pin('1234', 'stamp 2'), 'accepted');
      expect(record()['accepted']).toEqual({ source: source.key, stamp: 'stamp 2' });
      for (let time = 0; time < 2; time++) await login(pin('1234', 'stamp 2'), 'unknown');
      expect(record()['doubt']).not.toHaveProperty('tag');
      await login(pin('5678'), 'accepted', { serial: '2' });
      const [first] = records();
      rmSync(join(directory, first ?? ''));
    });

    it('does not take a PIN for accepted whose like another source gave', async () => {
      await login(pin('1234'), 'accepted', { from: { ...source, key: 'other' } });
      for (let time = 0; time < 2; time++) await login(pin('1234'), 'unknown');
      expect(await refusalCode(() => login(pin('1234'), 'accepted', { after: 3600 }))).toBe('ERR_PIN_WITHHELD');
    });

    it.each<[string, string | undefined, PinSource]>([
      ['of another source with another stamp', 'stamp 2', { ...source, key: 'other' }],
      ['of its source, which has no stamp now', undefined, source],
    ])('does not present a PIN %s: it may be the same', async (_, stamp, from) => {
      for (let time = 0; time < 2; time++) await login(pin('1234', 'stamp 1'), 'unknown');
      expect(await refusalCode(() => login(pin('1234', stamp), 'accepted', { from }))).toBe('ERR_PIN_WITHHELD');
    });

    it('begins to count anew with a PIN that is surely another one', async () => {
      await login(pin('1234', 'stamp 1'), 'unknown');
      await login(pin('1234', 'stamp 2'), 'unknown');
      expect(record()['doubt']).toMatchObject({ count: 1, stamp: 'stamp 2' });
    });
  });

  it.each([
    ['record', '.json'],
    ['lock', '.lock'],
  ])('does not miss a %s that somebody has removed meanwhile', async (_, end) => {
    const removes = async (): Promise<void> => {
      for (const name of readdirSync(directory)) if (name.endsWith(end)) rmSync(join(directory, name));
    };
    const guard = new PinGuard({ directory });
    await guard
      .present(
        token,
        'user',
        source,
        pin('1'),
        async () => await removes().then(fails),
        () => 'unpresented',
      )
      .then(
        () => expect.unreachable(),
        (error: Error) => expect(error.message).toBe('lost'),
      );
    expect(readdirSync(directory)).toEqual([]);
  });

  it('replaces what an attempt to write its record has left', async () => {
    let path = '';
    const blocks = async (): Promise<void> => {
      path = join(directory, records()[0] ?? '');
      rmSync(path);
      mkdirSync(join(path, 'inside'), { recursive: true });
    };
    const guard = new PinGuard({ directory });
    const code = await refusalCode(() => guard.present(token, 'user', source, pin('1'), blocks, () => 'accepted'));
    expect(code).toBe('ERR_PIN_STATE');
    rmSync(path, { recursive: true });
    await login(pin('1'), 'accepted');
    expect(readdirSync(directory)).toHaveLength(1);
  });
});

describe('the folder of records', () => {
  const { platform } = process;
  afterEach(() => {
    Object.defineProperty(process, 'platform', { value: platform });
  });

  it('is in the home that the system knows, where no variable names one', () => {
    expect(guardDirectory({})).toBe(join(userInfo().homedir, '.local/state/roles-anywhere/pins'));
  });

  it('is not in a folder without a name', () => {
    expect(guardDirectory({ ROLES_ANYWHERE_STATE_DIR: '', HOME: '/h' })).toBe('/h/.local/state/roles-anywhere/pins');
  });

  it('is in the folder of local data on Windows, and there alone', () => {
    expect(guardDirectory({ LOCALAPPDATA: '/l', HOME: '/h' })).toBe('/h/.local/state/roles-anywhere/pins');
    Object.defineProperty(process, 'platform', { value: 'win32' });
    expect(guardDirectory({ LOCALAPPDATA: '/l', HOME: '/h' })).toBe('/l/roles-anywhere/state/pins');
    expect(guardDirectory({ LOCALAPPDATA: '/l', ROLES_ANYWHERE_STATE_DIR: '/s' })).toBe('/s/pins');
    expect(guardDirectory({ HOME: '/h' })).toBe('/h/.local/state/roles-anywhere/pins');
  });
});

it.each([
  [{ ROLES_ANYWHERE_STATE_DIR: '/s' }, '/s/pins'],
  [{ XDG_STATE_HOME: '/x', HOME: '/h' }, '/x/roles-anywhere/pins'],
  [{ XDG_STATE_HOME: 'relative', HOME: '/h' }, '/h/.local/state/roles-anywhere/pins'],
  [{}, '/home/u/.local/state/roles-anywhere/pins'],
  [{ HOME: '' }, '/home/u/.local/state/roles-anywhere/pins'],
  [{ HOME: 'relative' }, '/home/u/.local/state/roles-anywhere/pins'],
])('with %j records are in %s', (env, expected) => expect(guardDirectory(env, () => '/home/u')).toBe(expected));
