import { describe, expect, it } from 'vitest';
import { hopSettings } from '../../src/options/hops.ts';
import { outcome } from '../support/refusal.ts';

const A = 'arn:aws:iam::111122223333:role/A';
const B = 'arn:aws:iam::111122223333:role/B,C';

describe('hopSettings', () => {
  it('is nothing without --assume-role-arn', () => {
    expect(hopSettings({})).toEqual([]);
    expect(hopSettings({ 'sts-endpoint': 'http://127.0.0.1' })).toEqual([]);
  });

  it('gives the last hop all flags, and every hop session name, duration and source identity', () => {
    const [first, last] = hopSettings({
      'assume-role-arn': [A, B],
      'assume-role-session-name': 'me',
      'assume-role-duration': 900,
      'source-identity': 'Alice',
      'external-id': 'ext',
      policy: '{}',
      'policy-arn': ['p'],
      tag: ['k=v'],
      'transitive-tag-key': ['k'],
      'mfa-serial': 'GAHT12345678',
      'mfa-token': '123456',
    });
    const shared = { sessionName: 'me', durationSeconds: 900, sourceIdentity: 'Alice' };
    const none = { externalId: undefined, policy: undefined, policyArns: [], tags: [], transitiveTagKeys: [] };
    const noCode = { mfaSerial: undefined, mfaToken: undefined, mfaCommand: undefined };
    expect(first).toEqual({ roleArn: A, ...shared, ...none, ...noCode });
    expect(last).toEqual({
      roleArn: B,
      ...shared,
      externalId: 'ext',
      policy: '{}',
      policyArns: ['p'],
      tags: ['k=v'],
      transitiveTagKeys: ['k'],
      mfaSerial: 'GAHT12345678',
      mfaToken: '123456',
      mfaCommand: undefined,
    });
  });

  it('lets a hop have its own, with commas in names and values, and lists repeated', () => {
    const own = `${B},tag=a=1,2,tag=b=,transitive-tag-key=a,policy={"a":1,"b":2},assume-role-duration=1000,mfa-serial=x,mfa-command=oathtool --totp, y`;
    const [first] = hopSettings({ 'assume-role-arn': [own, A], 'assume-role-duration': 900, tag: ['not=mine'] });
    expect(first).toMatchObject({
      roleArn: B,
      tags: ['a=1,2', 'b='],
      transitiveTagKeys: ['a'],
      policy: '{"a":1,"b":2}',
      durationSeconds: 1000,
      mfaSerial: 'x',
      mfaCommand: 'oathtool --totp, y',
    });
  });

  it.each([
    ['a flag of a hop without a hop', 'ERR_FLAG_REQUIRED', { 'external-id': 'x' }],
    ['a key twice', 'ERR_FLAG_VALUE', { 'assume-role-arn': [`${A},external-id=x,external-id=y`] }],
    ['an unknown key', 'ERR_FLAG_VALUE', { 'assume-role-arn': [`${A},externalid=x`] }],
    ['a second role', 'ERR_FLAG_VALUE', { 'assume-role-arn': [`${A},${B}`] }],
    ['a duration in words', 'ERR_DURATION', { 'assume-role-arn': [`${A},assume-role-duration=1h`] }],
  ])('refuses %s', (_, code, flags) => {
    expect(outcome(() => hopSettings(flags))).toEqual({ code });
  });

  it('takes no token for a hop: it would be in sight for longer than it is good', () => {
    expect(outcome(() => hopSettings({ 'assume-role-arn': [`${A},mfa-token=123456`] }))).toEqual({
      code: 'ERR_FLAG_VALUE',
    });
  });
});
