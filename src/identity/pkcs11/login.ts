/** Logs in to a token: picks the PIN's source, heeds what the token says of its tries, and lets the guard decide. */
// Tests: test/identity/pkcs11/login.test.ts, test/identity/pkcs11/softhsm.test.ts
import { timingSafeEqual } from 'node:crypto';
import { RolesAnywhereError } from '../../platform/errors.ts';
import { secretBytes } from '../../platform/files.ts';
import { CKR_PIN_LOCKED, TOKEN_FLAGS } from './constants.ts';
import { CryptokiError } from './cryptoki.ts';
import type { TokenInfo } from './cryptoki.ts';
import { explain } from './failures.ts';
import { matchesToken } from './match.ts';
import { choosePinSource } from './pin.ts';
import type { PinSettings, PinSource } from './pin.ts';
import type { Outcome, PinGuard, Purpose } from './pin-guard.ts';
import type { Port, TokenFacts } from './port.ts';

export interface LoginSettings extends PinSettings {
  /** Present the user's PIN again for keys that want one at each signature. Default false: a person is asked. */
  reusePin?: boolean | undefined;
  /** Log in without a person although the token reports that the next wrong PIN locks it. Default false. */
  allowLowPinCount?: boolean | undefined;
}

/** Asks a person for a PIN; undefined when there is no one to ask. */
export type AskPin = (question: string) => Promise<Uint8Array | undefined>;

/** How often a person may try in one go, as long as the token reports tries enough. */
const MAX_PROMPTS = 3;

/** CKR_PIN_INCORRECT, _INVALID, _LEN_RANGE, _EXPIRED, _LOCKED. */
const REFUSED: ReadonlySet<number> = new Set([0xa0, 0xa1, 0xa2, 0xa3, CKR_PIN_LOCKED]);

/** Failures by which a module says that the token never saw the PIN. */
const UNPRESENTED: ReadonlySet<number> = new Set([
  0x02, 0x03, 0x07, 0x50, 0x54, 0x60, 0x68, 0x70, 0x82, 0x91, 0xb0, 0xb1, 0xb3, 0xe0, 0xe1, 0x102, 0x103, 0x104, 0x105,
  0x190,
]);

/** How a login ended, from its error. What is not known to be harmless counts as unknown. */
function outcomeOf(error: unknown): Outcome {
  if (!(error instanceof CryptokiError)) return 'unknown';
  if (REFUSED.has(error.returnValue)) return 'refused';
  // A signature that cannot be begun never comes to its login.
  if (error.function !== 'C_Login' || UNPRESENTED.has(error.returnValue)) return 'unpresented';
  return 'unknown';
}

type Present = (pin: Uint8Array | null) => Promise<unknown>;

export class Login {
  readonly #settings: LoginSettings;
  readonly #guard: PinGuard;
  readonly #ask: AskPin;
  /** Typed PINs that were accepted, when they are to be used again. */
  readonly #kept = new Map<Purpose, Uint8Array>();
  /** Whether a key refused the user's PIN that was typed. */
  #contextDiffers = false;

  constructor(settings: LoginSettings, guard: PinGuard, ask: AskPin) {
    this.#settings = settings;
    this.#guard = guard;
    this.#ask = ask;
  }

  /** Logs the user in to a token. */
  async user(port: Port, token: TokenFacts): Promise<void> {
    await this.#login(port, token, 'user', (pin) => port.ask('login', { slot: token.slot, pin }));
  }

  /** Begins a signature with a key that needs a login for each. */
  async context(port: Port, token: TokenFacts, key: bigint, mechanism: number): Promise<void> {
    const { slot } = token;
    await this.#login(port, token, 'context', (pin) => port.ask('authorise', { slot, key, mechanism, pin }));
  }

  /** Whether a PIN for a token was given, so that no person needs to be asked. */
  hasPin(token: TokenFacts): boolean {
    return this.#source(token) !== undefined;
  }

  /** Forgets the PINs that were kept. */
  close(): void {
    for (const purpose of ['user', 'context'] as const) this.#forget(purpose);
  }

