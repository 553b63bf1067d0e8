/** Values, as the languages of set-ups write them. */
// Tests: test/commands/trust-policy.test.ts

/** What is known when the set-up runs, in the language of the set-up: how it names a trust anchor that it creates. */
export class Expression {
  readonly code: string;

  constructor(code: string) {
    this.code = code;
  }
}

/** A value that is written in several languages. */
export type Value = string | number | boolean | Expression | readonly Value[] | { readonly [name: string]: Value };

/** The form of lists and maps of a language. */
export interface Language {
  /** What stands between a name and its value. */
  readonly assign: string;
  /** What ends a member of a map, and of a list. */
  readonly ends: readonly [member: string, item: string];
  /** A name as it is written. */
  readonly name: (name: string) => string;
  readonly string: (text: string) => string;
  /** Whether its formatter puts the values of a map of texts below each other. Default no. */
  readonly aligns?: true | undefined;
}

/** Writes a value, with what is inside of it two blanks further in. */
export function written(value: Value, language: Language, indent = ''): string {
  if (value instanceof Expression) return value.code;
  if (typeof value === 'string') return language.string(value);
  if (typeof value !== 'object') return String(value);
  const [member, item] = language.ends;
  const inner = `${indent}  `;
  if (isList(value)) {
    const items = value.map((part) => `${inner}${written(part, language, inner)}${item}\n`);
    return `[\n${items.join('')}${indent}]`;
  }
  const names = Object.keys(value).map((name) => language.name(name));
  const isFlat = Object.values(value).every((part) => typeof part !== 'object' || part instanceof Expression);
  const width = language.aligns === true && isFlat ? Math.max(...names.map((name) => name.length)) : 0;
  const members = Object.values(value).map(
    (part, at) =>
      `${inner}${(names[at] ?? '').padEnd(width)}${language.assign}${written(part, language, inner)}${member}\n`,
  );
  return `{\n${members.join('')}${indent}}`;
}

function isList(value: object): value is readonly Value[] {
  return Array.isArray(value);
}
