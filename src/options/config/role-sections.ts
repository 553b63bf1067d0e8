/**
 * Roles with a profile each: `rolesanywhere_role_profiles = a b` serves one role for the profile a and one for b, and
 * `rolesanywhere_assume_role_profiles` does the same for the hops of a chain. Each becomes an item of the flag.
 */
// Tests: test/options/config/configured.test.ts
import { flagRow } from '../flags.ts';
import type { FlagItem, FlagName } from '../flags.ts';
import { HOP_KEYS } from '../hops.ts';
import { ROLE_KEYS } from '../served-roles.ts';
import type { ConfigFile } from './file.ts';
import { keyError } from './ini.ts';
import { splitWords } from './words.ts';

/** The keys that name profiles, and the flag that their items belong to. */
export const SECTION_KEYS: ReadonlyMap<string, string> = new Map([
  ['rolesanywhere_role_profiles', 'role'],
  ['rolesanywhere_assume_role_profiles', 'assume-role-arn'],
]);

/** One key of a profile that stands for a flag. */
export interface ProfileText {
  readonly flag: FlagName;
  readonly text: string;
  readonly name: string;
  readonly line: number;
}

/** The form of an item: the key that begins it, whether the profile's name goes in front, and the keys that may follow. */
const FORMS: Readonly<
  Record<string, { readonly head: string; readonly named: boolean; readonly keys: readonly string[] }>
> = {
  role: { head: 'role-arn', named: true, keys: ROLE_KEYS },
  'assume-role-arn': { head: 'assume-role-arn', named: false, keys: HOP_KEYS },
};

/**
 * Makes the items of `flag` from the profiles that `text` names.
 *
 * @throws RolesAnywhereError `ERR_CONFIG_PROFILE`; `ERR_CONFIG_KEY` for a key that one role cannot have for itself
 */
export function rolesInSections(
  file: ConfigFile,
  flag: string,
  text: string,
  line: number,
  read: (file: ConfigFile, profile: string) => readonly ProfileText[],
): readonly FlagItem[] {
  const form = FORMS[flag];
  if (form === undefined) return [];
  const profiles = splitWords(text);
  if (profiles === undefined) throw keyError(file.path, line, 'a quote does not end', 'it is a list of profiles');
  return profiles.map((profile) => itemOf(file, profile, form, read(file, profile), line));
}

function itemOf(
  file: ConfigFile,
  profile: string,
  { head, named, keys }: { readonly head: string; readonly named: boolean; readonly keys: readonly string[] },
  texts: readonly ProfileText[],
  line: number,
): FlagItem {
  const first = texts.find(({ flag, name }) => flag === head && !SECTION_KEYS.has(name));
  if (first === undefined)
    throw keyError(
      file.path,
      line,
      `profile ${profile} names no role`,
      `give it rolesanywhere_${head.replaceAll('-', '_')}`,
    );
  const settings = texts
    .filter((text) => text !== first)
    .flatMap(({ flag, text, name, line: at }) => {
      if (!keys.includes(flag) || SECTION_KEYS.has(name))
        throw keyError(
          file.path,
          at,
          `one role cannot have ${name} for itself`,
          `it can have ${keys.map((key) => key.replaceAll('-', '_')).join(', ')}`,
        );
      const values = flagRow(flag).kind === 'list' ? splitWords(text) : [text];
      if (values === undefined)
        throw keyError(file.path, at, `${name} holds a quote that does not end`, 'it is a list of words');
      return values.map((value) => [flag, value] as const);
    });
  return { name: named ? profile : undefined, head: first.text, settings };
}