  #forget(purpose: Purpose): void {
    this.#kept.get(purpose)?.fill(0);
    this.#kept.delete(purpose);
  }

  /** A PIN in a URI is for the tokens that the URI means: certificate and key may be in two. */
  #source(facts: TokenFacts): PinSource | undefined {
    const uris = this.#settings.uris.filter(({ uri }) => matchesToken(uri, facts));
    return choosePinSource({ ...this.#settings, uris });
  }

  async #login(port: Port, facts: TokenFacts, purpose: Purpose, present: Present): Promise<void> {
    const { slot } = facts;
    const token = await port.ask('token', { slot });
    const source = purpose === 'user' || this.#settings.reusePin === true ? this.#source(facts) : undefined;
    const isOwn = source !== undefined || this.#contextDiffers || this.#kept.has(purpose);
    const kept = isOwn ? purpose : 'user';
    const typed = this.#kept.get(kept);
    const attempt =
      typed === undefined
        ? source && (() => this.#unattended(token, purpose, source, present))
        : () => this.#again(token, typed, kept, purpose, present);
    if (attempt === undefined) return this.#person(port, slot, token, purpose, present);
    try {
      return await attempt();
    } catch (error) {
      // The PIN of the login is not that of the key, which a person may know.
      if (purpose !== 'context' || !isAboutPin(error)) throw error;
      this.#contextDiffers = true;
      return await this.#person(port, slot, token, purpose, present, error);
    }
  }

  async #unattended(token: TokenInfo, purpose: Purpose, source: PinSource, present: Present): Promise<void> {
    this.#heedFlags(token, false);
    const pin = await source.read();
    try {
      await this.#guard.present(token, purpose, source, pin, async () => void (await present(pin.bytes)), outcomeOf);
    } catch (error) {
      throw refusal(error, token, source.description);
    } finally {
      pin.bytes.fill(0);
    }
  }

  /** Presents a kept PIN. It is kept for as long as the token accepts it for what it was typed for, and no longer. */
  async #again(token: TokenInfo, typed: Uint8Array, kept: Purpose, purpose: Purpose, present: Present): Promise<void> {
    this.#heedFlags(token, false);
    const pin = secretBytes(typed);
    try {
      await present(pin);
    } catch (error) {
      if (kept === purpose && outcomeOf(error) !== 'unpresented') this.#forget(kept);
      throw refusal(error, token, 'the PIN that was typed');
    } finally {
      pin.fill(0);
    }
  }

  /** @param otherwise what is thrown when there is nobody; default: that a PIN is wanted */
  async #person(
    port: Port,
    slot: bigint,
    first: TokenInfo,
    purpose: Purpose,
    present: Present,
    otherwise?: RolesAnywhereError,
  ): Promise<void> {
    if (first.flags & TOKEN_FLAGS.protectedAuthenticationPath) {
      this.#heedFlags(first, true);
      return this.#keypad(first, present);
    }
    let token = otherwise === undefined ? first : await port.ask('token', { slot });
    let refused: Uint8Array | undefined;
    try {
      for (let attempt = 1; ; attempt += 1) {
        this.#heedFlags(token, true);
        const pin = await this.#typed(token, purpose, refused !== undefined, otherwise);
        try {
          if (refused !== undefined && isSame(refused, pin)) throw sameAgain();
          await present(pin);
          this.#keep(purpose, pin);
          return undefined;
        } catch (error) {
          token = await this.#afterRefusal(port, slot, token, error, attempt);
          refused?.fill(0);
          refused = secretBytes(pin);
        } finally {
          pin.fill(0);
        }
      }
    } finally {
      refused?.fill(0);
    }
  }

  async #keypad(token: TokenInfo, present: Present): Promise<void> {
    try {
      await present(null);
    } catch (error) {
      throw refusal(error, token, 'the keypad');
    }
  }

  /** Whether a person may try again: returns the token's present facts, or throws. */
  async #afterRefusal(port: Port, slot: bigint, token: TokenInfo, error: unknown, attempt: number): Promise<TokenInfo> {
    if (outcomeOf(error) !== 'refused' || attempt === MAX_PROMPTS) throw refusal(error, token, 'the terminal');
    const now = await port.ask('token', { slot });
    if (now.flags & (TOKEN_FLAGS.pinFinalTry | TOKEN_FLAGS.pinLocked)) {
      throw refusal(error, now, 'the terminal');
    }
    return now;
  }

  async #typed(
    token: TokenInfo,
    purpose: Purpose,
    again: boolean,
    otherwise?: RolesAnywhereError,
  ): Promise<Uint8Array> {
    const kind = purpose === 'context' ? 'PIN for a signature with' : 'PIN of';
    let tries = '';
    if (token.flags & TOKEN_FLAGS.pinFinalTry) tries = ' (last try before it locks)';
    else if (token.flags & TOKEN_FLAGS.pinCountLow && !again) tries = ' (a wrong one was tried before)';
    const pin = await this.#ask(`${again ? 'not accepted; ' : ''}${kind} the token ${printable(token.label)}${tries}`);
    if (pin === undefined) throw otherwise ?? noPin(token, purpose);
    if (pin.length > 0) return pin;
    throw new RolesAnywhereError('ERR_PIN_EMPTY', 'an empty PIN was typed', {
      hint: 'it was not presented: it would cost one of the few tries before the token locks',
    });
  }

  #keep(purpose: Purpose, pin: Uint8Array): void {
    if (this.#settings.reusePin !== true) return;
    this.#forget(purpose);
    this.#kept.set(purpose, secretBytes(pin));
  }

  #heedFlags({ flags, label }: TokenInfo, person: boolean): void {
    if (this.#settings.allowLowPinCount === true) return;
    const name = printable(label);
    if (flags & TOKEN_FLAGS.pinLocked) throw locked(name);
    if (person || (flags & TOKEN_FLAGS.pinFinalTry) === 0) return;
    throw new RolesAnywhereError(
      'ERR_PIN_FINAL_TRY',
      `the token ${name} locks at the next wrong PIN: no login without a person`,
      { hint: 'log in once with the right PIN at a terminal, or add --pkcs11-allow-low-pin-count' },
    );
  }
}

