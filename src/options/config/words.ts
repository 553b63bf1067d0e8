/** Lists in one text, as the environment and config files hold them. */
// Tests: test/options/config/configured.test.ts

/**
 * The items of a list: words between white space. Quotes of either kind
 * around a word or a part of one take white space for what it is, and the
 * other kind of quotes too. Nothing else has a meaning.
 *
 * @returns undefined when a quote does not end
 */
export function splitWords(text: string): string[] | undefined {
  const words: string[] = [];
  for (const [word] of text.matchAll(/(?:[^\s"']|"[^"]*"|'[^']*'|["'])+/g)) {
    if (/["']/.test(word.replaceAll(/"[^"]*"|'[^']*'/g, ''))) return undefined;
    words.push(
      word.replaceAll(/"([^"]*)"|'([^']*)'/g, (_, double: string | undefined, single: string) => double ?? single),
    );
  }
  return words;
}

/** The text of a list that {@link splitWords} gives back. */
export function joinWords(words: readonly string[]): string {
  return words.map((word) => (/^[^\s"']+$/.test(word) ? word : quoted(word))).join(' ');
}

function quoted(word: string): string {
  if (!word.includes('"')) return `"${word}"`;
  return word
    .split('"')
    .map((part) => (part === '' ? '' : `"${part}"`))
    .join(`'"'`);
}
