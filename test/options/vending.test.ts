import { describe, expect, it } from 'vitest';
import type { FlagValues } from '../../src/options/flag-values.ts';
import type { ErrorCode } from '../../src/platform/errors.ts';
import { flagsFor } from '../support/flags.ts';
import { vendingOptions } from '../../src/options/vending.ts';
import type { VendingOptions } from '../../src/options/vending.ts';

const ID = '11111111-2222-3333-4444-555555555555';
const ANCHOR = `arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/${ID}`;
const PROFILE = `arn:aws:rolesanywhere:us-east-1:123456789012:profile/${ID}`;
const ROLE = 'arn:aws:iam::123456789012:role/Demo';

const options = (changes: FlagValues = {}, env: Readonly<Record<string, string>> = {}): VendingOptions =>
  vendingOptions(
    flagsFor('credential-process', {
      certificate: 'c.pem',
      'trust-anchor-arn': ANCHOR,
      'profile-arn': PROFILE,
      'role-arn': ROLE,
      ...changes,
    }),
    env,
  );

describe('vendingOptions', () => {
  it('leaves the rest to others, given the least that is enough', () => {
    expect(options()).toEqual({
      identity: { certificate: 'c.pem', skipChecks: false },
      session: { trustAnchorArn: ANCHOR, profileArn: PROFILE, roleArn: ROLE, region: 'us-east-1' },
      partition: 'aws',
      warnings: [],
      passwords: {},
      connection: { endpoints: { allowHttp: false }, trust: { verify: true }, retry: {} },
    });
  });

  it('gives all that is given', () => {
    const given = options({
      'private-key': '-',
      intermediates: 'i.pem',
      'skip-checks': true,
      region: 'eu-west-1',
      endpoint: 'https://vpce.example:8443/base',
      'session-duration': 900,
      'role-session-name': 'me@host',
      'ca-bundle': 'ca.pem',
      'no-verify-ssl': true,
    });
    expect(given).toEqual({
      identity: { certificate: 'c.pem', privateKey: '-', intermediates: 'i.pem', skipChecks: true },
      session: {
        trustAnchorArn: ANCHOR,
        profileArn: PROFILE,
        roleArn: ROLE,
        region: 'eu-west-1',
        durationSeconds: 900,
        roleSessionName: 'me@host',
      },
      partition: 'aws',
      warnings: [],
      passwords: {},
      connection: {
        endpoints: { rolesanywhere: new URL('https://vpce.example:8443/base'), allowHttp: false },
        trust: { verify: false, caBundle: { path: 'ca.pem', source: '--ca-bundle' } },
        retry: {},
      },
    });
  });

  it('looks at the endpoint of STS only where it is asked', () => {
    const env = { AWS_ENDPOINT_URL_STS: 'http://sts.test' };
    expect(options({}, env)).toEqual(options());
    expect(() => options({ 'assume-role-arn': [ROLE] }, env)).toThrow(/^AWS_ENDPOINT_URL_STS is plain http/);
  });
});

describe('refused before anything is read or sent', () => {
  const cases: [ErrorCode, string, FlagValues][] = [
    ['ERR_ARN', '--trust-anchor-arn', { 'trust-anchor-arn': PROFILE }],
    ['ERR_ARN', '--profile-arn', { 'profile-arn': 'x' }],
    ['ERR_ARN', '--role-arn', { 'role-arn': 'Demo' }],
    [
      'ERR_ARN_MISMATCH',
      'regions: us-east-1 and eu-west-1',
      { 'profile-arn': PROFILE.replace('us-east-1', 'eu-west-1') },
    ],
    ['ERR_REGION', '--region', { region: 'us_east_1' }],
    ['ERR_REGION', '--region', { region: 'us-east-1.evil.example' }],
    ...[-900, 0, 899, 43_201].map((seconds): [ErrorCode, string, FlagValues] => [
      'ERR_DURATION',
      `--session-duration is out of range: ${seconds}`,
      { 'session-duration': seconds },
    ]),
    ...['a', 'two words', 'a/b', 'é', 'a\n', 'x'.repeat(65)].map((name): [ErrorCode, string, FlagValues] => [
      'ERR_SESSION_NAME',
      '--role-session-name',
      { 'role-session-name': name },
    ]),
    ...[
      'x',
      '//host',
      'rolesanywhere.example',
      'ftp://127.0.0.1',
      'file:///etc/passwd',
      'https://',
      'https://user@host',
      'https://user:word@host',
      'https://host/?a=b',
      'https://host/#a',
      'http://rolesanywhere.example',
      'http://localhost.example',
      'http://127.0.0.1.example',
      'http://128.0.0.1',
      'http://10.0.0.1',
      'http://0.0.0.0',
      'http://[::2]',
      'http://[::ffff:8.8.8.8]',
    ].map((endpoint): [ErrorCode, string, FlagValues] => ['ERR_ENDPOINT', '--endpoint', { endpoint }]),
  ];

  it.each(cases)('%s, %s: %j', (code, message, changes) => {
    expect(() => options(changes)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(message) as string }),
    );
  });

  it('a password in the endpoint is not repeated', () => {
    expect(() => options({ endpoint: 'https://user:sesame@host' })).toThrow(/^(?!.*sesame)/);
  });
});

it.each([900, 3600, 43_200])('%i seconds are a duration', (seconds) => {
  expect(options({ 'session-duration': seconds }).session.durationSeconds).toBe(seconds);
});

it.each(['ab', 'x'.repeat(64), 'A_z+=,.@-09'])('%s is a session name', (name) => {
  expect(options({ 'role-session-name': name }).session.roleSessionName).toBe(name);
});

it.each([
  'https://rolesanywhere.us-east-1.amazonaws.com',
  'http://127.0.0.1:8080',
  'http://127.1.2.3',
  'http://localhost:1/base/',
  'http://[::1]:8080',
  'HTTPS://HOST',
])('%s is an endpoint', (endpoint) => {
  expect(options({ endpoint }).connection.endpoints.rolesanywhere).toEqual(new URL(endpoint));
});
