/** PKCS#12 files (RFC 7292): from a container to the certificates and keys in it, each with its exact bytes. */
// Tests: test/identity/containers/table.test.ts
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { PemBlock } from '../../x509/pem.ts';
import { StructureError, isSequence, readBer } from './asn1.ts';
import { WorkBudget } from './budget.ts';
import type { Scheme } from './pbe.ts';
import { type Password, WrongPasswordError } from './secret.ts';
import { PURPOSE, bmpPassword, derivePkcs12, digestLength } from './pkcs12-kdf.ts';
import { type Mac, type Part, isLocked, readBags, readContainer } from './pkcs12-structure.ts';
import { decryptPkcs8 } from './pkcs8.ts';

/** A container that was read as far as that goes without its password. */
export interface Pkcs12 {
  /** Whether anything in it depends on a password. */
  readonly locked: boolean;
  /**
   * Checks the MAC and takes everything out: certificates of a key first.
   *
   * @param password in UTF-8; empty stands for none too, which some programs tell from an empty one
   * @throws WrongPasswordError; StructureError, which then is not the password's fault
   */
  open(password: Uint8Array): Promise<PemBlock[]>;
}

/**
 * Reads a container's outer structure.
 *
 * @param source how errors name the file
 * @throws StructureError; RolesAnywhereError `ERR_ENCRYPTION_UNSUPPORTED`, `ERR_KDF_TOO_COSTLY`
 */
export function readPkcs12(bytes: Uint8Array, source: string): Pkcs12 {
  const { content, mac, parts } = readContainer(bytes, source);
  const plainBags = parts.flatMap(({ scheme, data }) => (scheme === undefined ? readBags(data, source) : []));
  const schemes = [...parts, ...plainBags.filter(isLocked)].flatMap(({ scheme }) => scheme ?? []);
  const charge = (): WorkBudget => {
    const budget = new WorkBudget(source);
    if (mac !== undefined) budget.takeIterations(mac.settings.iterations);
    for (const scheme of schemes) scheme.charge(budget);
    return budget;
  };
  charge();
  return {
    locked: mac !== undefined || schemes.length > 0,
    async open(password) {
      const variants: Password[] = password.length > 0 ? [password] : [password, undefined];
      for (const variant of variants) {
        const opened = new OpenedParts(variant, source, charge());
        try {
          if (mac !== undefined && !(await macMatches(mac, content, variant)))
            throw new WrongPasswordError('the MAC is wrong');
          for (const part of parts) await opened.add(part);
          return opened.blocks();
        } catch (error) {
          opened.wipe();
          if (!(error instanceof WrongPasswordError)) throw error;
        }
      }
      throw await whyNotOpened(new OpenedParts(password, source, charge()), parts);
    },
  };
}

/** A wrong password, unless it opens what is encrypted: then the MAC is wrong because the file was changed. */
async function whyNotOpened(opened: OpenedParts, parts: readonly Part[]): Promise<Error> {
  try {
    for (const part of parts)
      if (await opened.add(part))
        return new StructureError('its password is right, and its MAC is not: it was changed or damaged');
  } catch (error) {
    if (!(error instanceof WrongPasswordError || error instanceof StructureError)) throw error;
  } finally {
    opened.wipe();
  }
  return new WrongPasswordError('the password is wrong');
}

/** RFC 7292, appendix A. */
async function macMatches(mac: Mac, content: Uint8Array, password: Password): Promise<boolean> {
  const { digest } = mac.settings;
  const bmp = password === undefined ? new Uint8Array() : bmpPassword(password);
  const key = await derivePkcs12(bmp, PURPOSE.mac, mac.settings, digestLength(digest));
  const computed = createHmac(digest, key).update(content).digest();
  bmp.fill(0);
  key.fill(0);
  return computed.length === mac.digest.length && timingSafeEqual(computed, mac.digest);
}

/** What comes out of the parts, under one password. */
class OpenedParts {
  readonly #certificates: Item[] = [];
  readonly #keys: Item[] = [];
  readonly #password: Password;
  readonly #source: string;
  readonly #budget: WorkBudget;

  constructor(password: Password, source: string, budget: WorkBudget) {
    this.#password = password;
    this.#source = source;
    this.#budget = budget;
  }

  /** @returns whether the password was put to the test */
  async add({ scheme, data }: Part): Promise<boolean> {
    const plain = scheme === undefined ? data : await this.#decrypt(scheme, data);
    const bags = readBags(plain, this.#source);
    const locked = bags.filter(isLocked);
    // Those in plain parts are paid for.
    if (scheme !== undefined) for (const key of locked) key.scheme.charge(this.#budget);
    for (const bag of bags) {
      const { keyId } = bag;
      if (isLocked(bag)) this.#keys.push({ block: await decryptPkcs8(bag.scheme, bag.data, this.#password), keyId });
      else if (bag.kind === 'key') this.#keys.push({ block: copied('PRIVATE KEY', bag.der), keyId });
      else this.#certificates.push({ block: copied('CERTIFICATE', bag.der), keyId });
    }
    if (scheme !== undefined) plain.fill(0);
    return scheme !== undefined || locked.length > 0;
  }

  async #decrypt(scheme: Scheme, data: Uint8Array): Promise<Uint8Array> {
    const plain = await scheme.decrypt(this.#password, data);
    // A wrong password that happens to leave a good padding leaves noise before it.
    if (holdsSequence(plain)) return plain;
    throw new WrongPasswordError('what comes out is no SafeContents');
  }

  /** Certificates that go with a key come first: the leaf, for who looks at no key. */
  blocks(): PemBlock[] {
    const ids = new Set(this.#keys.flatMap(({ keyId }) => keyId ?? []));
    const isLeaf = ({ keyId }: Item): boolean => keyId !== undefined && ids.has(keyId);
    const leaves = this.#certificates.filter(isLeaf);
    const others = this.#certificates.filter((item) => !isLeaf(item));
    return [...leaves, ...others, ...this.#keys].map(({ block }) => block);
  }

  wipe(): void {
    for (const { block } of this.#keys) block.der.fill(0);
  }
}

interface Item {
  readonly block: PemBlock;
  /** Its localKeyId. */
  readonly keyId: string | undefined;
}

function holdsSequence(bytes: Uint8Array): boolean {
  try {
    return isSequence(readBer(bytes, 'a part'));
  } catch (error) {
    if (error instanceof StructureError) return false;
    throw error;
  }
}

/** In a buffer of its own: that of the container is wiped. */
function copied(label: string, der: Uint8Array): PemBlock {
  return { label, headers: new Map(), der: Uint8Array.from(der) };
}
