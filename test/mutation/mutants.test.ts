import { describe, expect, it } from 'vitest';
import { mutantsOf } from './harness/mutants.ts';

function changes(source: string): string[] {
  return mutantsOf('a.ts', source).map(({ from, to }) => `${from} -> ${to}`);
}

describe('the mutants of a source', () => {
  it.each([
    ['f = a < 1;', ['f = a < 1; -> ;', '< -> <=', '1 -> 2', '1 -> 0']],
    ['const f = a === b && !c;', ['&& -> ||', '=== -> !==', '! -> ']],
    ['const f = a + b - c;', ['- -> +', '+ -> -']],
    ['const f = `${a}` + b;', ["`${a}` -> ''"]],
    ['const f = a?.b ?? c;', [' ?? c -> ', '?. -> .']],
    ['const f = a?.(b?.[c]);', ['?. -> ', '?. -> ']],
    ['const f = a ? b : c;', ['a -> true', 'a -> false']],
    ['const f = true;', ['true -> false']],
    ["const f = ['x'];", ["['x'] -> []", "'x' -> ''"]],
    ['const f = /^a$/u;', ['^ -> ', '$ -> ']],
    ['const f = a.filter(b).some(c);', ['some -> every', '.filter(b) -> ']],
    ['while (a) b();', ['a -> false', 'b(); -> ;']],
    ["f = errorAnswer(400, 'A', `a ${b}`);", ["f = errorAnswer(400, 'A', `a ${b}`); -> ;", '400 -> 401', '400 -> 399']],
    ["throw malformed('a', 1);", ["throw malformed('a', 1); -> ;", '1 -> 2', '1 -> 0']],
    ["throw new RangeError('a' + b);", ["throw new RangeError('a' + b); -> ;"]],
  ])('%s', (source, expected) => {
    expect(changes(source)).toEqual(expected);
  });

  it.each(["import a from 'a';", "log.info('a');", "type A = 'a' | 1;", 'interface A { b: true }'])(
    'has none for what decides nothing: %s',
    (source) => {
      expect(changes(source)).toEqual([]);
    },
  );

  it('have one change each, and a place that lines above do not move', () => {
    const source = 'function f(a: number): number {\n  return a > 1 ? 1 : a;\n}\n';
    const mutants = mutantsOf('a.ts', source);
    expect(mutants.map((mutant) => mutant.source)).toContain(source.replace('>', '>='));
    expect(new Set(mutants.map((mutant) => mutant.source))).toHaveLength(mutants.length);
    const moved = mutantsOf('a.ts', `// A line.\n${source}`);
    const place = ({ code, from, to, nth }: (typeof mutants)[number]): unknown => [code, from, to, nth];
    expect(moved.map(place)).toEqual(mutants.map(place));
    expect(moved.map(({ line }) => line)).toEqual(mutants.map(({ line }) => line + 1));
    expect(new Set(mutants.map((mutant) => JSON.stringify(place(mutant))))).toHaveLength(mutants.length);
  });
});
