/** Memory that C can point into: one block at a fixed address, from which a call's structures are cut. */
// Tests: test/identity/pkcs11/layout.test.ts
import type { Binding } from './binding.ts';
import type { Abi } from './layout.ts';

/** A piece of the block. */
export interface Slice {
  readonly at: number;
  readonly size: number;
  /** For C. */
  readonly address: bigint;
}

export class Memory {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #base: bigint;
  readonly #abi: Abi;
  #used = 0;

  constructor(binding: Binding, abi: Abi, size: number) {
    // An ArrayBuffer of its own: V8 does not move it, as it may move a small typed array.
    const buffer = new ArrayBuffer(size);
    this.#bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
    this.#base = binding.address(this.#bytes);
    this.#abi = abi;
  }

  /** Cuts off a zeroed piece. */
  take(size: number): Slice {
    const at = Math.ceil(this.#used / 16) * 16;
    if (at + size > this.#bytes.length) throw new RangeError('a PKCS#11 call needs more memory than was set aside');
    this.#used = at + size;
    return { at, size, address: this.#base + BigInt(at) };
  }

  /** Takes a piece and copies `bytes` into it. */
  put(bytes: Uint8Array): Slice {
    const slice = this.take(bytes.length);
    this.#bytes.set(bytes, slice.at);
    return slice;
  }

  /** Zeroes all that was taken, and takes it back. Nothing that was passed to a call survives it: some of it is a PIN. */
  wipe(): void {
    this.#bytes.fill(0, 0, this.#used);
    this.#used = 0;
  }

  /** A copy of part of a piece. */
  read(slice: Slice, length = slice.size, offset = 0): Uint8Array {
    const at = slice.at + offset;
    return this.#bytes.slice(at, at + length);
  }

  /** A CK_ULONG. Infinity stands for CK_UNAVAILABLE_INFORMATION. */
  ulong(slice: Slice, offset = 0): number {
    const at = slice.at + offset;
    if (this.#abi.ulong === 4) {
      const value = this.#view.getUint32(at, true);
      return value === 0xffff_ffff ? Infinity : value;
    }
    const value = this.#view.getBigUint64(at, true);
    return value === 0xffff_ffff_ffff_ffffn ? Infinity : Number(value);
  }

  /** A handle: opaque, so all 64 bits are kept. */
  handle(slice: Slice, offset = 0): bigint {
    const at = slice.at + offset;
    return this.#abi.ulong === 4 ? BigInt(this.#view.getUint32(at, true)) : this.#view.getBigUint64(at, true);
  }

  pointer(slice: Slice, offset = 0): bigint {
    const at = slice.at + offset;
    return this.#abi.pointer === 4 ? BigInt(this.#view.getUint32(at, true)) : this.#view.getBigUint64(at, true);
  }

  setUlong(slice: Slice, offset: number, value: number): void {
    const at = slice.at + offset;
    if (this.#abi.ulong === 4) this.#view.setUint32(at, value, true);
    else this.#view.setBigUint64(at, BigInt(value), true);
  }

  setPointer(slice: Slice, offset: number, value: bigint): void {
    const at = slice.at + offset;
    if (this.#abi.pointer === 4) this.#view.setUint32(at, Number(value), true);
    else this.#view.setBigUint64(at, value, true);
  }
}
