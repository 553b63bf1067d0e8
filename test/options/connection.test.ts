import { describe, expect, it } from 'vitest';
import type { FlagValues } from '../../src/commands/command.ts';
import { checkEndpoint, endpointSettings, networkOptions, trustOptions } from '../../src/options/network.ts';

type Env = Record<string, string>;
const endpointOf = (flags: FlagValues, env: Env = {}): unknown => {
  const { endpoint, ...variant } = checkEndpoint(endpointSettings(flags, env));
  return endpoint?.href ?? variant;
};

describe('the endpoint', () => {
  const BOTH = { AWS_ENDPOINT_URL_ROLESANYWHERE: 'https://own.test', AWS_ENDPOINT_URL: 'https://all.test' };
  it.each<[FlagValues, Env, unknown]>([
    [{}, {}, {}],
    [{ endpoint: 'https://flag.test/base' }, BOTH, 'https://flag.test/base'],
    [{}, BOTH, 'https://own.test/'],
    [{}, { AWS_ENDPOINT_URL: 'https://all.test' }, 'https://all.test/'],
    [{}, { ...BOTH, AWS_ENDPOINT_URL_ROLESANYWHERE: '' }, 'https://all.test/'],
    [{}, { ...BOTH, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'True' }, {}],
    [{}, { ...BOTH, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'false' }, 'https://own.test/'],
    [{ endpoint: 'https://flag.test' }, { AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true' }, 'https://flag.test/'],
    [{ 'use-fips': true }, {}, { useFips: true }],
    [{ 'use-dualstack': true }, {}, { useDualStack: true }],
    [{}, { AWS_USE_FIPS_ENDPOINT: 'TRUE', AWS_USE_DUALSTACK_ENDPOINT: 'true' }, { useFips: true, useDualStack: true }],
    [{ 'use-fips': false }, { AWS_USE_FIPS_ENDPOINT: 'true' }, {}],
    [{}, { AWS_USE_FIPS_ENDPOINT: 'false' }, {}],
    [{}, { AWS_USE_FIPS_ENDPOINT: '' }, {}],
    [{ endpoint: 'https://flag.test', 'use-fips': false }, { AWS_USE_FIPS_ENDPOINT: 'true' }, 'https://flag.test/'],
    [{ endpoint: 'http://127.0.0.1:1' }, {}, 'http://127.0.0.1:1/'],
    [{ endpoint: 'http://[::1]:1' }, {}, 'http://[::1]:1/'],
    [{ endpoint: 'http://localhost' }, {}, 'http://localhost/'],
    [{ endpoint: 'http://far.test', 'allow-http': true }, {}, 'http://far.test/'],
    [{ 'allow-http': true }, { AWS_ENDPOINT_URL: 'http://far.test' }, 'http://far.test/'],
  ])('of %j in %j is %j', (flags, env, expected) => {
    expect(endpointOf(flags, env)).toEqual(expected);
  });

  it.each<[FlagValues, Env, RegExp]>([
    [{ endpoint: 'http://far.test' }, {}, /^--endpoint is plain http to far\.test/],
    [{}, { AWS_ENDPOINT_URL: 'http://far.test' }, /^AWS_ENDPOINT_URL is plain http/],
    [{}, { AWS_ENDPOINT_URL_ROLESANYWHERE: 'nonsense' }, /^AWS_ENDPOINT_URL_ROLESANYWHERE is not/],
    [{ endpoint: 'ftp://far.test' }, {}, /is not an http or https URL/],
    [{ endpoint: 'https://user:hush@far.test' }, {}, /^--endpoint holds a user name, a query or a fragment$/],
    [{ endpoint: 'https://far.test', 'use-fips': true }, {}, /^--use-fips and --endpoint exclude/],
    [{ endpoint: 'https://far.test', 'use-dualstack': true }, {}, /^--use-dualstack and --endpoint exclude/],
    [{ endpoint: 'https://far.test' }, { AWS_USE_FIPS_ENDPOINT: 'true' }, /^AWS_USE_FIPS_ENDPOINT and --endpoint/],
    [{ 'use-fips': true }, { AWS_ENDPOINT_URL: 'https://far.test' }, /^--use-fips and AWS_ENDPOINT_URL exclude/],
    [{}, { AWS_USE_FIPS_ENDPOINT: '1' }, /^AWS_USE_FIPS_ENDPOINT is true or false, not "1"/],
    [{}, { AWS_USE_DUALSTACK_ENDPOINT: 'yes' }, /^AWS_USE_DUALSTACK_ENDPOINT is true or false/],
  ])('cannot be of %j in %j', (flags, env, message) => {
    expect(() => endpointOf(flags, env)).toThrow(
      expect.objectContaining({
        code: 'ERR_ENDPOINT',
        message: expect.stringMatching(message),
        hint: expect.any(String),
      }) as Error,
    );
  });
});

it.each<[FlagValues, Env, unknown]>([
  [{}, {}, { verify: true }],
  [{}, { AWS_CA_BUNDLE: 'a.pem' }, { verify: true, caBundle: { path: 'a.pem', source: 'AWS_CA_BUNDLE' } }],
  [
    { 'ca-bundle': 'b.pem' },
    { AWS_CA_BUNDLE: 'a.pem' },
    { verify: true, caBundle: { path: 'b.pem', source: '--ca-bundle' } },
  ],
  [{ 'ca-store': 'system' }, { AWS_CA_BUNDLE: 'a.pem' }, { verify: true, caStore: 'system' }],
  [{ 'ca-store': 'bundled', 'no-verify-ssl': true }, {}, { verify: false, caStore: 'bundled' }],
  [{ 'tls-min-version': '1.3' }, {}, { verify: true, minVersion: 'TLSv1.3' }],
  [{ 'tls-min-version': '1.2' }, {}, { verify: true, minVersion: 'TLSv1.2' }],
])('trust of %j in %j', (flags, env, expected) => {
  expect(trustOptions(flags, env)).toEqual(expected);
});

it.each<[FlagValues, unknown]>([
  [{}, { retry: {} }],
  [
    { 'max-attempts': 5, timeout: 90, 'connect-timeout': 3 },
    { connectTimeoutMs: 3000, retry: { attempts: 5, timeoutMs: 90_000 } },
  ],
  [{ 'with-proxy': true }, { proxy: 'environment', retry: {} }],
  [{ proxy: 'http://p:1' }, { proxy: { url: 'http://p:1' }, retry: {} }],
])('network of %j', (flags, expected) => {
  expect(networkOptions(flags)).toEqual(expected);
});

it.each([{ 'max-attempts': 0 }, { 'max-attempts': 101 }, { timeout: 3601 }, { 'connect-timeout': -1 }])(
  'no network of %j',
  (flags) => {
    expect(() => networkOptions(flags)).toThrow(expect.objectContaining({ code: 'ERR_FLAG_VALUE' }) as Error);
  },
);
