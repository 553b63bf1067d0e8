import { describe, expect, it } from 'vitest';
import { serveOptions } from '../../src/options/serve.ts';
import { flagsFor } from '../support/flags.ts';
import { outcome } from '../support/refusal.ts';

const given = flagsFor('serve', {
  certificate: 'c.pem',
  'trust-anchor-arn': 'arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/11111111-1111-1111-1111-111111111111',
  'profile-arn': 'arn:aws:rolesanywhere:us-east-1:123456789012:profile/22222222-2222-2222-2222-222222222222',
  'role-arn': 'arn:aws:iam::123456789012:role/path/Deploy',
});

describe('the flags of serve', () => {
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
