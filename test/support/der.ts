/** Writes DER by hand, right or wrong. */

/** One value: a tag, the length, and the content, which may be several values. */
export function tlv(tag: number, ...contents: readonly (Uint8Array | readonly number[])[]): Buffer {
  const content = Buffer.concat(contents.map((part) => Uint8Array.from(part)));
  return Buffer.concat([headerOf(tag, content.length), content]);
}

/** A tag and a length. */
export function headerOf(tag: number, length: number): Buffer {
  return Buffer.concat([Buffer.from([tag]), lengthOf(length)]);
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const octets = Buffer.from(length.toString(16).padStart(length < 0x100 ? 2 : length < 0x10000 ? 4 : 6, '0'), 'hex');
  return Buffer.concat([Buffer.from([0x80 | octets.length]), octets]);
}

export const sequence = (...contents: readonly (Uint8Array | readonly number[])[]): Buffer => tlv(0x30, ...contents);
export const octets = (content: Uint8Array): Buffer => tlv(0x04, content);

/** A positive INTEGER. */
export function integer(value: bigint | number): Buffer {
  const hex = value.toString(16);
  const even = hex.length % 2 === 0 ? hex : `0${hex}`;
  return tlv(0x02, Buffer.from(/^[89a-f]/.test(even) ? `00${even}` : even, 'hex'));
}

/** An OBJECT IDENTIFIER in dotted form. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...others] = dotted.split('.').map(Number);
  const arcs = [first * 40 + second, ...others].flatMap((arc) => {
    const digits = [arc & 0x7f];
    for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128))
      digits.unshift(0x80 | (rest & 0x7f));
    return digits;
  });
  return tlv(0x06, arcs);
}

/** Every prefix of `bytes` but the whole. */
export function* truncations(bytes: Uint8Array): Generator<Uint8Array> {
  for (let length = 0; length < bytes.length; length++) yield bytes.slice(0, length);
}

/** `bytes` with each of its octets replaced in turn. */
export function* replacements(bytes: Uint8Array, values: readonly number[]): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at++) {
    for (const value of values) {
      if (bytes[at] === value) continue;
      const changed = Uint8Array.from(bytes);
      changed[at] = value;
      yield changed;
    }
  }
}
