/**
 * Finds a certificate and its key in tokens, in the order of
 * draft-woodhouse-cert-best-practice: first what can be seen without a login;
 * a login only where exactly one token can be meant; the key by its own URI,
 * or by the certificate's and then by the certificate's CKA_ID. Two answers are
 * an error, never a guess.
 */
// Tests: test/identity/pkcs11/search.test.ts, test/identity/pkcs11/softhsm.test.ts
import type { KeyObject } from 'node:crypto';
import { RolesAnywhereError } from '../../platform/errors.ts';
import { readCertificate, sameBytes } from '../../x509/certificate.ts';
import type { Certificate } from '../../x509/certificate.ts';
import { brokenPeriod } from '../../x509/rules.ts';
import { notFound } from '../choice.ts';
import type { Chooser } from '../choice.ts';
import { CKK_EC, CKK_RSA, TOKEN_FLAGS } from './constants.ts';
import { CryptokiError } from './cryptoki.ts';
import { fits, publicKeyOf } from './public-key.ts';
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

export interface SearchOptions {
  /** Whether a PIN was given for a token: it is used where a token that asks for no login hides something. */
  hasPin?: ((token: TokenFacts) => boolean) | undefined;
  /** Logs in to tokens that ask for no login too. Default false. */
  always?: boolean | undefined;
  /** Milliseconds since the epoch: of a certificate and the one that it was renewed from, the one that is valid is taken. Default `Date.now`. */
  now?: (() => number) | undefined;
  /** Tells which of several certificates is meant. Default: one that was renewed is one, and else several are an error. */
  chooser?: Chooser | undefined;
}

/** One search: remembers the tokens that it saw, and which of them it logged in to. */
export class Search {
  readonly #port: Port;
  readonly #logIn: LogIn;
  readonly #tokens: readonly TokenFacts[];
  readonly #options: SearchOptions;
  readonly #loggedIn = new Set<bigint>();
  /** Tokens that could not be searched, and why. */
  readonly #sick = new Map<TokenFacts, CryptokiError>();

  private constructor(port: Port, logIn: LogIn, tokens: readonly TokenFacts[], options: SearchOptions) {
    this.#port = port;
    this.#logIn = logIn;
    this.#tokens = tokens;
    this.#options = options;
  }

  static async start(port: Port, logIn: LogIn, options: SearchOptions = {}): Promise<Search> {
    return new Search(port, logIn, await port.ask('tokens', {}), options);
  }

  /** Every certificate that a URI means, without an error for none or several. */
  async certificates(uri: Pkcs11Uri, flag: string): Promise<Found<CertificateFacts>[]> {
    const tokens = this.#matching(uri, flag);
    const filter = objectFilter(uri);
    const { chooser } = this.#options;
    const list = async (token: TokenFacts) => {
      const all = await this.#port.ask('certificates', { slot: token.slot, filter });
      return chooser === undefined ? all : all.filter(({ der }) => isChosen(der, chooser));
    };
    const found = await this.#collect(tokens, list);
    const [only, ...others] = tokens;
    if (found.length > 0 || only === undefined || others.length > 0) return found;
    return (await this.#more(only)) ? this.#collect(tokens, list) : found;
  }

  /**
   * The one certificate that a URI means.
   *
   * @throws RolesAnywhereError `ERR_TOKEN_NOT_FOUND`, `ERR_OBJECT_NOT_FOUND`, `ERR_OBJECT_AMBIGUOUS`; with a chooser
   * `ERR_CERTIFICATE_NOT_FOUND`, `ERR_CERTIFICATE_AMBIGUOUS`
   */
  async certificate(uri: Pkcs11Uri, flag: string): Promise<Found<CertificateFacts>> {
    const now = (this.#options.now ?? Date.now)();
    const found = newest(await this.certificates(uri, flag), now);
    const [first, ...others] = found;
    const { chooser } = this.#options;
    if (chooser !== undefined) return this.#chosen(found, chooser, flag, now);
    if (first === undefined) throw this.#nothing('certificate', uri, flag);
    if (others.length > 0)
      throw this.#ambiguous(
        'certificates',
        flag,
        found.map(({ token, facts }) => this.certificateUri(token, facts)),
      );
    return first;
  }

  /** @throws RolesAnywhereError `ERR_CERTIFICATE_NOT_FOUND`, `ERR_CERTIFICATE_AMBIGUOUS` */
  #chosen(
    found: readonly Found<CertificateFacts>[],
    chooser: Chooser,
    flag: string,
    now: number,
  ): Found<CertificateFacts> {
    const where = `the tokens that ${flag} names`;
    if (found.length === 0)
      throw notFound([], where, `read-certificate-data ${flag} pkcs11: lists what can be seen without a login`);
    const candidates = found.map((one) => ({
      leaf: readCertificate(one.facts.der, flag),
      name: this.certificateUri(one.token, one.facts),
      one,
    }));
    return chooser.choose(candidates, { where, now }).one;
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
    const found = await this.#keysIn(token, [objectFilter(uri)]);
    return this.#choose(found, publicKey, flag, uri, id);
  }

