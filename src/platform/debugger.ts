/** Closes Node's debugger: through it, any local user could read what this process has in memory. Tests: test/cli/hardening.test.ts */

/**
 * Closes it where it is open.
 *
 * @returns whether it was
 */
export async function closeDebugger(): Promise<boolean> {
  const { default: inspector } = await import('node:inspector');
  if (inspector.url() === undefined) return false;
  inspector.close();
  return true;
}
