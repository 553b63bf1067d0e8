/** YAML as templates need it: maps, lists and scalars in block style, which YAML 1.1 and 1.2 read alike. */
// Tests: test/commands/trust-policy/yaml.test.ts

/** What a template is made of, as JSON has it: an absent member is left out. */
export type Value = string | number | boolean | readonly Value[] | ValueMap;

interface ValueMap {
  readonly [name: string]: Value | undefined;
}

/** Text that means itself without quotes, unless it is one of these words, which YAML 1.1 (types bool and null) reads as others. */
const PLAIN = /^[A-Za-z][\w./-]*(?::{1,2}[\w./*-]+)*$/;
const WORDS = /^(?:y|yes|n|no|true|false|on|off|null)$/i;

/** Lines that a literal block holds as they are: none of them begins with a space, and there is no character to escape. */
const LITERAL = /^(?:[!-~][ -~]*\n)+$/;

/** A map as YAML, with a newline at its end. */
export function yaml(map: ValueMap): string {
  return `${block(map, '').trim()}\n`;
}

/** The value as it stands after `name:` or `-`, when it goes on in further lines with the indent. */
function block(value: Value, indent: string): string {
  if (typeof value === 'string' && LITERAL.test(value)) return ` |\n${value.slice(0, -1).replaceAll(/^/gm, indent)}`;
  if (typeof value !== 'object') return ` ${typeof value === 'string' ? quoted(value) : String(value)}`;
  const list = isList(value);
  const parts = list
    ? value.map((item) => `-${inList(item, indent)}`)
    : Object.entries(value).flatMap(([name, item]) =>
        item === undefined ? [] : `${quoted(name)}:${block(item, `${indent}  `)}`,
      );
  if (parts.length === 0) return list ? ' []' : ' {}';
  return parts.map((part) => `\n${indent}${part}`).join('');
}

/** An item, of which a map or a list begins on the line of the dash. */
function inList(item: Value, indent: string): string {
  const text = block(item, `${indent}  `);
  return text.startsWith('\n') ? ` ${text.trimStart()}` : text;
}

function quoted(text: string): string {
  return PLAIN.test(text) && !WORDS.test(text) ? text : JSON.stringify(text);
}

function isList(value: object): value is readonly Value[] {
  return Array.isArray(value);
}
