/** What places are to a key of kept credentials. */
// Tests: test/credentials/cache/place.test.ts
import { resolve } from 'node:path';

/** A module by a relative path is another one in each folder; a bare name is for the system to find. */
export function libraryPlace(library: string | undefined): string | undefined {
  return library?.includes('/') === true ? resolve(library) : library;
}

/** What names the places of a device: a path from the root, or a host, alone or in a value such as `swtpm:path=/run/s`. */
const FROM_ANYWHERE = /(?:^|[=:])(?:[A-Za-z]:)?(?:[\\/]|%2F)|\b(?:host|port)=|^(?:\d*|[a-z]+:?)$/i;

/**
 * Whether words by which a token or a TPM is found mean another one in another folder: a relative path is among them. One
 * that is no path is taken for one: then each folder has a session of its own.
 *
 * @param values those of `NAME=value`, of flags and of options; undefined and empty ones name nothing
 */
export function isFoundFromHere(values: readonly (string | undefined)[]): boolean {
  return values.some((value = '') => !FROM_ANYWHERE.test(value));
}

/** The values in a PKCS#11 URI that are paths of modules. */
export function modulePathsOf(place: string | undefined): string[] {
  return [...(place ?? '').matchAll(/[?&]module-path=([^&]*)/gi)].map(([, path = '']) => path);
}
