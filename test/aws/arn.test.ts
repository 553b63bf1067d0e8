import { describe, expect, it } from 'vitest';
import { checkArnsAgree, doubtAbout, isRegion, parseArn } from '../../src/aws/arn.ts';
import type { ArnKind } from '../../src/aws/arn.ts';

const ID = '11111111-2222-3333-4444-555555555555';
const ANCHOR = `arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/${ID}`;
const PROFILE = `arn:aws:rolesanywhere:us-east-1:123456789012:profile/${ID}`;
const ROLE = 'arn:aws:iam::123456789012:role/Demo';

describe('parseArn', () => {
  it.each<[ArnKind, string, object]>([
    ['trust-anchor', ANCHOR, { partition: 'aws', region: 'us-east-1', account: '123456789012', id: ID }],
    ['profile', PROFILE.replace('aws', 'aws-cn').replace('us-east-1', 'cn-northwest-1'), { region: 'cn-northwest-1' }],
    [
      'trust-anchor',
      ANCHOR.replace('aws', 'aws-us-gov').replace('us-east-1', 'us-gov-west-1'),
      { partition: 'aws-us-gov' },
    ],
    [
      'trust-anchor',
      ANCHOR.replace('aws', 'aws-iso-b').replace('us-east-1', 'us-isob-east-1'),
      { region: 'us-isob-east-1' },
    ],
    [
      'profile',
      PROFILE.replace('aws', 'aws-eusc').replace('us-east-1', 'eusc-de-east-1'),
      { region: 'eusc-de-east-1' },
    ],
    ['role', ROLE, { partition: 'aws', region: '', account: '123456789012', id: 'Demo' }],
    ['role', 'arn:aws:iam::123456789012:role/team/sub-team/A+b=c,d.e@f_-', { id: 'team/sub-team/A+b=c,d.e@f_-' }],
  ])('reads a %s: %s', (kind, text, expected) => {
    expect(parseArn(kind, text, '--flag')).toMatchObject(expected);
  });

  it.each<[ArnKind, string, string]>([
    ['trust-anchor', 'nothing', ''],
    ['trust-anchor', 'a profile', PROFILE],
    ['profile', 'a trust anchor', ANCHOR],
    ['role', 'a trust anchor', ANCHOR],
    ['role', 'a user', 'arn:aws:iam::123456789012:user/Demo'],
    ['role', 'an assumed role', 'arn:aws:sts::123456789012:assumed-role/Demo/session'],
    ['role', 'a role with a region', ROLE.replace('iam:', 'iam:us-east-1')],
    ['role', 'no name', 'arn:aws:iam::123456789012:role/'],
    ['role', 'a name of 65 characters', `arn:aws:iam::123456789012:role/${'x'.repeat(65)}`],
    ['role', 'a path that is too long', `arn:aws:iam::123456789012:role/${'x'.repeat(1000)}/Demo`],
    ['role', 'an account of 11 digits', ROLE.replace('123456789012', '12345678901')],
    ['trust-anchor', 'no region', ANCHOR.replace('us-east-1', '')],
    ['trust-anchor', 'a region that would leave the host name', ANCHOR.replace('us-east-1', 'evil.example/us-east-1')],
    ['trust-anchor', 'an unknown partition form', ANCHOR.replace('aws', 'amazon')],
    ['trust-anchor', 'a space behind', `${ANCHOR} `],
    ['trust-anchor', 'a line feed behind', `${ANCHOR}\n`],
    ['trust-anchor', 'two', `${ANCHOR}${ANCHOR}`],
    ['trust-anchor', 'upper case', ANCHOR.toUpperCase()],
    ['trust-anchor', 'other digits', ANCHOR.replace('123456789012', '１２３４５６７８９０１２')],
  ])('refuses as %s %s', (kind, _what, text) => {
    expect(() => parseArn(kind, text, `--${kind}-arn`)).toThrow(
      expect.objectContaining({ code: 'ERR_ARN', message: expect.stringContaining(`--${kind}-arn`) as string }),
    );
  });

  it.each<[ArnKind, string]>([
    ['trust-anchor', `${ANCHOR.replace(`trust-anchor/${ID}`, 'alias/trust-anchor/')}Home`],
    ['trust-anchor', `${ANCHOR.replace(`trust-anchor/${ID}`, 'alias/trust-anchor/')}team_a/b-1`],
    ['profile', `${PROFILE.replace(`profile/${ID}`, 'alias/profile/')}p`],
  ])('reads the alias of a %s: %s', (kind, text) => {
    expect(parseArn(kind, text, '--flag')).toMatchObject({ account: '123456789012', known: true });
  });

  it.each<[ArnKind, string, boolean]>([
    ['trust-anchor', ANCHOR.slice(0, -1), false],
    ['trust-anchor', ANCHOR.replace('trust-anchor/', 'trust-anchor/v2/'), false],
    ['trust-anchor', ANCHOR.replace('trust-anchor/', 'anchor-group/'), false],
    ['profile', PROFILE.replace(`profile/${ID}`, 'alias/profile/aws/reserved'), false],
    ['profile', PROFILE.replace(`profile/${ID}`, 'alias/profile/9'), false],
    ['profile', PROFILE, true],
  ])('leaves what it does not know of a %s to the service: %s', (kind, text, known) => {
    const arn = parseArn(kind, text, '--flag');
    expect(arn.known).toBe(known);
    expect(doubtAbout(arn, text, '--flag')?.includes('is sent as it is') ?? false).toBe(!known);
  });

  it.each<[ArnKind, string]>([
    ['trust-anchor', PROFILE.replace(`profile/${ID}`, 'alias/profile/p')],
    ['profile', ANCHOR.replace(`trust-anchor/${ID}`, 'alias/trust-anchor/t')],
    ['profile', ANCHOR.replace(`trust-anchor/${ID}`, 'alias/crl/c')],
    ['profile', ANCHOR.replace('trust-anchor/', 'subject/')],
    ['profile', PROFILE.replace('rolesanywhere', 'iam')],
    ['profile', PROFILE.replace(`profile/${ID}`, 'profile')],
  ])('refuses as %s one of another kind: %s', (kind, text) => {
    expect(() => parseArn(kind, text, '--flag')).toThrow(expect.objectContaining({ code: 'ERR_ARN' }));
  });

  it('refuses a long text quickly and without repeating all of it', () => {
    const text = `arn:aws:iam::123456789012:role/${'a/'.repeat(500_000)}`;
    expect(() => parseArn('role', text, '--role-arn')).toThrow(/^--role-arn .{0,300}$/);
  });
});

