import { describe, expect, it } from 'vitest';
import type { Endpoints, Service } from '../../src/aws/endpoints.ts';
import { endpointOf, operationUrl, parseEndpoint, standardEndpoint } from '../../src/aws/endpoints.ts';

describe('standardEndpoint', () => {
  it.each([
    ['aws', 'us-east-1', 'rolesanywhere.us-east-1.amazonaws.com'],
    ['aws', 'eu-central-2', 'rolesanywhere.eu-central-2.amazonaws.com'],
    ['aws-cn', 'cn-northwest-1', 'rolesanywhere.cn-northwest-1.amazonaws.com.cn'],
    ['aws-us-gov', 'us-gov-west-1', 'rolesanywhere.us-gov-west-1.amazonaws.com'],
    ['aws-eusc', 'eusc-de-east-1', 'rolesanywhere.eusc-de-east-1.amazonaws.eu'],
    ['aws-iso', 'us-iso-east-1', 'rolesanywhere.us-iso-east-1.c2s.ic.gov'],
    ['aws-iso-b', 'us-isob-east-1', 'rolesanywhere.us-isob-east-1.sc2s.sgov.gov'],
    ['aws-iso-e', 'eu-isoe-west-1', 'rolesanywhere.eu-isoe-west-1.cloud.adc-e.uk'],
    ['aws-iso-f', 'us-isof-south-1', 'rolesanywhere.us-isof-south-1.csp.hci.ic.gov'],
  ])('of %s, %s is %s', (partition, region, host) => {
    expect(standardEndpoint('rolesanywhere', partition, region).href).toBe(`https://${host}/`);
  });

  it.each(['', 'aws-moon', '__proto__', 'toString'])('refuses partition %j', (partition) => {
    expect(() => standardEndpoint('rolesanywhere', partition, 'us-east-1')).toThrow(
      expect.objectContaining({ code: 'ERR_ENDPOINT' }) as Error,
    );
  });

  it.each(['', 'US-EAST-1', 'us_east_1', 'evil.test/', 'a.b', '-a', 'a-', 'x'.repeat(64), 'us-east-1\n'])(
    'refuses region %j',
    (region) => {
      expect(() => standardEndpoint('rolesanywhere', 'aws', region)).toThrow(
        expect.objectContaining({ code: 'ERR_REGION' }) as Error,
      );
    },
  );
});

describe('operationUrl', () => {
  it.each([
    ['https://host.test', 'https://host.test/sessions'],
    ['https://host.test/', 'https://host.test/sessions'],
    ['http://127.0.0.1:8080/base', 'http://127.0.0.1:8080/base/sessions'],
    ['https://host.test/a/b//', 'https://host.test/a/b/sessions'],
  ])('below %s is %s', (endpoint, url) => {
    expect(operationUrl(new URL(endpoint), '/sessions').href).toBe(url);
  });
});

describe('parseEndpoint', () => {
  it.each([
    'ftp://host.test',
    'file:///x',
    'nonsense',
    'https://u@host.test',
    'https://u:p@host.test',
    'https://h/?a',
    'https://h/#a',
    'http://host.test',
    'http://127.0.0.1.host.test',
    'http://localhost.host.test',
  ])('refuses %s and does not repeat a password', (endpoint) => {
    expect(() => parseEndpoint(endpoint, 'the endpoint')).toThrow(
      expect.objectContaining({ code: 'ERR_ENDPOINT', message: expect.not.stringContaining('u:p') as string }) as Error,
    );
  });

  it.each(['http://localhost:1', 'http://127.1:8080/base', 'http://[::1]', 'https://host.test/a'])(
    'takes %s',
    (text) => {
      expect(parseEndpoint(text, 'the endpoint').href).toBe(new URL(text).href);
    },
  );
});

describe('endpointOf', () => {
  const GIVEN = { sts: new URL('https://sts.test/base') };
  it.each<[Exclude<Service, 'signin'>, string, string, Endpoints | undefined, string]>([
    ['rolesanywhere', 'aws', 'us-east-1', undefined, 'https://rolesanywhere.us-east-1.amazonaws.com/'],
    ['rolesanywhere', 'aws', 'us-east-1', GIVEN, 'https://rolesanywhere.us-east-1.amazonaws.com/'],
    ['sts', 'aws', 'us-east-1', GIVEN, 'https://sts.test/base'],
    ['sts', 'aws', 'us-east-1', { useFips: true }, 'https://sts-fips.us-east-1.amazonaws.com/'],
    ['sts', 'aws', 'eu-west-1', { useDualStack: true }, 'https://sts.eu-west-1.api.aws/'],
    ['sts', 'aws-us-gov', 'us-gov-west-1', { useFips: true }, 'https://sts.us-gov-west-1.amazonaws.com/'],
  ])('asks %s of %s, %s, with %j, at %s', (service, partition, region, endpoints, expected) => {
    expect(endpointOf({ endpoints }, service, partition, region).href).toBe(expected);
  });

  it('takes plain http to another machine only where that was allowed', () => {
    const endpoints = { sts: new URL('http://sts.test') };
    expect(() => endpointOf({ endpoints }, 'sts', 'aws', 'us-east-1')).toThrow(
      expect.objectContaining({ code: 'ERR_ENDPOINT' }) as Error,
    );
    const allowed = { endpoints: { ...endpoints, allowHttp: true } };
    expect(endpointOf(allowed, 'sts', 'aws', 'us-east-1').href).toBe('http://sts.test/');
  });
});
