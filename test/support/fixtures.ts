import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Path of a file of test/identity/fixtures. */
export function fixturePath(name: string): string {
  return fileURLToPath(new URL(`../identity/fixtures/${name}`, import.meta.url));
}

export function fixture(name: string): Buffer {
  return readFileSync(fixturePath(name));
}
