/** The time that an operation may take, whatever number of requests it makes. */
export interface Budget {
  /** Milliseconds that are left; 0 or less when it is used up. It begins to run at the first call. */
  readonly remaining: () => number;
  /** Waits for something that is not counted: a person who reads a code from a device. */
  readonly exclude: <T>(wait: Promise<T>) => Promise<T>;
}

/** Milliseconds that never go back. Not `performance.now`: Node 20 loads a module for it, for a millisecond and a half of every one-shot. */
export const processAge = (): number => process.uptime() * 1000;

/** @param monotonic milliseconds on a clock that is never set. Default: the process's age */
export function createBudget(timeoutMs: number, monotonic: () => number = processAge): Budget {
  let end: number | undefined;
  const remaining = (): number => (end ??= monotonic() + timeoutMs) - monotonic();
  return {
    remaining,
    async exclude(wait) {
      const left = remaining();
      try {
        return await wait;
      } finally {
        end = monotonic() + left;
      }
    },
  };
}
