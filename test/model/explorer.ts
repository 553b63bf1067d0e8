/**
 * Explores a model exhaustively: every sequence of actions up to a depth is run, each from the start, since code that runs
 * cannot be put back into a state. A model may name its state, and then what follows is run once for each state.
 */

export interface World {
  /** What can happen now, in a fixed order; none ends the sequence. */
  actions(): readonly string[];
  /** Lets it happen, and all that follows at once. */
  take(action: string): Promise<void>;
  /** Called after each action. @throws Error when a promise is broken */
  check(): void;
  /** Called at the end of each sequence, where promises about the future are kept or broken. */
  finish(): Promise<void>;
  /**
   * What all that can follow depends on. Where two sequences lead to one state, what follows is run for the first alone.
   * Left out: every sequence is run.
   */
  state?(): string;
}

export interface Explored {
  readonly sequences: number;
  readonly steps: number;
  /** How many states were told apart; 0 for a model that does not name them. */
  readonly states: number;
  /** The longest sequence that was run. */
  readonly depth: number;
}

/** A broken promise, and the shortest way there that was met. */
class Counterexample extends Error {
  override readonly name = 'Counterexample';
  readonly path: readonly string[];

  constructor(path: readonly string[], cause: unknown) {
    super(`${cause instanceof Error ? cause.message : String(cause)}\n  after: ${path.join(', ')}`, { cause });
    this.path = path;
  }
}

/**
 * Runs every sequence of at most `depth` actions. Shallow ones first where a promise is broken, so that the counterexample
 * is short: give the depths in rising order.
 *
 * @throws Counterexample
 */
export async function explore(begin: () => World | Promise<World>, depth: number): Promise<Explored> {
  const seen = new Map<string, number>();
  let sequences = 0;
  let steps = 0;
  let deepest = 0;
  /** Which of the actions was taken at each place, and how many there were. */
  let choices: { taken: number; of: number }[] = [];
  do {
    const world = await begin();
    const path: string[] = [];
    let pruned = false;
    sequences += 1;
    try {
      for (let at = 0; at < depth; at++) {
        const actions = world.actions();
        choices[at] ??= { taken: 0, of: actions.length };
        const choice = choices[at];
        if (choice === undefined || actions.length === 0) {
          choices.length = at;
          break;
        }
        if (choice.of !== actions.length) throw new Error('the model is not the same each time');
        const action = actions[choice.taken] ?? '';
        path.push(action);
        await world.take(action);
        steps += 1;
        world.check();
        const state = at === choices.length - 1 ? world.state?.() : undefined;
        if (state === undefined) continue;
        // Seen with as many actions to come, or more: nothing new can follow.
        if ((seen.get(state) ?? -1) >= depth - at - 1) {
          pruned = true;
          break;
        }
        seen.set(state, depth - at - 1);
      }
      deepest = Math.max(deepest, path.length);
      if (!pruned) await world.finish();
    } catch (error) {
      throw new Counterexample(path, error);
    }
    choices = next(choices);
  } while (choices.length > 0);
  return { sequences, steps, states: seen.size, depth: deepest };
}

/** The next sequence in the order of a dictionary. */
function next(choices: readonly { taken: number; of: number }[]): { taken: number; of: number }[] {
  const rest = [...choices];
  for (;;) {
    const last = rest.pop();
    if (last === undefined) return [];
    if (last.taken + 1 < last.of) return [...rest, { ...last, taken: last.taken + 1 }];
  }
}
