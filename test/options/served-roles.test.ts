import { describe, expect, it } from 'vitest';
import { servedRoles } from '../../src/options/served-roles.ts';
import { serveOptions } from '../../src/options/serve.ts';
import { flagsFor } from '../support/flags.ts';
import { outcome, refusal } from '../support/refusal.ts';

const ANCHOR = 'arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/11111111-1111-1111-1111-111111111111';
const PROFILE = 'arn:aws:rolesanywhere:us-east-1:123456789012:profile/22222222-2222-2222-2222-222222222222';
const OTHER_PROFILE = 'arn:aws:rolesanywhere:us-east-1:123456789012:profile/33333333-3333-3333-3333-333333333333';
const ROLE = 'arn:aws:iam::123456789012:role/path/Deploy';
const flags = flagsFor('serve', { certificate: 'c.pem', 'trust-anchor-arn': ANCHOR, 'profile-arn': PROFILE });

const roles = (...role: string[]) => servedRoles({ ...flags, role }, {});

describe('--role', () => {
  it('comes after --role-arn, whose name is the last part of its path', () => {
    const found = servedRoles({ ...flags, 'role-arn': ROLE, role: [`admin=${ROLE}`] }, {});
    expect(found.map(({ name }) => name)).toEqual(['Deploy', 'admin']);
  });

  it('without a name is called as its ARN ends', () => {
    expect(roles(ROLE)[0]).toMatchObject({
      name: 'Deploy',
      vending: { session: { roleArn: ROLE, profileArn: PROFILE } },
    });
  });

  it('takes settings of its own', () => {
    const text = `ci=${ROLE},profile-arn=${OTHER_PROFILE},session-duration=900,role-session-name=a,b,token-file=/run/a,b/c=d`;
    expect(roles(text)[0]).toMatchObject({
      name: 'ci',
      tokenFile: '/run/a,b/c=d',
      vending: { session: { roleArn: ROLE, profileArn: OTHER_PROFILE, durationSeconds: 900, roleSessionName: 'a,b' } },
    });
  });

  it('may have commas and equals signs in the name of the role', () => {
    const odd = 'arn:aws:iam::123456789012:role/a,b=c@d';
    expect(roles(`odd=${odd}`)[0]).toMatchObject({ name: 'odd', vending: { session: { roleArn: odd } } });
    expect(outcome(() => roles(odd))).toEqual({ code: 'ERR_FLAG_VALUE' });
  });

  it.each([
    ['no role', '', 'ERR_FLAG_REQUIRED'],
    ['no ARN', 'ci=nonsense', 'ERR_ARN'],
    ['an unknown key', `ci=${ROLE},profil-arn=${PROFILE}`, 'ERR_FLAG_VALUE'],
    ['a key cut short', `ci=${ROLE},profile=${PROFILE}`, 'ERR_FLAG_VALUE'],
    ['a key with an underscore', `ci=${ROLE},profile_arn=${PROFILE}`, 'ERR_FLAG_VALUE'],
    ['a key without its hyphen', `ci=${ROLE},tokenfile=/x`, 'ERR_FLAG_VALUE'],
    ['an unknown key with a path', `ci=${ROLE},secret=/x`, 'ERR_FLAG_VALUE'],
    ['a key twice', `ci=${ROLE},token-file=/a,token-file=/b`, 'ERR_FLAG_VALUE'],
    ['an empty token file', `ci=${ROLE},token-file=`, 'ERR_FLAG_VALUE'],
    ['a duration in words', `ci=${ROLE},session-duration=hour`, 'ERR_DURATION'],
    ['a duration out of range', `ci=${ROLE},session-duration=60`, 'ERR_DURATION'],
    ['a name with a slash', `a/b=${ROLE}`, 'ERR_FLAG_VALUE'],
    ['an empty name', `=${ROLE}`, 'ERR_FLAG_VALUE'],
    ['a name that is too long', `${'x'.repeat(65)}=${ROLE}`, 'ERR_FLAG_VALUE'],
  ])('with %s is refused', async (_what, text, code) => {
    const error = await refusal(() => roles(text));
    expect({ code: error.code, hint: error.hint !== undefined || code === 'ERR_DURATION' || text === '' }).toEqual({
      code,
      hint: true,
    });
  });

  it.each([
    [`ci=${ROLE},profile=${PROFILE}`, '--role ci: there is no key profile', 'profile-arn'],
    [`${ROLE},profileArn=${PROFILE}`, '--role Deploy: there is no key profileArn', 'profile-arn'],
    [`ci=${ROLE},tokenfile=/x`, '--role ci: there is no key tokenfile', 'token-file'],
    [`ci=${ROLE},duration=900`, '--role ci: there is no key duration', 'session-duration'],
    [`ci=${ROLE},token-file=/x,session-name=a`, '--role ci: there is no key session-name', 'role-session-name'],
  ])('%s is asked about', async (text, message, key) => {
    const error = await refusal(() => roles(text));
    expect([error.message, error.hint]).toEqual([message, expect.stringContaining(`did you mean ${key}?`)]);
  });

  it.each([`ci=${ROLE},${ROLE}`, `ci=${ROLE},profile-arn:${PROFILE}`])('%s has an ARN too many', async (text) => {
    const error = await refusal(() => roles(text));
    expect([error.code, error.message]).toEqual(['ERR_FLAG_VALUE', '--role ci: two ARNs and no key between them']);
  });

  it('that lacks several ARNs names them all', async () => {
    const error = await refusal(() => servedRoles(flagsFor('serve', { certificate: 'c', role: [`a=${ROLE}`] }), {}));
    expect(error.message).toBe('--role a: missing flags: --trust-anchor-arn, --profile-arn');
  });

  it('of a name that is taken is refused', () => {
    expect(outcome(() => roles(`a=${ROLE}`, `a=${ROLE}`))).toEqual({ code: 'ERR_FLAG_VALUE' });
  });

  it('or --role-arn must be there', () => {
    expect(outcome(() => servedRoles(flags, {}))).toEqual({ code: 'ERR_FLAG_REQUIRED' });
  });
});

