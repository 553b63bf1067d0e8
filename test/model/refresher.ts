/** The whole exploration of the refreshing provider, as one function, so that it can be run on code with a fault too. */
import { explore } from './explorer.ts';
import type { Explored } from './explorer.ts';
import { SITUATIONS, situated } from './refresher-world.ts';

export { SITUATIONS };

/** Explores from one situation, or from all, shallow sequences first. @throws Counterexample */
export async function exploreRefresher(
  depth: number,
  background: boolean,
  situations: readonly string[] = Object.keys(SITUATIONS),
): Promise<Explored & { given: number }> {
  const sum = { sequences: 0, steps: 0, states: 0, depth: 0, given: 0 };
  for (const situation of situations) {
    const worlds: { given: number }[] = [];
    const begin = async () => {
      // What a world has given is added up when the next one begins.
      sum.given += worlds.pop()?.given ?? 0;
      const world = await situated(situation, background);
      worlds.push(world);
      return world;
    };
    const { sequences, steps, depth: deepest } = await explore(begin, depth);
    sum.given += worlds.pop()?.given ?? 0;
    sum.sequences += sequences;
    sum.steps += steps;
    sum.depth = Math.max(sum.depth, deepest);
  }
  return sum;
}
