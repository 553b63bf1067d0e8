/** AWS's own helper, as a program to compare with. Nothing of it is in this package: it is installed by Go, for tests only. */
import { findGoProgram } from '../../support/go-program.ts';

/** The newest that Go's module proxy serves. */
const HELPER = { module: 'github.com/aws/rolesanywhere-credential-helper', package: '', version: 'v1.7.3' };

/** The path of AWS's helper; installing it takes half a minute. */
export function findHelper(): Promise<string | undefined> {
  return findGoProgram(HELPER);
}
