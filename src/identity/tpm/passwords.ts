/**
 * Passwords of keys, their parents and hierarchies: where each comes from, and that a wrong one is not sent twice. A TPM
 * counts wrong ones (dictionary-attack protection, DA; TPM 2.0 Library, part 1, section 19.8) and locks after a few.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { RolesAnywhereError } from '../../platform/errors.ts';
import type { ErrorCode } from '../../platform/errors.ts';
import type { Outcome, PinGuard } from '../pkcs11/pin-guard.ts';
import { RC, TpmError, describeReturnCode, isAnswer } from './return-codes.ts';
import type { Tpm } from './tpm.ts';
import { type Tries, describeTries, triesAfter, triesLeft } from './tries.ts';

/** What a password is of. That of an NV index can only be typed. */
export type PasswordRole = 'key' | 'parent' | 'hierarchy' | 'index';

/** A password that was given, and is read when it is needed. */
export interface GivenPassword {
  /** How errors call where it came from: a flag or a variable. */
  readonly from: string;
  /** Names the place for the records of the guard. Holds no secret. */
  readonly place: string;
  /** Its bytes, the caller's to wipe. */
  read(): Promise<Uint8Array>;
}

export interface PasswordDeps {
  readonly given: Partial<Record<Exclude<PasswordRole, 'index'>, GivenPassword | undefined>>;
  /** `--no-tpm-key-password`: the key has none. */
  readonly noKeyPassword: boolean;
  readonly guard: PinGuard;
  /** Asks a person; undefined when there is nobody. */
  readonly ask: (question: string) => Promise<Uint8Array | undefined>;
  /** What was typed before, by what it is for. */
  readonly typed: Map<string, Uint8Array>;
  /** Whether that is wiped with the identity. */
  readonly ownsTyped: boolean;
}

/** Something in the TPM that has a password, or may have one. */
export interface Protected {
  readonly role: PasswordRole;
  readonly name: Uint8Array;
  /** Whether wrong passwords count. */
  readonly countsTries: boolean;
  /** For messages: `the TPM key in --private-key k.pem`, `the parent 0x81000001`, `the owner hierarchy`. */
  readonly label: string;
  /** The longest password that it can have. */
  readonly maxBytes: number;
  /** What a key file says: whether it has no password. */
  readonly saysEmpty?: boolean | undefined;
}

/** Thrown where only a person can go on: the connection is closed before anybody is asked. */
export class PersonNeeded extends Error {
  readonly entity: Protected;
  /** What was found out before, as the cause of the error when there is nobody. */
  readonly refused: unknown;

  constructor(entity: Protected, refused?: unknown) {
    super('a person has to give a password');
    this.entity = entity;
    this.refused = refused;
  }
}

interface Candidate {
  readonly value: Uint8Array;
  readonly origin: 'given' | 'typed' | 'empty';
  readonly given?: GivenPassword | undefined;
}

const HINTS: Readonly<Record<PasswordRole, { hint: string; wrong: ErrorCode }>> = {
  key: {
    hint: 'give it with --tpm-key-password-file FILE or in ROLES_ANYWHERE_TPM_KEY_PASSWORD',
    wrong: 'ERR_TPM_KEY_PASSWORD',
  },
  parent: {
    hint: 'give it with --tpm-parent-password-file FILE or in ROLES_ANYWHERE_TPM_PARENT_PASSWORD',
    wrong: 'ERR_TPM_PARENT_PASSWORD',
  },
  hierarchy: {
    hint: 'give it with --tpm-hierarchy-password-file FILE or in ROLES_ANYWHERE_TPM_HIERARCHY_PASSWORD',
    wrong: 'ERR_TPM_HIERARCHY_PASSWORD',
  },
  index: {
    hint: 'define the index so that it is read without one: ownerread, or authread',
    wrong: 'ERR_TPM_NV_ACCESS',
  },
};

/** Makes tags of passwords that were accepted, so that they need not be kept. */
const TAG_KEY = randomBytes(32);

/** The passwords of one identity, for as long as that lives. */
export class Passwords {
  readonly #deps: PasswordDeps;
  /** Of what the TPM has accepted in this process. */
  readonly #accepted = new Set<string>();
  /** Where the empty password was refused. */
  readonly #notEmpty = new Set<string>();

  constructor(deps: PasswordDeps) {
    this.#deps = deps;
  }

