/** What nobody foresaw, as the error that it counts as. Loaded when there is one. */
// Tests: test/platform/report.test.ts, test/cli/working-directory.heavy.test.ts
import { RolesAnywhereError } from './errors.ts';

/**
 * An error as one of ours. Node's about a working directory that was removed, which it makes wherever a relative path is
 * completed, is the user's affair; any other is `ERR_INTERNAL`.
 *
 * @param words the message of that
 */
export function asOurs(thrown: unknown, words: string, hint?: string): RolesAnywhereError {
  if (thrown instanceof RolesAnywhereError) return thrown;
  if (thrown instanceof Error && 'syscall' in thrown && thrown.syscall === 'uv_cwd')
    return new RolesAnywhereError(
      'ERR_FILE_NOT_FOUND',
      'the working directory is gone, in which a relative path starts',
      { hint: 'change to a directory that is there, or give absolute paths', cause: thrown },
    );
  return new RolesAnywhereError('ERR_INTERNAL', words, { hint, cause: thrown });
}
