// The runtimes that the standalone executables are made of: fetched once from the npm registry, checked against a pinned
// digest each time, and made deaf to the variables that would let an environment run code in them.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { npm } from '../prepare.mjs';
import { BUN_VERSION } from './standalone-targets.mjs';

/**
 * Unpacks the runtime of a target into a folder.
 *
 * @param {import('./standalone-targets.mjs').Target} target
 * @returns {string} the runtime's executable, as published
 * @throws Error when it cannot be fetched, or is not what is pinned
 */
export function fetchRuntime(target, folder) {
  const archive = fetchArchive(target.package, BUN_VERSION, target.integrity);
  mkdirSync(folder, { recursive: true });
  execFileSync('tar', ['-xzf', archive, '-C', folder]);
  const file = join(folder, 'package/bin', target.runsOn.os[0] === 'win32' ? 'bun.exe' : 'bun');
  chmodSync(file, 0o755);
  return file;
}

/**
 * The archive of an npm package, from this user's cache or the registry.
 *
 * @param {string} integrity its digest, as npm gives it
 * @returns {string} its path
 */
export function fetchArchive(name, version, integrity) {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'roles-anywhere-build');
  const archive = join(cache, `${name.replace(/^@/, '').replace('/', '-')}-${version}.tgz`);
  if (!existsSync(archive)) {
    mkdirSync(cache, { recursive: true });
    const fresh = mkdtempSync(join(cache, 'fetch-'));
    try {
      const [command, args] = npm(
        'pack',
        `${name}@${version}`,
        '--json',
        '--loglevel=error',
        '--pack-destination',
        fresh,
      );
      const [{ filename }] = JSON.parse(
        execFileSync(command, args, {
          cwd: fresh,
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'inherit'],
          shell: process.platform === 'win32' && command === 'npm',
        }),
      );
      renameSync(join(fresh, filename.replace(/^@/, '').replace('/', '-')), archive);
    } finally {
      rmSync(fresh, { recursive: true });
    }
  }
  const digest = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
  if (digest !== integrity)
    throw new Error(`${archive} is not the archive that is pinned: it has the digest ${digest}`);
  return archive;
}

/** Variables that must have no effect, or an environment runs code in every executable: the build fails without them. */
const MUST_GO = ['BUN_OPTIONS', 'BUN_BE_BUN', 'BUN_INSPECT', 'BUN_INSPECT_CONNECT_TO', 'BUN_INSPECT_PRELOAD'];

/** Not of the environment: symbols of the runtime's own scripts. */
const NO_VARIABLE = /^BUN_(?:WORKER_|FFI_|INTERNALS_)/;

/**
 * Writes a copy of a runtime that knows none of its own variables (`BUN_...`). It looks each up by a name among its
 * constants, which ends in a NUL; the first byte becomes a NUL too, and so the name an empty one, which no variable has.
 *
 * @returns {string[]} the names that were taken away
 * @throws Error when the names are not where they were: another version keeps them otherwise
 */
export function neutraliseRuntime(file, copy) {
  const bytes = readFileSync(file);
  const names = [];
  for (const { index, 1: name } of bytes.toString('latin1').matchAll(/(?<=\0)(BUN_[A-Z][A-Z0-9_]+)(?=\0)/g)) {
    if (NO_VARIABLE.test(name)) continue;
    bytes[index] = 0;
    names.push(name);
  }
  const missing = MUST_GO.filter((name) => !names.includes(name));
  if (missing.length > 0) throw new Error(`the runtime ${file} does not have ${missing.join(', ')} where expected`);
  writeFileSync(copy, bytes, { mode: 0o755 });
  return names;
}
