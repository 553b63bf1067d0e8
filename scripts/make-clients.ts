/**
 * `npm run clients`: installs every client of the matrix, runs each by each of
 * its ways, and writes the table of docs/clients.md. `npm run clients -- NAME...`
 * runs those whose names contain one of these, and writes nothing.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cell, check } from '../test/clients/matrix/check.ts';
import { CLIENTS } from '../test/clients/matrix/clients.ts';
import type { Client } from '../test/clients/matrix/clients.ts';
import { FILES, makeReady, versionOf } from '../test/clients/matrix/install.ts';
import { writeTable } from '../test/clients/matrix/page.ts';
import type { Row } from '../test/clients/matrix/page.ts';
import { WAYS, startWorld } from '../test/clients/matrix/world.ts';

const PAGE = 'docs/clients.md';

const FROM: Readonly<Record<Client['source']['kind'], string>> = {
  Debian: 'Debian',
  npm: 'npm',
  large: 'npm',
  dev: 'npm',
  library: 'Go',
  command: 'Go',
  PATH: 'its maker',
};

const names = process.argv.slice(2);
const asked = CLIENTS.filter(({ name }) => names.length === 0 || names.some((part) => name.includes(part)));
const ready = await makeReady(asked, true);
let failed = asked.length - ready.length;
for (const { name } of asked.filter((client) => !ready.includes(client))) console.error(`${name}: is not installed`);

const world = await startWorld();
const rows: Row[] = [];
for (const client of ready) {
  const version = versionOf(client);
  for (const way of WAYS.filter((known) => known in client.ways)) {
    const problem = await check(world, FILES, client, way);
    console.log(`${client.name} ${version}, ${way}: ${problem ?? 'good'}`);
    if (problem !== undefined) failed++;
  }
  rows.push({ name: client.name, version, from: FROM[client.source.kind], ways: WAYS.map((way) => cell(client, way)) });
}
await world.close();

if (failed > 0) {
  console.error(`${failed} of them failed: ${PAGE} stays as it was`);
  process.exitCode = 1;
} else if (names.length === 0) {
  writeFileSync(PAGE, writeTable(readFileSync(PAGE, 'utf8'), WAYS, rows));
}