  /**
   * Uses something by its password, and sends a wrong one once.
   *
   * @param use gets the password, which is wiped afterwards
   * @throws PersonNeeded, RolesAnywhereError `ERR_TPM_KEY_PASSWORD`, `ERR_TPM_PARENT_PASSWORD`, `ERR_TPM_HIERARCHY_PASSWORD`,
   * `ERR_TPM_PASSWORD_WITHHELD`, `ERR_TPM_LAST_TRY`, `ERR_TPM_LOCKOUT`, `ERR_TPM_PASSWORD_SIZE`, and what `use` throws
   */
  async unlock<T>(tpm: Tpm, entity: Protected, use: (password: Uint8Array) => Promise<T>): Promise<T> {
    const candidate = await this.#choose(entity);
    const { value } = candidate;
    try {
      refuseLong(entity, candidate);
      const tag = tagOf(entity, value);
      const isKnown = this.#accepted.has(tag);
      if (entity.countsTries && !isKnown) await refuseLastTry(tpm, entity);
      const result = await this.#present(entity, candidate, isKnown, use);
      this.#accepted.add(tag);
      return result;
    } catch (error) {
      throw await this.#afterRefusal(tpm, entity, candidate, error);
    } finally {
      value.fill(0);
    }
  }

  /**
   * Asks a person, and keeps what was typed.
   *
   * @throws RolesAnywhereError `ERR_PASSWORD_REQUIRED` when there is nobody
   */
  async ask({ entity, refused }: PersonNeeded): Promise<void> {
    const typed = await this.#deps.ask(`password of ${entity.label}`);
    if (typed !== undefined) {
      this.#deps.typed.set(placeOf(entity), typed);
      return;
    }
    const none =
      entity.role === 'key' && refused === undefined ? '; for a key without one, add --no-tpm-key-password' : '';
    throw new RolesAnywhereError(
      'ERR_PASSWORD_REQUIRED',
      refused === undefined
        ? `no password was given for ${entity.label}, and there is no terminal to ask at`
        : `${entity.label} has a password, none was given, and there is no terminal to ask at`,
      { hint: `${HINTS[entity.role].hint}${none}`, cause: refused },
    );
  }

  /** Wipes what was typed. */
  forget(): void {
    const { typed, ownsTyped } = this.#deps;
    if (!ownsTyped) return;
    for (const password of typed.values()) password.fill(0);
    typed.clear();
  }

  async #choose(entity: Protected): Promise<Candidate> {
    const given = entity.role === 'index' ? undefined : this.#deps.given[entity.role];
    if (given !== undefined) return { value: await given.read(), origin: 'given', given };
    const typed = this.#deps.typed.get(placeOf(entity));
    if (typed !== undefined) return { value: Uint8Array.from(typed), origin: 'typed' };
    // The empty one costs nothing where tries are not counted. Where they are, something has to speak for it.
    const isLikely =
      entity.role !== 'key' || !entity.countsTries || entity.saysEmpty === true || this.#deps.noKeyPassword;
    if (isLikely && !this.#notEmpty.has(placeOf(entity))) return { value: new Uint8Array(), origin: 'empty' };
    throw new PersonNeeded(entity);
  }

