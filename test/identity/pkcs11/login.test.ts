/** What a login decides, before a token sees a PIN and when it refused one: with a token that a test plays. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { CryptokiError } from '../../../src/identity/pkcs11/cryptoki.ts';
import { Login, type LoginSettings } from '../../../src/identity/pkcs11/login.ts';
import { type Outcome, PinGuard } from '../../../src/identity/pkcs11/pin-guard.ts';
import type { Port, TokenFacts } from '../../../src/identity/pkcs11/port.ts';
import { parsePkcs11Uri } from '../../../src/identity/pkcs11/uri.ts';
import { RolesAnywhereError } from '../../../src/platform/errors.ts';
import * as files from '../../../src/platform/files.ts';
import { refusal } from '../../support/refusal.ts';

vi.mock('../../../src/platform/files.ts', { spy: true });
afterEach(() => {
  vi.clearAllMocks();
});

const [KEYPAD, COUNT_LOW, FINAL_TRY, LOCKED] = [0x100, 0x10000, 0x20000, 0x40000];
const REFUSED = [0xa0, 0xa1, 0xa2, 0xa3, 0xa4];
/** Of a login that the token never counted. */
const UNPRESENTED = [
  0x02, 0x03, 0x07, 0x50, 0x54, 0x60, 0x68, 0x70, 0x82, 0x91, 0xb0, 0xb1, 0xb3, 0xe0, 0xe1, 0x102, 0x103, 0x104, 0x105,
  0x190,
];
const TOKEN: TokenFacts = {
  label: 'web',
  manufacturer: 'm',
  model: 'o',
  serial: '1',
  flags: 0,
  slot: 7n,
  slotInfo: { description: '', manufacturer: '' },
  library: { manufacturer: '', description: '', version: { major: 1, minor: 0 } },
};
const ENV = { ROLES_ANYWHERE_PKCS11_PIN: 'given' };

/** C_Login that returns a value. */
const fails = (value: number): CryptokiError => new CryptokiError('C_Login', value);

interface World {
  readonly settings?: Partial<LoginSettings>;
  /** What the token says of itself each time that it is asked; the last one stays. */
  readonly flags?: readonly number[];
  /** What a person types, one answer for each question; then nobody is there. */
  readonly typed?: readonly string[];
  /** What becomes of the PINs that are presented, one after the other; then each is right. */
  readonly results?: readonly (Error | undefined)[];
  /** What the guard says instead of letting a PIN through. */
  readonly withheld?: RolesAnywhereError;
  readonly label?: string;
}

function world({ settings, flags = [0], typed = [], results = [], withheld, label = 'web' }: World = {}) {
  const seen = {
    /** Each operation in which a PIN was presented. */
    presented: [] as unknown[],
    questions: [] as string[],
    /** Of the guard: for what, from where, and how it ended. */
    guarded: [] as unknown[],
    buffers: [] as Uint8Array[],
  };
  const [said, answers, ends] = [[...flags], [...typed], [...results]];
  const port: Port = {
    ask: async (operation, ask) => {
      if (operation === 'token') {
        const [current = 0] = said.length > 1 ? said.splice(0, 1) : said;
        return { label, manufacturer: 'm', model: 'o', serial: '1', flags: current } as never;
      }
      const { pin, ...rest } = ask as { pin: Uint8Array | null };
      if (pin !== null) seen.buffers.push(pin);
      seen.presented.push([operation, pin && Buffer.from(pin).toString(), rest]);
      const end = ends.shift();
      if (end !== undefined) throw end;
      return undefined;
    },
    close: async () => undefined,
  };
  const guard = new PinGuard({ directory: '/nonexistent' });
  vi.spyOn(guard, 'present').mockImplementation(async (token, purpose, source, pin, present, outcomeOf) => {
    seen.buffers.push(pin.bytes);
    if (withheld !== undefined) throw withheld;
    let outcome: Outcome = 'accepted';
    try {
      await present();
    } catch (error) {
      outcome = outcomeOf(error);
      throw error;
    } finally {
      seen.guarded.push([token.label, purpose, source.key, outcome]);
    }
  });
  const login = new Login({ uris: [], env: {}, ...settings }, guard, async (question) => {
    seen.questions.push(question);
    const answer = answers.shift();
    if (answer === undefined) return undefined;
    const bytes = Buffer.from(answer);
    seen.buffers.push(bytes);
    return bytes;
  });
  return {
    ...seen,
    login,
    user: () => login.user(port, TOKEN),
    context: () => login.context(port, TOKEN, 5n, 6),
    pins: () => seen.presented.map((one) => (one as [string, string | null])[1]),
    /** Whether no PIN is left in memory that this program made. */
    isWiped: () =>
      [...seen.buffers, ...vi.mocked(files.secretBytes).mock.results.map(({ value }) => value as Uint8Array)].every(
        (bytes) => bytes.every((byte) => byte === 0),
      ),
  };
}

