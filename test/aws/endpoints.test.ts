import { describe, expect, it } from 'vitest';
import { operationUrl, standardEndpoint } from '../../src/aws/endpoints.ts';

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
    expect(standardEndpoint(partition, region).href).toBe(`https://${host}/`);
  });

  it.each(['', 'aws-moon', '__proto__', 'toString'])('refuses partition %j', (partition) => {
    expect(() => standardEndpoint(partition, 'us-east-1')).toThrow(
      expect.objectContaining({ code: 'ERR_ENDPOINT' }) as Error,
    );
  });

  it.each(['', 'US-EAST-1', 'us_east_1', 'evil.test/', 'a.b', '-a', 'a-', 'x'.repeat(64), 'us-east-1\n'])(
    'refuses region %j',
    (region) => {
      expect(() => standardEndpoint('aws', region)).toThrow(expect.objectContaining({ code: 'ERR_REGION' }) as Error);
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

  it.each([
    'ftp://host.test',
    'file:///x',
    'https://u@host.test',
    'https://u:p@host.test',
    'https://h/?a',
    'https://h/#a',
  ])('refuses %s and does not repeat it', (endpoint) => {
    expect(() => operationUrl(new URL(endpoint), '/sessions')).toThrow(
      expect.objectContaining({ code: 'ERR_ENDPOINT', message: expect.not.stringContaining('u:p') as string }) as Error,
    );
  });
});
