import { describe, expect, it } from 'vitest';
import { larger, runs, steps } from './decide.ts';

describe('decide', () => {
  it('counts steps', () => {
    expect(steps(3)).toBe(3);
  });
  it('finds the larger', () => {
    expect([larger(1, 2), larger(2, 1)]).toEqual([2, 2]);
  });
  it('tells whether a process runs', () => {
    // More than any process's number.
    expect([runs(process.pid), runs(2 ** 30)]).toEqual([true, false]);
  });
});
