import { describe, expect, it } from 'vitest';
import { styleOf } from '../../src/platform/terminal-style.ts';

describe('the style of a stream', () => {
  it.each<[string, boolean, Record<string, string>, boolean]>([
    ['a terminal', true, { TERM: 'xterm' }, true],
    ['a terminal of Windows, which has no TERM', true, {}, true],
    ['a terminal under an empty NO_COLOR', true, { NO_COLOR: '' }, true],
    ['a terminal under NO_COLOR', true, { NO_COLOR: '1' }, false],
    ['a terminal that has no colour', true, { TERM: 'dumb' }, false],
    ['a pipe', false, { TERM: 'xterm' }, false],
  ])('%s', (_, isTerminal, env, hasColour) => {
    const text = styleOf(isTerminal, env)('red', 'error:');
    expect(text).toBe(hasColour ? '\u001b[1;31merror:\u001b[0m' : 'error:');
  });
});
