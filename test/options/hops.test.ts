import { describe, expect, it } from 'vitest';
import { hopsOf } from '../../src/options/hops.ts';
import { outcome } from '../support/refusal.ts';

const A = 'arn:aws:iam::111122223333:role/A';
const B = 'arn:aws:iam::111122223333:role/B,C';
const POLICY = '{"Statement":[]}';
const MANAGED = 'arn:aws:iam::aws:policy/ReadOnlyAccess';

describe('hopsOf', () => {
  it('is nothing without --assume-role-arn', () => {
    expect(hopsOf({}, true)).toEqual([]);
    expect(hopsOf({ 'sts-endpoint': 'http://127.0.0.1' }, true)).toEqual([]);
  });

  it('gives the last hop all flags, and every hop session name, duration and source identity', () => {
    const hops = hopsOf(
      {
        'assume-role-arn': [A, B],
        'assume-role-session-name': 'me',
        'assume-role-duration': 900,
        'source-identity': 'Alice',
        'external-id': 'ext',
        policy: POLICY,
        'policy-arn': [MANAGED],
        tag: ['k=v'],
        'transitive-tag-key': ['k'],
        'mfa-serial': 'GAHT12345678',
        'mfa-token': '123456',
      },
      true,
    );
    const shared = { roleSessionName: 'me', durationSeconds: 900, sourceIdentity: 'Alice' };
    expect(hops).toEqual([
      { input: { roleArn: A, ...shared, policyArns: [], tags: {}, transitiveTagKeys: [] } },
      {
        input: {
          roleArn: B,
          ...shared,
          externalId: 'ext',
          policy: POLICY,
          policyArns: [MANAGED],
          tags: { k: 'v' },
          transitiveTagKeys: ['k'],
          serialNumber: 'GAHT12345678',
        },
        mfaToken: '123456',
      },
    ]);
  });

  it('lets a hop have its own, with commas in names and values, and lists repeated', () => {
    const own = `${B},tag=a=1+2,tag=b=,transitive-tag-key=a,policy={"a":1,"Statement":[]},assume-role-duration=1000,mfa-serial=GAHT12345678,mfa-command=oathtool --totp, y`;
    const [first] = hopsOf({ 'assume-role-arn': [own, A], 'assume-role-duration': 900, tag: ['not=mine'] }, true);
    expect(first).toMatchObject({
      input: {
        roleArn: B,
        tags: { a: '1+2', b: '' },
        transitiveTagKeys: ['a'],
        policy: '{"a":1,"Statement":[]}',
        durationSeconds: 1000,
        serialNumber: 'GAHT12345678',
      },
      mfaCommand: 'oathtool --totp, y',
    });
  });

  it('names the hop that is wrong, where there are several', () => {
    const long = { 'assume-role-arn': [A, `${B},assume-role-duration=3601`] };
    expect(() => hopsOf(long, false)).toThrow(/^hop 2: --assume-role-duration is 3601, and a chained session/);
    expect(() => hopsOf({ ...long, 'assume-role-arn': [`${A},assume-role-duration=3601`] }, false)).not.toThrow();
  });

  it.each([
    ['a flag of a hop without a hop', 'ERR_FLAG_REQUIRED', { 'external-id': 'x' }],
    ['a key twice', 'ERR_FLAG_VALUE', { 'assume-role-arn': [`${A},external-id=x,external-id=y`] }],
    ['an unknown key', 'ERR_FLAG_VALUE', { 'assume-role-arn': [`${A},externalid=x`] }],
    ['a second role', 'ERR_FLAG_VALUE', { 'assume-role-arn': [`${A},${B}`] }],
    ['a policy that is none', 'ERR_POLICY', { 'assume-role-arn': [A], policy: '{}' }],
    ['a tag without a value', 'ERR_TAG', { 'assume-role-arn': [A], tag: ['k'] }],
    ['a tag twice', 'ERR_TAG', { 'assume-role-arn': [A], tag: ['k=1', 'k=2'] }],
    ['a policy in no file', 'ERR_FILE_NOT_FOUND', { 'assume-role-arn': [A], policy: 'file://nowhere.json' }],
    ['a duration in words', 'ERR_DURATION', { 'assume-role-arn': [`${A},assume-role-duration=1h`] }],
  ])('refuses %s', (_, code, flags) => {
    expect(outcome(() => hopsOf(flags, true))).toEqual({ code });
  });

  it('takes no token for a hop: it would be in sight for longer than it is good', () => {
    expect(outcome(() => hopsOf({ 'assume-role-arn': [`${A},mfa-token=123456`] }, true))).toEqual({
      code: 'ERR_FLAG_VALUE',
    });
  });
});
