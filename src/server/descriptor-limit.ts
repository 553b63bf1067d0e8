/** How many connections the limit of this process on open files leaves room for (RLIMIT_NOFILE of getrlimit(2)). */
import { readFileSync } from 'node:fs';

/** What a process without connections of clients has open, and opens: libraries, watchers, files, requests to AWS, children. */
const RESERVE = 64;

/** How the rest is shared, and the most that is of use. */
const MOST_STATUS = 64;
const MOST_CONNECTIONS = 2048;

/** Fewer would let one client with a few connections keep the others out. */
const LEAST = 4;

export interface ConnectionShares {
  /** Open connections of those who ask for credentials. */
  readonly connections: number;
  /** Open connections of health and metrics. */
  readonly status: number;
}

/** @param limit of the process; Infinity where there is none */
export function connectionShares(limit: number): ConnectionShares {
  const room = limit - RESERVE;
  const status = clamp(Math.floor(room / 8), MOST_STATUS);
  return { connections: clamp(room - status, MOST_CONNECTIONS), status };
}

/**
 * The most files that this process may have open at a time. Node raises what the shell set to what is permitted.
 *
 * @param read gives what Linux tells of this process's limits. Default: from /proc/self/limits
 * @returns Infinity where there is no limit, or none that the system tells
 */
export function descriptorLimit(read = (): string => readFileSync('/proc/self/limits', 'latin1')): number {
  let limit: string | undefined;
  try {
    [, limit] = /^Max open files +(\d+|unlimited)/m.exec(read()) ?? [];
  } catch {
    if (process.platform === 'win32') return Infinity;
    limit = fromReport();
  }
  return limit === undefined || limit === 'unlimited' ? Infinity : Number(limit);
}

/** The system's limits as Node's diagnostic report has them: slow, and so for systems without /proc alone. */
function fromReport(): string | undefined {
  Reflect.set(process.report, 'excludeNetwork', true);
  const report: unknown = process.report.getReport();
  const limits: unknown = Reflect.get(Object(report), 'userLimits');
  const soft: unknown = Reflect.get(Object(Reflect.get(Object(limits), 'open_files')), 'soft');
  return typeof soft === 'number' || typeof soft === 'string' ? String(soft) : undefined;
}

function clamp(share: number, most: number): number {
  return Math.max(LEAST, Math.min(share, most));
}
