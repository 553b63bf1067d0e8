import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Pin, PinSource } from '../../../src/identity/pkcs11/pin.ts';
import { PinGuard, guardDirectory } from '../../../src/identity/pkcs11/pin-guard.ts';
import type { Outcome, Purpose } from '../../../src/identity/pkcs11/pin-guard.ts';
import { refusal, refusalCode } from '../../support/refusal.ts';

const token = { label: 't', manufacturer: 'm', model: 'o', serial: '1', flags: 0 };
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
    }: { purpose?: Purpose; serial?: string; from?: PinSource; waitMs?: number } = {},
  ) {
    const guard = new PinGuard({ directory, waitMs, pollMs: 1 });
    const body = async () => {
      logins.push(Buffer.from(given.bytes).toString());
      if (outcome !== 'accepted') throw new Error(outcome);
    };
    try {
      await guard.present({ ...token, serial }, purpose, from, given, body, () => outcome);
    } catch (error) {
      if (error instanceof Error && error.message === outcome) return;
      throw error;
    }
  }

  const records = () => readdirSync(directory);
  const record = (): Record<string, unknown> => JSON.parse(readFileSync(join(directory, records()[0] ?? ''), 'utf8'));

  it('leaves nothing behind after a login that was accepted', async () => {
    await login(pin('1234'), 'accepted');
    await login(pin('1234'), 'accepted');
    expect(records()).toEqual([]);
  });

  it('leaves nothing behind after a login that never reached the token', async () => {
    await login(pin('1234'), 'unpresented');
    expect(records()).toEqual([]);
  });

  it.each(['refused', 'unknown'] as const)('does not present a PIN again whose login was %s', async (outcome) => {
    await login(pin('1234'), outcome);
    expect(await refusalCode(() => login(pin('1234'), 'accepted'))).toBe('ERR_PIN_WITHHELD');
    expect(logins).toEqual(['1234']);
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

  it('presents the PIN of a file that was written again after an unknown outcome', async () => {
    await login(pin('1234', 'stamp 1'), 'unknown');
    expect(await refusalCode(() => login(pin('1234', 'stamp 1'), 'accepted'))).toBe('ERR_PIN_WITHHELD');
    await login(pin('1234', 'stamp 2'), 'accepted');
    expect(records()).toEqual([]);
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

  it('keeps tokens, sources and purposes apart', async () => {
    await login(pin('1234'), 'refused');
    await login(pin('1234'), 'accepted', { serial: '2' });
    await login(pin('1234'), 'accepted', { purpose: 'context' });
    await login(pin('1234'), 'accepted', { from: { ...source, key: 'file:/x' } });
    expect(logins).toHaveLength(4);
  });

  it('takes the record of a process that died in its login for an unknown outcome', async () => {
    await login(pin('1234'), 'unknown');
    const dead = Number(execFileSync('/bin/sh', ['-c', 'echo $$'], { encoding: 'utf8' }));
    const path = join(directory, records()[0] ?? '');
    writeFileSync(path, JSON.stringify({ ...record(), state: 'presented', pid: dead }));
    expect(await refusalCode(() => login(pin('1234'), 'accepted'))).toBe('ERR_PIN_WITHHELD');
    writeFileSync(
      path,
      JSON.stringify({ ...record(), state: 'presented', pid: process.pid, owner: 'of a former life' }),
    );
    expect(await refusalCode(() => login(pin('1234'), 'accepted'))).toBe('ERR_PIN_WITHHELD');
  });

  it.each([
    ['cut off', '{"version":1,"sta'],
    ['of another version', '{"version":2}'],
    ['empty', ''],
  ])('takes a record that is %s for an unknown outcome', async (_name, text) => {
    await login(pin('1234'), 'unknown');
    writeFileSync(join(directory, records()[0] ?? ''), text);
    expect(await refusalCode(() => login(pin('1234'), 'accepted', { waitMs: 5 }))).toBe('ERR_PIN_WITHHELD');
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
    expect(records()).toEqual([]);
  });

  it("writes no PIN, for its owner's eyes only", async () => {
    await login(pin('87654321'), 'refused');
    const [name] = records();
    const text = readFileSync(join(directory, name ?? ''), 'utf8');
    expect(text).not.toContain('87654321');
    // A salt, and one byte of a hash.
    expect(record()['refused']).toEqual([expect.stringMatching(/^[0-9a-f]{16} [0-9a-f]{2}$/)]);
    expect(statSync(join(directory, name ?? '')).mode & 0o777).toBe(0o600);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
  });

  it('writes nothing at all about a PIN that may be right', async () => {
    await login(pin('1234'), 'unknown');
    expect(Object.keys(record())).not.toContain('refused');
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

  it('says so when another process takes long over the same login', async () => {
    await login(pin('1'), 'unknown');
    const [name = ''] = records();
    const busy = { ...record(), state: 'presented', pid: process.ppid, owner: 'another' };
    writeFileSync(join(directory, name), JSON.stringify(busy));
    const { code, message } = await refusal(() => login(pin('1'), 'accepted', { waitMs: 1 }));
    expect(code).toBe('ERR_PIN_WITHHELD');
    expect(message).toContain(`process ${process.ppid} is logging in with it`);
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