describe('a PIN that was given', () => {
  it('is presented by the guard, and nobody is asked', async () => {
    const { user, presented, guarded, questions, isWiped, login } = world({ settings: { env: ENV } });
    await user();
    expect(presented).toEqual([['login', 'given', { slot: 7n }]]);
    expect(guarded).toEqual([['web', 'user', 'environment:ROLES_ANYWHERE_PKCS11_PIN', 'accepted']]);
    expect([questions, isWiped(), login.hasPin(TOKEN)]).toEqual([[], true, true]);
  });

  it('is for a signature only where it may be used again', async () => {
    const one = world({ settings: { env: ENV }, typed: ['typed'] });
    await one.context();
    expect(one.presented).toEqual([['authorise', 'typed', { slot: 7n, key: 5n, mechanism: 6 }]]);
    expect(one.questions).toEqual(['PIN for a signature with the token "web"']);
    const other = world({ settings: { env: ENV, reusePin: true } });
    await other.context();
    expect(other.presented).toEqual([['authorise', 'given', { slot: 7n, key: 5n, mechanism: 6 }]]);
    expect(other.guarded).toEqual([['web', 'context', 'environment:ROLES_ANYWHERE_PKCS11_PIN', 'accepted']]);
  });

  it.each([
    ['web', ['of-uri']],
    ['other', []],
  ])('in a URI is for the token that the URI means: %s', async (token, pins) => {
    const uris = [{ uri: parsePkcs11Uri(`pkcs11:token=${token}?pin-value=of-uri`).uri, flag: '--private-key' }];
    const { user, login, pins: seen } = world({ settings: { uris } });
    await user().catch(() => undefined);
    expect([seen(), login.hasPin(TOKEN)]).toEqual([pins, pins.length > 0]);
  });

  it('is not asked for again where it was refused, and wiped', async () => {
    const { user, questions, isWiped, guarded } = world({
      settings: { env: ENV },
      results: [fails(0xa0)],
      typed: ['x'],
    });
    expect(await refusal(user)).toMatchObject({
      code: 'ERR_PIN_INCORRECT',
      message: 'the token "web" refused the PIN from ROLES_ANYWHERE_PKCS11_PIN',
    });
    expect([questions, isWiped(), guarded]).toEqual([
      [],
      true,
      [['web', 'user', 'environment:ROLES_ANYWHERE_PKCS11_PIN', 'refused']],
    ]);
  });
});

describe('what a token says of its tries', () => {
  it.each([
    [LOCKED, 'ERR_PIN_LOCKED'],
    [FINAL_TRY, 'ERR_PIN_FINAL_TRY'],
    [LOCKED | FINAL_TRY, 'ERR_PIN_LOCKED'],
  ])('keeps a PIN that was given from it, unless that is allowed: %i', async (flags, code) => {
    const { user, presented } = world({ settings: { env: ENV }, flags: [flags], label: 'a\u0007b' });
    const error = await refusal(user);
    expect([error.code, error.message.includes('the token "a?b"'), presented]).toEqual([code, true, []]);
    const allowed = world({ settings: { env: ENV, allowLowPinCount: true }, flags: [flags] });
    await allowed.user();
    expect(allowed.pins()).toEqual(['given']);
  });

  it('is no reason where one PIN was wrong before', async () => {
    const { user, pins } = world({ settings: { env: ENV }, flags: [COUNT_LOW] });
    await user();
    expect(pins()).toEqual(['given']);
  });

  it.each([
    [0, ''],
    [COUNT_LOW, ' (a wrong one was tried before)'],
    [FINAL_TRY, ' (last try before it locks)'],
    [FINAL_TRY | COUNT_LOW, ' (last try before it locks)'],
  ])('is told to a person: %i', async (flags, words) => {
    const { user, questions, pins } = world({ typed: ['typed'], flags: [flags] });
    await user();
    expect([questions, pins()]).toEqual([[`PIN of the token "web"${words}`], ['typed']]);
  });

  it('that it is locked, spares a person the question, unless that is allowed', async () => {
    const { user, questions } = world({ typed: ['typed'], flags: [LOCKED] });
    expect([(await refusal(user)).code, questions]).toEqual(['ERR_PIN_LOCKED', []]);
    const allowed = world({ typed: ['typed'], flags: [LOCKED], settings: { allowLowPinCount: true } });
    await allowed.user();
    expect(allowed.pins()).toEqual(['typed']);
  });

  it('is heeded before a PIN that was typed is presented again', async () => {
    const { user, pins } = world({ settings: { reusePin: true }, typed: ['typed'], flags: [0, FINAL_TRY] });
    await user();
    expect([(await refusal(user)).code, pins()]).toEqual(['ERR_PIN_FINAL_TRY', ['typed']]);
  });
});

