/** One set of ARNs: what a reader pastes from one page works on the emulator that another page starts. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createWorld } from '../../src/emulator/world/world.ts';
import { PKI } from '../support/cli.ts';

const ROOT = join(import.meta.dirname, '../..');
const DOCUMENTS = [
  'README.md',
  'src/options/help.ts',
  'src/options/command-help.ts',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(?:md|yaml|service|conf)$/.test(name))
    .map((name) => `docs/${name}`),
];

const certificates = readFileSync(`${PKI}root.pem`, 'utf8');
const { trustAnchors = [], profiles = [], roles = [] } = createWorld({ trustAnchors: [{ certificates }] }, new Date());
const BUILT_IN = new Set([...trustAnchors, ...profiles].map(({ arn }) => arn.replace(/^.*:/, '')));

describe('the documents', () => {
  it.each(DOCUMENTS)('%s has no other trust anchor and profile than the built-in ones', (document) => {
    const text = readFileSync(join(ROOT, document), 'utf8');
    const found = text.match(/\b(?:trust-anchor|profile)\/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g) ?? [];
    expect(found.filter((id) => !BUILT_IN.has(id))).toEqual([]);
  });

  it.each(DOCUMENTS)('%s has no other account in a trust anchor or a profile, and no other file names', (document) => {
    const text = readFileSync(join(ROOT, document), 'utf8');
    expect(text.match(/rolesanywhere:[a-z0-9-]+:(?!123456789012:)\d{12}:/g) ?? []).toEqual([]);
    expect(text.match(/client\.(?:pem|key)\b|\b111122223333\b/g) ?? []).toEqual([]);
  });

  it('show the built-in role with the built-in profile', () => {
    expect(roles.map(({ arn }) => arn)).toEqual(['arn:aws:iam::123456789012:role/Workload']);
    for (const document of ['README.md', 'docs/getting-started.md', 'docs/configuration.md', 'docs/emulator.md'])
      expect(readFileSync(join(ROOT, document), 'utf8')).toContain('arn:aws:iam::123456789012:role/Workload');
  });
});
