/** Where kept credentials are: in memory and gone at logout where the system has such a place, else the user's cache directory. */
// Tests: test/credentials/cache/file-store.test.ts
import { lstatSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';

type Environment = Readonly<Record<string, string | undefined>>;

const NAME = 'roles-anywhere';

/**
 * `$XDG_RUNTIME_DIR/roles-anywhere`, where that variable names a directory of this user, else the user's cache directory:
 * `$XDG_CACHE_HOME` or `~/.cache`, on macOS `~/Library/Caches`, on Windows `%LOCALAPPDATA%`. It need not be there yet.
 *
 * Source: XDG Base Directory Specification 0.8.
 *
 * @returns undefined where nothing says who the user is
 */
export function cacheFolder(env: Environment, platform: NodeJS.Platform = process.platform): string | undefined {
  if (platform === 'win32') return below(env['LOCALAPPDATA']);
  const runtime = env['XDG_RUNTIME_DIR'];
  if (runtime !== undefined && isAbsolute(runtime) && isOwned(runtime)) return join(runtime, NAME);
  const home = env['HOME'] || undefined;
  if (platform === 'darwin') return below(home === undefined ? undefined : join(home, 'Library', 'Caches'));
  const cache = env['XDG_CACHE_HOME'];
  return below(
    cache !== undefined && isAbsolute(cache) ? cache : home === undefined ? undefined : join(home, '.cache'),
  );
}

function below(folder: string | undefined): string | undefined {
  return folder === undefined || !isAbsolute(folder) ? undefined : join(folder, NAME);
}

/** Under sudo or in a container the variable may name what is another user's. */
function isOwned(path: string): boolean {
  try {
    const stats = lstatSync(path);
    return stats.isDirectory() && stats.uid === process.geteuid?.();
  } catch {
    return false;
  }
}
