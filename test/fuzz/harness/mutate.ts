/** Changes inputs: blindly, by the words of the code, and within the forms that they are written in. */
import type { Random } from './random.ts';
import type { Form } from './target.ts';

/** What a mutator draws on besides the input. */
export interface Material {
  readonly random: Random;
  /** Other inputs that went new ways. */
  readonly corpus: readonly Uint8Array[];
  readonly words: readonly Uint8Array[];
  readonly forms: readonly Form[];
  readonly maxLength: number;
}

const INTERESTING = [0, 1, 0x7f, 0x80, 0x81, 0x82, 0x83, 0x84, 0xff, 0x20, 0x0a, 0x0d, 0x30, 0x31, 0xa0, 0x02, 0x04];
const NUMBERS = ['0', '-1', '1', '65536', '2147483648', '4294967296', '9007199254740993', '1e999', '0x10', 'NaN', ''];
const TEXTS = [
  '\u0000',
  '\u2028',
  '\ufeff',
  '\ud7ff',
  '"',
  "'",
  '\\',
  '%',
  '%00',
  '${',
  '../',
  '\r\n',
  '\t',
  '=',
  ';',
  '#',
];

/** One new input, made from `input` by one to eight changes. */
export function mutate(input: Uint8Array, material: Material): Uint8Array {
  const { random, maxLength } = material;
  let bytes = input;
  for (let changes = 2 ** random.below(4); changes > 0; changes--) bytes = change(bytes, material);
  return bytes.length > maxLength ? bytes.subarray(0, maxLength) : bytes;
}

function change(bytes: Uint8Array, material: Material): Uint8Array {
  const { random, forms } = material;
  const form = forms.length > 0 && random.below(3) > 0 ? random.of(forms) : undefined;
  const changer = form === undefined ? changeBytes : CHANGERS[form];
  return changer(bytes, material) ?? changeBytes(bytes, material);
}

function spliced(bytes: Uint8Array, at: number, removed: number, added: Uint8Array = new Uint8Array()): Uint8Array {
  const rest = bytes.subarray(at + removed);
  const out = new Uint8Array(at + added.length + rest.length);
  out.set(bytes.subarray(0, at));
  out.set(added, at);
  out.set(rest, at + added.length);
  return out;
}

function changed(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const out = bytes.slice();
  if (at < out.length) out[at] = value;
  return out;
}

function changeBytes(bytes: Uint8Array, { random, corpus, words }: Material): Uint8Array {
  const at = random.below(bytes.length);
  const place = random.below(bytes.length + 1);
  switch (random.below(12)) {
    case 0:
      return changed(bytes, at, (bytes[at] ?? 0) ^ (1 << random.below(8)));
    case 1:
      return changed(bytes, at, random.below(256));
    case 2:
      return changed(bytes, at, random.of(INTERESTING) ?? 0);
    case 3:
      return changed(bytes, at, (bytes[at] ?? 0) + random.below(17) - 8);
    case 4:
      return spliced(bytes, at, random.length(bytes.length));
    case 5: {
      const noise = new Uint8Array(random.length(16));
      for (let i = 0; i < noise.length; i++) noise[i] = random.below(256);
      return spliced(bytes, place, 0, noise);
    }
    case 6: {
      const copied = bytes.subarray(at, at + random.length(bytes.length));
      return spliced(bytes, place, random.chance(2) ? copied.length : 0, copied);
    }
    case 7:
    case 8: {
      const word = random.of(words) ?? new Uint8Array();
      return spliced(bytes, place, random.chance(2) ? word.length : 0, word);
    }
    case 9: {
      const other = random.of(corpus) ?? bytes;
      const from = random.below(other.length);
      const part = other.subarray(from, from + random.length(other.length));
      return spliced(bytes, place, random.chance(2) ? part.length : 0, part);
    }
    case 10: {
      const other = random.of(corpus) ?? bytes;
      return spliced(bytes, place, bytes.length, other.subarray(random.below(other.length)));
    }
    default: {
      // A flood: readers with quadratic work show it here.
      const part = bytes.subarray(at, at + 1 + random.below(8));
      const flood = new Uint8Array(part.length * (1 + random.below(200)));
      for (let i = 0; i < flood.length; i++) flood[i] = part[i % part.length] ?? 0;
      return spliced(bytes, place, 0, flood);
    }
  }
}

function asText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
}

/** The lines of a text, each with its end; at least one. */
function linesOf(text: string): string[] {
  const lines: string[] = [];
  let from = 0;
  for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', from)) {
    lines.push(text.slice(from, end + 1));
    from = end + 1;
  }
  if (from < text.length || lines.length === 0) lines.push(text.slice(from));
  return lines;
}

/** One match of a pattern with the flag `g`: the first behind a place that chance gives, or the first of all. */
function anyMatch(text: string, pattern: RegExp, random: Random): RegExpExecArray | null {
  pattern.lastIndex = random.below(text.length);
  const found = pattern.exec(text);
  if (found !== null) return found;
  pattern.lastIndex = 0;
  return pattern.exec(text);
}

