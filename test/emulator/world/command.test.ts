import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Io } from '../../../src/commands/command.ts';
import { run } from '../../../src/commands/emulator.ts';
import { draft, send, signed } from '../support/signed-request.ts';
import { certificatePem, makeAuthority, makeClient } from '../support/world.ts';

const VALIDITY = { notBefore: new Date(0), notAfter: new Date('2049-01-01T00:00:00Z') };

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'roles-anywhere-world-command-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Runs the command until `use` is done with it. */
async function command(
  flags: Record<string, string | number | boolean>,
  use: (ready: Record<string, string>) => Promise<unknown>,
): Promise<string[]> {
  const out: string[] = [];
  const errors: string[] = [];
  const io: Io = {
    stdout: (text) => out.push(text.toString()),
    stderr: (text) => errors.push(text),
    env: {},
    args: [],
    program: 'roles-anywhere',
    compat: false,
    stop: async () => {
      await use(JSON.parse(out.join('')) as Record<string, string>);
    },
  };
  await run({ port: 0, ...flags }, io);
  return errors;
}

it('--world and --state-dir name what it begins with and where it is kept, and --throttle turns the quotas on', async () => {
  const root = await makeAuthority('root', VALIDITY);
  const client = await makeClient(root, VALIDITY);
  const file = join(directory, 'world.yaml');
  const stateDir = join(directory, 'state');
  const world = 'trustAnchors:\n  - certificateFile: root.pem\n';
  writeFileSync(join(directory, 'root.pem'), certificatePem(root.certificate));
  writeFileSync(file, world);
  const statuses: number[] = [];
  const ask = async (url: string): Promise<void> => {
    statuses.push((await send(url, signed(draft(client, url, { now: new Date() }), client))).status);
  };
  const errors = await command({ world: file, 'state-dir': stateDir, throttle: true }, async ({ url = '' }) => {
    expect(readdirSync(stateDir).toSorted()).toEqual(['journal', 'lock']);
    await ask(url);
    writeFileSync(file, 'trustAnchors: 3');
    await ask(url);
    writeFileSync(file, `${world}roles: []\n`);
    await ask(url);
    await Promise.all(Array.from({ length: 40 }, () => ask(url)));
  });
  expect(statuses.slice(0, 3)).toEqual([201, 201, 403]);
  expect(statuses).toContain(429);
  expect(errors.join('')).toMatch(/error the world stays as it was: .*world\.yaml: trustAnchors is not array/);
  expect(errors.join('')).toContain('read the world again, since it changed');
  expect(readdirSync(stateDir)).toEqual(['journal']);
});

it('needs one of --trust-anchor and --world, and not both', async () => {
  await expect(command({}, async () => undefined)).rejects.toMatchObject({ code: 'ERR_USAGE' });
  writeFileSync(join(directory, 'root.pem'), 'x');
  const both = { 'trust-anchor': join(directory, 'root.pem'), world: 'world.yaml' };
  await expect(command(both, async () => undefined)).rejects.toMatchObject({ code: 'ERR_USAGE' });
});
