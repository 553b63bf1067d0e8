/**
 * Signs with a key in a token: one signature at a time, with everything looked
 * up again on a fresh port when the module, its helper or the token was lost.
 */
// Tests: test/identity/pkcs11/softhsm.test.ts
import { verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { RolesAnywhereError } from '../../platform/errors.ts';
import type { KeyType } from '../../x509/algorithms.ts';
import type { Digest, Signer } from '../identity.ts';
import { CKM_RSA_PKCS, CKR_MECHANISM_INVALID, CKR_USER_NOT_LOGGED_IN } from './constants.ts';
import { CryptokiError } from './cryptoki.ts';
import { explain, mayRecover } from './failures.ts';
import type { Login } from './login.ts';
import { ecdsaToDer } from '../../x509/ecdsa.ts';
import { ecRequest, rsaRequest } from './mechanism.ts';
import type { SignRequest } from './mechanism.ts';
import type { KeyFacts, Port, TokenFacts } from './port.ts';
import { curveBytes } from './public-key.ts';

/** A key that is ready to sign: on this port, until it is lost. */
export interface ReadyKey {
  port: Port;
  token: TokenFacts;
  key: KeyFacts;
  /** What the token can do; empty when it does not say. */
  mechanisms: ReadonlySet<number>;
}

export interface TokenSignerOptions {
  keyType: KeyType;
  publicKey: KeyObject;
  login: Login;
  /** The key as it was found when the identity was loaded. */
  ready: ReadyKey;
  /**
   * Opens a port, logs in and finds the same key again.
   *
   * @param always logs in also where the token asks for no login
   */
  find: (always: boolean) => Promise<ReadyKey>;
  /** Ends every port, whatever it is in the midst of. */
  end: () => Promise<void>;
}

export class TokenSigner implements Signer {
  readonly keyType: KeyType;
  readonly #publicKey: KeyObject;
  readonly #login: Login;
  readonly #find: TokenSignerOptions['find'];
  readonly #end: () => Promise<void>;
  #ready: ReadyKey | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;
  /** Whether the key has shown that it needs a login, though its token does not say so. */
  #alwaysLogIn = false;
  #isGone = false;
  /** Combined mechanisms that the token lists and refuses. */
  readonly #refused = new Set<number>();

  constructor({ keyType, publicKey, login, ready, find, end }: TokenSignerOptions) {
    this.keyType = keyType;
    this.#publicKey = publicKey;
    this.#login = login;
    this.#ready = ready;
    this.#find = find;
    this.#end = end;
  }

  sign(message: Uint8Array, digest: Digest = 'SHA256'): Promise<Uint8Array> {
    return this.#inTurn(async () => {
      if (this.#closed) throw new RolesAnywhereError('ERR_SIGN', 'the identity is closed');
      try {
        return await this.#attempt(message, digest);
      } catch (first) {
        if (this.#closed || !mayRecover(first)) throw explain(first);
        this.#alwaysLogIn ||= first instanceof CryptokiError && first.returnValue === CKR_USER_NOT_LOGGED_IN;
        return await this.#again(message, digest, first);
      }
    });
  }

  /**
   * Asks something of the port that signs, between two signatures.
   *
   * @returns undefined while there is no such port
   */
  look<T>(question: (port: Port) => Promise<T>): Promise<T | undefined> {
    return this.#inTurn(async () => (this.#ready === undefined ? undefined : await question(this.#ready.port)));
  }

  /** Whether the key was looked for and is not there any more. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** Waits for no signature: its module may hang. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#login.close();
    await this.#end();
    this.#ready = undefined;
  }

  /** A session makes one signature at a time, and a login belongs to all of them. */
  #inTurn<T>(job: () => Promise<T>): Promise<T> {
    const result = this.#last.then(job);
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #again(message: Uint8Array, digest: Digest, first: unknown): Promise<Uint8Array> {
    try {
      return await this.#attempt(message, digest);
    } catch (second) {
      // That a PIN is not presented twice follows from the first failure, which says more.
      const isEcho = second instanceof RolesAnywhereError && second.code === 'ERR_PIN_WITHHELD';
      throw explain(isEcho ? first : second);
    }
  }

  async #attempt(message: Uint8Array, digest: Digest): Promise<Uint8Array> {
    try {
      const ready = (this.#ready ??= await this.#findAgain());
      const signature = await this.#signWith(ready, message, digest);
      this.#check(message, digest, signature);
      return signature;
    } catch (error) {
      // A module's refusal of this signature leaves its session good; everything else starts afresh.
      if (!(error instanceof CryptokiError) || mayRecover(error)) await this.#drop();
      throw error;
    }
  }

  async #findAgain(): Promise<ReadyKey> {
    try {
      return await this.#find(this.#alwaysLogIn);
    } catch (error) {
      const code = error instanceof RolesAnywhereError ? error.code : undefined;
      this.#isGone = code === 'ERR_OBJECT_NOT_FOUND' || code === 'ERR_KEY_MISMATCH';
      throw error;
    }
  }

  async #drop(): Promise<void> {
    const ready = this.#ready;
    this.#ready = undefined;
    await ready?.port.close();
  }

  async #signWith(ready: ReadyKey, message: Uint8Array, digest: Digest): Promise<Uint8Array> {
    const request = this.#request(ready, message, digest);
    try {
      return this.#encode(await this.#raw(ready, request));
    } catch (error) {
      const isRefusal = error instanceof CryptokiError && error.returnValue === CKR_MECHANISM_INVALID;
      if (!isRefusal || this.keyType !== 'RSA' || request.mechanism === CKM_RSA_PKCS) throw error;
      this.#refused.add(request.mechanism);
      return await this.#raw(ready, this.#request(ready, message, digest));
    }
  }

  #request({ mechanisms }: ReadyKey, message: Uint8Array, digest: Digest): SignRequest {
    if (this.keyType === 'RSA') {
      return rsaRequest(
        message,
        digest,
        (mechanism) => (mechanisms.size === 0 || mechanisms.has(mechanism)) && !this.#refused.has(mechanism),
      );
    }
    return ecRequest(message, digest, curveBytes(this.#publicKey) ?? 0);
  }

  async #raw({ port, token, key }: ReadyKey, { mechanism, data }: SignRequest): Promise<Uint8Array> {
    const begun = key.alwaysAuthenticate;
    if (begun) await this.#login.context(port, token, key.handle, mechanism);
    return port.ask('sign', { slot: token.slot, key: key.handle, mechanism, data, begun });
  }

  #encode(signature: Uint8Array): Uint8Array {
    if (this.keyType === 'RSA') return signature;
    const size = curveBytes(this.#publicKey) ?? 0;
    if (signature.length === 2 * size) return ecdsaToDer(signature);
    throw new RolesAnywhereError(
      'ERR_SIGN',
      `the token made a signature of ${signature.length} bytes, not ${2 * size}`,
    );
  }

  /** A wrong signature would only tell the service's "access denied"; a faulty one of RSA can give the key away. */
  #check(message: Uint8Array, digest: Digest, signature: Uint8Array): void {
    if (verify(digest, message, this.#publicKey, signature)) return;
    throw new RolesAnywhereError('ERR_KEY_MISMATCH', 'the signature that the token made does not fit the certificate', {
      hint: 'name the key that belongs to the certificate with --private-key',
    });
  }
}
