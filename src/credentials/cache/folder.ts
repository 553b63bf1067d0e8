/** Where kept credentials are: in memory and gone at logout where the system has such a place, else the user's cache directory. */
// Tests: test/credentials/cache/file-store.test.ts
import { lstatSync } from 'node:fs';
import { isAbsolute, sep } from 'node:path';

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
  if (runtime !== undefined && isAbsolute(runtime) && isOwned(runtime)) return below(runtime);
  const home = env['HOME'] || undefined;
  if (platform === 'darwin') return below(home === undefined ? undefined : `${home}/Library/Caches`);
  const cache = env['XDG_CACHE_HOME'];
  return below(cache !== undefined && isAbsolute(cache) ? cache : home === undefined ? undefined : `${home}/.cache`);
}

/** Not by path's `join`, which takes its time when it is called for the first time. */
function below(folder: string | undefined): string | undefined {
  return folder === undefined || !isAbsolute(folder) ? undefined : folder + sep + NAME;
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
