/**
 * Finds a certificate and its key in tokens, in the order of
 * draft-woodhouse-cert-best-practice: first what can be seen without a login;
 * a login only where exactly one token can be meant; the key by its own URI,
 * or by the certificate's and then by the certificate's CKA_ID. Two answers are
 * an error, never a guess.
 */
// Tests: test/identity/pkcs11/softhsm.test.ts
import type { KeyObject } from 'node:crypto';
import { RolesAnywhereError } from '../../platform/errors.ts';
import { CKK_EC, CKK_RSA, TOKEN_FLAGS } from './constants.ts';
import { fits } from './public-key.ts';
import { matchesToken, objectFilter, uriOf } from './match.ts';
import type { CertificateFacts, KeyFacts, ObjectFilter, Port, TokenFacts } from './port.ts';
import type { Pkcs11Uri } from './uri.ts';

/** An object, and the token that it is in. */
export interface Found<Facts> {
  token: TokenFacts;
  facts: Facts;
}

/** Logs in to a token. */
export type LogIn = (token: TokenFacts) => Promise<void>;

/** One search: remembers the tokens that it saw, and which of them it logged in to. */
export class Search {
  readonly #port: Port;
  readonly #logIn: LogIn;
  readonly #tokens: readonly TokenFacts[];
  readonly #loggedIn = new Set<bigint>();

  private constructor(port: Port, logIn: LogIn, tokens: readonly TokenFacts[]) {
    this.#port = port;
    this.#logIn = logIn;
    this.#tokens = tokens;
  }

  static async start(port: Port, logIn: LogIn): Promise<Search> {
    return new Search(port, logIn, await port.ask('tokens', {}));
  }

  /** Every certificate that a URI means, without an error for none or several. */
  async certificates(uri: Pkcs11Uri, flag: string): Promise<Found<CertificateFacts>[]> {
    const tokens = this.#matching(uri, flag);
    const filter = objectFilter(uri);
    const list = (token: TokenFacts) => this.#port.ask('certificates', { slot: token.slot, filter });
    const found = await collect(tokens, list);
    const [only, ...others] = tokens;
    if (found.length > 0 || only === undefined || others.length > 0 || !needsLogin(only)) return found;
    await this.#once(only);
    return collect(tokens, list);
  }