  async #present<T>(
    entity: Protected,
    { value, origin, given }: Candidate,
    isKnown: boolean,
    use: (password: Uint8Array) => Promise<T>,
  ): Promise<T> {
    // A person knows what was typed before; an empty one is free where tries are not counted.
    if (isKnown || origin === 'typed' || (origin === 'empty' && !entity.countsTries)) return await use(value);
    let outcome: { readonly result: T } | undefined;
    const keeper = {
      manufacturer: 'TPM 2.0',
      model: '',
      serial: Buffer.from(entity.name).toString('hex'),
      label: entity.label,
    };
    const source = given === undefined ? EMPTY_SOURCE : { key: given.place, description: given.from };
    const present = async (): Promise<void> => {
      outcome = { result: await use(value) };
    };
    try {
      await this.#deps.guard.present(keeper, entity.role, source, { bytes: value }, present, outcomeOf);
    } catch (error) {
      // An empty password is looked for at every use: where nothing can be written, the TPM's own count has to do.
      if (origin !== 'empty' || !hasCode(error, 'ERR_PIN_STATE')) throw error;
      return await use(value);
    }
    if (outcome === undefined) throw new TypeError('a password was accepted that was never presented');
    return outcome.result;
  }

  async #afterRefusal(tpm: Tpm, entity: Protected, { origin, given }: Candidate, error: unknown): Promise<unknown> {
    if (hasCode(error, 'ERR_TPM_PASSWORD_WITHHELD') && origin === 'empty' && !this.#insists(entity)) {
      this.#notEmpty.add(placeOf(entity));
      return new PersonNeeded(entity, error);
    }
    if (isAnswer(error, RC.lockout)) return await lockedOut(tpm, entity, error);
    if (!isAnswer(error, RC.authFail, RC.badAuth)) return error;
    if (origin === 'empty' && !this.#insists(entity)) {
      this.#notEmpty.add(placeOf(entity));
      return new PersonNeeded(entity, error);
    }
    this.#deps.typed.get(placeOf(entity))?.fill(0);
    this.#deps.typed.delete(placeOf(entity));
    const { wrong } = HINTS[entity.role];
    const which =
      origin === 'empty'
        ? 'has a password, although --no-tpm-key-password says that it has none'
        : `refused the password ${origin === 'typed' ? 'that was typed' : `from ${given?.from}`}`;
    const tries = entity.countsTries ? await triesAfter(tpm) : undefined;
    const hint = 'correct it: a wrong one is not sent again';
    return new RolesAnywhereError(wrong, `${entity.label} ${which} (${describeReturnCode(error.returnCode)})`, {
      hint: tries === undefined ? hint : `${hint}; ${describeTries(tries)}`,
      cause: error,
    });
  }

  /** Whether someone said that there is no password: then nobody is asked for one. */
  #insists({ role }: Protected): boolean {
    return role === 'key' && this.#deps.noKeyPassword;
  }
}

const EMPTY_SOURCE = { key: 'empty', description: 'no place at all (the empty one)' };

function placeOf({ role, name }: Protected): string {
  return `TPM ${role} ${Buffer.from(name).toString('hex')}`;
}

function tagOf(entity: Protected, password: Uint8Array): string {
  return createHmac('sha256', TAG_KEY)
    .update(`${placeOf(entity)}\0`)
    .update(password)
    .digest('base64');
}

/** Any other answer came before the password was looked at, or after it was right. */
function outcomeOf(error: unknown): Outcome {
  if (isAnswer(error, RC.authFail, RC.badAuth)) return 'refused';
  return error instanceof TpmError ? 'unpresented' : 'unknown';
}

function hasCode(error: unknown, code: ErrorCode): boolean {
  return error instanceof RolesAnywhereError && error.code === code;
}

function refuseLong({ label, maxBytes }: Protected, { value, origin, given }: Candidate): void {
  if (value.length <= maxBytes) return;
  const from = origin === 'typed' ? 'that was typed' : `from ${given?.from}`;
  throw new RolesAnywhereError(
    'ERR_TPM_PASSWORD_SIZE',
    `the password ${from} is too long for ${label}: ${maxBytes} bytes are the most`,
    {
      hint: 'it was not sent: check that it belongs to this key, and for a line feed or space too many',
    },
  );
}

/** The last try is a person's, at the TPM's own tools. */
async function refuseLastTry(tpm: Tpm, entity: Protected): Promise<void> {
  const tries = await triesLeft(tpm);
  if (tries === undefined || tries.interval === 0 || tries.left > 1) return;
  if (tries.left === 0) throw lockout(entity, tries);
  throw new RolesAnywhereError(
    'ERR_TPM_LAST_TRY',
    `the TPM locks at the next wrong password: none is sent to ${entity.label}`,
    {
      hint: `${describeTries(tries)}; wait for that, or reset the count with \`tpm2_dictionarylockout -c\``,
    },
  );
}

async function lockedOut(tpm: Tpm, entity: Protected, error: unknown): Promise<RolesAnywhereError> {
  return lockout(entity, await triesAfter(tpm), error);
}

function lockout({ label }: Protected, tries: Tries | undefined, cause?: unknown): RolesAnywhereError {
  const recovery = tries === undefined ? '' : `${describeTries(tries)}; `;
  return new RolesAnywhereError(
    'ERR_TPM_LOCKOUT',
    `the TPM takes no passwords now, also not for ${label}: there were too many wrong ones`,
    {
      hint: `${recovery}wait, or reset the count with \`tpm2_dictionarylockout -c\``,
      cause,
    },
  );
}
