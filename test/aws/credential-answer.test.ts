import { describe, expect, it } from 'vitest';
import { readCredentialSet } from '../../src/aws/credential-answer.ts';

const ROLE = 'arn:aws:iam::111122223333:role/path/Deploy';

function answer(assumed: string) {
  const credentials = {
    accessKeyId: 'ASIAX',
    secretAccessKey: 's',
    sessionToken: 't',
    expiration: '2999-01-01T00:00:00Z',
  };
  const body = JSON.stringify({ credentialSet: [{ credentials, assumedRoleUser: { arn: assumed } }] });
  return { status: 201, headers: {}, body };
}

describe('an answer with credentials', () => {
  it('is of the role that was asked for', () => {
    const arn = 'arn:aws:sts::111122223333:assumed-role/Deploy/session';
    expect(readCredentialSet(answer(arn), ROLE, 0).assumedRoleArn).toBe(arn);
  });

  it.each([
    'arn:aws:sts::111122223333:assumed-role/Admin/session',
    'arn:aws:sts::444455556666:assumed-role/Deploy/session',
  ])('that names another role is refused: %s', (arn) => {
    expect(() => readCredentialSet(answer(arn), ROLE, 0)).toThrow('names another role than was asked for');
  });

  it.each([
    ['another role', 'arn:aws:iam::111122223333:role/Admin', true],
    ['one below another path', `${ROLE.slice(0, ROLE.lastIndexOf('/'))}/path/Deploy`, true],
    ['one of another account', ROLE.replace('111122223333', '444455556666'), true],
    ['the role', ROLE, false],
    ['none', undefined, false],
  ])('whose set is by its roleArn that of %s: refused as one for another is, %s: %s', (_, roleArn, isRefused) => {
    const arn = `arn:aws:sts::111122223333:assumed-role/Deploy/session`;
    const { credentialSet } = JSON.parse(answer(arn).body) as { credentialSet: object[] };
    const body = JSON.stringify({ credentialSet: credentialSet.map((set) => ({ ...set, roleArn })) });
    const read = (): unknown => readCredentialSet({ ...answer(arn), body }, ROLE, 0);
    if (isRefused) expect(read).toThrow('names another role than was asked for');
    else expect(read).not.toThrow();
  });
});
