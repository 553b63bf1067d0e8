import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requireTool } from '../support/tools.ts';
import { cell, check } from './matrix/check.ts';
import { CLIENTS, isLong } from './matrix/clients.ts';
import { FILES, makeReady } from './matrix/install.ts';
import { readTable } from './matrix/page.ts';
import { WAYS, canIsolate, startWorld } from './matrix/world.ts';
import type { Way, World } from './matrix/world.ts';

/** Network namespaces are Linux's. */
const ISOLATED = requireTool('unshare') && requireTool('ip') && canIsolate();
if (!ISOLATED && process.env['ROLES_ANYWHERE_REQUIRE_TOOLS'] === '1')
  throw new Error('no network namespace can be made, and ROLES_ANYWHERE_REQUIRE_TOOLS=1 requires every tool');
const LONG = process.env['ROLES_ANYWHERE_LONG'] === '1';
const READY = ISOLATED ? await makeReady(CLIENTS.filter((client) => LONG || !isLong(client))) : [];

describe.runIf(READY.length > 0)('of the clients that are here', () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(() => world.close());

  const cells = READY.flatMap((client) =>
    WAYS.filter((way) => way in client.ways).map((way): [string, Way, typeof client] => [client.name, way, client]),
  );

  it.each(cells)(
    '%s gets credentials by %s, with what the page says and no less',
    async (_name, way, client) => {
      expect(await check(world, FILES, client, way)).toBeUndefined();
    },
    // It may be run twice, and each may wait as long as it likes.
    150_000,
  );
});

describe('the page of the clients', () => {
  it('has the table that the tests go by', () => {
    const page = readTable(readFileSync('docs/clients.md', 'utf8'));
    const expected = CLIENTS.map((client) => [client.name, ...WAYS.map((way) => cell(client, way))]);
    expect(page.map(({ name, ways }) => [name, ...ways])).toEqual(expected);
  });

  it('has at least twenty of them, each with its version', () => {
    const page = readTable(readFileSync('docs/clients.md', 'utf8'));
    expect(page.length).toBeGreaterThanOrEqual(20);
    for (const { name, version } of page) expect(`${name} ${version}`).toMatch(/ \d+\.\d+/);
  });
});
