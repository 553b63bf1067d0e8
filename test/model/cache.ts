/** The whole exploration of the cache and its lock, as one function, so that it can be run on code with a fault too. */
import { cacheWorld } from './cache-world.ts';
import type { CacheSituation } from './cache-world.ts';
import { explore } from './explorer.ts';
import type { Explored } from './explorer.ts';

const MINUTE = 60_000;
const LOCK = 'folder/entry.lock';
/** Holds the lock, and is killed. */
const DEAD = ['0 reads', `0 links ${LOCK}`, '0 is killed'];
/** Begins to break that lock, and is killed before it has done so. */
const DEAD_BREAKER = [
  '1 reads',
  `1 links ${LOCK}`,
  '1 reads',
  `1 looks at ${LOCK}`,
  '1 makes its guard',
  '1 is killed',
];

export const SITUATIONS: Readonly<Record<string, CacheSituation>> = {
  'two processes': { processes: 2 },
  'two processes, of which one is killed at any step': { processes: 2, kills: 1 },
  'two processes, a set that is due, and a service that may refuse twice': {
    processes: 2,
    refusals: 2,
    kept: 5 * MINUTE,
  },
  'two processes, a set that has ended, and a service that may refuse twice': {
    processes: 2,
    refusals: 2,
    kept: -5 * MINUTE,
  },
  'two processes, of which one is stopped for as long as you like': { processes: 2, stops: 1 },
  'two processes on a file system without hard links': { processes: 2, hardLinks: false },
  'two processes on two machines, of which one is killed at any step': { processes: 2, kills: 1, machines: true },
  'two processes, and the lock of one that was killed': { processes: 3, before: DEAD },
  'two processes, and the locks of one that was killed and of one that was killed breaking it': {
    processes: 4,
    before: [...DEAD, ...DEAD_BREAKER],
  },
};

/** Explores from one situation. @throws Counterexample */
export async function exploreCache(situation: string, depth: number): Promise<Explored> {
  const known = SITUATIONS[situation];
  if (known === undefined) throw new Error(`no such situation: ${situation}`);
  return await explore(() => cacheWorld(known), depth);
}
