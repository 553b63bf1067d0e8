/** Options that must be there, in programs whose types nobody checks: `process.env.NAME` is undefined where it is not set. */
import { RolesAnywhereError } from '../errors.ts';

/** @throws RolesAnywhereError `ERR_FLAG_REQUIRED` when it is not there, `ERR_USAGE` when it is not text, nor bytes where they will do */
export function requireGiven(name: string, value: unknown, bytes = false): void {
  if (value === undefined || value === null || value === '')
    throw new RolesAnywhereError('ERR_FLAG_REQUIRED', `${name} is not given`, {
      hint: 'an environment variable that is not set gives undefined',
    });
  if (typeof value !== 'string' && !(bytes && value instanceof Uint8Array))
    throw new RolesAnywhereError('ERR_USAGE', `${name} is of the wrong type: ${typeof value}`);
}
