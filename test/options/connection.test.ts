import { describe, expect, it } from 'vitest';
import { connectionSettings } from '../../src/options/connection.ts';
import type { ConnectionFlags } from '../../src/options/connection.ts';
import type { Service } from '../../src/aws/endpoints.ts';

type Env = Record<string, string>;
/** Where Roles Anywhere is, or which variant of its standard endpoint. */
const endpointOf = (flags: ConnectionFlags, env: Env = {}): unknown => {
  const { rolesanywhere, useFips, useDualStack } = connectionSettings(flags, env, ['rolesanywhere']).endpoints;
  return rolesanywhere?.href ?? { useFips, useDualStack };
};

describe('the endpoint', () => {
  const BOTH = { AWS_ENDPOINT_URL_ROLESANYWHERE: 'https://own.test', AWS_ENDPOINT_URL: 'https://all.test' };
  it.each<[ConnectionFlags, Env, unknown]>([
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
    [{ 'use-fips': false }, { AWS_USE_FIPS_ENDPOINT: 'true' }, { useFips: false }],
    [{}, { AWS_USE_FIPS_ENDPOINT: 'false' }, { useFips: false }],
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

  it.each<[ConnectionFlags, Env, RegExp]>([
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

describe('the endpoint of STS', () => {
  const stsOf = (flags: ConnectionFlags, env: Env = {}): unknown => {
    const { sts, useFips } = connectionSettings(flags, env, ['sts']).endpoints;
    return sts?.href ?? { useFips };
  };

  it.each<[ConnectionFlags, Env, unknown]>([
    [{}, {}, {}],
    [{ 'sts-endpoint': 'https://flag.test' }, { AWS_ENDPOINT_URL_STS: 'https://own.test' }, 'https://flag.test/'],
    [{}, { AWS_ENDPOINT_URL_STS: 'https://own.test', AWS_ENDPOINT_URL: 'https://all.test' }, 'https://own.test/'],
    [{}, { AWS_ENDPOINT_URL: 'https://all.test' }, 'https://all.test/'],
    [{}, { AWS_ENDPOINT_URL: 'https://all.test', AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true' }, {}],
    [{ 'use-fips': true }, {}, { useFips: true }],
  ])('of %j in %j is %j', (flags, env, expected) => {
    expect(stsOf(flags, env)).toEqual(expected);
  });

  it('may not be plain http to another machine', () => {
    expect(() => stsOf({}, { AWS_ENDPOINT_URL_STS: 'http://far.test' })).toThrow(
      /^AWS_ENDPOINT_URL_STS is plain http to far\.test$/,
    );
  });

  it('is not looked at where STS is not asked', () => {
    expect(endpointOf({}, { AWS_ENDPOINT_URL_STS: 'http://far.test' })).toEqual({});
  });
});

describe('the endpoint of sign-in', () => {
  it('is that of the flag, and of no variable', () => {
    const env = { AWS_ENDPOINT_URL: 'https://all.test' };
    expect(connectionSettings({}, env, ['signin']).endpoints.signin).toBeUndefined();
    const { endpoints } = connectionSettings({ 'signin-endpoint': 'https://flag.test' }, env, ['signin']);
    expect(endpoints.signin?.href).toBe('https://flag.test/');
  });
});

describe('trust', () => {
  const trustOf = (flags: ConnectionFlags, env: Env, services: readonly Service[] = ['rolesanywhere']): unknown =>
    connectionSettings(flags, env, services).trust;

  it.each<[ConnectionFlags, Env, unknown]>([
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
    // Roots that nobody asked for by a flag do not matter where no certificate is checked.
    [{ 'no-verify-ssl': true }, { AWS_CA_BUNDLE: 'a.pem' }, { verify: false }],
    [{ endpoint: 'http://127.0.0.1' }, { AWS_CA_BUNDLE: 'a.pem' }, { verify: true }],
    [
      { endpoint: 'http://127.0.0.1', proxy: 'https://p.test' },
      { AWS_CA_BUNDLE: 'a.pem' },
      { verify: true, caBundle: { path: 'a.pem', source: 'AWS_CA_BUNDLE' } },
    ],
    [
      { endpoint: 'http://127.0.0.1', 'ca-bundle': 'b.pem' },
      {},
      { verify: true, caBundle: { path: 'b.pem', source: '--ca-bundle' } },
    ],
  ])('of %j in %j', (flags, env, expected) => {
    expect(trustOf(flags, env)).toEqual(expected);
  });

  it('takes AWS_CA_BUNDLE when one of the services is asked over TLS', () => {
    const env = { AWS_CA_BUNDLE: 'a.pem', AWS_ENDPOINT_URL_ROLESANYWHERE: 'http://127.0.0.1' };
    expect(trustOf({}, env, ['rolesanywhere', 'sts'])).toMatchObject({ caBundle: { path: 'a.pem' } });
  });
});

/** What is said of connections besides endpoints and trust. */
const settingsOf = (flags: ConnectionFlags): unknown => {
  const { proxy, connectTimeoutMs, retry } = connectionSettings(flags, {}, ['rolesanywhere']);
  return { proxy, connectTimeoutMs, retry };
};

describe('proxy, times and attempts', () => {
  it.each<[ConnectionFlags, unknown]>([
    [{}, { retry: {} }],
    [
      { 'max-attempts': 5, timeout: 90, 'connect-timeout': 3 },
      { connectTimeoutMs: 3000, retry: { attempts: 5, timeoutMs: 90_000 } },
    ],
    [{ proxy: 'http://p:1' }, { proxy: { url: 'http://p:1' }, retry: {} }],
  ])('of %j', (flags, expected) => {
    expect(settingsOf(flags)).toEqual(expected);
  });

  it.each(['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'])(
    'go through the proxy of %s by default',
    (name) => {
      const proxyFor = (flags: ConnectionFlags, value = 'http://p:1'): unknown =>
        connectionSettings(flags, { [name]: value }, ['rolesanywhere']).proxy;
      for (const flags of [{}, { 'with-proxy': true }, { 'with-proxy': false }, { 'no-proxy': false }])
        expect(proxyFor(flags)).toBe('environment');
      expect(proxyFor({ 'no-proxy': true })).toBeUndefined();
      expect(proxyFor({ proxy: 'http://q:1' })).toEqual({ url: 'http://q:1' });
      expect(proxyFor({}, '')).toBeUndefined();
    },
  );

  it.each(['fleet/7', 'a b (c; d)'])('put %j behind the User-Agent', (text) => {
    expect(connectionSettings({ 'user-agent-extra': text }, {}, []).userAgentExtra).toBe(text);
  });

  it.each([' a', 'a ', 'a\r\nx: y', 'ä', 'a'.repeat(201)])('put no %j behind the User-Agent', (text) => {
    expect(() => connectionSettings({ 'user-agent-extra': text }, {}, [])).toThrow(
      expect.objectContaining({ code: 'ERR_FLAG_VALUE', flag: '--user-agent-extra' }) as Error,
    );
  });

  it.each([{ 'max-attempts': 0 }, { 'max-attempts': 101 }, { timeout: 3601 }, { 'connect-timeout': -1 }])(
    'cannot be of %j',
    (flags) => {
      expect(() => settingsOf(flags)).toThrow(expect.objectContaining({ code: 'ERR_FLAG_VALUE' }) as Error);
    },
  );
});
