/** Variables in the form of whoever reads them: shells, files of variables, programs. */
import { RolesAnywhereError } from '../platform/errors.ts';
import { SHELL_WORDS, assignment } from './shell-lines.ts';
import type { Shell } from './shell-lines.ts';

/** The forms that need nothing but names and values. */
export type VariableForm =
  | 'env'
  | 'env-no-export'
  | 'fish'
  | 'powershell'
  | 'windows-cmd'
  | 'dotenv'
  | 'json'
  | 'gitlab';

/** The form that each shell reads. */
export const FORM_OF: Readonly<Record<Shell, VariableForm>> = {
  sh: 'env',
  fish: 'fish',
  powershell: 'powershell',
  cmd: 'windows-cmd',
};

/** What to do with variables: names and values to set, and names to remove. */
export interface VariableChanges {
  readonly set: ReadonlyMap<string, string>;
  readonly remove: readonly string[];
}

/** Most bytes of a dotenv report that GitLab takes. */
const MAX_REPORT_BYTES = 5 * 1024;

/**
 * The changes in a form. What only holds variables has none to remove: there each is empty, and in JSON null.
 *
 * @throws RolesAnywhereError `ERR_EXPORT_VALUE` for a value that the form cannot hold, with its name
 */
export function formatVariables(form: VariableForm, { set, remove }: VariableChanges): string {
  for (const [name, value] of set) checkValue(name, value);
  if (form === 'json') {
    const all = [...set, ...remove.map((name) => [name, null] as const)];
    return `${JSON.stringify(Object.fromEntries(all), undefined, 2)}\n`;
  }
  const lines = [
    ...remove.map((name) => REMOVE[form](name)),
    ...[...set].map(([name, value]) => SET[form](name, value)),
  ];
  const text = lines.map((line) => `${line}\n`).join('');
  if (form === 'gitlab' && Buffer.byteLength(text) > MAX_REPORT_BYTES)
    throw new RolesAnywhereError('ERR_EXPORT_VALUE', 'the credentials are larger than the 5 KiB of a dotenv report', {
      hint: 'obtain them in the job that needs them',
    });
  return text;
}

/**
 * Checks that a value is text of one line.
 *
 * @throws RolesAnywhereError `ERR_EXPORT_VALUE`
 */
export function checkValue(name: string, value: string): void {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (!/[\u0000-\u0008\u000a-\u001f\u007f\u0085\u2028\u2029]/.test(value)) return;
  throw cannotHold(name, 'has a line end or another control character in it');
}

/** The error for a value that a form cannot hold. */
function cannotHold(name: string, why: string): RolesAnywhereError {
  return new RolesAnywhereError('ERR_EXPORT_VALUE', `the value for ${name} ${why}: nothing was written`, {
    hint: 'check where the credentials are from, or take another --format',
  });
}

type LineForm = Exclude<VariableForm, 'json'>;

const SET: Readonly<Record<LineForm, (name: string, value: string) => string>> = {
  env: SHELL_WORDS.sh.set,
  'env-no-export': assignment,
  fish: SHELL_WORDS.fish.set,
  powershell: SHELL_WORDS.powershell.set,
  'windows-cmd': commandLine,
  dotenv: dotenvLine,
  gitlab: reportLine,
};

const REMOVE: Readonly<Record<LineForm, (name: string) => string>> = {
  env: SHELL_WORDS.sh.remove,
  'env-no-export': SHELL_WORDS.sh.remove,
  fish: SHELL_WORDS.fish.remove,
  powershell: SHELL_WORDS.powershell.remove,
  'windows-cmd': SHELL_WORDS.cmd.remove,
  dotenv: (name) => `${name}=`,
  gitlab: (name) => `${name}=`,
};

/**
 * As cmd.exe reads it from a FOR loop and from a batch file alike: in the latter a quote ends the value, so that what follows
 * may be a command, and a `%` is dropped or expanded; in both, a `!` is once delayed expansion is switched on.
 */
function commandLine(name: string, value: string): string {
  if (/["%!]/.test(value)) throw cannotHold(name, 'has a quote, % or ! in it, which cmd.exe would not keep');
  return SHELL_WORDS.cmd.set(name, value);
}

/**
 * As Node's `--env-file` and `dotenv` read it: between quotes all stands for itself up to the next one of the kind, but for
 * `\n` and `\r` in double quotes, where Docker Compose and others look for `$`, too.
 */
function dotenvLine(name: string, value: string): string {
  if (/^[\w@%+=:,./-]*$/.test(value)) return `${name}=${value}`;
  const quote = [`'`, '"', '`'].find((one) => !value.includes(one) && (one !== '"' || !/[\\$`]/.test(value)));
  if (quote === undefined) throw cannotHold(name, 'has quotes of every kind, which a dotenv file cannot hold');
  return `${name}=${quote}${value}${quote}`;
}

/** As GitLab reads a dotenv report: all behind the sign is the value, quotes too, but for blanks around it. */
function reportLine(name: string, value: string): string {
  if (value.trim() !== value) throw cannotHold(name, 'begins or ends with a blank, which GitLab would strip');
  return `${name}=${value}`;
}