describe("a token's own keypad", () => {
  it('is used in place of a terminal', async () => {
    const { user, context, presented, questions } = world({ flags: [KEYPAD | FINAL_TRY] });
    await user();
    await context();
    expect(presented).toEqual([
      ['login', null, { slot: 7n }],
      ['authorise', null, { slot: 7n, key: 5n, mechanism: 6 }],
    ]);
    expect(questions).toEqual([]);
  });

  it('is not used for a PIN that was given, nor where the PIN is locked', async () => {
    const given = world({ flags: [KEYPAD], settings: { env: ENV } });
    await given.user();
    expect(given.pins()).toEqual(['given']);
    const { user, presented } = world({ flags: [KEYPAD | LOCKED] });
    expect([(await refusal(user)).code, presented]).toEqual(['ERR_PIN_LOCKED', []]);
  });

  it('is named where it was mistyped', async () => {
    const { user, pins } = world({ flags: [KEYPAD], results: [fails(0xa0)] });
    expect(await refusal(user)).toMatchObject({
      code: 'ERR_PIN_INCORRECT',
      message: 'the token "web" refused the PIN from the keypad',
    });
    expect(pins()).toEqual([null]);
  });
});

describe('a person', () => {
  it('may try three times, and is told that the PIN was not accepted', async () => {
    const right = world({ typed: ['a', 'b', 'c'], results: [fails(0xa0), fails(0xa2)], flags: [0, COUNT_LOW] });
    await right.user();
    expect([right.pins(), right.questions, right.isWiped()]).toEqual([
      ['a', 'b', 'c'],
      ['PIN of the token "web"', ...Array.from({ length: 2 }, () => 'not accepted; PIN of the token "web"')],
      true,
    ]);
    const wrong = world({ typed: ['a', 'b', 'c', 'd'], results: [1, 2, 3].map(() => fails(0xa0)) });
    expect(await refusal(wrong.user)).toMatchObject({
      code: 'ERR_PIN_INCORRECT',
      message: 'the token "web" refused the PIN from the terminal',
    });
    expect([wrong.pins(), wrong.isWiped()]).toEqual([['a', 'b', 'c'], true]);
  });

  it.each([FINAL_TRY, LOCKED])('may not try again where the next wrong one locks: %i', async (flags) => {
    const { user, pins } = world({ typed: ['a', 'b'], results: [fails(0xa0)], flags: [0, flags] });
    const { code, message } = await refusal(user);
    expect([code, message]).toEqual(['ERR_PIN_INCORRECT', 'the token "web" refused the PIN from the terminal']);
    expect(pins()).toEqual(['a']);
  });

  it('who types the same again costs the token no try', async () => {
    const { user, pins, isWiped } = world({ typed: ['ab', 'ab'], results: [fails(0xa0)] });
    expect(await refusal(user)).toMatchObject({
      code: 'ERR_PIN_INCORRECT',
      message: 'the PIN that was refused was typed again',
    });
    expect([pins(), isWiped()]).toEqual([['ab'], true]);
    const other = world({ typed: ['ab', 'abc', 'xyz'], results: [fails(0xa0), fails(0xa0)] });
    await other.user();
    expect(other.pins()).toEqual(['ab', 'abc', 'xyz']);
  });

  it('who types nothing costs it none either', async () => {
    const { user, pins } = world({ typed: [''] });
    expect([(await refusal(user)).code, pins()]).toEqual(['ERR_PIN_EMPTY', []]);
  });

  it.each([
    [0xa3, 'ERR_PIN_EXPIRED'],
    [0xa4, 'ERR_PIN_LOCKED'],
    [0xa1, 'ERR_PIN_INCORRECT'],
  ])('is told what the token said: %i', async (value, code) => {
    const { user } = world({ typed: ['a'], results: [fails(value)], flags: [0, FINAL_TRY] });
    const error = await refusal(user);
    expect([error.code, error.message.includes('the token "web"'), error.cause]).toEqual([
      code,
      true,
      expect.objectContaining({ returnValue: value }) as unknown,
    ]);
  });

  it('is not asked again where something else failed', async () => {
    const { user, pins, isWiped } = world({ typed: ['a', 'b'], results: [fails(0x30)] });
    expect([(await refusal(user)).code, pins(), isWiped()]).toEqual(['ERR_PKCS11_FAILED', ['a'], true]);
  });

  it('who is not there is what is said to be missing', async () => {
    const [user, context] = [await refusal(world().user), await refusal(world().context)];
    expect([user.code, context.code]).toEqual(['ERR_PIN_REQUIRED', 'ERR_PIN_REQUIRED']);
    expect([user.hint, context.hint]).toEqual([
      expect.stringContaining('--pkcs11-pin-file') as string,
      expect.stringContaining('--reuse-pin') as string,
    ]);
  });
});

