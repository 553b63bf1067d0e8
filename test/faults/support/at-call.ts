/** Builds at-call.c, and makes the environment of a program that is to have something happen at one of its calls. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCE = fileURLToPath(new URL('at-call.c', import.meta.url));

export interface AtCallOptions {
  /** The folder whose files are meant. */
  readonly under: string;
  /** Whether calls count that read, or those that change something. */
  readonly reads: boolean;
  /** From 1; 0 for none. */
  readonly call: number;
  /** As at-call.c has it; `fail ERRNO`. */
  readonly does: string;
  /** Of `replace`: where the new files are. */
  readonly from: string;
  /** A file for the number of calls. */
  readonly count?: string | undefined;
}

export interface AtCall {
  env(options: AtCallOptions): Record<string, string>;
}

/** @param folder for the library */
export function buildAtCall(folder: string): AtCall {
  const library = join(folder, 'at-call.so');
  execFileSync('gcc', ['-shared', '-fPIC', '-O1', '-o', library, SOURCE, '-ldl'], { stdio: 'pipe' });
  return {
    env({ under, reads, call, does, from, count }) {
      const [what = '', errno = '0'] = does.split(' ');
      return {
        LD_PRELOAD: library,
        AT_UNDER: under,
        AT_CALLS: reads ? 'reads' : 'changes',
        AT_CALL: String(call),
        AT_DOES: what,
        AT_ERRNO: errno,
        AT_FROM: from,
        ...(count !== undefined && { AT_COUNT: count }),
      };
    },
  };
}
