/** The end of a file that grows, such as a log. Tests: test/console/activity.test.ts */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

/**
 * Reads the last bytes of a file as UTF-8, from the beginning of a line on. What cannot be read, or is no file, is empty:
 * who writes the file is who says what is wrong with it.
 */
export function readTail(path: string, maxBytes: number): string {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) return '';
    const from = Math.max(0, stats.size - maxBytes);
    const bytes = Buffer.alloc(stats.size - from);
    const length = readSync(descriptor, bytes, 0, bytes.length, from);
    const text = bytes.toString('utf8', 0, length);
    return from === 0 ? text : text.slice(text.indexOf('\n') + 1);
  } catch {
    return '';
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