function check(anchor: string, profile: string, role: string): void {
  checkArnsAgree(parseArn('trust-anchor', anchor, ''), parseArn('profile', profile, ''), parseArn('role', role, ''));
}

describe('checkArnsAgree', () => {
  it('accepts one account and region, and a role of another account', () => {
    expect(() => check(ANCHOR, PROFILE, ROLE)).not.toThrow();
    expect(() => check(ANCHOR, PROFILE, ROLE.replace('123456789012', '210987654321'))).not.toThrow();
  });

  it.each([
    ['regions', PROFILE.replace('us-east-1', 'eu-west-1'), ROLE],
    ['accounts', PROFILE.replace('123456789012', '210987654321'), ROLE],
    ['partitions', PROFILE.replace('aws', 'aws-cn'), ROLE],
    ['partitions', PROFILE, ROLE.replace('aws', 'aws-us-gov')],
  ])('names different %s', (part, profile, role) => {
    expect(() => check(ANCHOR, profile, role)).toThrow(
      expect.objectContaining({
        code: 'ERR_ARN_MISMATCH',
        message: expect.stringContaining(`different ${part}`) as string,
      }),
    );
  });
});

it.each([
  ['us-east-1', true],
  ['ap-southeast-5', true],
  ['us-gov-east-1', true],
  ['eusc-de-east-1', true],
  ['', false],
  ['us-east', false],
  ['us-east-1a', false],
  ['US-EAST-1', false],
  ['us-east-1.evil.example', false],
  ['us-east-1\n', false],
])('isRegion(%j) is %s', (text, expected) => {
  expect(isRegion(text)).toBe(expected);
});