/** Whether a login failed by its PIN, and another may do. */
function isAboutPin(error: unknown): error is RolesAnywhereError {
  return (
    error instanceof RolesAnywhereError && (error.code === 'ERR_PIN_INCORRECT' || error.code === 'ERR_PIN_WITHHELD')
  );
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

function sameAgain(): RolesAnywhereError {
  return new RolesAnywhereError('ERR_PIN_INCORRECT', 'the PIN that was refused was typed again', {
    hint: 'it was not presented a second time, to spare the token a try',
  });
}

function noPin(token: TokenInfo, purpose: Purpose): RolesAnywhereError {
  const name = printable(token.label);
  if (purpose === 'context') {
    return new RolesAnywhereError(
      'ERR_PIN_REQUIRED',
      `the key in the token ${name} wants a PIN at each signature, and there is no terminal`,
      {
        hint: 'add --reuse-pin to present the PIN of the login again',
      },
    );
  }
  return new RolesAnywhereError(
    'ERR_PIN_REQUIRED',
    `the token ${name} wants a PIN, and there is no terminal to ask at`,
    {
      hint: 'give it with pin-source=/path/to/file in the URI, --pkcs11-pin-file or ROLES_ANYWHERE_PKCS11_PIN',
    },
  );
}

/** The error of a login that failed, in a user's words. */
function refusal(error: unknown, token: TokenInfo, source: string): RolesAnywhereError {
  const name = printable(token.label);
  if (!(error instanceof CryptokiError) || !REFUSED.has(error.returnValue)) return explain(error);
  if (error.returnValue === CKR_PIN_LOCKED) return locked(name, error);
  if (error.returnValue === 0xa3) {
    return new RolesAnywhereError('ERR_PIN_EXPIRED', `the PIN of the token ${name} has expired`, {
      hint: "set a new one with the token's own tool",
      cause: error,
    });
  }
  return new RolesAnywhereError('ERR_PIN_INCORRECT', `the token ${name} refused the PIN from ${source}`, {
    hint: 'correct it: the same PIN is not presented again, since a token locks after a few wrong ones',
    cause: error,
  });
}

function locked(name: string, cause?: unknown): RolesAnywhereError {
  return new RolesAnywhereError('ERR_PIN_LOCKED', `the PIN of the token ${name} is locked`, {
    hint: "unblock it with the PUK or the security officer's PIN, with the token's own tool",
    cause,
  });
}

/** A label for a message or a terminal: control characters could write anything there. */
function printable(label: string): string {
  return JSON.stringify(label.replaceAll(/[\p{Cc}\p{Cf}]/gu, '?'));
}
