import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { libraryPlace } from '../../../src/credentials/cache/place.ts';

describe('the place of a module', () => {
  it('is a path from the root, unless the system is to find it', () => {
    expect(libraryPlace('./lib/module.so')).toBe(resolve('lib/module.so'));
    expect(libraryPlace('lib/module.so')).toBe(resolve('lib/module.so'));
    expect(libraryPlace('/lib/module.so')).toBe(resolve('/lib/module.so'));
    expect([libraryPlace('module.so'), libraryPlace(undefined)]).toEqual(['module.so', undefined]);
  });
});