  /**
   * The one private key that a URI means, without a certificate to tell.
   *
   * @throws RolesAnywhereError as {@link certificate}, and `ERR_TOKEN_AMBIGUOUS`
   */
  async onlyKey(uri: Pkcs11Uri, flag: string): Promise<Found<KeyFacts>> {
    const token = await this.#keyToken(uri, flag);
    const found = copiesOfOne(await this.#keysIn(token, [objectFilter(uri)]));
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
    const filters: ObjectFilter[] = [objectFilter(uri)];
    if (facts.id.length > 0) filters.push({ id: facts.id });
    for (const filter of filters) {
      const found = await this.#keysIn(token, [filter]);
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

  /** The keys of one token, after a login if it takes one to see them. */
  async #keysIn(token: TokenFacts, filters: readonly ObjectFilter[]): Promise<Found<KeyFacts>[]> {
    if (needsLogin(token) || this.#options.always === true) await this.#once(token);
    const found = await this.#keys([token], filters);
    return found.length > 0 || !(await this.#more(token)) ? found : this.#keys([token], filters);
  }

  /** Logs in to a token that may hide something, if that was not done and may be: tells whether to look again. */
  async #more(token: TokenFacts): Promise<boolean> {
    const may = needsLogin(token) || this.#options.hasPin?.(token) === true;
    return may && (await this.#once(token));
  }

  async #once(token: TokenFacts): Promise<boolean> {
    if (this.#loggedIn.has(token.slot)) return false;
    await this.#logIn(token);
    this.#loggedIn.add(token.slot);
    return true;
  }

  /** What each token lists. One that cannot be searched is left out, where it is one of several. */
  async #collect<Facts>(
    tokens: readonly TokenFacts[],
    list: (token: TokenFacts) => Promise<Facts[]>,
  ): Promise<Found<Facts>[]> {
    const found: Found<Facts>[] = [];
    for (const token of tokens) {
      try {
        for (const facts of await list(token)) found.push({ token, facts });
      } catch (error) {
        if (!(error instanceof CryptokiError) || tokens.length === 1) throw error;
        this.#sick.set(token, error);
      }
    }
    return found;
  }

  async #keys(tokens: readonly TokenFacts[], filters: readonly ObjectFilter[]): Promise<Found<KeyFacts>[]> {
    const all: Found<KeyFacts>[] = [];
    for (const filter of filters) {
      all.push(...(await this.#collect(tokens, (token) => this.#port.ask('keys', { slot: token.slot, filter }))));
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
    // All that surely fit are copies of one key.
    const sure = copiesOfOne(found.filter(({ facts }) => fits(facts, publicKey) === 'yes'));
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
    const sick = tokens.flatMap((token) => {
      const error = this.#sick.get(token);
      return error === undefined ? [] : [`${uriOf(token, this.#tokens)} could not be searched (${error.message}); `];
    });
    return new RolesAnywhereError('ERR_OBJECT_NOT_FOUND', `no ${what} in the token matches the URI of ${flag}`, {
      hint: `${sick.join('')}${
        hidden
          ? `searched without a login; to have objects found that need one, name one token: ${uris}`
          : `searched ${uris}; check object and id: roles-anywhere read-certificate-data --certificate pkcs11: lists certificates`
      }`,
    });
  }

  #ambiguous(what: string, flag: string, uris: readonly string[]): RolesAnywhereError {
    return new RolesAnywhereError('ERR_OBJECT_AMBIGUOUS', `${uris.length} ${what} match the URI of ${flag}`, {
      hint: `name one of them: ${listed(uris)}`,
    });
  }
}

/**
 * One of several copies of a key, whichever the token: it does not matter which signs. One that asks for no PIN at each
 * signature goes first. All of them, where not all are known to be the same.
 */
function copiesOfOne(found: readonly Found<KeyFacts>[]): readonly Found<KeyFacts>[] {
  const [first, ...others] = found.toSorted(
    (a, b) => Number(a.facts.alwaysAuthenticate) - Number(b.facts.alwaysAuthenticate),
  );
  if (first === undefined || others.length === 0) return found;
  const publicKey = publicKeyOf(first.facts);
  if (publicKey === undefined) return found;
  return others.every(({ facts }) => publicKeyOf(facts)?.equals(publicKey) === true) ? [first] : found;
}

/**
 * Of a certificate and those that it was renewed from, the one to use: copies are one; what is not valid goes; of several
 * in one token for one key, of one subject and issuer, the one that ends last. Others stay side by side.
 */
function newest(found: readonly Found<CertificateFacts>[], now: number): readonly Found<CertificateFacts>[] {
  if (found.length < 2) return found;
  const read = found.flatMap((one) => {
    const certificate = readable(one.facts.der);
    return certificate === undefined ? [] : [{ one, certificate }];
  });
  const [first] = read;
  if (first === undefined || read.length < found.length) return found;
  const related = read.every(
    ({ one, certificate }) =>
      one.token === first.one.token &&
      sameBytes(certificate.subject, first.certificate.subject) &&
      sameBytes(certificate.issuer, first.certificate.issuer),
  );
  if (!related) return found;
  const valid = read.filter(({ certificate }) => brokenPeriod(certificate, now) === undefined);
  const left = valid.length > 0 ? valid : read;
  const sorted = left.toSorted((a, b) => b.certificate.notAfter.getTime() - a.certificate.notAfter.getTime());
  const [last] = sorted;
  const isOne = left.every(({ certificate }) =>
    sameBytes(certificate.publicKey, left[0]?.certificate.publicKey ?? new Uint8Array()),
  );
  return isOne && last !== undefined ? [last.one] : left.map(({ one }) => one);
}

/** One that cannot be read matches nothing. */
function isChosen(der: Uint8Array, chooser: Chooser): boolean {
  const certificate = readable(der);
  return certificate !== undefined && chooser.matches(certificate);
}

function readable(der: Uint8Array): Certificate | undefined {
  try {
    return readCertificate(der, 'the token');
  } catch (error) {
    if (error instanceof RolesAnywhereError) return undefined;
    throw error;
  }
}

function needsLogin(token: TokenFacts): boolean {
  return (token.flags & TOKEN_FLAGS.loginRequired) !== 0;
}

function listed(uris: readonly string[]): string {
  const shown = uris.slice(0, 10).join(' , ');
  return uris.length > 10 ? `${shown} , and ${uris.length - 10} more` : shown;
}
