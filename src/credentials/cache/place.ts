/** What places are to a key of kept credentials. */
// Tests: test/credentials/cache/place.test.ts
import { resolve } from 'node:path';

/** A module by a relative path is another one in each folder; a bare name is for the system to find. */
export function libraryPlace(library: string | undefined): string | undefined {
  return library?.includes('/') === true ? resolve(library) : library;
}
