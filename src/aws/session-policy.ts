/** Session policies: what can be known about one before STS reads it. */
// Tests: test/aws/assume-role.test.ts
import { RolesAnywhereError } from '../platform/errors.ts';
import type { NameOf } from './session-limits.ts';

/** Policy and ARNs together; the packed size, which is what counts in the end, STS alone knows. */
const MAX_LENGTH = 2048;

/**
 * Checks that a session policy is JSON of the right outer shape, in the
 * characters that STS takes, and not too long.
 *
 * @throws RolesAnywhereError `ERR_POLICY`
 */
export function checkPolicy(policy: string | undefined, policyArns: readonly string[], nameOf: NameOf): void {
  const name = nameOf('policy');
  const length = (policy ?? '').length + policyArns.reduce((sum, arn) => sum + arn.length, 0);
  if (length > MAX_LENGTH)
    throw invalid(
      `${name} and ${nameOf('policyArns')} have ${length} characters together`,
      `shorten them to ${MAX_LENGTH}: leave white space out, or use managed policies`,
    );
  if (policy === undefined) return;
  const foreign = /[^\t\n\r\u0020-\u00ff]/u.exec(policy);
  if (foreign !== null)
    throw invalid(
      `${name} holds a character that STS does not take, at ${placeOf(policy, foreign.index)}`,
      'write it as \\uXXXX',
    );
  const value = parse(policy, name);
  if (typeof value !== 'object' || value === null || !('Statement' in value))
    throw invalid(
      `${name} is no policy: it has no Statement`,
      'it looks like {"Version":"2012-10-17","Statement":[...]}',
    );
}

function parse(policy: string, name: string): unknown {
  try {
    return JSON.parse(policy);
  } catch (error) {
    const position = /at position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1];
    const place = position === undefined ? '' : ` at ${placeOf(policy, Number(position))}`;
    throw invalid(`${name} is not JSON${place}`, 'give a policy as JSON text, or as file://PATH on the command line');
  }
}

/** Line and column, both from 1. */
function placeOf(text: string, index: number): string {
  const lines = text.slice(0, index).split('\n');
  return `line ${lines.length}, column ${(lines.at(-1) ?? '').length + 1}`;
}

function invalid(message: string, hint: string): RolesAnywhereError {
  return new RolesAnywhereError('ERR_POLICY', message, { hint });
}