describe('a PIN that was typed', () => {
  it('is asked for each time, unless it may be used again', async () => {
    const { user, pins, questions } = world({ typed: ['a', 'b'] });
    await user();
    await user();
    expect([pins(), questions.length]).toEqual([['a', 'b'], 2]);
  });

  it('is presented again, and for signatures, where it may be, until the login is closed', async () => {
    const { user, context, pins, questions, login, isWiped } = world({
      settings: { reusePin: true },
      typed: ['a', 'b'],
    });
    await user();
    await user();
    await context();
    expect([pins(), questions.length]).toEqual([['a', 'a', 'a'], 1]);
    login.close();
    expect(isWiped()).toBe(true);
    await user();
    expect([pins(), questions.length]).toEqual([['a', 'a', 'a', 'b'], 2]);
  });

  it('for a signature is not presented for the user', async () => {
    const { user, context, presented } = world({ settings: { reusePin: true }, typed: ['key', 'user'] });
    await context();
    await context();
    await user();
    await context();
    expect(presented.map((one) => (one as unknown[]).slice(0, 2))).toEqual([
      ['authorise', 'key'],
      ['authorise', 'key'],
      ['login', 'user'],
      ['authorise', 'key'],
    ]);
  });

  it.each([
    [0xa0, ['a', 'a', 'b']],
    [0x30, ['a', 'a', 'b']],
    [0xb3, ['a', 'a', 'a']],
  ])(
    'is forgotten when the token does not accept it any more, and not when it did not see it: %i',
    async (value, seen) => {
      const { user, pins, login, isWiped } = world({
        settings: { reusePin: true },
        typed: ['a', 'b'],
        results: [undefined, fails(value)],
      });
      await user();
      const error = await refusal(user);
      expect(error.message.includes('the PIN that was typed')).toBe(value === 0xa0);
      await user();
      expect(pins()).toEqual(seen);
      login.close();
      expect(isWiped()).toBe(true);
    },
  );

  it('for two logins at a time is kept once, and the other wiped', async () => {
    const { user, pins, login, isWiped } = world({ settings: { reusePin: true }, typed: ['a', 'b'] });
    await Promise.all([user(), user()]);
    await user();
    expect(pins()).toEqual(['a', 'b', 'b']);
    login.close();
    expect(isWiped()).toBe(true);
  });

  it('gives way to another for the same purpose, and is wiped', async () => {
    const { user, login, isWiped, pins } = world({
      settings: { reusePin: true },
      typed: ['a', 'b'],
      results: [undefined, fails(0xa0)],
    });
    await user();
    await refusal(user);
    await user();
    await user();
    expect(pins()).toEqual(['a', 'a', 'b', 'b']);
    login.close();
    expect(isWiped()).toBe(true);
  });
});

