import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { cell } from '../clients/matrix/check.ts';
import { CLIENTS } from '../clients/matrix/clients.ts';
import { readTable } from '../clients/matrix/page.ts';
import { WAYS } from '../clients/matrix/world.ts';

describe('the page of the clients', () => {
  const page = readTable(readFileSync('docs/clients.md', 'utf8'));

  it('has the table that the tests of the clients go by', () => {
    const expected = CLIENTS.map((client) => ({ name: client.name, ways: WAYS.map((way) => cell(client, way)) }));
    expect(page.map(({ name, ways }) => ({ name, ways }))).toEqual(expected);
  });

  it('has at least twenty of them, each with its version', () => {
    expect(page.length).toBeGreaterThanOrEqual(20);
    for (const { name, version } of page) expect(`${name} ${version}`).toMatch(/ \d+\.\d+/);
  });
});
