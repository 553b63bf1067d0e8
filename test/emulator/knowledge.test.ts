import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { knowledgePage } from '../../scripts/make-docs.ts';
import { FACTS, knowledgeTable } from '../../src/emulator/knowledge.ts';
import { MESSAGES } from '../../src/emulator/services/create-session/messages.ts';

const document = readFileSync(new URL('../../docs/emulator.md', import.meta.url), 'utf8');

describe('what is known, chosen and unknown about AWS', () => {
  it('stands in docs/emulator.md as `npm run docs` writes it', () => {
    expect(document).toContain(knowledgeTable());
    expect(knowledgePage(document)).toBe(document);
  });

  it('says of every message of CreateSession which it is', () => {
    const said = FACTS.filter(({ about }) => about === 'CreateSession: message');
    expect(said).toHaveLength(Object.keys(MESSAGES).length);
    for (const { state, source } of said) expect(state === 'known').toBe(source !== 'none');
  });

  it('has a source for all that is known, each fact once, and none that breaks the table', () => {
    const known = FACTS.filter(({ state }) => state === 'known');
    for (const { source } of known) expect(source).not.toMatch(/^none/);
    expect(new Set(FACTS.map(({ about, here }) => `${about} ${here}`)).size).toBe(FACTS.length);
    for (const fact of FACTS) for (const text of Object.values(fact)) expect(text).not.toMatch(/[|\n]/);
  });
});
