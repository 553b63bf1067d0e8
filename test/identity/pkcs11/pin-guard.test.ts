import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Pin, PinSource } from '../../../src/identity/pkcs11/pin.ts';
import { PinGuard, guardDirectory } from '../../../src/identity/pkcs11/pin-guard.ts';
import type { Outcome, Purpose } from '../../../src/identity/pkcs11/pin-guard.ts';
import { refusal, refusalCode } from '../../support/refusal.ts';

const token = { label: 't', manufacturer: 'm', model: 'o', serial: '1', flags: 0 };
const COUNT_LOW = 0x10000;
const source: PinSource = { key: 'environment:X', description: 'X', read: async () => pin('') };

function pin(text: string, stamp?: string): Pin {
  return { bytes: Buffer.from(text), ...(stamp === undefined ? {} : { stamp }) };
}

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
});

it.each([
  [{ ROLES_ANYWHERE_STATE_DIR: '/s' }, '/s/pins'],
  [{ XDG_STATE_HOME: '/x', HOME: '/h' }, '/x/roles-anywhere/pins'],
  [{ XDG_STATE_HOME: 'relative', HOME: '/h' }, '/h/.local/state/roles-anywhere/pins'],
  [{}, '/home/u/.local/state/roles-anywhere/pins'],
  [{ HOME: '' }, '/home/u/.local/state/roles-anywhere/pins'],
  [{ HOME: 'relative' }, '/home/u/.local/state/roles-anywhere/pins'],
])('with %j records are in %s', (env, expected) => expect(guardDirectory(env, () => '/home/u')).toBe(expected));
