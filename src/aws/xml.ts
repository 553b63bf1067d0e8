/**
 * Reads the XML of AWS's query protocol, and no more of XML 1.0 than that has:
 * elements, attributes (which are skipped), text and references. Comments,
 * CDATA, processing instructions and document types are refused, and so is
 * anything too deep or too long.
 */

/** An element with its text, or with elements in it. */
export interface XmlElement {
  /** Without a namespace prefix: the query protocol uses none. */
  readonly name: string;
  /** The element's own text, references resolved; white space is kept. */
  readonly text: string;
  readonly children: readonly XmlElement[];
}

const MAX_DEPTH = 16;
const MAX_ELEMENTS = 1000;

const NAME = '[A-Za-z_][\\w.-]*';
const ATTRIBUTE = `\\s+[A-Za-z_][\\w.:-]*\\s*=\\s*(?:"[^"<]*"|'[^'<]*')`;
/** What may come next, at the place where the last one ended; each form can match in one way only. */
const DECLARATION = /(?:\uFEFF)?(?:<\?xml [^?<>]*\?>)?\s*/y;
const START = new RegExp(`<(${NAME})(?:${ATTRIBUTE}){0,8}\\s*(/?)>`, 'y');
const END = new RegExp(`</(${NAME})\\s*>`, 'y');
const TEXT = /[^<]+/y;

interface OpenElement {
  readonly name: string;
  text: string;
  readonly children: XmlElement[];
}

/** Undefined for what is not such XML. Nothing is said about why: the text may hold a secret. */
export function readXml(text: string): XmlElement | undefined {
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = position;
    const found = pattern.exec(text);
    if (found !== null) position = pattern.lastIndex;
    return found;
  };
  let position = 0;
  match(DECLARATION);
  const root: OpenElement = { name: '', text: '', children: [] };
  const open: OpenElement[] = [root];
  for (let elements = 0; position < text.length;) {
    const current = open.at(-1) ?? root;
    const start = match(START);
    if (start !== null) {
      const [, name = '', empty] = start;
      const element: OpenElement = { name, text: '', children: [] };
      current.children.push(element);
      elements += 1;
      if (empty === '') open.push(element);
      if (elements > MAX_ELEMENTS || open.length > MAX_DEPTH) return undefined;
      continue;
    }
    const end = match(END);
    if (end !== null) {
      if (open.length === 1 || current.name !== end[1]) return undefined;
      open.pop();
      continue;
    }
    const content = resolveReferences(match(TEXT)?.[0]);
    if (content === undefined) return undefined;
    current.text += content;
  }
  const [first, ...others] = root.children;
  return open.length === 1 && others.length === 0 && root.text.trim() === '' ? first : undefined;
}

/** The text of the only child of that name, further names leading deeper; undefined when there is none, or several. */
export function textAt(element: XmlElement | undefined, ...names: readonly string[]): string | undefined {
  const found = childAt(element, ...names);
  return found?.children.length === 0 ? found.text : undefined;
}

/** The only child of that name, further names leading deeper; undefined when there is none, or several. */
export function childAt(element: XmlElement | undefined, ...names: readonly string[]): XmlElement | undefined {
  let found = element;
  for (const name of names) {
    const [child, ...others] = found?.children.filter((candidate) => candidate.name === name) ?? [];
    found = others.length === 0 ? child : undefined;
  }
  return found;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** XML 1.0, section 4.1: the predefined entities and references to characters. */
function resolveReferences(text: string | undefined): string | undefined {
  if (text === undefined || !text.includes('&')) return text;
  let valid = true;
  const resolved = text.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|(\w{1,8}));|&/gi, (_, decimal, hex, name) => {
    const character = named(name) ?? numbered(decimal, 10) ?? numbered(hex, 16);
    if (character === undefined) valid = false;
    return character ?? '';
  });
  return valid ? resolved : undefined;
}

function named(name: unknown): string | undefined {
  return typeof name === 'string' && Object.hasOwn(ENTITIES, name) ? ENTITIES[name] : undefined;
}

/** Section 2.2: not every code point is a character of XML. */
function numbered(digits: unknown, radix: number): string | undefined {
  if (typeof digits !== 'string') return undefined;
  const code = Number.parseInt(digits, radix);
  const valid =
    code === 9 ||
    code === 10 ||
    code === 13 ||
    (code >= 0x20 && code <= 0xd7ff) ||
    (code >= 0xe000 && code <= 0xfffd) ||
    (code >= 0x10000 && code <= 0x10ffff);
  return valid ? String.fromCodePoint(code) : undefined;
}
