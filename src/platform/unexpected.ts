/** What nobody foresaw, as the error that it counts as. */
// Tests: test/platform/report.test.ts, test/cli/working-directory.heavy.test.ts
import { OPEN_FILES_HINT, RolesAnywhereError } from './errors.ts';

/**
 * An error as one of ours. Three of Node's are the user's affair, wherever they come up: about a working directory that was
 * removed, in which a relative path would be completed, about what `--permission` forbids, and about too many open files. Any
 * other is `ERR_INTERNAL`.
 *
 * @param words the message of that
 */
export function asOurs(thrown: unknown, words: string, hint?: string): RolesAnywhereError {
  const isOurs = thrown instanceof RolesAnywhereError;
  if (isOurs && thrown.code !== 'ERR_INTERNAL') return thrown;
  const { cause } = isOurs ? thrown : { cause: thrown };
  return (
    usersAffair(cause) ?? (isOurs ? thrown : new RolesAnywhereError('ERR_INTERNAL', words, { hint, cause: thrown }))
  );
}

function usersAffair(cause: unknown): RolesAnywhereError | undefined {
  if (!(cause instanceof Error)) return undefined;
  const code = 'code' in cause ? cause.code : undefined;
  if ('syscall' in cause && cause.syscall === 'uv_cwd')
    return new RolesAnywhereError(
      'ERR_FILE_NOT_FOUND',
      'the working directory is gone, in which a relative path starts',
      { hint: 'change to a directory that is there, or give absolute paths', cause },
    );
  if ('permission' in cause && code === 'ERR_ACCESS_DENIED')
    return new RolesAnywhereError(
      'ERR_FILE_UNREADABLE',
      `Node's permission model forbids ${String(cause.permission)}${'resource' in cause ? ` of ${String(cause.resource)}` : ''}`,
      { hint: 'start Node without --permission, or allow it (--allow-fs-read=PATH)', cause },
    );
  if (code === 'EMFILE' || code === 'ENFILE')
    return new RolesAnywhereError('ERR_FILE_UNREADABLE', 'too many files are open', {
      hint: OPEN_FILES_HINT,
      cause,
    });
  return undefined;
}
