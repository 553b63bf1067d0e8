/** The limits of a role session that Roles Anywhere, STS and the console have in common. */
// Tests: test/options/vending.test.ts, test/aws/assume-role.test.ts
import { RolesAnywhereError } from '../platform/errors.ts';
import type { ErrorDetails } from '../platform/errors.ts';

/** IAM Roles Anywhere API Reference, "CreateSession"; STS API Reference, "AssumeRole": DurationSeconds. */
const MIN_SECONDS = 900;
const MAX_SECONDS = 43_200;

/**
 * Checks how long a session is to last; undefined leaves that to AWS.
 *
 * @param name how the message names it: a flag, or an option of the library
 * @throws RolesAnywhereError `ERR_DURATION`
 */
export function checkDuration(seconds: number | undefined, name: string): void {
  if (seconds === undefined || (Number.isInteger(seconds) && seconds >= MIN_SECONDS && seconds <= MAX_SECONDS)) return;
  throw new RolesAnywhereError(
    'ERR_DURATION',
    `${name} is out of range: ${seconds}`,
    about(name, `give ${MIN_SECONDS} to ${MAX_SECONDS} seconds`),
  );
}

/**
 * Checks the name of a session: STS API Reference, "AssumeRole", RoleSessionName.
 *
 * @throws RolesAnywhereError `ERR_SESSION_NAME`
 */
export function checkSessionName(text: string | undefined, name: string): void {
  if (text === undefined || /^[\w+=,.@-]{2,64}$/.test(text)) return;
  throw new RolesAnywhereError(
    'ERR_SESSION_NAME',
    `${name} is not a session name: ${shown(text)}`,
    about(name, 'give 2 to 64 letters, digits and characters of _+=,.@-'),
  );
}

/** How a message names a parameter: as the library does, or by its flag. */
export type NameOf = (parameter: string) => string;

/** The details of an error about a parameter, which a command line gives with a flag. */
export function about(name: string, hint: string): ErrorDetails {
  return { hint, flag: name.startsWith('--') ? name : undefined };
}

/** A user's text in a message: on one line and of bearable length. */
export function shown(text: unknown): string {
  return JSON.stringify(typeof text === 'string' && text.length > 200 ? `${text.slice(0, 200)}...` : String(text));
}