function changeText(bytes: Uint8Array, material: Material): Uint8Array {
  const { random, corpus, words } = material;
  const text = asText(bytes);
  const lines = linesOf(text);
  const line = random.below(lines.length);
  switch (random.below(10)) {
    case 0:
      lines.splice(line, 1);
      break;
    case 1:
      lines.splice(random.below(lines.length + 1), 0, lines[line] ?? '');
      break;
    case 2:
      lines.splice(line, 1, ...lines.splice(random.below(lines.length), 1, lines[line] ?? ''));
      break;
    case 3: {
      const others = linesOf(asText(random.of(corpus) ?? bytes));
      lines.splice(random.below(lines.length + 1), 0, random.of(others) ?? '');
      break;
    }
    case 4:
      return Buffer.from(text.replace(/\d+/, random.of(NUMBERS) ?? ''));
    case 5: {
      const found = anyMatch(text, /\d+/g, random);
      if (found === null) break;
      const value = random.of(NUMBERS) ?? '';
      return Buffer.from(text.slice(0, found.index) + value + text.slice(found.index + found[0].length));
    }
    case 6: {
      const found = anyMatch(text, /[\w-]+/g, random);
      if (found === null) break;
      const word = asText(random.of(words) ?? new Uint8Array());
      return Buffer.from(text.slice(0, found.index) + word + text.slice(found.index + found[0].length));
    }
    case 7: {
      const at = random.below(text.length + 1);
      return Buffer.from(text.slice(0, at) + (random.of(TEXTS) ?? '') + text.slice(at));
    }
    case 8:
      return Buffer.from(random.chance(2) ? text.replaceAll('\n', '\r\n') : text.replaceAll('\r\n', '\n'));
    default:
      return changeBytes(bytes, material);
  }
  return Buffer.from(lines.join(''));
}

/** Takes a JSON value apart, changes something in it, and writes it again. */
function changeJson(bytes: Uint8Array, { random, words }: Material): Uint8Array | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
  const places: [holder: Record<string, unknown>, name: string][] = [];
  const root: Record<string, unknown> = { value };
  const gather = (holder: Record<string, unknown>): void => {
    for (const [name, member] of Object.entries(holder)) {
      places.push([holder, name]);
      if (typeof member === 'object' && member !== null && places.length < 2000)
        gather(member as Record<string, unknown>);
    }
  };
  gather(root);
  const [holder, name] = random.of(places) ?? [root, 'value'];
  const word = Buffer.from(random.of(words) ?? []).toString('utf8');
  const [from, key] = random.of(places) ?? [root, 'value'];
  switch (random.below(8)) {
    case 0:
      delete holder[name];
      break;
    case 1:
      holder[name] = random.of([null, true, false, 0, -1, 1.5, 1e21, '', [], {}, '__proto__']);
      break;
    case 2:
      holder[name] = word;
      break;
    case 3:
      holder[name] = structuredClone(from[key]);
      break;
    case 4:
      holder[name] = [holder[name]];
      break;
    case 5:
      holder[name] = { [word]: holder[name] };
      break;
    case 6:
      if (typeof holder[name] === 'string') holder[name] += random.of([...TEXTS, ...NUMBERS, word]) ?? '';
      break;
    default: {
      const member = holder[name];
      if (Array.isArray(member)) member.push(structuredClone(from[key]));
      else if (typeof member === 'object' && member !== null)
        (member as Record<string, unknown>)[word] = structuredClone(from[key]);
    }
  }
  const text = JSON.stringify(root['value']);
  return text === undefined || text.length > 1 << 20 ? undefined : Buffer.from(text);
}

/** Decodes a run of base64, changes what it stands for, and writes it again, as lines of 64 where it was lines. */
function changePem(bytes: Uint8Array, material: Material): Uint8Array | undefined {
  const text = Buffer.from(bytes).toString('latin1');
  const runs = [...text.matchAll(/(?<![\w+/-])[\w+/\r\n-]{40,}={0,2}/g)].filter(([run]) => !run.includes('---'));
  const found = material.random.of(runs);
  if (found === undefined) return undefined;
  const [run] = found;
  const url = /[-_]/.test(run);
  const inner = Buffer.from(run, url ? 'base64url' : 'base64');
  const after =
    inner[0] === 0x30 && material.random.below(4) > 0
      ? changeDer(inner, material)
      : ((inner[0] === 0x7b ? changeJson(inner, material) : undefined) ?? changeBytes(inner, material));
  const encoded = Buffer.from(after ?? inner).toString(url ? 'base64url' : 'base64');
  const lines = run.includes('\n') ? `${(encoded.match(/.{1,64}/g) ?? []).join('\n')}\n` : encoded;
  return Buffer.from(text.slice(0, found.index) + lines + text.slice(found.index + run.length), 'latin1');
}

/** One value of DER or BER, with what it is made of. */
interface Value {
  tag: number;
  content: Uint8Array;
  children: Value[] | undefined;
}

