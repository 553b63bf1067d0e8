/**
 * A `credential_process` line as its readers take it apart: botocore as Python's shlex does, without a shell; the SDKs for
 * JavaScript, Go and Java give it to a shell. A line that both read alike works everywhere.
 */
// Tests: test/doctor/words.test.ts

/** A line, read in one way: its words, or what is wrong with it. */
export type Reading = { readonly words: readonly string[] } | { readonly problem: string };

/**
 * Splits a line as botocore does: Python's `shlex.split` in its POSIX mode. Outside of quotes a backslash takes the
 * next character for itself, between double quotes only before `"` and `\`, between single quotes never. Comments are
 * not known.
 *
 * Source: botocore, `compat_shell_split`; Python's documentation, "shlex", "Parsing Rules".
 */
export function splitLikePython(line: string): Reading {
  const words: string[] = [];
  let word: string | undefined;
  let quote: '"' | "'" | undefined;
  for (let at = 0; at < line.length; at++) {
    const character = line.charAt(at);
    if (quote !== undefined) {
      if (character === quote) quote = undefined;
      else if (character === '\\' && quote === '"' && at + 1 < line.length && /["\\]/.test(line.charAt(at + 1)))
        word += line.charAt(++at);
      else word += character;
    } else if (character === '"' || character === "'") {
      quote = character;
      word ??= '';
    } else if (character === '\\') {
      if (at + 1 >= line.length) return { problem: 'it ends with a backslash' };
      word = (word ?? '') + line.charAt(++at);
    } else if (/[ \t\r\n]/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + character;
  }
  if (quote !== undefined) return { problem: `a ${quote === '"' ? 'double' : 'single'} quote does not end` };
  if (word !== undefined) words.push(word);
  return { words };
}

/**
 * Splits a line as botocore does on Windows, by the rules of the C runtime: only double quotes count, and a backslash
 * only before one.
 *
 * Source: Microsoft, "Parsing C command-line arguments".
 */
export function splitLikeWindows(line: string): Reading {
  const words: string[] = [];
  let word: string | undefined;
  let quoted = false;
  let slashes = 0;
  const flush = (count: number): void => {
    if (count > 0) word = (word ?? '') + '\\'.repeat(count);
    slashes = 0;
  };
  for (const character of line) {
    if (character === '\\') {
      slashes++;
      continue;
    }
    if (character === '"') {
      const isLiteral = slashes % 2 === 1;
      flush(Math.floor(slashes / 2));
      if (isLiteral) word = `${word ?? ''}"`;
      else {
        quoted = !quoted;
        word ??= '';
      }
      continue;
    }
    flush(slashes);
    if (/[ \t]/.test(character) && !quoted) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + character;
  }
  flush(slashes);
  if (quoted) return { problem: 'a double quote does not end' };
  if (word !== undefined) words.push(word);
  return { words };
}

/** What a shell would make of a line that is more than words, in the order in which it is looked for. */
const OF_SHELL: readonly (readonly [form: Pick<RegExp, 'test'>, what: string])[] = [
  [/\$[\w{(#$?!*@-]/, 'a shell puts a variable or the output of a command in place of $'],
  [/`/, 'a shell runs what stands between backquotes'],
  [/[;&|<>()]/, 'a shell takes ; & | < > ( ) for itself'],
  [/(?:^|\s)~/, 'a shell puts the home directory in place of ~'],
  [/[*?[]/, 'a shell puts names of files in place of * ? ['],
  [/(?:^|\s)#/, 'a shell takes what follows # for a comment'],
  [{ test: hasList }, 'some shells take { } apart'],
];

/**
 * Whether a word may be of those that bash makes several of: `{a,b}`, `{1..3}`. By its first and last brace alone, since bash
 * has rules of its own for those that have no partner, or nothing between them.
 */
function hasList(text: string): boolean {
  // By what ends a word to a shell: of the blanks of Unicode, most do not.
  return text.split(/[ \t\n]/).some((word) => {
    const from = word.indexOf('{');
    return from !== -1 && /,|\.\./.test(word.slice(from, Math.max(from, word.lastIndexOf('}'))));
  });
}

/**
 * What in a line a shell reads otherwise than botocore does, on a system with a POSIX shell; undefined where both read
 * alike. Between single quotes a shell takes nothing for itself, between double quotes `$`, backquote and backslash.
 */
export function differenceInShell(line: string): string | undefined {
  // What single quotes protect is as good as a letter, and so is what a backslash does outside of quotes.
  const plain = line.replaceAll(/\\.|'[^']*'|"(?:\\.|[^"\\])*"/g, (part) => {
    if (!part.startsWith('"')) return 'x';
    // A shell's backslash also keeps $ and backquote between double quotes, and botocore leaves it there.
    if (/\\[$`]/.test(part)) return '$x';
    const [expansion = ''] = /\$[\w{(#$?!*@-]|`/.exec(part) ?? [];
    return `x${expansion}`;
  });
  return OF_SHELL.find(([form]) => form.test(plain))?.[1];
}

/** What cmd.exe would put something else in the place of. */
export function differenceInCmd(line: string): string | undefined {
  if (/%[^%]+%/.test(line)) return 'cmd.exe puts variables in place of %NAME%';
  const plain = line.replaceAll(/"[^"]*"/g, 'x');
  if (/[&|<>^]/.test(plain)) return 'cmd.exe takes & | < > ^ for itself';
  return plain.includes("'") ? 'single quotes are no quotes on Windows' : undefined;
}
