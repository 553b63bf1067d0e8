/** Every interleaving of processes that share the cache, step by step, with those that are killed or stopped at any of them. */
import { describe, expect, it } from 'vitest';
import { SITUATIONS, exploreCache } from './cache.ts';
import { type Fault, importWithFault } from './seeded.ts';

/** More steps than any sequence has that does not go round: all states are met. */
const ALL = 400;
/** Where two are at work on a lock that is left, there are too many states to meet all: so many steps behind what was before. */
const LONG = process.env['ROLES_ANYWHERE_LONG'] === '1';
const DEPTH = Number(process.env['MODEL_DEPTH'] ?? (LONG ? 50 : 20));

/** Where one is stopped there are ten times as many ways to go on. */
const SHOWN = Object.keys(SITUATIONS).filter((situation) => LONG || SITUATIONS[situation]?.stops === undefined);

interface Model {
  exploreCache: typeof exploreCache;
}

const lock = 'credentials/cache/lock.ts';
const keep = 'credentials/cache/keep.ts';
const FAULTS: readonly (Fault & {
  readonly name: string;
  readonly in: string;
  readonly sees: RegExp;
  readonly long?: boolean;
})[] = [
  {
    name: 'the lock is taken although it is there',
    file: lock,
    from: 'if (await make(path, text, system)) return',
    to: 'if ((await make(path, text, system)) || true) return',
    in: 'two processes',
    sees: /asks while|was asked 2 times/,
  },
  {
    name: 'no second look at what is kept, once the lock is there',
    file: keep,
    from: 'if (theirs !== undefined) return unpacked(theirs.credentials);',
    to: '',
    in: 'two processes',
    sees: /was asked 2 times/,
  },
  {
    name: 'no heartbeat',
    file: lock,
    from: 'system.touch(path);',
    to: '',
    in: 'two processes on two machines, of which one is killed at any step',
    sees: /asks while|was asked 2 times/,
  },
  {
    name: 'a missed heartbeat is not noticed',
    file: lock,
    from: ' || now - since >= staleMs',
    to: '',
    in: 'two processes on two machines, of which one is killed at any step',
    sees: /waits for ever|kept the last one waiting/,
  },
  {
    name: 'the lock is not released',
    file: lock,
    from: 'await system.files.rm(path, { force: true });\n    },',
    to: 'return;\n    },',
    in: 'two processes',
    sees: /left at the end|waiting|for ever/,
  },
  {
    name: 'a lock is broken without a look at whose it is by now',
    file: lock,
    from: 'if ((await look(path, system))?.text === text) await system.files.rm(path, { force: true, recursive: true });',
    to: 'await system.files.rm(path, { force: true, recursive: true });',
    in: 'two processes, and the lock of one that was killed',
    sees: /asks while/,
  },
  {
    name: 'a lock is broken by all who find it left',
    file: lock,
    from: 'if (await make(guard, own, system)) break;',
    to: 'break;',
    in: 'two processes, and the lock of one that was killed',
    sees: /asks while/,
  },
  {
    name: 'a breaker gives no sign of life',
    file: lock,
    from: 'const end = heartbeat(guard, beatMs, system);',
    to: 'const end = (): void => undefined;',
    in: 'two processes, and the lock of one that was killed',
    sees: /asks while/,
    long: true,
  },
  {
    name: 'a set stays in use when it cannot be renewed, although it has ended',
    file: keep,
    from: ' || !isStillGood(old, now())',
    to: '',
    in: 'two processes, a set that has ended, and a service that may refuse twice',
    sees: /a set that has ended was given/,
  },
];

describe('the model of the cache and its lock', () => {
  it.each(SHOWN.map((situation) => ({ situation })))(
    'keeps every promise in every state of: $situation',
    async ({ situation }) => {
      const bound = SITUATIONS[situation]?.before === undefined ? ALL : DEPTH;
      const { sequences, steps, states, depth } = await exploreCache(situation, bound);
      console.log(`${situation}: ${states} states, ${sequences} sequences, ${steps} steps, the longest of ${depth}`);
      expect(states).toBeGreaterThan(200);
      expect(bound === ALL ? depth < ALL : depth === bound).toBe(true);
    },
    1_800_000,
  );

  it.each(FAULTS.filter(({ long }) => LONG || long !== true))(
    'sees a fault that is put in: $name',
    async ({ sees, in: situation, ...fault }) => {
      const { module, remove } = await importWithFault('cache.ts', fault);
      try {
        await expect((module as Model).exploreCache(situation, ALL)).rejects.toThrow(sees);
      } finally {
        remove();
      }
    },
    300_000,
  );
});
