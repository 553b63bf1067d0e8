import { describe, expect, it } from 'vitest';
import { serveOptions } from '../../src/options/serve.ts';
import { PROFILE_ARN, ROLE_ARN, TRUST_ANCHOR_ARN } from '../support/arns.ts';
import { flagsFor } from '../support/flags.ts';
import { outcome } from '../support/refusal.ts';

describe('the flags of serve', () => {
  const given = flagsFor('serve', {
    certificate: 'c.pem',
    'trust-anchor-arn': TRUST_ANCHOR_ARN,
    'profile-arn': PROFILE_ARN,
    'role-arn': ROLE_ARN,
  });

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
    [{ 'token-file': 'a', 'token-source': './a' }, 'ERR_FLAG_CONFLICT'],
    [{ role: [`a=${ROLE_ARN},token-file=t`, `b=${ROLE_ARN},token-file=./t`] }, 'ERR_FLAG_CONFLICT'],
    [{ role: [`a=${ROLE_ARN},token-file=t`], 'token-file': `${process.cwd()}/t` }, 'ERR_FLAG_CONFLICT'],
    [{ role: [`a=${ROLE_ARN},token-file=t`], 'token-source': 'none/../t' }, 'ERR_FLAG_CONFLICT'],
    [{ role: [`a=${ROLE_ARN},token-file=/proc/self/cwd/t`], 'token-file': 't' }, 'ERR_FLAG_CONFLICT'],
    [{ 'token-file': '--no-imds' }, 'ERR_FLAG_VALUE'],
    [{ 'audit-log': '--print-token' }, 'ERR_FLAG_VALUE'],
    [{ 'refresh-before': 0 }, 'ERR_FLAG_VALUE'],
    [{ 'refresh-before': 900, 'session-duration': 900 }, 'ERR_FLAG_CONFLICT'],
    [{ 'allowed-host': ['http://x'] }, 'ERR_FLAG_VALUE'],
    [{ 'allowed-host': ['a b'] }, 'ERR_FLAG_VALUE'],
    [{ 'allowed-host': ['*'] }, 'ERR_FLAG_VALUE'],
    [{ renew: true }, 'ERR_FLAG_REQUIRED'],
    [{ renew: true, 'renew-from': 'https://ca.example' }, 'ERR_FLAG_VALUE'],
    [{ 'renew-from': 'https://ca.example' }, 'ERR_FLAG_VALUE'],
  ])('are refused with %o', (more, code) => {
    expect(outcome(() => serveOptions({ ...given, ...more }, {}))).toEqual({ code });
  });

  it('give each role a token file of its own', () => {
    const role = [`a=${ROLE_ARN},token-file=none/t`, `b=${ROLE_ARN},token-file=t`];
    expect(serveOptions({ ...given, role, 'token-file': 'u' }, {}).roles.map(({ tokenFile }) => tokenFile)).toEqual([
      undefined,
      'none/t',
      't',
    ]);
  });

  it.each(['sh', 'bash', 'zsh'] as const)('print for %s what sh reads', (shell) => {
    expect(serveOptions({ ...given, shell }, {}).shell).toBe('sh');
  });

  it.each(['a', 'a.b:80', '[::1]', '[::1]:80', '::1', '10.0.0.1:1'])('allow the host %s', (host) => {
    expect(serveOptions({ ...given, 'allowed-host': [host] }, {}).allowedHosts).toEqual([host]);
  });
});
