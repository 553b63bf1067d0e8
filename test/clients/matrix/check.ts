/** Runs one client by one way, and says what is wrong. */
import type { Client, Files, Need } from './clients.ts';
import type { Outcome, Way, World } from './world.ts';

/**
 * Asks with what the client needs and, where that can be left out, without it.
 *
 * @returns undefined when the client got its credentials, and needs what the table says
 */
export async function check(world: World, files: Files, client: Client, way: Way): Promise<string | undefined> {
  const need = client.ways[way];
  const request = client.command(world, files, way);
  const env = world.environment(way);
  const { ec2Address } = need ?? {};
  // Who is to find EC2's address by itself is told of no other.
  const outcome = await world.run({
    ...request,
    env: { ...(ec2Address === true ? undefined : env), ...need?.env?.(world) },
    ec2Address,
  });
  if (!isGood(client, outcome)) return describe(outcome);
  if (need === undefined || (need.env === undefined && ec2Address === undefined)) return undefined;
  return isGood(client, await world.run({ ...request, env })) ? `it works without ${need.says}, too` : undefined;
}

function isGood({ goesOn }: Client, { status, proven }: Outcome): boolean {
  return proven.length > 0 && (goesOn === true || status === 0);
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