describe('a key with a PIN of its own', () => {
  it('has a person asked when it refuses that of the login, and from then on', async () => {
    const { user, context, presented, questions } = world({
      settings: { reusePin: true },
      typed: ['user', 'key'],
      results: [undefined, fails(0xa0)],
    });
    await user();
    await context();
    await context();
    await user();
    expect(presented.map((one) => (one as unknown[]).slice(0, 2))).toEqual([
      ['login', 'user'],
      ['authorise', 'user'],
      ['authorise', 'key'],
      ['authorise', 'key'],
      ['login', 'user'],
    ]);
    expect(questions).toEqual(['PIN of the token "web"', 'PIN for a signature with the token "web"']);
  });

  it('has a person asked again when it refuses its own, and never gets that of the login again', async () => {
    const { user, context, pins } = world({
      settings: { reusePin: true },
      typed: ['user', 'key', 'second'],
      results: [undefined, fails(0xa0), undefined, fails(0xa0)],
    });
    await user();
    await context();
    await context();
    expect(pins()).toEqual(['user', 'user', 'key', 'key', 'second']);
  });

  it('has a person asked when the guard withholds the PIN that was given, and the token is looked at again', async () => {
    const withheld = new RolesAnywhereError('ERR_PIN_WITHHELD', 'withheld');
    const settings = { env: ENV, reusePin: true };
    const { context, pins, questions } = world({ settings, withheld, typed: ['key'], flags: [0, COUNT_LOW] });
    await context();
    expect(pins()).toEqual(['key']);
    expect(questions).toEqual(['PIN for a signature with the token "web" (a wrong one was tried before)']);
    const nobody = world({ settings, withheld });
    expect(await refusal(nobody.context)).toBe(withheld);
    const user = world({ settings, withheld, typed: ['key'] });
    expect(await refusal(user.user)).toBe(withheld);
    expect(user.questions).toEqual([]);
  });

  it('never gets the PIN of the login again that it refused, though nobody was there to type another', async () => {
    const { user, context, pins } = world({
      settings: { reusePin: true },
      typed: ['user'],
      results: [undefined, fails(0xa0)],
    });
    await user();
    expect((await refusal(context)).code).toBe('ERR_PIN_INCORRECT');
    expect((await refusal(context)).code).toBe('ERR_PIN_REQUIRED');
    expect(pins()).toEqual(['user', 'user']);
  });

  it('gets what was typed for it, and not again what was given and refused', async () => {
    const settings = { env: ENV, reusePin: true };
    const { context, pins, login, isWiped } = world({ settings, typed: ['key'], results: [fails(0xa0)] });
    await context();
    await context();
    expect(pins()).toEqual(['given', 'key', 'key']);
    login.close();
    expect(isWiped()).toBe(true);
  });

  it('has nobody asked when something else fails', async () => {
    const { context, questions } = world({
      settings: { env: ENV, reusePin: true },
      results: [fails(0x30)],
      typed: ['x'],
    });
    expect([(await refusal(context)).code, questions]).toEqual(['ERR_PKCS11_FAILED', []]);
  });
});

const ended = async (error: Error): Promise<unknown> => {
  const { user, guarded } = world({ settings: { env: ENV }, results: [error] });
  await refusal(user);
  return (guarded[0] as unknown[])[3];
};

describe('how a login ended', () => {
  it('is known of the values that PKCS#11 has for it, and of no others', async () => {
    const values = Array.from({ length: 0x200 }, (_, value) => value);
    const outcomes = await Promise.all(values.map(async (value) => await ended(fails(value))));
    expect(values.filter((value) => outcomes[value] === 'refused')).toEqual(REFUSED);
    expect(values.filter((value) => outcomes[value] === 'unpresented')).toEqual(UNPRESENTED);
    expect(outcomes.filter((outcome) => outcome === 'unknown')).toHaveLength(
      0x200 - REFUSED.length - UNPRESENTED.length,
    );
  });

  it('is before the token counted where a signature could not be begun, and unknown of what is no failure of a call', async () => {
    expect(await ended(new CryptokiError('C_SignInit', 0x30))).toBe('unpresented');
    expect(await ended(new CryptokiError('C_SignInit', 0xa0))).toBe('refused');
    expect(await ended(new Error('lost'))).toBe('unknown');
  });

  it('is told by the code', async () => {
    const codes = await Promise.all(
      REFUSED.map(
        async (value) => (await refusal(world({ settings: { env: ENV }, results: [fails(value)] }).user)).code,
      ),
    );
    const incorrect = 'ERR_PIN_INCORRECT';
    expect(codes).toEqual([incorrect, incorrect, incorrect, 'ERR_PIN_EXPIRED', 'ERR_PIN_LOCKED']);
  });
});
