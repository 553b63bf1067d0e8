/** Ends a program that was started and everything that it has started, without a group of their own: those could ask no person at the terminal. */
// Tests: test/sources/profile-roles.test.ts
import { execFileSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';

/** Rounds of looking for children that were started meanwhile. */
const MOST_ROUNDS = 16;

/**
 * Kills a child and its descendants. Each is stopped first, so that none starts another one unseen. What has left its
 * parent, as a daemon does, is none of them any more.
 */
export function killTree(child: ChildProcess, by: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): void {
  const { pid } = child;
  if (pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  if (process.platform === 'win32') {
    attempt(() => execFileSync('taskkill', ['/pid', String(pid), '/t', '/f'], { stdio: 'ignore' }));
    return;
  }
  const tree = new Set([pid]);
  signal(pid, 'SIGSTOP');
  for (let round = 0, before = 0; before < tree.size && round < MOST_ROUNDS; round++) {
    before = tree.size;
    const parents = parentsOf();
    // A set goes on to what is added meanwhile: children of children.
    for (const parent of tree)
      for (const [one, of] of parents)
        if (of === parent && !tree.has(one)) {
          signal(one, 'SIGSTOP');
          tree.add(one);
        }
  }
  for (const one of tree) signal(one, by);
  for (const one of tree) signal(one, 'SIGCONT');
}

/** The parent of each process. */
function parentsOf(): Map<number, number> {
  const pairs = attempt(() => (process.platform === 'linux' ? ofProc() : ofPs())) ?? [];
  return new Map(pairs);
}

/** Field 4 of /proc/PID/stat (proc(5)): the name before it is in brackets, and may hold any character. */
function ofProc(): [number, number][] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name): [number, number][] => {
      const stat = attempt(() => readFileSync(`/proc/${name}/stat`, 'latin1'));
      const parent = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[1];
      return parent === undefined ? [] : [[Number(name), Number(parent)]];
    });
}

function ofPs(): [number, number][] {
  const text = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return [...text.matchAll(/(\d+)\s+(\d+)/g)].map(([, one, parent]) => [Number(one), Number(parent)]);
}

function signal(pid: number, name: NodeJS.Signals): void {
  attempt(() => process.kill(pid, name));
}

/** What has ended meanwhile is no failure. */
function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
