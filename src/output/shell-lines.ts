/** Lines that set and remove environment variables, in the words of each shell: the one place that quotes for them. */
// Tests: test/output/variable-forms.test.ts

export const SHELLS = ['sh', 'fish', 'powershell', 'cmd'] as const;

export type Shell = (typeof SHELLS)[number];

/** `sh`: bash, zsh and dash, too. */
interface ShellWords {
  readonly set: (name: string, value: string) => string;
  readonly remove: (name: string) => string;
  /** What a line begins with that is for people. */
  readonly comment: string;
}

export const SHELL_WORDS: Readonly<Record<Shell, ShellWords>> = {
  sh: {
    set: (name, value) => `export ${assignment(name, value)}`,
    remove: (name) => `unset ${name}`,
    comment: '#',
  },
  fish: {
    // In quotes, a backslash stands for itself but before a quote or another.
    set: (name, value) =>
      `set -gx ${name} ${isPlain(value) ? value : `'${value.replaceAll(/['\\]/g, String.raw`\$&`)}'`}`,
    remove: (name) => `set -eg ${name}`,
    comment: '#',
  },
  powershell: {
    // Typographic quotes are quotes to it, too (about_Quoting_Rules; the tokenizer's IsSingleQuote).
    set: (name, value) => `$env:${name} = '${value.replaceAll(/['\u2018-\u201b]/g, '$&$&')}'`,
    remove: (name) => `Remove-Item Env:${name} -ErrorAction SilentlyContinue`,
    comment: '#',
  },
  cmd: {
    // By a FOR loop, in which the last quote ends it and `%` stays as it is; export refuses what a batch file would change.
    set: (name, value) => `set "${name}=${value}"`,
    remove: (name) => `set "${name}="`,
    comment: 'rem',
  },
};

/** `NAME=value`, as POSIX shells read it. */
export function assignment(name: string, value: string): string {
  return `${name}=${isPlain(value) ? value : `'${value.replaceAll("'", String.raw`'\''`)}'`}`;
}

/** Whether no shell sees anything in it but a word: zsh expands a `=` at the beginning, fish once a `%`. */
function isPlain(value: string): boolean {
  return /^[\w@+,./:-]+$/.test(value);
}

/** Guesses the user's shell. */
export function guessShell(env: Readonly<Record<string, string | undefined>>, platform: string): Shell {
  if (platform === 'win32') return env['PSModulePath'] === undefined ? 'cmd' : 'powershell';
  return /(?:^|\/)fish$/.test(env['SHELL'] ?? '') ? 'fish' : 'sh';
}
