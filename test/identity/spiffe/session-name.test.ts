import { describe, expect, it } from 'vitest';
import { sessionNameOf } from '../../../src/identity/spiffe/session-name.ts';

describe('the name of a session', () => {
  it.each([
    ['spiffe://example.org/ns/prod/web', 'example.org-ns-prod-web'],
    ['spiffe://a', 'spiffe-a'],
    [`spiffe://example.org/${'x'.repeat(80)}/web`, `${'x'.repeat(60)}-web`],
  ])('of %s is %s', (id, name) => {
    expect(sessionNameOf(id)).toBe(name);
    expect(name).toMatch(/^[\w+=,.@-]{2,64}$/);
  });
});
