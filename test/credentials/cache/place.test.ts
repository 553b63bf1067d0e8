import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isFoundFromHere, libraryPlace, modulePathsOf } from '../../../src/credentials/cache/place.ts';

describe('the place of a module', () => {
  it('is a path from the root, unless the system is to find it', () => {
    expect(libraryPlace('./lib/module.so')).toBe(resolve('lib/module.so'));
    expect(libraryPlace('lib/module.so')).toBe(resolve('lib/module.so'));
    expect(libraryPlace('/lib/module.so')).toBe(resolve('/lib/module.so'));
    expect([libraryPlace('module.so'), libraryPlace(undefined)]).toEqual(['module.so', undefined]);
  });
});

describe('words by which a device is found', () => {
  it.each([
    ['SOFTHSM2_CONF=softhsm2.conf', true],
    ['SOFTHSM2_CONF=./softhsm2.conf', true],
    ['TPM_DEVICE=run/swtpm.sock', true],
    ['swtpm:path=swtpm.sock', true],
    ['lib/module.so', true],
    ['SOFTHSM2_CONF=/etc/softhsm2.conf', false],
    ['TPM2TOOLS_TCTI=swtpm:path=/run/s', false],
    ['swtpm:host=127.0.0.1,port=2321', false],
    ['device:/dev/tpmrm0', false],
    ['tabrmd:', false],
    ['%2Fusr%2Flib%2Fmodule.so', false],
    [String.raw`C:\modules\module.dll`, false],
    ['', false],
    [undefined, false],
  ])('of %s mean another one in another folder: %s', (words, is) => {
    expect(isFoundFromHere([words])).toBe(is);
    expect(isFoundFromHere(['/a', words])).toBe(is);
  });

  it('are in a URI too', () => {
    expect(modulePathsOf('pkcs11:token=t?pin-value=1&module-path=lib/a.so&x=y')).toEqual(['lib/a.so']);
    expect([modulePathsOf('pkcs11:token=t'), modulePathsOf(undefined)]).toEqual([[], []]);
  });
});
