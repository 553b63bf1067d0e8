/** Items such as `ROLE_ARN,KEY=VALUE,KEY=VALUE`, whose values may hold commas and equals signs themselves. */
// Tests: test/options/served-roles.test.ts, test/options/hops.test.ts
import { RolesAnywhereError } from '../platform/errors.ts';
import { nearest } from './suggest.ts';

/**
 * Refuses what was meant to be a key, before it becomes a part of the value in front of it: a word of several parts or
 * near a key's, or one whose value is an ARN or a path. Names of roles hold commas, but hardly those.
 *
 * @param where what begins the message
 * @param parts of the item: without the commas in front of known keys
 * @param hint how the item is written
 * @throws RolesAnywhereError `ERR_FLAG_VALUE`
 */
export function refuseUnknownKeys(
  where: string,
  parts: readonly string[],
  keys: readonly string[],
  hint: string,
): void {
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
