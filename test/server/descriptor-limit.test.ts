import { describe, expect, it } from 'vitest';
import { connectionShares, descriptorLimit } from '../../src/server/descriptor-limit.ts';

describe('the share of connections', () => {
  it.each([
    [Infinity, 2048, 64],
    [1_048_576, 2048, 64],
    [2069, 1941, 64],
    [1024, 896, 64],
    [256, 168, 24],
    [64, 4, 4],
  ])('of a limit of %d is %d for credentials and %d for health', (limit, connections, status) => {
    expect(connectionShares(limit)).toEqual({ connections, status });
  });
});

describe('the limit on open files', () => {
  it('is read from what Linux tells', () => {
    const text =
      'Limit                     Soft Limit           Hard Limit           Units     \nMax open files            160                  512                  files     \n';
    expect(descriptorLimit(() => text)).toBe(160);
    expect(descriptorLimit(() => text.replace('160', 'unlimited'))).toBe(Infinity);
  });

  it.skipIf(process.platform === 'win32')('is found where there is no /proc, too', () => {
    const limit = descriptorLimit(() => {
      throw new Error('ENOENT');
    });
    expect(limit).toBeGreaterThan(16);
  });
});
