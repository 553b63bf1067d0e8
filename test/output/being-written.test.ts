import { describe, expect, it } from 'vitest';
import { type Look, verdictOf } from '../../src/output/being-written.ts';

const NOW = Date.UTC(2026, 0, 1);
const look = (more: Partial<Look> & { readonly ageMs?: number }): Look => ({
  text: '[default]\n',
  isTorn: false,
  changedMs: NOW - (more.ageMs ?? 0),
  nowMs: NOW,
  waitedMs: 0,
  ...more,
});
const part = '[default]\naws_access';

describe('a file that others may be writing', () => {
  it.each([
    ['has lain still for 20 ms', {}, 20, 'whole'],
    ['has lain still for less', {}, 19.9, 'wait'],
    ['was looked at for 20 ms, and is changed all the time', { waitedMs: 20 }, 0, 'whole'],
    ['was looked at for less', { waitedMs: 19.9 }, 0, 'wait'],
    ['was made by a clock that is an hour ahead', {}, -3_600_000, 'whole'],
    ['was made by one that is hardly ahead', {}, -19, 'wait'],
    ['has no last line end, for a second', { text: part }, 1000, 'whole'],
    ['has none, for less', { text: part, waitedMs: 999 }, 999, 'wait'],
    ['is empty, for a second', { text: '' }, 1000, 'whole'],
    ['is empty, for less', { text: '' }, 999, 'wait'],
    ['has its only line end elsewhere', { text: '\n[default]' }, 500, 'wait'],
    ['changed while it was read', { isTorn: true }, 5000, 'wait'],
    ['changed so each time, for 10 s', { isTorn: true, waitedMs: 10_000 }, 5000, 'give up'],
    ['changed so for less', { isTorn: true, waitedMs: 9999 }, 5000, 'wait'],
    ['was a part each time, for 10 s', { text: part, waitedMs: 10_000 }, 0, 'give up'],
    ['has become whole at last', { waitedMs: 10_000 }, 20, 'whole'],
  ] as const)('that %s', (_, more, ageMs, verdict) => {
    expect(verdictOf(look({ ...more, ageMs }))).toBe(verdict);
  });
});