describe('the flags of serve', () => {
  const given = { ...flags, 'role-arn': ROLE };

  it('have these defaults', () => {
    expect(serveOptions(given, {})).toMatchObject({
      port: 9911,
      hopLimit: 64,
      listen: [],
      allowedHosts: [],
      imds: true,
      printToken: false,
      tls: undefined,
      tokenFile: undefined,
    });
  });

  it.each([
    [{ port: 65_536 }, 'ERR_FLAG_VALUE'],
    [{ port: -1 }, 'ERR_FLAG_VALUE'],
    [{ 'hop-limit': 0 }, 'ERR_FLAG_VALUE'],
    [{ 'hop-limit': 256 }, 'ERR_FLAG_VALUE'],
    [{ 'tls-cert': 'a' }, 'ERR_FLAG_REQUIRED'],
    [{ 'tls-key': 'a' }, 'ERR_FLAG_REQUIRED'],
    [{ 'token-file': 'a', 'token-source': 'a' }, 'ERR_FLAG_CONFLICT'],
    [{ 'allowed-host': ['http://x'] }, 'ERR_FLAG_VALUE'],
    [{ 'allowed-host': ['a b'] }, 'ERR_FLAG_VALUE'],
    [{ 'allowed-host': ['*'] }, 'ERR_FLAG_VALUE'],
  ])('are refused with %o', (more, code) => {
    expect(outcome(() => serveOptions({ ...given, ...more }, {}))).toEqual({ code });
  });

  it.each(['sh', 'bash', 'zsh'] as const)('print for %s what sh reads', (shell) => {
    expect(serveOptions({ ...given, shell }, {}).shell).toBe('sh');
  });

  it.each(['a', 'a.b:80', '[::1]', '[::1]:80', '::1', '10.0.0.1:1'])('allow the host %s', (host) => {
    expect(serveOptions({ ...given, 'allowed-host': [host] }, {}).allowedHosts).toEqual([host]);
  });
});
