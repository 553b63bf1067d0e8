import { describe, expect, it } from 'vitest';
import { matchesToken, objectFilter, uriOf } from '../../../src/identity/pkcs11/match.ts';
import type { TokenFacts } from '../../../src/identity/pkcs11/port.ts';
import { type Pkcs11Uri, parsePkcs11Uri } from '../../../src/identity/pkcs11/uri.ts';

const TOKEN: TokenFacts = {
  label: 'web',
  manufacturer: 'SoftHSM project',
  model: 'SoftHSM v2',
  serial: '0123',
  flags: 0,
  slot: 7n,
  slotInfo: { description: 'slot seven', manufacturer: 'slots' },
  library: { manufacturer: 'library makers', description: 'a library', version: { major: 2, minor: 6 } },
};

/** All that a URI can say of this token. */
const ALL: Pkcs11Uri = {
  token: 'web',
  manufacturer: 'SoftHSM project',
  serial: '0123',
  model: 'SoftHSM v2',
  libraryManufacturer: 'library makers',
  libraryDescription: 'a library',
  libraryVersion: { major: 2, minor: 6 },
  slotId: 7,
  slotDescription: 'slot seven',
  slotManufacturer: 'slots',
};

describe('the token that a URI means', () => {
  it('is any, where nothing is said of it', () => {
    const ofObject: Pkcs11Uri = {
      object: 'x',
      id: new Uint8Array([1]),
      type: 'private',
      moduleName: 'm',
      pinSource: 'p',
    };
    expect([matchesToken({}, TOKEN), matchesToken(ofObject, TOKEN)]).toEqual([true, true]);
  });

  it('is the one that has all of it', () => {
    expect(matchesToken(ALL, TOKEN)).toBe(true);
  });

  it.each(Object.entries(ALL))('is the one with this %s alone', (name, value: unknown) => {
    expect(matchesToken({ [name]: value }, TOKEN)).toBe(true);
    const other = { ...ALL, [name]: typeof value === 'string' ? `${value}x` : 8 };
    expect(
      matchesToken(name === 'libraryVersion' ? { ...ALL, libraryVersion: { major: 3, minor: 6 } } : other, TOKEN),
    ).toBe(false);
  });

  it.each([
    [{ major: 2 }, true],
    [{ major: 2, minor: 6 }, true],
    [{ major: 2, minor: 5 }, false],
    [{ major: 1 }, false],
    [{ major: 2, minor: 0 }, false],
  ])('is of the version %j: %s', (libraryVersion, matches) => {
    expect(matchesToken({ libraryVersion }, TOKEN)).toBe(matches);
  });

  it('is the one whose texts differ by the blanks alone with which modules fill them up', () => {
    expect(matchesToken({ token: 'web     ' }, TOKEN)).toBe(true);
    expect([matchesToken({ token: ' web' }, TOKEN), matchesToken({ token: 'WEB' }, TOKEN)]).toEqual([false, false]);
    expect([matchesToken({ token: '' }, TOKEN), matchesToken({ token: '  ' }, { ...TOKEN, label: '' })]).toEqual([
      false,
      true,
    ]);
  });
});

describe('what is asked of a token', () => {
  it('is the label and the id of an object, and not its type', () => {
    const id = new Uint8Array([1, 2]);
    expect(objectFilter({ ...ALL, object: 'key', id, type: 'cert' })).toEqual({ label: 'key', id });
    expect(objectFilter(ALL)).toEqual({ label: undefined, id: undefined });
  });
});

const of = (label: string, bytes: Uint8Array): string => uriOf(TOKEN, [TOKEN], { label, id: bytes, type: 'private' });

describe('the URI of a token', () => {
  const URI = 'pkcs11:model=SoftHSM%20v2;manufacturer=SoftHSM%20project;serial=0123;token=web';
  const twin = { ...TOKEN, slot: 8n };

  it('means that token among all', () => {
    const others = [twin, { ...TOKEN, slot: 9n, label: 'other' }];
    const all = [TOKEN, ...others];
    for (const token of all) {
      const { uri } = parsePkcs11Uri(uriOf(token, all));
      expect(all.filter((one) => matchesToken(uri, one))).toEqual([token]);
    }
  });

  it('names the slot where two are alike, and not elsewhere', () => {
    expect(uriOf(TOKEN, [TOKEN])).toBe(URI);
    expect(uriOf(TOKEN, [TOKEN, { ...twin, serial: '4567' }])).toBe(URI);
    expect(uriOf(TOKEN, [TOKEN, twin])).toBe(`${URI};slot-id=7`);
  });

  it('is that of an object in it, by its label and its id as far as it has them', () => {
    const id = new Uint8Array([1, 0xff]);
    expect(of('key', id)).toBe(`${URI};id=%01%ff;object=key;type=private`);
    expect(of('', id)).toBe(`${URI};id=%01%ff;type=private`);
    expect(of('key', id.subarray(2))).toBe(`${URI};object=key;type=private`);
    expect(of('key', id.subarray(1))).toBe(`${URI};id=%ff;object=key;type=private`);
    expect(of('', id.subarray(2))).toBe(`${URI};type=private`);
  });
});
