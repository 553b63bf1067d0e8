import { describe, expect, it } from 'vitest';
import { USER_AGENT, commandUserAgent } from '../../src/http/user-agent.ts';

describe('the User-Agent of a command', () => {
  it('is that of the library', () => {
    expect(commandUserAgent(false, undefined)).toBe(USER_AGENT);
  });

  it("begins as that of AWS's helper under its name, and says in the comment what it is", () => {
    expect(commandUserAgent(true, undefined)).toMatch(
      /^CredHelper\/1\.8\.0 \(roles-anywhere\/[\w.]+; node\/[\w.]+; \w+; \w+\)$/,
    );
  });

  it('ends with the text that is added', () => {
    expect(commandUserAgent(false, 'fleet/7')).toBe(`${USER_AGENT} fleet/7`);
    expect(commandUserAgent(true, 'fleet/7')).toMatch(/\) fleet\/7$/);
  });
});
