/** Answers a port's questions with a module in this process: one session a token, opened when it is first needed. */
// Tests: test/identity/pkcs11/faults.test.ts
import { existsSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Binding } from './binding.ts';
import {
  CKA_ALWAYS_AUTHENTICATE,
  CKA_CERTIFICATE_TYPE,
  CKA_CLASS,
  CKA_EC_PARAMS,
  CKA_EC_POINT,
  CKA_ID,
  CKA_ISSUER,
  CKA_KEY_TYPE,
  CKA_LABEL,
  CKA_MODULUS,
  CKA_PRIVATE,
  CKA_PUBLIC_EXPONENT,
  CKA_SERIAL_NUMBER,
  CKA_SIGN,
  CKA_SUBJECT,
  CKA_TOKEN,
  CKA_VALUE,
  CKC_X_509,
  CKK_EC,
  CKK_RSA,
  CKO_CERTIFICATE,
  CKO_PRIVATE_KEY,
  CKO_PUBLIC_KEY,
  CKR_USER_ALREADY_LOGGED_IN,
  CKU_CONTEXT_SPECIFIC,
  CKU_USER,
  TOKEN_FLAGS,
} from './constants.ts';
import { Cryptoki, CryptokiError } from './cryptoki.ts';
import type { Attribute, LibraryInfo } from './cryptoki.ts';
import { ModuleError } from './failures.ts';
import { NotCryptokiError } from './function-list.ts';
import type {
  CertificateFacts,
  KeyFacts,
  ObjectFilter,
  Operation,
  Operations,
  PublicPart,
  TokenFacts,
} from './port.ts';

type Handlers = { [O in Operation]: (ask: Operations[O]['ask']) => Operations[O]['answer'] };

