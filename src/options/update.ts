/** The options of `update` besides those of every command that obtains credentials. */
// Tests: test/clients/update.test.ts
import { RolesAnywhereError } from '../platform/errors.ts';
import { splitWords } from './config/words.ts';
import type { FlagsOf } from './flag-values.ts';
import { refreshBefore } from './serve.ts';
import { profileRoles } from './served-roles.ts';
import type { RolesToServe } from './served-roles.ts';

/** A program to run: with arguments, or as a text for a shell. */
export type Program = readonly [file: string, ...args: string[]] | { readonly shell: string };

export interface UpdateOptions {
  /** The roles, each named after the profile to write. */
  readonly roles: RolesToServe;
  readonly once: boolean;
  /** The life left at which a set is renewed, in milliseconds; undefined to let its whole life decide. */
  readonly refreshBeforeMs: number | undefined;
  /** What to run after each write. */
  readonly onUpdate: Program | undefined;
  /** Whether the keys are taken out at the end. */
  readonly remove: boolean;
}

/**
 * Checks the flags of `update`.
 *
 * @throws RolesAnywhereError of class `usage`
 */
export function updateOptions(
  flags: FlagsOf<'update'>,
  env: Readonly<Record<string, string | undefined>>,
): UpdateOptions {
  const roles = profileRoles(flags, env);
  return {
    roles,
    once: flags.once === true,
    refreshBeforeMs: refreshBefore(flags['refresh-before'], roles),
    onUpdate: programOf(flags),
    remove: flags.remove === true,
  };
}

function programOf({ 'on-update': command, 'on-update-shell': shell }: FlagsOf<'update'>): Program | undefined {
  if (command === undefined) {
    if (shell !== true) return undefined;
    throw new RolesAnywhereError('ERR_FLAG_REQUIRED', '--on-update-shell is given, and --on-update is not', {
      flag: '--on-update-shell',
      hint: 'say with --on-update what the shell is to run',
    });
  }
  if (command.startsWith('--'))
    throw refused(`${JSON.stringify(command)} is a flag, not a program`, '--on-update lacks its value');
  if (shell === true) return { shell: command };
  const words = splitWords(command);
  if (words === undefined) throw refused('a quote does not end', 'it is a program and its arguments');
  const [file, ...args] = words;
  if (file === undefined) throw refused('it names no program', 'give a program and its arguments');
  return [file, ...args];
}

function refused(what: string, hint: string): RolesAnywhereError {
  return new RolesAnywhereError('ERR_FLAG_VALUE', `--on-update: ${what}`, { flag: '--on-update', hint });
}
