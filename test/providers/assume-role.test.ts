import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RolesAnywhereError, fromAssumeRole } from '../../src/index.ts';
import type { AssumeRoleProviderOptions, CredentialsSource, TokenProvider } from '../../src/index.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { outcome, refusal } from '../support/refusal.ts';
import { SOURCE, type ScriptedSts, scriptedSts } from '../support/sts.ts';

const ROLE = 'arn:aws:iam::111122223333:role/Target';
const MINUTE = 60_000;
const SERIAL = 'arn:aws:iam::111122223333:mfa/me';

let sts: ScriptedSts;
beforeEach(async () => {
  sts = await scriptedSts();
});
afterEach(() => sts.close());

function options(extra: Partial<AssumeRoleProviderOptions> = {}): AssumeRoleProviderOptions {
  return { source: SOURCE, roleArn: ROLE, region: 'eu-west-1', endpoint: sts.url, ...extra };
}

describe('fromAssumeRole', () => {
  it.each<[string, unknown, string]>([
    ['roleArn', undefined, 'ERR_FLAG_REQUIRED'],
    ['policyArns', 'arn', 'ERR_USAGE'],
    ['transitiveTagKeys', null, 'ERR_USAGE'],
    ['providedContexts', {}, 'ERR_USAGE'],
    ['tags', null, 'ERR_FLAG_REQUIRED'],
    ['tags', new Map([['Team', 'blue']]), 'ERR_USAGE'],
    ['tags', [{ Key: 'Team', Value: 'blue' }], 'ERR_USAGE'],
  ])('refuses %s: %j at once', async (name, value, code) => {
    const error = await refusal(() => {
      fromAssumeRole({ ...options(), [name]: value });
    });
    expect([error.code, error.message]).toEqual([code, expect.stringContaining(name)]);
  });

  it('asks for 900 seconds, as the AWS SDK for Go does', async () => {
    await fromAssumeRole(options())();
    expect(sts.calls[0]).toMatchObject({
      parameters: { DurationSeconds: '900' },
      signedBy: { accessKeyId: SOURCE.accessKeyId, valid: true },
    });
  });

  it('passes every parameter on', async () => {
    await fromAssumeRole(
      options({
        roleSessionName: 'me',
        durationSeconds: 1000,
        externalId: 'ext',
        policy: '{"Statement":[]}',
        policyArns: ['arn:aws:iam::aws:policy/ReadOnlyAccess'],
        serialNumber: SERIAL,
        tokenProvider: () => Promise.resolve('123456'),
        sourceIdentity: 'Alice',
        tags: { Team: 'blue' },
        transitiveTagKeys: ['Team'],
        providedContexts: [{ providerArn: 'arn:aws:iam::aws:contextProvider/X', contextAssertion: 'assert' }],
      }),
    )();
    expect(sts.calls[0]?.parameters).toEqual({
      Action: 'AssumeRole',
      Version: '2011-06-15',
      RoleArn: ROLE,
      RoleSessionName: 'me',
      DurationSeconds: '1000',
      ExternalId: 'ext',
      Policy: '{"Statement":[]}',
      'PolicyArns.member.1.arn': 'arn:aws:iam::aws:policy/ReadOnlyAccess',
      SerialNumber: SERIAL,
      TokenCode: '123456',
      SourceIdentity: 'Alice',
      'Tags.member.1.Key': 'Team',
      'Tags.member.1.Value': 'blue',
      'TransitiveTagKeys.member.1': 'Team',
      'ProvidedContexts.member.1.ProviderArn': 'arn:aws:iam::aws:contextProvider/X',
      'ProvidedContexts.member.1.ContextAssertion': 'assert',
    });
  });

  it('makes one request for a hundred callers', async () => {
    const credentials = fromAssumeRole(options());
    const all = await Promise.all(Array.from({ length: 100 }, () => credentials()));
    expect(new Set(all.map(({ accessKeyId }) => accessKeyId)).size).toBe(1);
    expect(sts.calls).toHaveLength(1);
  });

  it('takes another provider of its kind as source: a chain of an hour at most', async () => {
    const first = fromAssumeRole(options());
    const second = fromAssumeRole(options({ source: first, roleArn: `${ROLE}2` }));
    expect((await second()).assumedRoleArn).toMatch(/assumed-role\/Target2\//);
    expect(sts.calls.map(({ signedBy }) => signedBy)).toMatchObject([
      { accessKeyId: SOURCE.accessKeyId, valid: true },
      { accessKeyId: (await first()).accessKeyId, valid: true },
    ]);
    const long = fromAssumeRole(options({ source: first, durationSeconds: 7200 }));
    expect((await refusal(() => long())).code).toBe('ERR_DURATION');
    expect(sts.calls).toHaveLength(2);
    second.close();
    await first();
  });

  it.each<[string, CredentialsSource]>([
    ['rejects', () => Promise.reject(new Error('secret'))],
    ['gives nothing', () => Promise.resolve({ accessKeyId: '', secretAccessKey: '' })],
    ['gives nothing at all', (() => Promise.resolve()) as unknown as CredentialsSource],
    ['gives a key that would split a header', { ...SOURCE, sessionToken: 'a\nb' }],
  ])('is an error when the source %s', async (_, source) => {
    const error = await refusal(() => fromAssumeRole(options({ source }))());
    expect(error.code).toBe('ERR_SOURCE_CREDENTIALS');
    expect(error.message).not.toContain('secret');
  });

  it('passes the source’s own error on', async () => {
    const own = new RolesAnywhereError('ERR_FILE_NOT_FOUND', 'x');
    expect(await refusal(() => fromAssumeRole(options({ source: () => Promise.reject(own) }))())).toBe(own);
  });

  it.each<[string, TokenProvider, RegExp]>([
    ['rejects', () => Promise.reject(new Error('123456')), /provider failed/],
    ['hangs', () => new Promise(() => {}), /within 0\.05 s/],
    ['gives no code', () => Promise.resolve('12'), /six digits/],
  ])('is an error when the token provider %s, and nothing is sent', async (_, tokenProvider, message) => {
    const credentials = fromAssumeRole(options({ serialNumber: SERIAL, tokenProvider, tokenTimeout: 50 }));
    const error = await refusal(() => credentials());
    expect(error.code).toBe('ERR_MFA_CODE');
    expect(error.message).toMatch(message);
    expect(sts.calls).toHaveLength(0);
  });

  it('renews ahead, and keeps the old credentials when that fails, until they expire', async () => {
    const clock = new FakeClock(Date.now());
    const told: string[] = [];
    const credentials = fromAssumeRole(options({ clock, onError: ({ code }) => told.push(code) }));
    const first = await credentials();
    sts.answer = () => ({ status: 403, code: 'AccessDenied', message: 'no more' });
    await clock.advance(11 * MINUTE);
    expect(await credentials()).toEqual(first);
    await vi.waitFor(() => expect(told).toEqual(['ERR_ACCESS_DENIED']));
    await clock.advance(3 * MINUTE);
    expect(await credentials()).toEqual(first);
    await clock.advance(MINUTE);
    expect((await refusal(() => credentials())).code).toBe('ERR_ACCESS_DENIED');
    sts.answer = () => undefined;
    await clock.advance(MINUTE);
    sts.lifeMs = 60 * MINUTE;
    expect((await credentials()).accessKeyId).not.toBe(first.accessKeyId);
  });

  it("signs with the service's time when this machine's clock is off, judges expiry by it, and says so", async () => {
    const clock = new FakeClock(Date.now() - 60 * MINUTE);
    const told: number[] = [];
    const credentials = fromAssumeRole(
      options({ clock, onClockOffset: (offset) => told.push(Math.round(offset / MINUTE)) }),
    );
    sts.answer = (_call, index) =>
      index > 0
        ? undefined
        : { status: 403, code: 'SignatureDoesNotMatch', message: 'expired', date: new Date().toUTCString() };
    const { accessKeyId, expiration } = await credentials();
    expect(sts.calls).toHaveLength(2);
    expect(told).toEqual([60]);
    expect(expiration.getTime()).toBeGreaterThan(Date.now());
    // 15 minutes of life, of which none is left by the service's clock, and 60 by this machine's.
    await clock.advance(16 * MINUTE);
    sts.lifeMs = 60 * MINUTE;
    expect((await credentials()).accessKeyId).not.toBe(accessKeyId);
  });

  it.each<[string, string, Partial<AssumeRoleProviderOptions>]>([
    ['an external id that is none', 'ERR_EXTERNAL_ID', { externalId: 'a b' }],
    ['a serial number without a provider', 'ERR_MFA_SERIAL', { serialNumber: SERIAL }],
    ['a provider without a serial number', 'ERR_MFA_SERIAL', { tokenProvider: () => Promise.resolve('123456') }],
    ['a region that is none', 'ERR_REGION', { region: '' }],
    ['a role that is none', 'ERR_ARN', { roleArn: 'arn:aws:iam::1:role/x' }],
  ])('refuses at once %s', (_, code, given) => {
    expect(outcome(() => fromAssumeRole(options(given)))).toEqual({ code });
  });
});