/** A module that shows its objects without end would fill the memory of who asks, too. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

export class Engine {
  readonly #binding: Binding;
  readonly #sessions = new Map<bigint, bigint>();
  #cryptoki: Cryptoki | undefined;
  /** How many bytes of attributes the answer in hand may still have. */
  #room = 0;
  readonly #handlers: Handlers = {
    open: ({ libraries }) => this.#open(libraries),
    tokens: () => this.#tokens(),
    token: ({ slot }) => this.#module().getTokenInfo(slot),
    certificates: ({ slot, filter }) => this.#certificates(slot, filter),
    keys: ({ slot, filter }) => this.#keys(slot, filter),
    replace: (ask) => this.#replace(ask),
    mechanisms: ({ slot }) => unlessItFails(() => this.#module().getMechanismList(slot)) ?? [],
    login: ({ slot, pin }) => this.#login(slot, pin),
    authorise: (ask) => this.#authorise(ask),
    sign: (ask) => this.#sign(ask),
  };

  constructor(binding: Binding) {
    this.#binding = binding;
  }

  /** @throws CryptokiError, ModuleError */
  answer<O extends Operation>(operation: O, ask: Operations[O]['ask']): Operations[O]['answer'] {
    this.#room = MAX_ANSWER_BYTES;
    return this.#handlers[operation](ask);
  }

  /** An attribute's bytes, as long as all of an answer's are no more than what a token can hold. */
  #attribute(session: bigint, object: bigint, type: number): Uint8Array | undefined {
    const value = this.#room > 0 ? this.#module().getAttribute(session, object, type) : undefined;
    this.#room -= value?.length ?? 0;
    return value;
  }

  /** Never throws: a module that fails to close has nothing left to say. */
  close(): void {
    for (const slot of this.#sessions.keys()) this.#drop(slot);
    const cryptoki = this.#cryptoki;
    this.#cryptoki = undefined;
    cryptoki?.finalize();
  }

  #module(): Cryptoki {
    if (this.#cryptoki === undefined) throw new TypeError('the module is not open');
    return this.#cryptoki;
  }

  #open(libraries: readonly string[]): LibraryInfo {
    const cryptoki = this.#load(libraries);
    cryptoki.initialize();
    this.#cryptoki = cryptoki;
    return this.#library();
  }

  /** What the module says of itself matters only where a URI asks for it. */
  #library(): LibraryInfo {
    const unknown = { manufacturer: '', description: '', version: { major: 0, minor: 0 } };
    return unlessItFails(() => this.#module().getInfo()) ?? unknown;
  }

  #load(libraries: readonly string[]): Cryptoki {
    let reason = 'no such file';
    for (const library of libraries) {
      if (isAbsolute(library) && !existsSync(library)) continue;
      try {
        return new Cryptoki(this.#binding, library);
      } catch (cause) {
        reason = cause instanceof Error ? cause.message : String(cause);
        if (cause instanceof NotCryptokiError || !isNotFound(library, reason)) {
          throw new ModuleError('not-cryptoki', library, reason);
        }
      }
    }
    throw new ModuleError('not-found', libraries.join(', '), reason);
  }

  #tokens(): TokenFacts[] {
    const module = this.#module();
    const library = this.#library();
    return module.getSlotList().flatMap((slot) => {
      try {
        const token = module.getTokenInfo(slot);
        // A blank one, as SoftHSM always shows at its end, opens no session.
        if ((token.flags & TOKEN_FLAGS.initialized) === 0) return [];
        const slotInfo = unlessItFails(() => module.getSlotInfo(slot)) ?? { description: '', manufacturer: '' };
        return [{ slot, slotInfo, library, ...token }];
      } catch (error) {
        // Taken out between the two calls, or not readable: as good as not there.
        if (error instanceof CryptokiError) return [];
        throw error;
      }
    });
  }

  #session(slot: bigint): bigint {
    let session = this.#sessions.get(slot);
    if (session === undefined) {
      session = this.#module().openSession(slot);
      this.#sessions.set(slot, session);
    }
    return session;
  }

  /** Closes a token's session, and with it whatever it was in the midst of. */
  #drop(slot: bigint): void {
    const session = this.#sessions.get(slot);
    if (session === undefined) return;
    this.#sessions.delete(slot);
    try {
      this.#module().closeSession(session);
    } catch (error) {
      if (!(error instanceof CryptokiError)) throw error;
    }
  }

  #find(session: bigint, objectClass: number, filter: ObjectFilter): bigint[] {
    const attributes: Attribute[] = [[CKA_CLASS, objectClass]];
    if (filter.id !== undefined) attributes.push([CKA_ID, filter.id]);
    if (filter.label !== undefined) attributes.push([CKA_LABEL, new TextEncoder().encode(filter.label)]);
    return this.#module().findObjects(session, attributes);
  }

  #certificates(slot: bigint, filter: ObjectFilter): CertificateFacts[] {
    const session = this.#session(slot);
    return eachThatCanBeRead(this.#find(session, CKO_CERTIFICATE, filter), (object) => {
      const der = this.#attribute(session, object, CKA_VALUE);
      // Some tokens list certificates that they only hold a URL of.
      return der === undefined || der.length === 0 ? undefined : { der, ...this.#name(session, object) };
    });
  }

  /** The new one comes first: who looks in between finds both, and takes the one that lives longer. */
  #replace({ slot, fresh, old }: Operations['replace']['ask']): undefined {
    const module = this.#module();
    const session = module.openSession(slot, true);
    try {
      const outworn = this.#find(session, CKO_CERTIFICATE, {}).filter((object) => {
        const der = this.#optional(session, object, CKA_VALUE);
        return der !== undefined && Buffer.compare(der, old) === 0;
      });
      const isPrivate = outworn.some((object) => this.#optional(session, object, CKA_PRIVATE)?.[0] === 1);
      for (const { der, label, id, subject, issuer, serialNumber } of fresh)
        module.createObject(session, [
          [CKA_CLASS, CKO_CERTIFICATE],
          [CKA_CERTIFICATE_TYPE, CKC_X_509],
          [CKA_TOKEN, Uint8Array.of(1)],
          [CKA_PRIVATE, Uint8Array.of(isPrivate ? 1 : 0)],
          [CKA_LABEL, new TextEncoder().encode(label)],
          [CKA_ID, id],
          [CKA_SUBJECT, subject],
          [CKA_ISSUER, issuer],
          [CKA_SERIAL_NUMBER, serialNumber],
          [CKA_VALUE, der],
        ]);
      for (const object of outworn) module.destroyObject(session, object);
    } finally {
      module.closeSession(session);
    }
  }

  #name(session: bigint, object: bigint): { label: string; id: Uint8Array } {
    return {
      label: new TextDecoder().decode(this.#optional(session, object, CKA_LABEL)),
      id: this.#optional(session, object, CKA_ID) ?? new Uint8Array(),
    };
  }

  /** An attribute that can be done without. */
  #optional(session: bigint, object: bigint, type: number): Uint8Array | undefined {
    return unlessItFails(() => this.#attribute(session, object, type));
  }

  #keys(slot: bigint, filter: ObjectFilter): KeyFacts[] {
    const session = this.#session(slot);
    return eachThatCanBeRead(this.#find(session, CKO_PRIVATE_KEY, filter), (handle) => {
      // A key that may not sign is not a candidate; one that does not say so is.
      if (this.#optional(session, handle, CKA_SIGN)?.[0] === 0) return undefined;
      const name = this.#name(session, handle);
      const type = this.#module().getUlong(session, handle, CKA_KEY_TYPE) ?? Infinity;
      const alwaysAuthenticate = this.#optional(session, handle, CKA_ALWAYS_AUTHENTICATE)?.[0] === 1;
      return {
        handle,
        ...name,
        type,
        alwaysAuthenticate,
        publicPart: this.#publicPart(session, handle, type, name.id),
      };
    });
  }

  #publicPart(session: bigint, key: bigint, type: number, id: Uint8Array): PublicPart {
    if (type !== CKK_RSA && type !== CKK_EC) return {};
    const own = this.#readPublicPart(session, key, type);
    if (own.point !== undefined || (own.modulus !== undefined && own.exponent !== undefined)) return own;
    // EC private keys seldom carry their point.
    const found = id.length === 0 ? [] : (unlessItFails(() => this.#find(session, CKO_PUBLIC_KEY, { id })) ?? []);
    const shown = found.map((publicKey) => this.#readPublicPart(session, publicKey, type));
    const [first] = shown;
    // Two copies of one public key are one.
    return first === undefined || shown.some((other) => !isDeepStrictEqual(other, first)) ? own : first;
  }

  #readPublicPart(session: bigint, object: bigint, type: number): PublicPart {
    const read = (attribute: number) => {
      const value = this.#optional(session, object, attribute);
      return value?.length === 0 ? undefined : value;
    };
    return type === CKK_RSA
      ? { modulus: read(CKA_MODULUS), exponent: read(CKA_PUBLIC_EXPONENT) }
      : { parameters: read(CKA_EC_PARAMS), point: read(CKA_EC_POINT) };
  }

  #login(slot: bigint, pin: Uint8Array | null): undefined {
    try {
      this.#module().login(this.#session(slot), CKU_USER, pin);
    } catch (error) {
      if (!(error instanceof CryptokiError) || error.returnValue !== CKR_USER_ALREADY_LOGGED_IN) throw error;
    }
  }

  #authorise({ slot, key, mechanism, pin }: Operations['authorise']['ask']): undefined {
    try {
      this.#module().signInit(this.#session(slot), mechanism, key);
      this.#module().login(this.#session(slot), CKU_CONTEXT_SPECIFIC, pin);
    } catch (error) {
      this.#abandon(slot);
      throw error;
    }
  }

  #sign({ slot, key, mechanism, data, begun }: Operations['sign']['ask']): Uint8Array {
    try {
      if (!begun) this.#module().signInit(this.#session(slot), mechanism, key);
      return this.#module().sign(this.#session(slot), data);
    } catch (error) {
      this.#abandon(slot);
      throw error;
    }
  }

  /**
   * Leaves a signature that was begun: the session would say CKR_OPERATION_ACTIVE ever after. The token's login ends
   * with its last session (PKCS#11 2.40, section 5.6), so the new one comes first.
   */
  #abandon(slot: bigint): void {
    const old = this.#sessions.get(slot);
    if (old === undefined) return;
    const module = this.#module();
    this.#sessions.delete(slot);
    try {
      this.#sessions.set(slot, module.openSession(slot));
      module.closeSession(old);
    } catch (error) {
      if (!(error instanceof CryptokiError)) throw error;
    }
  }
}

