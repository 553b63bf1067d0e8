/**
 * AWS config files as botocore reads them, which is how Python's RawConfigParser does: the AWS CLI made these files what
 * they are. What botocore refuses a whole file for is refused here too, with its line.
 */
// Tests: test/options/config/parsers.test.ts
import { RolesAnywhereError } from '../../platform/errors.ts';

/** A key of a section. */
export interface IniKey {
  /** Continuation lines and all, joined by newlines. */
  readonly value: string;
  /** Where each line of the value stands, from 1. The first is that of the key. */
  readonly lines: readonly number[];
}

export interface IniSection {
  /** The text between the brackets. */
  readonly header: string;
  readonly line: number;
  /** By name in lower case. */
  readonly keys: ReadonlyMap<string, IniKey>;
}

/** Python's idea of white space, which is not that of JavaScript. */
const SPACE = String.raw`[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]`;
const IS_SPACE = new RegExp(`^${SPACE}$`);
const INDENT = new RegExp(`^${SPACE}*`);
/** The characters that end a line inside of a value to Python, besides those that end one of the file. */
const LINE_END = new RegExp(String.raw`[\v\f\x1c-\x1e\x85\u2028\u2029]`);
const HEADER = /^\[(.+)\]/s;

/** An error at a line of a file, which is of no use because of it. */
export function atLine(file: string, line: number, message: string, hint: string): RolesAnywhereError {
  return new RolesAnywhereError('ERR_CONFIG_FILE', `${file}, line ${line}: ${message}`, { hint });
}

/** An error about one key: the rest of the file may be of use. */
export function keyError(file: string, line: number, message: string, hint: string): RolesAnywhereError {
  return new RolesAnywhereError('ERR_CONFIG_KEY', `${file}, line ${line}: ${message}`, { hint });
}

/**
 * Reads a config file.
 *
 * @param file its name, for messages
 * @throws RolesAnywhereError `ERR_CONFIG_FILE` with the line, for what botocore refuses
 */
export function readIni(text: string, file: string): IniSection[] {
  const reader = new Reader(file);
  for (const [index, line] of text.split(/\r\n|\r|\n/).entries()) reader.take(line, index + 1);
  return reader.sections().map(({ header, line, keys }) => ({
    header,
    line,
    keys: new Map([...keys].map(([name, lines]) => [name, joined(lines)])),
  }));
}

/** The settings in a value that is indented below its key; undefined for a value that is none. */
export function nestedKeys({ value, lines }: IniKey, file: string): ReadonlyMap<string, IniKey> | undefined {
  if (!value.startsWith('\n')) return undefined;
  const nested = new Map<string, IniKey>();
  const parts = value
    .split('\n')
    .flatMap((text, index) => text.split(LINE_END).map((part) => [part, lines[index] ?? 0] as const));
  for (const [text, line] of parts) {
    const equals = text.indexOf('=');
    if (strip(text) === '') continue;
    if (equals < 0) throw atLine(file, line, 'an indented line without =', 'write key = value');
    nested.set(strip(text.slice(0, equals)), { value: strip(text.slice(equals + 1)), lines: [line] });
  }
  return nested;
}

interface OpenSection {
  readonly header: string;
  readonly line: number;
  readonly keys: Map<string, Lines>;
}

type Lines = { readonly text: string; readonly line: number }[];

/** One line after the other, as Python's parser takes them. */
class Reader {
  readonly #sections = new Map<string, OpenSection>();
  #section: OpenSection | undefined;
  readonly #file: string;
  #indent = 0;
  /** The key that an indented line continues. */
  #open: Lines | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  sections(): OpenSection[] {
    return [...this.#sections.values()];
  }

  take(raw: string, line: number): void {
    const text = strip(raw);
    if (/^[#;]/.test(text)) return;
    if (text === '') {
      this.#open?.push({ text, line });
      return;
    }
    const indent = INDENT.exec(raw)?.[0].length ?? 0;
    if (this.#open !== undefined && indent > this.#indent) {
      this.#open.push({ text, line });
      return;
    }
    this.#indent = indent;
    const header = HEADER.exec(text)?.[1];
    if (header === undefined) this.#key(text, line);
    else this.#begin(header, line);
  }

  #begin(header: string, line: number): void {
    const before = this.#sections.get(header);
    // Python's parser takes DEFAULT for defaults of every section, which may be there more than once.
    if (before !== undefined && header !== 'DEFAULT')
      throw atLine(
        this.#file,
        line,
        `${isHeader(header) ? `[${header}]` : 'the section'} is there a second time`,
        `it begins in line ${before.line}`,
      );
    this.#section = before ?? { header, line, keys: new Map() };
    this.#sections.set(header, this.#section);
    this.#open = undefined;
  }

  #key(text: string, line: number): void {
    const section = this.#section;
    if (section === undefined) {
      const what = text.startsWith('\ufeff') ? 'a byte order mark' : 'text before the first section';
      throw atLine(this.#file, line, what, 'the AWS CLI cannot read such a file: remove it');
    }
    const separator = text.search(/[=:]/);
    const [name, value] = separator < 0 ? ['', ''] : [text.slice(0, separator), text.slice(separator + 1)];
    if (name === '') throw atLine(this.#file, line, 'neither a section nor key = value', 'correct or remove the line');
    const key = strip(name).toLowerCase();
    const before = section.keys.get(key)?.[0];
    if (before !== undefined)
      throw atLine(
        this.#file,
        line,
        `${isKey(key) ? key : 'the key'} is there a second time`,
        `it is in line ${before.line} already`,
      );
    this.#open = [{ text: strip(value), line }];
    section.keys.set(key, this.#open);
  }
}

// What is no name, such as a line that lost its beginning, may hold a password, and is not shown.

function isKey(text: string): boolean {
  return /^[\w.-]{1,64}$/.test(text);
}

function isHeader(text: string): boolean {
  return /^(?:[\w-]+\s+)?[\w@+.%:/-]{1,128}$/.test(text);
}

/** Empty lines at the end are none of the value's. */
function joined(lines: Lines): IniKey {
  const last = lines.findLastIndex(({ text }) => text !== '');
  const kept = lines.slice(0, Math.max(last, 0) + 1);
  return { value: kept.map(({ text }) => text).join('\n'), lines: kept.map(({ line }) => line) };
}

function strip(text: string): string {
  // By hand: a pattern for the end would begin anew at each of a hundred thousand blanks.
  let [from, to] = [0, text.length];
  while (from < to && IS_SPACE.test(text.charAt(from))) from++;
  while (to > from && IS_SPACE.test(text.charAt(to - 1))) to--;
  return text.slice(from, to);
}
