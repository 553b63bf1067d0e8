/** Functions of the caller that are told of something and decide nothing. */

/**
 * Calls a listener. What becomes of that never matters to what it is told of: neither what it throws nor, where it is
 * asynchronous, its rejection, which would otherwise end the process.
 */
export function tell<A extends readonly unknown[]>(listener: ((...args: A) => unknown) | undefined, ...args: A): void {
  try {
    const outcome = listener?.(...args);
    // Also a promise of another realm, such as that of a test runner.
    if (typeof outcome === 'object' && outcome !== null) void Promise.resolve(outcome).catch(() => undefined);
  } catch {
    // Told is told.
  }
}
