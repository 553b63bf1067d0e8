/** Runs one client by one way, and says what is wrong. */
import type { Client, Files, Need } from './clients.ts';
import type { Outcome, Way, World } from './world.ts';

/**
 * Asks with and, where it needs variables, without them.
 *
 * @returns undefined when the client got its credentials, and needs what the table says
 */
export async function check(world: World, files: Files, client: Client, way: Way): Promise<string | undefined> {
  const need = client.ways[way];
  const run = (env: Readonly<Record<string, string>> | undefined): Promise<Outcome> =>
    world.run({ ...client.command(world, files), env: { ...world.environment(way), ...env } });
  const outcome = await run(need?.env?.(world));
  if (!isGood(client, outcome)) return describe(outcome);
  if (need?.env === undefined) return undefined;
  return isGood(client, await run(undefined)) ? `it works without ${need.says}, too` : undefined;
}

function isGood({ goesOn }: Client, { status, proven }: Outcome): boolean {
  return proven.length > 0 && (status === 0) !== (goesOn === true);
}

function describe({ status, stdout, stderr, proven, other }: Outcome): string {
  const lines = [`status ${status}`, ...proven.map((reason) => `proof: ${reason}`), ...other];
  return `${lines.join('\n')}\n${stdout}${stderr}`;
}

/** What the page says of a client's way. */
export function cell(client: Client, way: Way): string {
  if (!(way in client.ways)) return '–';
  const need: Need | undefined = client.ways[way];
  return need === undefined ? 'yes' : `yes: ${need.says}`;
}