/** Reads leniently: what is not well-formed is content. Octet and bit strings that hold values are opened too. */
function readValues(bytes: Uint8Array, depth: number, budget: { left: number }): Value[] | undefined {
  const values: Value[] = [];
  for (let at = 0; at < bytes.length;) {
    const [tag, first] = [bytes[at] ?? 0, bytes[at + 1]];
    if (first === undefined || (tag & 0x1f) === 0x1f || budget.left-- <= 0) return undefined;
    let [length, offset] = [first, at + 2];
    if (first >= 0x80) {
      const octets = first & 0x7f;
      if (octets === 0 || octets > 3) return undefined;
      length = 0;
      for (let i = 0; i < octets; i++) length = length * 256 + (bytes[offset++] ?? 0);
    }
    if (offset + length > bytes.length) return undefined;
    const content = bytes.subarray(offset, offset + length);
    const opens = (tag & 0x20) !== 0 || (tag === 4 && content.length > 1);
    const children = opens && depth > 0 ? readValues(content, depth - 1, budget) : undefined;
    values.push({ tag, content, children });
    at = offset + length;
  }
  return values;
}

/** The bytes are nowhere changed in place, so that they can be shared. */
function cloned({ tag, content, children }: Value): Value {
  return { tag, content, children: children?.map(cloned) };
}

/** How many octets a length takes. */
function lengthSize(length: number): number {
  return length < 0x80 ? 1 : length < 0x100 ? 2 : length < 0x1_0000 ? 3 : 4;
}

/** How long the content of each value is, children counted, beside it; and how long all are together. */
function measure(values: readonly Value[], sizes: Map<Value, number>): number {
  let total = 0;
  for (const value of values) {
    const size = value.children === undefined ? value.content.length : measure(value.children, sizes);
    sizes.set(value, size);
    total += 1 + lengthSize(size) + size;
  }
  return total;
}

function writeValues(values: readonly Value[]): Uint8Array {
  const sizes = new Map<Value, number>();
  const out = new Uint8Array(measure(values, sizes));
  let at = 0;
  const write = (those: readonly Value[]): void => {
    for (const value of those) {
      const size = sizes.get(value) ?? 0;
      out[at++] = value.tag;
      const octets = lengthSize(size) - 1;
      if (octets > 0) out[at++] = 0x80 | octets;
      for (let shift = 8 * Math.max(0, octets - 1); shift >= 0; shift -= 8) out[at++] = (size >> shift) & 0xff;
      if (value.children !== undefined) write(value.children);
      else {
        out.set(value.content, at);
        at += size;
      }
    }
  };
  write(values);
  return out;
}

/** Changes one value of a DER structure and mends every length around it. */
function changeDer(bytes: Uint8Array, material: Material): Uint8Array | undefined {
  const { random, corpus } = material;
  const roots = readValues(bytes, 24, { left: 2000 });
  if (roots === undefined || roots.length === 0) return undefined;
  const places: [siblings: Value[], index: number][] = [];
  const gather = (siblings: Value[]): void => {
    for (const [index, value] of siblings.entries()) {
      places.push([siblings, index]);
      if (value.children !== undefined) gather(value.children);
    }
  };
  gather(roots);
  const [siblings, index] = random.of(places) ?? [roots, 0];
  const value = siblings[index];
  const [others, other] = random.of(places) ?? [roots, 0];
  const copy = others[other];
  if (value === undefined || copy === undefined) return undefined;
  switch (random.below(9)) {
    case 0:
      siblings.splice(index, 1);
      break;
    case 1:
      siblings.splice(index, 0, cloned(copy));
      break;
    case 2:
      siblings[index] = cloned(copy);
      break;
    case 3:
      value.tag =
        random.of([1, 2, 3, 4, 5, 6, 0x0a, 0x0c, 0x13, 0x16, 0x17, 0x18, 0x30, 0x31, 0x80, 0xa0, 0xa1, 0xa3]) ?? 0;
      break;
    case 4:
      value.tag ^= 1 << random.below(8);
      break;
    case 5: {
      const foreign = readValues(random.of(corpus) ?? bytes, 24, { left: 2000 })?.[0];
      const inside = foreign?.children ?? [];
      siblings.splice(random.below(siblings.length + 1), 0, random.of(inside) ?? foreign ?? cloned(copy));
      break;
    }
    case 6: {
      // Nested far deeper than anyone does.
      let nested = value;
      for (let depth = random.length(200); depth > 0; depth--)
        nested = { tag: 0x30, content: new Uint8Array(), children: [nested] };
      siblings[index] = nested;
      break;
    }
    default:
      value.content =
        value.tag === 2 && random.chance(2)
          ? Uint8Array.from({ length: random.length(8) }, () => random.of(INTERESTING) ?? 0)
          : changeBytes(value.children === undefined ? value.content : writeValues(value.children), material);
      value.children = undefined;
  }
  const written = writeValues(roots);
  return written.length > 1 << 20 ? undefined : written;
}

type Changer = (bytes: Uint8Array, material: Material) => Uint8Array | undefined;

/** Each gives nothing for what is not of its form. */
const CHANGERS: Readonly<Record<Form, Changer>> = {
  text: changeText,
  der: changeDer,
  pem: changePem,
  json: changeJson,
};
