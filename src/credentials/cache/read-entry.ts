/** From kept text to an entry that may be used. */
// Tests: test/credentials/cache/keep.test.ts
import { afterSetBack, parseEntry } from './entry.ts';
import type { CacheEntry } from './entry.ts';
import { bootOf, countedNow, stampOfPlace } from './safe-file.ts';

/**
 * The entry; undefined for none, what cannot be read, and one whose certificate was replaced or is gone.
 *
 * @param now milliseconds since 1970
 */
export function readEntry(text: string | undefined, now: number = Date.now()): CacheEntry | undefined {
  const found = text === undefined ? undefined : parseEntry(text);
  const entry = found && afterSetBack(found, now, countedNow(), (boot) => boot === bootOf());
  if (entry?.certificate === undefined) return entry;
  const [path, stamp] = entry.certificate;
  return stampOfPlace(path) === stamp ? entry : undefined;
}
