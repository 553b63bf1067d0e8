import { describe, expect, it } from 'vitest';
import { isPlainTarget, namesHost } from '../../src/standalone/connection.ts';
import { readPem } from '../../src/x509/pem.ts';
import { makeAuthority } from '../http/support/pki.ts';

describe('the name of a server', () => {
  it.each<[string, string[] | string, boolean]>([
    ['rolesanywhere.eu-west-1.amazonaws.com', ['rolesanywhere.eu-west-1.amazonaws.com'], true],
    ['rolesanywhere.eu-west-1.amazonaws.com', ['other.test', 'RolesAnywhere.EU-west-1.amazonaws.com'], true],
    ['rolesanywhere.eu-west-1.amazonaws.com', ['*.eu-west-1.amazonaws.com'], true],
    ['rolesanywhere.eu-west-1.amazonaws.com', ['*.amazonaws.com'], false],
    ['rolesanywhere.eu-west-1.amazonaws.com', ['roles*.eu-west-1.amazonaws.com'], false],
    ['rolesanywhere.eu-west-1.amazonaws.com', ['*'], false],
    ['eu-west-1.amazonaws.com', ['*.eu-west-1.amazonaws.com'], false],
    ['service.test', ['*.test'], false],
    ['service.test', ['service.test.'], false],
    ['service.test', ['service.test.evil.example'], false],
    ['service.test', ['127.0.0.1'], false],
    ['service.test', 'service.test', false], // a common name
  ])('%s is plainly in a certificate for %j: %s', async (host, names, expected) => {
    const { cert } = await (await makeAuthority('Names')).issue(names);
    expect(namesHost(readPem(Buffer.from(cert), 'the server')[0]!.der, host)).toBe(expected);
  });

  it('is in nothing that is no certificate', () => {
    expect(namesHost(Uint8Array.of(0x30, 0), 'service.test')).toBe(false);
  });
});

describe('what the short way reaches', () => {
  it.each([
    ['http://127.0.0.1:1/', {}, {}, true],
    ['https://service.test/', {}, {}, true],
    ['https://service.test/', { ca: 'roots' }, { NODE_EXTRA_CA_CERTS: 'x' }, true],
    ['https://service.test/', {}, { NODE_EXTRA_CA_CERTS: 'x' }, false],
    ['https://service.test/', {}, { NODE_DEBUG: 'tls' }, false],
    ['https://service.test/', { verify: false }, {}, false],
    ['https://service.test/', { client: { cert: '', key: '' } }, {}, false],
    ['https://service.test./', {}, {}, false],
    ['https://127.0.0.1/', {}, {}, false],
    ['https://[::1]/', {}, {}, false],
    ['http://[::1]/', {}, {}, false],
  ])('%s with %j and %j: %s', (url, tls, env, expected) => {
    expect(isPlainTarget({ url: new URL(url), tls }, env)).toBe(expected);
  });
});
