import { expect, it } from 'vitest';
import { librariesToTry } from '../../../src/identity/pkcs11/module-path.ts';
import { parsePkcs11Uri } from '../../../src/identity/pkcs11/uri.ts';
import { refusalCode } from '../../support/refusal.ts';

const first = (flag: string | undefined, uris: string[], platform: NodeJS.Platform = 'linux') =>
  librariesToTry(
    flag,
    uris.map((uri) => parsePkcs11Uri(uri).uri),
    platform,
  )[0];

it.each<[what: string, expected: string, flag: string | undefined, uris: string[], platform?: NodeJS.Platform]>([
  ['the proxy of p11-kit', 'p11-kit-proxy.so', undefined, ['pkcs11:']],
  ['the proxy of p11-kit on macOS', 'p11-kit-proxy.dylib', undefined, ['pkcs11:'], 'darwin'],
  ['the proxy of p11-kit on Windows', 'p11-kit-proxy.dll', undefined, [], 'win32'],
  ['the module of the flag', '/x.so', '/x.so', ['pkcs11:?module-path=/y.so']],
  ['the module of a path', '/y.so', undefined, ['pkcs11:?module-path=/y.so']],
  ['the module of a name', 'opensc-pkcs11.so', undefined, ['pkcs11:?module-name=opensc-pkcs11']],
  ['a module in a folder', '/tmp/a.so', undefined, ['pkcs11:?module-path=/tmp&module-name=a']],
  ['the module of the only URI that names one', '/y.so', undefined, ['pkcs11:', 'pkcs11:?module-path=/y.so']],
  ['the module that both URIs name', '/y.so', undefined, ['pkcs11:?module-path=/y.so', 'pkcs11:?module-path=/y.so']],
])('the first to try is %s', (_what, expected, flag, uris, platform) =>
  expect(first(flag, uris, platform)).toBe(expected),
);

it('a name is tried with and without the prefix of libraries', () => {
  expect(librariesToTry(undefined, [{ moduleName: 'softhsm2' }], 'linux')).toEqual(
    expect.arrayContaining(['softhsm2.so', 'libsofthsm2.so', '/usr/lib/softhsm/libsofthsm2.so']),
  );
});

it.each([
  ['two modules', ['pkcs11:?module-path=/x.so', 'pkcs11:?module-path=/y.so']],
  ['a name that is a path', ['pkcs11:?module-name=a/b']],
  ['an empty name', ['pkcs11:?module-name=']],
])('%s are refused', async (_what, uris) =>
  expect(await refusalCode(() => first(undefined, uris))).toBe('ERR_PKCS11_URI'),
);
