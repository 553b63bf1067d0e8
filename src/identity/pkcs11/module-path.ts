/** Which library to load: what was asked for, in the places where it may lie. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { RolesAnywhereError } from '../../platform/errors.ts';
import type { Pkcs11Uri } from './uri.ts';

const SUFFIX: Readonly<Partial<Record<NodeJS.Platform, string>>> = { darwin: '.dylib', win32: '.dll' };

/** Where distributions put modules, besides the loader's own path. */
const FOLDERS: readonly string[] = [
  '/usr/lib/pkcs11',
  '/usr/lib64/pkcs11',
  '/usr/lib/x86_64-linux-gnu/pkcs11',
  '/usr/lib/aarch64-linux-gnu/pkcs11',
  '/usr/lib/arm-linux-gnueabihf/pkcs11',
  '/usr/lib/softhsm',
  '/usr/local/lib',
  '/usr/local/lib/pkcs11',
  '/opt/homebrew/lib',
  '/opt/homebrew/lib/pkcs11',
];

/**
 * The libraries to try, in order: the one of the flag, the one that a URI
 * names, or p11-kit's proxy, which shows the tokens of every module that the
 * system has registered.
 *
 * @param flag the value of --pkcs11-lib
 * @throws RolesAnywhereError `ERR_PKCS11_URI` when two URIs name two modules
 */
export function librariesToTry(
  flag: string | undefined,
  uris: readonly Pkcs11Uri[],
  platform: NodeJS.Platform = process.platform,
): string[] {
  if (flag !== undefined) return [flag];
  const named = uris.filter(({ modulePath, moduleName }) => modulePath !== undefined || moduleName !== undefined);
  const [first, ...others] = named.map((uri) => fromUri(uri, platform));
  if (first === undefined) return byName('p11-kit-proxy', platform);
  if (others.some((other) => other.join() !== first.join())) {
    throw new RolesAnywhereError(
      'ERR_PKCS11_URI',
      'the URIs of --certificate and --private-key name different modules',
      { flag: ['--certificate', '--private-key'], hint: 'give the same module-path in both, or --pkcs11-lib' },
    );
  }
  return first;
}

function fromUri({ modulePath, moduleName }: Pkcs11Uri, platform: NodeJS.Platform): string[] {
  if (modulePath === undefined) return byName(moduleName ?? '', platform);
  if (!isFolder(modulePath)) return [modulePath];
  return fileNames(moduleName ?? 'p11-kit-proxy', platform).map((name) => join(modulePath, name));
}

/** By the loader's own search first, as a system administrator set it up. */
function byName(name: string, platform: NodeJS.Platform): string[] {
  const names = fileNames(name, platform);
  return platform === 'win32'
    ? names
    : [...names, ...FOLDERS.flatMap((folder) => names.map((file) => join(folder, file)))];
}

/** RFC 7512 has module-name without a prefix and a suffix. */
function fileNames(name: string, platform: NodeJS.Platform): string[] {
  if (/[/\\]/.test(name) || name === '') {
    throw new RolesAnywhereError('ERR_PKCS11_URI', 'module-name is not the name of a library', {
      hint: 'give its path as module-path=/path/to/library.so',
    });
  }
  const suffix = SUFFIX[platform] ?? '.so';
  return [`${name}${suffix}`, `lib${name}${suffix}`];
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
