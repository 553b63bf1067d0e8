/** The region of whoever has no trust anchor to name one. Tests: test/providers/assume-role.test.ts */
import { isRegion } from '../aws/arn.ts';
import { RolesAnywhereError } from '../platform/errors.ts';

/**
 * The region in which STS is asked, where no trust anchor names one.
 *
 * @param given by the user
 * @throws RolesAnywhereError `ERR_REGION`
 */
export function regionOf(given: string | undefined, env: Readonly<Record<string, string | undefined>>): string {
  const region = given ?? (env['AWS_REGION'] || env['AWS_DEFAULT_REGION']);
  if (region && isRegion(region)) return region;
  throw new RolesAnywhereError(
    'ERR_REGION',
    region ? `not a region: ${JSON.stringify(region)}` : 'no region is given',
    { hint: 'give one such as us-east-1 with the option region (--region) or AWS_REGION' },
  );
}
