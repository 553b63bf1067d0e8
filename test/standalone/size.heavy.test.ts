/** What the executable may weigh. Nearly all of it is the runtime: look at what came in before raising it. */
import { statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { requireStandalone, STANDALONE } from '../support/standalone.ts';

const BUDGET_BYTES = 124_000_000;

describe.skipIf(!requireStandalone())('the executable for Linux x64', () => {
  it('weighs no more than its budget, and is no empty shell', () => {
    const { size } = statSync(STANDALONE);
    expect(size).toBeLessThan(BUDGET_BYTES);
    expect(size).toBeGreaterThan(BUDGET_BYTES / 2);
  });
});