/** Return values that are about the token, the session or the module, and not about what was asked for. */
const OF_THE_SESSION: ReadonlySet<number> = new Set([0x32, 0xb0, 0xb3, 0xe0, 0xe1, 0x190]);

function isOfTheSession(error: unknown): boolean {
  return !(error instanceof CryptokiError) || OF_THE_SESSION.has(error.returnValue);
}

/** Undefined where a module fails to say something that it need not say. */
function unlessItFails<T>(question: () => T): T | undefined {
  try {
    return question();
  } catch (error) {
    if (isOfTheSession(error)) throw error;
    return undefined;
  }
}

/** Leaves out objects that cannot be read. Where that leaves nothing, the module's failure is the answer. */
function eachThatCanBeRead<T>(objects: readonly bigint[], read: (object: bigint) => T | undefined): T[] {
  const facts: T[] = [];
  let failure: unknown;
  for (const object of objects) {
    try {
      const one = read(object);
      if (one !== undefined) facts.push(one);
    } catch (error) {
      if (isOfTheSession(error)) throw error;
      failure ??= error;
    }
  }
  if (facts.length === 0 && failure !== undefined) throw failure;
  return facts;
}

/** Loaders give words and no code. A path that exists was found, whatever the words. */
function isNotFound(library: string, reason: string): boolean {
  return (
    !isAbsolute(library) && /no such file|not found|no suitable image|cannot find|could not be found/i.test(reason)
  );
}
