/** Values such as `[NAME=]ROLE_ARN,KEY=VALUE,KEY=VALUE`, whose values may hold commas and equals signs themselves. */
// Tests: test/options/served-roles.test.ts, test/options/hops.test.ts
import { RolesAnywhereError } from '../platform/errors.ts';
import type { FlagItem } from './flags.ts';
import { nearest } from '../platform/suggest.ts';

/** How the values of one flag are written. */
export interface ItemForm {
  /** The flag, with its dashes. */
  readonly flag: string;
  /** The keys of settings, spelt as flags. */
  readonly keys: readonly string[];
  /** Whether a name may come first. */
  readonly named: boolean;
  /** How it is written, for hints. */
  readonly hint: string;
}

/**
 * Takes a value apart. One from a profile is so already. A comma separates only before a known key.
 *
 * @throws RolesAnywhereError `ERR_FLAG_VALUE` for what looks like a key and is none
 */
export function readItem(value: string | FlagItem, form: ItemForm): FlagItem {
  if (typeof value !== 'string') return value;
  const { flag, keys, named, hint } = form;
  const [first = '', ...rest] = value.split(new RegExp(`,(?=(?:${keys.join('|')})=)`));
  const equals = named && !first.startsWith('arn:') ? first.indexOf('=') : -1;
  const name = equals < 0 ? undefined : first.slice(0, equals);
  const head = first.slice(equals + 1);
  const [arn = ''] = head.split(',', 1);
  const shown = name ?? (named ? arn.slice(arn.lastIndexOf('/') + 1) : arn);
  refuseUnknownKeys(`${flag} ${shown}`, [first, ...rest], keys, hint);
  const settings = rest.map((setting) => {
    const at = setting.indexOf('=');
    return [setting.slice(0, at), setting.slice(at + 1)] as const;
  });
  return { name, head, settings };
}

/** A value as it is written. */
export function itemText(item: string | FlagItem): string {
  if (typeof item === 'string') return item;
  const { name, head, settings } = item;
  return [name === undefined ? head : `${name}=${head}`, ...settings.map((setting) => setting.join('='))].join(',');
}

/**
 * Refuses what was meant to be a key, before it becomes a part of the value in front of it: a word of several parts or
 * near a key's, or one whose value is an ARN or a path. Names of roles hold commas, but hardly those.
 *
 * @param where what begins the message
 * @param parts of the item: without the commas in front of known keys
 * @param hint how the item is written
 * @throws RolesAnywhereError `ERR_FLAG_VALUE`
 */
function refuseUnknownKeys(where: string, parts: readonly string[], keys: readonly string[], hint: string): void {
  for (const part of parts) {
    for (const [, key = '', value = ''] of part.matchAll(/,([A-Za-z][\w-]*)=([^,]*)/g)) {
      const meant = meantBy(key, keys);
      if (meant === undefined && !/^[a-z]+(?:[-_][a-z]+)+$/.test(key) && !/^(?:arn:|\.?\.?\/)/.test(value)) continue;
      throw new RolesAnywhereError('ERR_FLAG_VALUE', `${where}: there is no key ${key}`, {
        hint: meant === undefined ? hint : `did you mean ${meant}? ${hint}`,
      });
    }
  }
  const [first = ''] = parts;
  if (first.indexOf('arn:', first.indexOf('arn:') + 1) > 0)
    throw new RolesAnywhereError('ERR_FLAG_VALUE', `${where}: two ARNs and no key between them`, {
      hint: `repeat the flag for another role; ${hint}`,
    });
}

/** The key that is nearest, or the only one that ends so. */
function meantBy(word: string, keys: readonly string[]): string | undefined {
  // From profileArn and profile_arn to profile-arn.
  const plain = word
    .replaceAll(/(?<=[a-z])[A-Z]/g, '-$&')
    .replaceAll('_', '-')
    .toLowerCase();
  const ending = keys.filter((key) => key.endsWith(`-${plain}`));
  return nearest(plain, keys) ?? (ending.length === 1 ? ending[0] : undefined);
}
