/** PKCS#12 files (RFC 7292): from a container to the certificates and keys in it, each with its exact bytes. */
// Tests: test/identity/containers/table.test.ts
import { timingSafeEqual } from 'node:crypto';
import type { PemBlock } from '../../x509/pem.ts';
import { StructureError, isSequence, readBer } from './asn1.ts';
import { WorkBudget } from './budget.ts';
import type { Scheme } from './pbe.ts';
import { type Password, WrongPasswordError } from './secret.ts';
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
 * @param makeBudget what one password may cost; called once for each
 * @throws StructureError; RolesAnywhereError `ERR_ENCRYPTION_UNSUPPORTED`, `ERR_KDF_TOO_COSTLY`
 */
export function readPkcs12(
  bytes: Uint8Array,
  source: string,
  makeBudget = (): WorkBudget => new WorkBudget(source),
): Pkcs12 {
  const { content, mac, parts } = readContainer(bytes, source);
  const plainBags = parts.flatMap(({ scheme, data }) => (scheme === undefined ? readBags(data, source) : []));
  const schemes = [...parts, ...plainBags.filter(isLocked)].flatMap(({ scheme }) => scheme ?? []);
  const whole = (budget: WorkBudget): void => {
    mac?.charge(budget);
    for (const scheme of schemes) scheme.charge(budget);
  };
  whole(makeBudget());
  const tellsAbsent = [...(mac === undefined ? [] : [mac]), ...schemes].some((one) => one.tellsAbsent);
  return {
    locked: mac !== undefined || schemes.length > 0,
    async open(password) {
      const variants: [Password, ...Password[]] =
        password.length === 0 && tellsAbsent ? [password, undefined] : [password];
      // One for all variants and for what comes after them: what cannot be afforded any more is not tried.
      const budget = makeBudget();
      for (const variant of variants) {
        if (variant !== variants[0] && !budget.affords(whole)) break;
        const opened = new OpenedParts(variant, source, budget);
        try {
          if (mac !== undefined && !(await macMatches(mac, content, variant, budget)))
            throw new WrongPasswordError('the MAC is wrong');
          for (const part of parts) await opened.add(part);
          return opened.blocks();
        } catch (error) {
          opened.wipe();
          if (!(error instanceof WrongPasswordError)) throw error;
        }
      }
      throw await whyNotOpened(new OpenedParts(password, source, budget), parts);
    },
  };
}

/** A wrong password, unless it opens what is encrypted: then the MAC is wrong because the file was changed. */
async function whyNotOpened(opened: OpenedParts, parts: readonly Part[]): Promise<Error> {
  try {
    for (const part of parts) {
      if (!opened.affords(part)) break;
      if (await opened.add(part))
        return new StructureError('its password is right, and its MAC is not: it was changed or damaged');
    }
  } catch (error) {
    if (!(error instanceof WrongPasswordError || error instanceof StructureError)) throw error;
  } finally {
    opened.wipe();
  }
  return new WrongPasswordError('the password is wrong');
}

async function macMatches(mac: Mac, content: Uint8Array, password: Password, budget: WorkBudget): Promise<boolean> {
  mac.charge(budget);
  const computed = await mac.compute(password, content);
  return computed.length === mac.expected.length && timingSafeEqual(computed, mac.expected);
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

  /** Whether the budget covers what can be seen of a part. */
  affords({ scheme, data }: Part): boolean {
    const seen = scheme === undefined ? readBags(data, this.#source).filter(isLocked) : [{ scheme }];
    return this.#budget.affords((budget) => {
      for (const one of seen) one.scheme.charge(budget);
    });
  }

  /** @returns whether the password was put to the test */
  async add({ scheme, data }: Part): Promise<boolean> {
    scheme?.charge(this.#budget);
    const plain = scheme === undefined ? data : await this.#decrypt(scheme, data);
    const bags = readBags(plain, this.#source);
    const locked = bags.filter(isLocked);
    // All of them before the first.
    for (const key of locked) key.scheme.charge(this.#budget);
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
