/** What an identity in a token has in files: the certificate, intermediates, or the key of a certificate in a token. */
// Tests: test/identity/pkcs11/softhsm.test.ts
import { RolesAnywhereError } from '../../platform/errors.ts';
import { readCertificate } from '../../x509/certificate.ts';
import type { Certificate } from '../../x509/certificate.ts';
import { MAX_CHAIN_LENGTH, unrelatedTo } from '../../x509/chain.ts';
import { openChooser } from '../choice.ts';
import type { CertificateChoice } from '../choice.ts';
import { certificatesIn, readContents, signingKeysIn, wipe } from '../contents.ts';
import type { Contents } from '../contents.ts';
import type { KeyDeps } from '../key-deps.ts';
import { readMaterialFile } from '../material.ts';
import type { MaterialFlag } from '../material.ts';
import type { PrivateKey } from '../private-key.ts';
import type { Warn } from '../warnings.ts';
import { tokenChain } from './chain.ts';
import type { CertificateFacts, KeyFacts } from './port.ts';
import type { Found, Search } from './search.ts';
import { isPkcs11Uri } from './uri.ts';

/** Values of the flags of the same names. */
interface FileSpec {
  certificate: string;
  privateKey?: string | undefined;
  intermediates?: string | undefined;
  skipChecks?: boolean | undefined;
  choice?: CertificateChoice | undefined;
}

export interface FileDeps {
  /** Opens what is in files. Default: files that are not encrypted, nor in containers. */
  open?: ((flag: MaterialFlag, value: string) => Promise<Contents>) | undefined;
  /** For encrypted keys. */
  passwords?: KeyDeps | undefined;
  /** Told of certificates in files that are left out of the chain. Default: nobody. */
  warnOfFiles?: Warn | undefined;
  /** Milliseconds since the epoch. Default `Date.now`. */
  now?: (() => number) | undefined;
}

/** The parts of an identity that are in files. Each is read once: standard input cannot be read again, and a file may change. */
export class FileMaterial {
  readonly #spec: FileSpec;
  readonly #now: (() => number) | undefined;
  readonly #open: NonNullable<FileDeps['open']>;
  readonly #passwords: KeyDeps;
  readonly #warn: Warn | undefined;
  readonly #certificates = new Map<MaterialFlag, readonly Certificate[]>();

  constructor(spec: FileSpec, { open = openPlainFile, passwords = {}, warnOfFiles, now }: FileDeps) {
    this.#spec = spec;
    this.#now = now;
    this.#open = open;
    this.#passwords = passwords;
    this.#warn = warnOfFiles;
  }

  /** The one that is chosen, or the first that is not an authority's: a file may have its chain in front of it. */
  async leaf(): Promise<Certificate> {
    const certificates = await this.#read('--certificate', this.#spec.certificate);
    const { choice } = this.#spec;
    if (choice !== undefined) {
      const now = (this.#now ?? Date.now)();
      const candidates = certificates.map((one) => ({ leaf: one }));
      return openChooser(choice).choose(candidates, { where: '--certificate', now }).leaf;
    }
    const leaf = certificates.find(({ isAuthority }) => !isAuthority) ?? certificates[0];
    if (leaf === undefined)
      throw new RolesAnywhereError('ERR_PEM_LABEL', '--certificate holds no certificate', { flag: '--certificate' });
    return leaf;
  }

  /**
   * From the certificate's file and --intermediates; without the latter, also from the token.
   *
   * @param again whether it was made before, and its warnings were given
   */
  async chain(
    leaf: Certificate,
    search: Search,
    inToken: Found<CertificateFacts | KeyFacts> | undefined,
    again = false,
  ): Promise<Certificate[]> {
    const { certificate, intermediates, skipChecks } = this.#spec;
    const inFile = isPkcs11Uri(certificate) ? [] : await this.#read('--certificate', certificate);
    const given = intermediates === undefined ? [] : await this.#read('--intermediates', intermediates);
    const others =
      intermediates !== undefined || inToken === undefined ? [] : await search.allCertificates(inToken.token);
    const candidates = [...inFile, ...given, ...others.flatMap(({ der }) => readable(der))];
    const chain = tokenChain(leaf, candidates, skipChecks === true ? Infinity : MAX_CHAIN_LENGTH);
    // What else lies in a token is nobody's mistake.
    const unrelated = unrelatedTo(leaf, chain, [...inFile, ...given]);
    if (unrelated.length > 0 && this.#warn !== undefined && !again) {
      const { unrelatedWarning } = await import('../verdicts.ts');
      this.#warn(unrelatedWarning(leaf, unrelated));
    }
    return chain;
  }

  async keyOf(leaf: Certificate): Promise<PrivateKey> {
    const contents = await this.#open('--private-key', this.#spec.privateKey ?? '');
    try {
      const { keys } = await signingKeysIn(contents, this.#passwords);
      const own = keys.find((key) => key.belongsTo(leaf));
      for (const key of keys) if (key !== own) key.forget();
      if (own !== undefined) return own;
    } finally {
      wipe(contents);
    }
    throw new RolesAnywhereError(
      'ERR_KEY_MISMATCH',
      'the private key in --private-key is not that of the certificate in the token',
      { flag: '--private-key', hint: 'leave --private-key out to use the key in the token' },
    );
  }

  async #read(flag: MaterialFlag, value: string): Promise<readonly Certificate[]> {
    const known = this.#certificates.get(flag);
    if (known !== undefined) return known;
    const contents = await this.#open(flag, value);
    try {
      const certificates = await certificatesIn(contents);
      this.#certificates.set(flag, certificates);
      return certificates;
    } finally {
      wipe(contents);
    }
  }
}

async function openPlainFile(flag: MaterialFlag, value: string): Promise<Contents> {
  return await readContents(readMaterialFile(flag, value));
}

/** A certificate that is broken, and is not the one that was asked for, is no one's issuer. */
function readable(der: Uint8Array): Certificate[] {
  try {
    return [readCertificate(der, 'the token')];
  } catch (error) {
    if (error instanceof RolesAnywhereError) return [];
    throw error;
  }
}
