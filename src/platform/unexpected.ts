/** What nobody foresaw, as the error that it counts as. Loaded when there is one. */
// Tests: test/platform/report.test.ts, test/cli/working-directory.heavy.test.ts
import { RolesAnywhereError } from './errors.ts';

/**
 * An error as one of ours. Two of Node's are the user's affair, wherever they come up: about a working directory that was
 * removed, in which a relative path would be completed, and about what `--permission` forbids. Any other is `ERR_INTERNAL`.
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
  if (thrown instanceof Error && 'permission' in thrown && 'code' in thrown && thrown.code === 'ERR_ACCESS_DENIED')
    return new RolesAnywhereError(
      'ERR_FILE_UNREADABLE',
      `Node's permission model forbids ${String(thrown.permission)}${'resource' in thrown ? ` of ${String(thrown.resource)}` : ''}`,
      { hint: 'start Node without --permission, or allow it (--allow-fs-read=PATH)', cause: thrown },
    );
  return new RolesAnywhereError('ERR_INTERNAL', words, { hint, cause: thrown });
}
