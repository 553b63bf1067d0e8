import { describe, expect, it } from 'vitest';
import { readCredentialSet } from '../../src/aws/credential-answer.ts';

const ROLE = 'arn:aws:iam::111122223333:role/path/Deploy';
const ADMIN = 'arn:aws:sts::444455556666:assumed-role/Admin/session';

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

/** The error for an answer of which a part is another. */
function refusal({ part = '', other = '', now = 0 }): unknown {
  const { body } = answer('');
  try {
    return readCredentialSet(
      { status: 201, headers: { 'x-amzn-requestid': 'request-7' }, body: body.replace(part, other) },
      ROLE,
      now,
    );
  } catch (error) {
    return error;
  }
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

  it.each([ROLE, 'arn:aws:iam::111122223333:role/Deploy', 'x-arn:aws:iam::111122223333:role/path/Admin', ''])(
    'whose set is by its roleArn that of the role, or of none, is taken: %s',
    (roleArn) => {
      expect(ofRole(roleArn)).toMatchObject({ accessKeyId: 'ASIAX' });
    },
  );

  it.each([
    `x${ADMIN}`,
    `an ARN: ${ADMIN}`,
    'arn:aws:sts::111122223333:assumed-role/Deploy/two words',
    'arn:aws:sts::111122223333:assumed-role/Deploy/session\n',
  ])('whose session is called what is no ARN names no role and no account: %j', (arn) => {
    const read = readCredentialSet(answer(arn), ROLE, 0);
    expect(read).toMatchObject({ accessKeyId: 'ASIAX' });
    expect(read).not.toHaveProperty('accountId');
    expect(read).not.toHaveProperty('assumedRoleArn');
  });

  it('is good up to its expiration, and not at it', () => {
    const end = Date.parse('2999-01-01T00:00:00Z');
    expect(readCredentialSet(answer(''), ROLE, end - 1)).toMatchObject({ accessKeyId: 'ASIAX' });
    expect(refusal({ now: end })).toMatchObject({
      code: 'ERR_CREDENTIALS_EXPIRED',
      message: 'Roles Anywhere handed out credentials that expired at 2999-01-01T00:00:00Z',
      hint: "check this machine's clock",
      status: 201,
      requestId: 'request-7',
    });
  });

  it.each([
    ['"ASIAX"', 'null', 'has no usable accessKeyId'],
    ['"s"', '7', 'has no usable secretAccessKey'],
    ['"t"', '" "', 'has no usable sessionToken'],
    ['"2999-01-01T00:00:00Z"', '2999', 'has no usable expiration'],
    ['2999-01-01T00:00:00Z', '2999-01-01', 'has an expiration that is not an RFC 3339 time'],
    ['credentialSet', 'credentialSets', 'holds no credentialSet'],
  ])('is refused with words for what is wrong: %s for %s', (part, other, wrong) => {
    expect(refusal({ part, other })).toMatchObject({
      code: 'ERR_RESPONSE_INVALID',
      message: `the answer to CreateSession ${wrong}`,
      hint: 'check that the endpoint is Roles Anywhere, and that nothing on the way answers in its place',
      status: 201,
      requestId: 'request-7',
    });
  });
});
