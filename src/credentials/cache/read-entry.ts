/** From kept text to an entry that may be used. */
// Tests: test/credentials/cache/keep.test.ts
import { parseEntry } from './entry.ts';
import type { CacheEntry } from './entry.ts';
import { stampOf } from './safe-file.ts';

/** The entry; undefined for none, what cannot be read, and one whose certificate was replaced or is gone. */
export function readEntry(text: string | undefined): CacheEntry | undefined {
  const entry = text === undefined ? undefined : parseEntry(text);
  if (entry?.certificate === undefined) return entry;
  const [path, stamp] = entry.certificate;
  return stampOf(path) === stamp ? entry : undefined;
}