  /**
   * The one certificate that a URI means.
   *
   * @throws RolesAnywhereError `ERR_TOKEN_NOT_FOUND`, `ERR_OBJECT_NOT_FOUND`, `ERR_OBJECT_AMBIGUOUS`
   */
  async certificate(uri: Pkcs11Uri, flag: string): Promise<Found<CertificateFacts>> {
    const found = await this.certificates(uri, flag);
    const [first, ...others] = found;
    if (first === undefined) throw this.#nothing('certificate', uri, flag);
    if (others.length > 0)
      throw this.#ambiguous(
        'certificates',
        flag,
        found.map(({ token, facts }) => this.certificateUri(token, facts)),
      );
    return first;
  }

  /** All certificates of a token that can be seen, for the chain. */
  allCertificates(token: TokenFacts): Promise<CertificateFacts[]> {
    return this.#port.ask('certificates', { slot: token.slot, filter: {} });
  }

  certificateUri(token: TokenFacts, { label, id }: CertificateFacts): string {
    return uriOf(token, this.#tokens, { label, id, type: 'cert' });
  }

  /**
   * The private key of `certificate`, by the key's own URI.
   *
   * @throws RolesAnywhereError as {@link certificate}, and `ERR_KEY_MISMATCH`, `ERR_TOKEN_AMBIGUOUS`
   */
  async key(uri: Pkcs11Uri, flag: string, publicKey: KeyObject, id?: Uint8Array): Promise<Found<KeyFacts>> {
    const token = await this.#keyToken(uri, flag);
    await this.#once(token);
    const found = await this.#keys([token], [objectFilter(uri)]);
    return this.#choose(found, publicKey, flag, uri, id);
  }

  /**
   * The one private key that a URI means, without a certificate to tell.
   *
   * @throws RolesAnywhereError as {@link certificate}, and `ERR_TOKEN_AMBIGUOUS`
   */
  async onlyKey(uri: Pkcs11Uri, flag: string): Promise<Found<KeyFacts>> {
    const token = await this.#keyToken(uri, flag);
    await this.#once(token);
    const found = await this.#keys([token], [objectFilter(uri)]);
    const [first, ...others] = found;
    if (first === undefined) throw this.#nothing('private key', uri, flag);
    if (others.length > 0)
      throw this.#ambiguous(
        'private keys',
        flag,
        found.map((key) => this.#keyUri(key)),
      );
    return first;
  }

  /** The private key of a certificate that was found by `uri` in `token`: by the same URI, then by the certificate's CKA_ID. */
  async keyOf(
    uri: Pkcs11Uri,
    flag: string,
    publicKey: KeyObject,
    { token, facts }: Found<CertificateFacts>,
  ): Promise<Found<KeyFacts>> {
    await this.#once(token);
    const filters: ObjectFilter[] = [objectFilter(uri)];
    if (facts.id.length > 0) filters.push({ id: facts.id });
    for (const filter of filters) {
      const found = await this.#keys([token], [filter]);
      const fitting = found.filter(({ facts: key }) => fits(key, publicKey) !== 'no');
      if (fitting.length > 0) return this.#choose(fitting, publicKey, flag, uri, facts.id);
    }
    return this.#choose(await this.#keys([token], filters), publicKey, flag, uri, facts.id);
  }

  #matching(uri: Pkcs11Uri, flag: string): readonly TokenFacts[] {
    const tokens = this.#tokens.filter((token) => matchesToken(uri, token));
    if (tokens.length > 0) return tokens;
    const seen = this.#tokens.map((token) => uriOf(token, this.#tokens));
    throw new RolesAnywhereError(
      'ERR_TOKEN_NOT_FOUND',
      `no token matches the URI of ${flag}${seen.length === 0 ? ': the module shows none' : ''}`,
      {
        hint:
          seen.length === 0
            ? 'plug the token in, and check that --pkcs11-lib is its module'
            : `the module shows ${listed(seen)}`,
      },
    );
  }

  /** The one token that a key's URI can mean. */
  async #keyToken(uri: Pkcs11Uri, flag: string): Promise<TokenFacts> {
    const tokens = this.#matching(uri, flag);
    const [only, ...others] = tokens;
    if (only !== undefined && others.length === 0) return only;
    // Several: a token that shows such a key without a login is the one, if no other does.
    const holders = new Set((await this.#keys(tokens, [objectFilter(uri)])).map(({ token }) => token));
    const [holder, ...more] = holders;
    if (holder !== undefined && more.length === 0) return holder;
    const uris = tokens.map((token) => uriOf(token, this.#tokens));
    throw new RolesAnywhereError(
      'ERR_TOKEN_AMBIGUOUS',
      `${tokens.length} tokens match the URI of ${flag}, and a login goes to one only`,
      {
        hint: `name one of them: ${listed(uris)}`,
      },
    );
  }

  async #once(token: TokenFacts): Promise<void> {
    if (!needsLogin(token) || this.#loggedIn.has(token.slot)) return;
    await this.#logIn(token);
    this.#loggedIn.add(token.slot);
  }

  async #keys(tokens: readonly TokenFacts[], filters: readonly ObjectFilter[]): Promise<Found<KeyFacts>[]> {
    const all: Found<KeyFacts>[] = [];
    for (const filter of filters) {
      all.push(...(await collect(tokens, (token) => this.#port.ask('keys', { slot: token.slot, filter }))));
    }
    return all;
  }

  /** The key: of several, that which matches the certificate; of several that do, that with the certificate's CKA_ID. */
  #choose(
    found: readonly Found<KeyFacts>[],
    publicKey: KeyObject,
    flag: string,
    uri: Pkcs11Uri,
    id: Uint8Array | undefined,
  ): Found<KeyFacts> {
    if (found.length === 0) throw this.#nothing('private key', uri, flag);
    const sure = found.filter(({ facts }) => fits(facts, publicKey) === 'yes');
    const fitting = sure.length > 0 ? sure : found.filter(({ facts }) => fits(facts, publicKey) === 'unknown');
    const same =
      id === undefined || id.length === 0 ? [] : fitting.filter(({ facts }) => Buffer.compare(facts.id, id) === 0);
    const [first, ...others] = same.length > 0 ? same : fitting;
    if (first !== undefined && others.length === 0) return first;
    if (first !== undefined)
      throw this.#ambiguous(
        'private keys',
        flag,
        fitting.map((key) => this.#keyUri(key)),
      );
    throw this.#mismatch(found, flag);
  }

  #keyUri({ token, facts: { label, id } }: Found<KeyFacts>): string {
    return uriOf(token, this.#tokens, { label, id, type: 'private' });
  }

  #mismatch(found: readonly Found<KeyFacts>[], flag: string): RolesAnywhereError {
    const uris = listed(found.map((key) => this.#keyUri(key)));
    if (found.every(({ facts: { type } }) => type !== CKK_RSA && type !== CKK_EC)) {
      return new RolesAnywhereError(
        'ERR_KEY_UNSUPPORTED',
        `the key that ${flag} finds is neither an RSA nor an EC key`,
        {
          hint: `found ${uris}; use a certificate with an RSA, P-256, P-384 or P-521 key`,
        },
      );
    }
    return new RolesAnywhereError(
      'ERR_KEY_MISMATCH',
      `the key that ${flag} finds in the token is not the certificate's`,
      {
        hint: `found ${uris}; name the key with --private-key, or the certificate that belongs to it`,
      },
    );
  }

  #nothing(what: string, uri: Pkcs11Uri, flag: string): RolesAnywhereError {
    const tokens = this.#tokens.filter((token) => matchesToken(uri, token));
    const uris = listed(tokens.map((token) => uriOf(token, this.#tokens)));
    const hidden = tokens.length > 1 && tokens.some((token) => needsLogin(token) && !this.#loggedIn.has(token.slot));
    return new RolesAnywhereError('ERR_OBJECT_NOT_FOUND', `no ${what} in the token matches the URI of ${flag}`, {
      hint: hidden
        ? `searched without a login; to have objects found that need one, name one token: ${uris}`
        : `searched ${uris}; check object and id: roles-anywhere read-certificate-data --certificate pkcs11: lists certificates`,
    });
  }

  #ambiguous(what: string, flag: string, uris: readonly string[]): RolesAnywhereError {
    return new RolesAnywhereError('ERR_OBJECT_AMBIGUOUS', `${uris.length} ${what} match the URI of ${flag}`, {
      hint: `name one of them: ${listed(uris)}`,
    });
  }
}

async function collect<Facts>(
  tokens: readonly TokenFacts[],
  list: (token: TokenFacts) => Promise<Facts[]>,
): Promise<Found<Facts>[]> {
  const found: Found<Facts>[] = [];
  for (const token of tokens) for (const facts of await list(token)) found.push({ token, facts });
  return found;
}

function needsLogin(token: TokenFacts): boolean {
  return (token.flags & TOKEN_FLAGS.loginRequired) !== 0;
}

function listed(uris: readonly string[]): string {
  const shown = uris.slice(0, 10).join(' , ');
  return uris.length > 10 ? `${shown} , and ${uris.length - 10} more` : shown;
}
