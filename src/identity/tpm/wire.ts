/**
 * Octets as a TPM takes and gives them: integers are big-endian, and what has a length of its own comes with a 16-bit size
 * in front, a TPM2B (TPM 2.0 Library, part 2, sections 4 and 10.4).
 */
// Tests: test/identity/tpm/key-file.test.ts

/** Something from a TPM or a key file that is not what the specification says. Callers say whose it is. */
export class TpmFormatError extends Error {
  override readonly name = 'TpmFormatError';
}

export function u8(value: number): Uint8Array {
  return Uint8Array.of(value);
}

export function u16(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value);
}

export function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  // Not Buffer.concat: its result may be a part of a pool that cannot be wiped.
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

/** A TPM2B: the size in 16 bits, then the octets. */
export function sized(...parts: readonly Uint8Array[]): Uint8Array {
  const content = concat(...parts);
  return concat(u16(content.length), content);
}

/** Takes octets apart from front to back. Whatever is short, or left over where nothing may be, is an error. */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #what: string;
  #at = 0;

  /** @param what names the structure in errors, for example `TPMT_PUBLIC` */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  bytes(length: number): Uint8Array {
    if (length > this.left) throw new TpmFormatError(`${this.#what} ends ${length - this.left} bytes too early`);
    const start = this.#at;
    this.#at += length;
    return this.#bytes.subarray(start, this.#at);
  }

  u8(): number {
    return this.#unsigned(1);
  }

  u16(): number {
    return this.#unsigned(2);
  }

  u32(): number {
    return this.#unsigned(4);
  }

  /** The content of a TPM2B. */
  sized(most: number): Uint8Array {
    const size = this.u16();
    if (size > most) throw new TpmFormatError(`${this.#what} holds ${size} bytes where ${most} are the most`);
    return this.bytes(size);
  }

  /** The number of a list's items, which is bounded. */
  count(most: number): number {
    const count = this.u32();
    if (count > most) throw new TpmFormatError(`${this.#what} lists ${count} items where ${most} are the most`);
    return count;
  }

  rest(): Uint8Array {
    return this.bytes(this.left);
  }

  end(): void {
    if (this.left > 0) throw new TpmFormatError(`${this.#what} has ${this.left} bytes too many`);
  }

  #unsigned(length: number): number {
    let value = 0;
    for (const byte of this.bytes(length)) value = value * 256 + byte;
    return value;
  }
}
