// Of src/identity/tpm/passwords.ts: who is asked, what is sent, and how often.
import { randomBytes } from 'node:crypto';
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { refusal, refusalCode } from '../../support/refusal.ts';
import { KEY_PASSWORD, type MadeKey, PARENT_PASSWORD, madeKeys } from '../../support/tpm/keys.ts';
import { keyNamed, openMade } from '../../support/tpm/open.ts';
import { Proxy } from '../../support/tpm/proxy.ts';
import { Simulator, hasSimulator } from '../../support/tpm/simulator.ts';

describe.skipIf(!hasSimulator())('passwords of a TPM', () => {
  let directory: string;
  let keys: readonly MadeKey[];
  let tpm: Simulator;
  let proxy: Proxy;
  let state: string;
  beforeAll(async () => {
    ({ directory, keys } = await madeKeys());
    tpm = await new Simulator('tcp', directory).start();
    proxy = await Proxy.start(join(tpm.directory, 'wire.sock'), tpm.port);
    state = tpm.env['ROLES_ANYWHERE_STATE_DIR'] ?? '';
    await tpm.tool('tpm2_dictionarylockout', '-s', '-n', '30', '-t', '10000', '-l', '1');
    // A TPM counts an end without a shutdown as one try.
    await tpm.tool('tpm2_dictionarylockout', '-c');
  }, 240_000);
  afterEach(async () => {
    proxy.reset();
    rmSync(state, { recursive: true, force: true });
    await tpm.tool('tpm2_dictionarylockout', '-c');
  });
  afterAll(async () => {
    await proxy.close();
    await tpm.remove();
  });

  const count = async (): Promise<number> =>
    Number(/LOCKOUT_COUNTER: (\S+)/.exec(await tpm.tool('tpm2_getcap', 'properties-variable'))?.[1]);
  /** Opens a key as a person at a terminal would, who types what there is. */
  const asked: string[] = [];
  const open = (name: string, types: readonly string[] = [], more: Parameters<typeof openMade>[3] = {}) => {
    asked.length = 0;
    const answers = [...types];
    const ask = async (question: string): Promise<Uint8Array | undefined> => {
      // Nobody holds the TPM up while a person thinks.
      expect(await tpm.leftovers()).toEqual([]);
      asked.push(question);
      const next = answers.shift();
      return next === undefined ? undefined : new Uint8Array(Buffer.from(next));
    };
    return openMade({ tcti: proxy.path, env: tpm.env }, directory, keyNamed(keys, name), {
      bare: true,
      ...more,
      deps: { ask, passwords: {}, ...more.deps },
    });
  };
  const sign = (key: Awaited<ReturnType<typeof open>>) => key.signer.sign(randomBytes(8));

  it('are asked for once, and kept as long as the key', async () => {
    const key = await open('o-parentpw-p256-pw', [PARENT_PASSWORD, KEY_PASSWORD]);
    await sign(key);
    await sign(key);
    expect(asked).toEqual([
      'password of the parent 0x81000002 of --private-key o-parentpw-p256-pw.key',
      'password of the TPM key --private-key o-parentpw-p256-pw.key',
    ]);
    expect(await count()).toBe(1); // the empty one, at the parent
    key.forget();
    expect(await refusalCode(() => sign(key))).toBe('ERR_SIGN');
  });

  it('that were typed are handed on, so that a renewed certificate asks nobody', async () => {
    const typed = new Map<string, Uint8Array>();
    const first = await open('o-owner-p256-pw', [KEY_PASSWORD], { deps: { typed } });
    await sign(first);
    first.forget();
    const second = await open('o-owner-p256-pw', [], { deps: { typed } });
    await sign(second);
    expect(asked).toEqual([]);
  });

  it('are not asked for where there is none: a noDA key, and one whose file says so', async () => {
    for (const name of ['h-ecc256-noda', 'o-owner-p256', 't-parent-rsa2048']) {
      await sign(await open(name));
      expect(asked).toEqual([]);
    }
    expect(await count()).toBe(0);
  });

  it('of a protected key by its handle cost no try to find out: a person is asked, or nobody', async () => {
    await sign(await open('h-ecc256-pw', [KEY_PASSWORD]));
    expect(asked.length).toBe(1);
    const { code, hint } = await refusal(async () => sign(await open('h-ecc256')));
    expect([code, hint]).toEqual(['ERR_PASSWORD_REQUIRED', expect.stringContaining('--no-tpm-key-password')]);
    // An empty line is a password too.
    await sign(await open('h-ecc256', ['']));
    await sign(await open('h-ecc256', [], { noKeyPassword: true }));
    expect(asked).toEqual([]);
    expect(await count()).toBe(0);
  });

  it('of a key outside protection are tried empty first, which costs nothing', async () => {
    await sign(await open('h-ecc256-pw-noda', [KEY_PASSWORD]));
    expect(asked).toEqual(['password of the TPM key --private-key handle:0x81010021']);
    expect(await refusalCode(async () => sign(await open('h-ecc256-pw-noda')))).toBe('ERR_PASSWORD_REQUIRED');
    expect(await count()).toBe(0);
  });

  it('that a file denies wrongly cost one try, and never another', async () => {
    // tpm2_encodeobject writes that this key has none.
    for (let run = 0; run < 3; run++) {
      await sign(await open('t-enc-ecc256-pw', [KEY_PASSWORD]));
      expect(asked.length).toBe(1);
    }
    expect(await count()).toBe(1);
    expect(await refusalCode(async () => sign(await open('t-enc-ecc256-pw')))).toBe('ERR_PASSWORD_REQUIRED');
    expect(await count()).toBe(1);
  });

  it('that were typed wrong are refused, and asked for anew at the next signature', async () => {
    const key = await open('h-ecc256-pw', ['wrong', KEY_PASSWORD]);
    const { code, message } = await refusal(() => sign(key));
    expect([code, message]).toEqual(['ERR_TPM_KEY_PASSWORD', expect.stringContaining('that was typed')]);
    await sign(key);
    expect(await count()).toBe(1);
  });

  it('where --no-tpm-key-password is wrong are refused once, and nobody is asked', async () => {
    for (const [code, tries] of [
      ['ERR_TPM_KEY_PASSWORD', 1],
      ['ERR_TPM_PASSWORD_WITHHELD', 1],
    ] as const) {
      expect(await refusalCode(async () => sign(await open('h-ecc256-pw', [], { noKeyPassword: true })))).toBe(code);
      expect([await count(), asked]).toEqual([tries, []]);
    }
  });

  it('are read again at each signature, so that a corrected file is taken up', async () => {
    const file = join(tpm.directory, 'password');
    writeFileSync(file, 'wrong\n', { mode: 0o600 });
    const key = await open('h-ecc256-pw', [], {
      deps: { passwords: { 'tpm-key': { file, from: '--tpm-key-password-file' } } },
    });
    expect(await refusalCode(() => sign(key))).toBe('ERR_TPM_KEY_PASSWORD');
    expect(await refusalCode(() => sign(key))).toBe('ERR_TPM_PASSWORD_WITHHELD');
    writeFileSync(file, `${KEY_PASSWORD}\n`);
    // One password in 256 cannot be told from the refused one by what is remembered of it.
    const outcome = await sign(key).then(
      () => 'signed',
      (error: { code?: string }) => error.code,
    );
    expect(['signed', 'ERR_TPM_PASSWORD_WITHHELD']).toContain(outcome);
    expect(await count()).toBe(1);
  });

  it('that were refused are remembered by the key’s name, without the password', async () => {
    const passwords = { 'tpm-key': { password: 'wrong-and-secret', from: 'ROLES_ANYWHERE_TPM_KEY_PASSWORD' } };
    const given = { deps: { passwords } };
    expect(await refusalCode(async () => sign(await open('h-ecc256-pw', [], given)))).toBe('ERR_TPM_KEY_PASSWORD');
    const { code, hint = '' } = await refusal(async () => sign(await open('h-ecc256-pw', [], given)));
    expect(code).toBe('ERR_TPM_PASSWORD_WITHHELD');
    const [record = ''] = readdirSync(join(state, 'pins'));
    expect(hint).toContain(record);
    expect(readFileSync(join(state, 'pins', record), 'utf8')).not.toContain('wrong-and-secret');
    // Another key is another matter.
    expect(await refusalCode(async () => sign(await open('h-rsa2048-pw', [], given)))).toBe('ERR_TPM_KEY_PASSWORD');
    expect(await count()).toBe(2);
  });

  it('whose outcome nobody knows are sent again: the TPM tells how many tries are left', async () => {
    const given = { deps: { passwords: { 'tpm-key': { password: KEY_PASSWORD, from: 'the test' } } } };
    proxy.fault = { command: 'Sign', cut: 0 };
    expect(await refusalCode(async () => sign(await open('h-ecc256-pw', [], given)))).toBe('ERR_TPM_CLOSED');
    proxy.fault = undefined;
    await sign(await open('h-ecc256-pw', [], given));
  });

  it('that are longer than the TPM takes are not sent', async () => {
    const given = { deps: { passwords: { 'tpm-key': { password: 'x'.repeat(33), from: 'the test' } } } };
    expect(await refusalCode(async () => sign(await open('h-ecc256-pw', [], given)))).toBe('ERR_TPM_PASSWORD_SIZE');
    expect(proxy.names).not.toContain('Sign');
  });

  it('need no record to be kept where there is none: the empty one works in a container that is read-only', async () => {
    const env = { ...tpm.env, ROLES_ANYWHERE_STATE_DIR: '/proc/nobody' };
    await sign(await open('o-owner-p256', [], { deps: { env } }));
    const given = { 'tpm-key': { password: KEY_PASSWORD, from: 'the test' } };
    expect(
      await refusalCode(async () => sign(await open('h-ecc256-pw', [], { deps: { env, passwords: given } }))),
    ).toBe('ERR_PIN_STATE');
  });
});
