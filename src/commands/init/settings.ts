/** What `init` writes of what it was given. Tests: test/cli/init.test.ts */
import { resolve } from 'node:path';
import { keyOf } from '../../options/config/sources.ts';
import { joinWords } from '../../options/config/words.ts';
import type { FlagsOf } from '../../options/flag-values.ts';
import { commandRow, flagRow } from '../../options/flags.ts';
import type { FlagName, FlagValue } from '../../options/flags.ts';
import { FLAG_HELP } from '../../options/help.ts';
import { itemText } from '../../options/items.ts';
import { RolesAnywhereError } from '../../platform/errors.ts';

/** Where secrets are to be named instead of given. */
const INSTEAD: Readonly<Partial<Record<FlagName, string>>> = {
  'pkcs8-password': '--pkcs8-password-file',
  'pkcs12-password': '--pkcs12-password-file',
  'tpm-key-password': '--tpm-key-password-file',
  'tpm-parent-password': '--tpm-parent-password-file',
  'tpm-hierarchy-password': '--tpm-hierarchy-password-file',
  'mfa-token': '--mfa-command',
};

/**
 * The keys of a profile for the flags of `credential-process` that have a value of their own. Paths become absolute: the
 * line is run anywhere.
 *
 * @throws RolesAnywhereError `ERR_FLAG_CONFLICT` for a secret, and for standard input, which the line has not
 */
export function settingsOf(flags: FlagsOf<'init'>): Map<string, string> {
  const settings = new Map<string, string>();
  const given: { readonly [F in FlagName]?: FlagValue | undefined } = flags;
  const { flags: taken, defaults } = commandRow('credential-process');
  for (const flag of taken) {
    const value = given[flag];
    const key = keyOf(flag);
    if (key === undefined || value === undefined || value === defaults?.[flag]) continue;
    settings.set(key, textOf(flag, value));
  }
  return settings;
}

function textOf(flag: FlagName, value: FlagValue): string {
  if (typeof value === 'object') return joinWords(value.map(itemText));
  if (typeof value !== 'string') return String(value);
  refuseSecret(flag, value);
  if (value === '-')
    throw new RolesAnywhereError('ERR_FLAG_CONFLICT', `--${flag} is standard input, which no SDK gives to the line`, {
      hint: 'name a file',
      flag: `--${flag}`,
    });
  if (flag === 'policy' || flag === 'cert-selector')
    return value.startsWith('file://') ? `file://${resolve(value.slice(7))}` : value;
  return FLAG_HELP[flag].value === 'FILE' && isPath(flag, value) ? resolve(value) : value;
}

/** What is called a file may be something else, and a library by its bare name is looked for where libraries are. */
function isPath(flag: FlagName, value: string): boolean {
  if (flag === 'pkcs11-lib') return /[/\\]/.test(value);
  return !/^(?:env|pkcs11|handle|nv|spiffe|file):/i.test(value);
}

/** A secret has no place in a file that is there to be copied. */
function refuseSecret(flag: FlagName, value: string): void {
  const isSecret =
    (flagRow(flag).secret === true && (flag !== 'proxy' || /@/.test(value))) || /pin-value(?:=|%3d)/i.test(value);
  if (!isSecret) return;
  const instead =
    INSTEAD[flag] ?? (flag === 'proxy' ? 'leave user name and password out, and use --with-proxy' : '?pin-source=FILE');
  throw new RolesAnywhereError('ERR_FLAG_CONFLICT', `--${flag} holds a secret, which init does not write`, {
    hint: instead.startsWith('leave') ? instead : `let a file give it: ${instead}`,
    flag: `--${flag}`,
  });
}
