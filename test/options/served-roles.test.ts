import { describe, expect, it } from 'vitest';
import { servedRoles } from '../../src/options/served-roles.ts';
import { PROFILE_ARN, ROLE_ARN, TRUST_ANCHOR_ARN } from '../support/arns.ts';
import { flagsFor } from '../support/flags.ts';
import { outcome, refusal } from '../support/refusal.ts';

const OTHER_PROFILE = 'arn:aws:rolesanywhere:us-east-1:123456789012:profile/33333333-3333-3333-3333-333333333333';
const flags = flagsFor('serve', {
  certificate: 'c.pem',
  'trust-anchor-arn': TRUST_ANCHOR_ARN,
  'profile-arn': PROFILE_ARN,
});

const roles = (...role: string[]) => servedRoles({ ...flags, role }, {});

describe('--role', () => {
  it('comes after --role-arn, whose name is the last part of its path', () => {
    const found = servedRoles({ ...flags, 'role-arn': ROLE_ARN, role: [`admin=${ROLE_ARN}`] }, {});
    expect(found.map(({ name }) => name)).toEqual(['Demo', 'admin']);
  });

  it('without a name is called as its ARN ends', () => {
    expect(roles(ROLE_ARN)[0]).toMatchObject({
      name: 'Demo',
      vending: { session: { roleArn: ROLE_ARN, profileArn: PROFILE_ARN } },
    });
  });

  it('takes settings of its own', () => {
    const text = `ci=${ROLE_ARN},profile-arn=${OTHER_PROFILE},session-duration=900,role-session-name=a,b,token-file=/run/a,b/c=d`;
    expect(roles(text)[0]).toMatchObject({
      name: 'ci',
      tokenFile: '/run/a,b/c=d',
      vending: {
        session: { roleArn: ROLE_ARN, profileArn: OTHER_PROFILE, durationSeconds: 900, roleSessionName: 'a,b' },
      },
    });
  });

  it('may have commas and equals signs in the name of the role', () => {
    const odd = 'arn:aws:iam::123456789012:role/a,b=c@d';
    expect(roles(`odd=${odd}`)[0]).toMatchObject({ name: 'odd', vending: { session: { roleArn: odd } } });
    expect(outcome(() => roles(odd))).toEqual({ code: 'ERR_FLAG_VALUE' });
  });

  it.each([
    ['no role', 'ci=', 'ERR_ARN'],
    ['no ARN', 'ci=nonsense', 'ERR_ARN'],
    ['an unknown key', `ci=${ROLE_ARN},profil-arn=${PROFILE_ARN}`, 'ERR_FLAG_VALUE'],
    ['a key cut short', `ci=${ROLE_ARN},profile=${PROFILE_ARN}`, 'ERR_FLAG_VALUE'],
    ['a key with an underscore', `ci=${ROLE_ARN},profile_arn=${PROFILE_ARN}`, 'ERR_FLAG_VALUE'],
    ['a key without its hyphen', `ci=${ROLE_ARN},tokenfile=/x`, 'ERR_FLAG_VALUE'],
    ['an unknown key with a path', `ci=${ROLE_ARN},secret=/x`, 'ERR_FLAG_VALUE'],
    ['a key twice', `ci=${ROLE_ARN},token-file=/a,token-file=/b`, 'ERR_FLAG_VALUE'],
    ['an empty token file', `ci=${ROLE_ARN},token-file=`, 'ERR_FLAG_VALUE'],
    ['a duration in words', `ci=${ROLE_ARN},session-duration=hour`, 'ERR_DURATION'],
    ['a duration out of range', `ci=${ROLE_ARN},session-duration=60`, 'ERR_DURATION'],
    ['a name with a slash', `a/b=${ROLE_ARN}`, 'ERR_FLAG_VALUE'],
    ['an empty name', `=${ROLE_ARN}`, 'ERR_FLAG_VALUE'],
    ['a name that is too long', `${'x'.repeat(65)}=${ROLE_ARN}`, 'ERR_FLAG_VALUE'],
  ])('with %s is refused', async (_what, text, code) => {
    const error = await refusal(() => roles(text));
    expect({ code: error.code, hint: error.hint !== undefined || code === 'ERR_DURATION' }).toEqual({
      code,
      hint: true,
    });
  });

  it.each([
    [`ci=${ROLE_ARN},profile=${PROFILE_ARN}`, '--role ci: there is no key profile', 'profile-arn'],
    [`${ROLE_ARN},profileArn=${PROFILE_ARN}`, '--role Demo: there is no key profileArn', 'profile-arn'],
    [`ci=${ROLE_ARN},tokenfile=/x`, '--role ci: there is no key tokenfile', 'token-file'],
    [`ci=${ROLE_ARN},duration=900`, '--role ci: there is no key duration', 'session-duration'],
    [`ci=${ROLE_ARN},token-file=/x,session-name=a`, '--role ci: there is no key session-name', 'role-session-name'],
  ])('%s is asked about', async (text, message, key) => {
    const error = await refusal(() => roles(text));
    expect([error.message, error.hint]).toEqual([message, expect.stringContaining(`did you mean ${key}?`)]);
  });

  it.each([`ci=${ROLE_ARN},${ROLE_ARN}`, `ci=${ROLE_ARN},profile-arn:${PROFILE_ARN}`])(
    '%s has an ARN too many',
    async (text) => {
      const error = await refusal(() => roles(text));
      expect([error.code, error.message]).toEqual(['ERR_FLAG_VALUE', '--role ci: two ARNs and no key between them']);
    },
  );

  it('that lacks several ARNs names them all', async () => {
    const error = await refusal(() =>
      servedRoles({ ...flags, 'trust-anchor-arn': undefined, 'profile-arn': undefined, role: [`a=${ROLE_ARN}`] }, {}),
    );
    expect(error.message).toBe('--role a: missing flags: --trust-anchor-arn, --profile-arn');
  });

  it('of a name that is taken is refused', () => {
    expect(outcome(() => roles(`a=${ROLE_ARN}`, `a=${ROLE_ARN}`))).toEqual({ code: 'ERR_FLAG_VALUE' });
  });

  it('or --role-arn must be there', () => {
    expect(outcome(() => servedRoles(flags, {}))).toEqual({ code: 'ERR_FLAG_REQUIRED' });
  });
});
