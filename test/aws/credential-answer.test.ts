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

  /** An answer whose set has a roleArn of its own. */
  const ofRole = (roleArn: string | undefined): unknown => {
    const whole = answer('arn:aws:sts::111122223333:assumed-role/Deploy/session');
    const body = whole.body.replace('"assumedRoleUser"', `"roleArn":${JSON.stringify(roleArn)},"assumedRoleUser"`);
    return readCredentialSet({ ...whole, body }, ROLE, 0);
  };

  it.each([
    ['another role', 'arn:aws:iam::111122223333:role/path/Admin'],
    ['one below another path', 'arn:aws:iam::111122223333:role/other/Deploy'],
    ['one of another account', ROLE.replace('111122223333', '444455556666')],
  ])('whose set is, by its roleArn, that of %s is refused', (_, roleArn) => {
    expect(() => ofRole(roleArn)).toThrow('names another role than was asked for');
  });

  it.each([ROLE, ''])('whose set is by its roleArn that of the role, or of none, is taken: %s', (roleArn) => {
    expect(ofRole(roleArn)).toMatchObject({ accessKeyId: 'ASIAX' });
  });
});
