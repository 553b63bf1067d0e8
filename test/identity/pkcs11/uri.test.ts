import { describe, expect, it } from 'vitest';
import { formatPkcs11Uri, isPkcs11Uri, parsePkcs11Uri } from '../../../src/identity/pkcs11/uri.ts';
import type { Pkcs11Uri } from '../../../src/identity/pkcs11/uri.ts';
import { RolesAnywhereError } from '../../../src/platform/errors.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

describe('parsePkcs11Uri reads', () => {
  const accepted: [uri: string, expected: Pkcs11Uri][] = [
    ['pkcs11:', {}],
    ['PKCS11:', {}],
    ['pkcs11:?', {}],
    // The examples of RFC 7512, section 3, as far as they are within its grammar.
    ['pkcs11:object=my-pubkey;type=public', { object: 'my-pubkey', type: 'public' }],
    [
      'pkcs11:object=my-key;type=private?pin-source=file:/etc/token',
      { object: 'my-key', type: 'private', pinSource: 'file:/etc/token' },
    ],
    [
      'pkcs11:token=The%20Software%20PKCS%2311%20Softtoken;manufacturer=Snake%20Oil,%20Inc.;model=1.0;object=my-certificate;type=cert;id=%69%95%3E%5C%F4%BD%EC%91;serial=?pin-source=file:/etc/token_pin',
      {
        token: 'The Software PKCS#11 Softtoken',
        manufacturer: 'Snake Oil, Inc.',
        model: '1.0',
        object: 'my-certificate',
        type: 'cert',
        id: Uint8Array.from([0x69, 0x95, 0x3e, 0x5c, 0xf4, 0xbd, 0xec, 0x91]),
        serial: '',
        pinSource: 'file:/etc/token_pin',
      },
    ],
    [
      'pkcs11:object=my-sign-key;type=private?module-name=mypkcs11',
      { object: 'my-sign-key', type: 'private', moduleName: 'mypkcs11' },
    ],
    [
      'pkcs11:object=my-sign-key;type=private?module-path=/mnt/libmypkcs11.so.1',
      { object: 'my-sign-key', type: 'private', modulePath: '/mnt/libmypkcs11.so.1' },
    ],
    [
      'pkcs11:token=Software%20PKCS%2311%20softtoken;manufacturer=Snake%20Oil,%20Inc.?pin-value=the-pin',
      { token: 'Software PKCS#11 softtoken', manufacturer: 'Snake Oil, Inc.', pinValue: bytes('the-pin') },
    ],
    ['pkcs11:slot-description=Sun%20Metaslot', { slotDescription: 'Sun Metaslot' }],
    [
      'pkcs11:library-manufacturer=Snake%20Oil,%20Inc.;library-description=Soft%20Token%20Library;library-version=1.23',
      {
        libraryManufacturer: 'Snake Oil, Inc.',
        libraryDescription: 'Soft Token Library',
        libraryVersion: { major: 1, minor: 23 },
      },
    ],
    [
      'pkcs11:token=My%20token%25%20created%20by%20Joe;library-version=3;id=%01%02%03%Ba%dd%Ca%fe%04%05%06',
      {
        token: 'My token% created by Joe',
        libraryVersion: { major: 3 },
        id: Uint8Array.from([1, 2, 3, 0xba, 0xdd, 0xca, 0xfe, 4, 5, 6]),
      },
    ],
    [
      'pkcs11:token=A%20name%20with%20a%20substring%20%25%3B;object=my-certificate;type=cert',
      { token: 'A name with a substring %;', object: 'my-certificate', type: 'cert' },
    ],
    [
      'pkcs11:token=Name%20with%20a%20small%20A%20with%20acute:%20%C3%A1;object=c',
      { token: 'Name with a small A with acute: á', object: 'c' },
    ],
    // Ours.
    ['pkcs11:slot-id=0;slot-manufacturer=x', { slotId: 0, slotManufacturer: 'x' }],
    ['pkcs11:id=', { id: new Uint8Array() }],
    ['pkcs11:id=%00%FF%00', { id: Uint8Array.from([0, 0xff, 0]) }],
    ["pkcs11:object=:[]@!$'()*+,=&-._~", { object: ":[]@!$'()*+,=&-._~" }],
    ['pkcs11:?pin-source=|/bin/echo%20x?/y', { pinSource: '|/bin/echo x?/y' }],
    ['pkcs11:type=secret-key', { type: 'secret-key' }],
    ['pkcs11:?vendor-thing=1&vendor-thing=2&pin-value=1', { pinValue: bytes('1') }],
    ['pkcs11:?pin-value=%00%ff', { pinValue: Uint8Array.from([0, 0xff]) }],
  ];
  it.each(accepted)('%s', (uri, expected) => {
    expect(parsePkcs11Uri(uri)).toEqual({ uri: expected, warnings: [] });
  });

  it('a pin-value in the path, as the Go helper documents it, with a warning that does not show it', () => {
    const { uri, warnings } = parsePkcs11Uri('pkcs11:token=a;pin-value=9876', '--certificate');
    expect(uri).toEqual({ token: 'a', pinValue: bytes('9876') });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('?pin-value=');
    expect(warnings[0]).not.toContain('9876');
  });
});

const said = (uri: string): string => thrown(() => parsePkcs11Uri(uri, '--certificate')).message;

describe('parsePkcs11Uri refuses', () => {
  it('an unknown attribute, whose name it shows only where it is near to one: it may be a PIN', () => {
    expect(said('pkcs11:tokn=a')).toContain('the path attribute tokn is unknown');
    for (const uri of ['pkcs11:token=a;horse-battery', 'pkcs11:horse-battery=1', 'pkcs11:?horse-battery'])
      expect(said(uri)).not.toMatch(/horse|battery/);
  });

  const refused: [why: string, uri: string, position: number][] = [
    ['another scheme', 'pkcs12:token=a', 1],
    ['an attribute twice', 'pkcs11:token=a;token=a', 16],
    ['a query attribute twice', 'pkcs11:?pin-value=1&pin-value=1', 21],
    ['the PIN in both parts', 'pkcs11:pin-value=1?pin-value=2', 20],
    ['an unknown path attribute', 'pkcs11:tokn=a', 8],
    ['a vendor path attribute', 'pkcs11:token=a;x-vendor=b', 16],
    ['an attribute without a value', 'pkcs11:token', 13],
    ['an attribute without a name', 'pkcs11:=a', 8],
    ['an empty attribute', 'pkcs11:token=a;', 16],
    ['an empty attribute between two', 'pkcs11:token=a;;object=b', 16],
    ['an empty query attribute', 'pkcs11:?pin-value=1&', 21],
    ['a space', 'pkcs11:token=a b', 15],
    ['a slash in the path', 'pkcs11:object=a/b', 16],
    ['a fragment', 'pkcs11:token=a#b', 15],
    ['a raw non-ASCII letter', 'pkcs11:token=é', 14],
    ['a cut percent sign', 'pkcs11:token=a%2', 15],
    ['a wrong percent sign', 'pkcs11:token=%zz', 14],
    ['bytes that are not UTF-8', 'pkcs11:token=%ff', 14],
    ['an overlong encoding', 'pkcs11:token=%c0%80', 14],
    ['a zero byte in a text', 'pkcs11:object=a%00', 15],
    ['a slot that is not a number', 'pkcs11:slot-id=0x1', 16],
    ['a slot that is negative', 'pkcs11:slot-id=-1', 16],
    ['a slot that no number holds', 'pkcs11:slot-id=99999999999999999999', 16],
    ['a version with three parts', 'pkcs11:library-version=1.2.3', 24],
    ['a version without a major part', 'pkcs11:library-version=.2', 24],
    ['a version without a minor part', 'pkcs11:library-version=1.', 24],
    ['an unknown type', 'pkcs11:type=certificate', 13],
    ['pin-source in the path', 'pkcs11:pin-source=a', 8],
    ['a module in the path', 'pkcs11:module-name=a', 8],
    ['a token in the query', 'pkcs11:?token=a', 9],
    ['pin-value and pin-source', 'pkcs11:?pin-value=1&pin-source=a', 21],
    ['a bad character in a name', 'pkcs11:to%6ben=a', 10],
    ['more than is sane', `pkcs11:object=${'a'.repeat(9000)}`, 8193],
  ];
  it.each(refused)('%s', (_why, uri, position) => {
    const error = thrown(() => parsePkcs11Uri(uri, '--certificate'));
    expect(error.code).toBe('ERR_PKCS11_URI');
    expect(error.message).toContain('--certificate');
    expect(error.message).toContain(`position ${position}:`);
  });

  it.each([
    'pkcs11:token=a?pin-value=12&secret',
    'pkcs11:token=a?pin-value=12&secret=%',
    'pkcs11:token=a;pin-value=12;secret',
    'pkcs11:token=a;pin-value=12;secret=3',
    'pkcs11:token=a;pin-value=12?secret',
    'pkcs11:token=a?PIN-VALUE=12&secret',
  ])('a PIN with a separator in it, %s, without showing the rest of it', (uri) => {
    const error = thrown(() => parsePkcs11Uri(uri, '--private-key'));
    expect(error.code).toBe('ERR_PKCS11_URI');
    expect(`${error.message} ${error.hint}`).not.toContain('secret');
  });

  it('a malformed PIN without showing it', () => {
    const error = thrown(() => parsePkcs11Uri('pkcs11:?pin-value=98 76'));
    expect(error.message).toContain('position 21');
    expect(`${error.message} ${error.hint}`).not.toMatch(/98|76/);
  });
});

describe('formatPkcs11Uri', () => {
  it.each<Pkcs11Uri>([
    {},
    { token: 'ü ;?%', object: "a/b'c", id: Uint8Array.from([0, 1, 255]), type: 'cert' },
    { model: 'm', manufacturer: 'n', serial: '', slotId: 0, libraryVersion: { major: 2, minor: 0 } },
    {
      slotDescription: 'a b',
      slotManufacturer: 'c',
      libraryDescription: 'd',
      libraryManufacturer: 'e',
      libraryVersion: { major: 1 },
    },
  ])('writes what the parser reads back: %j', (uri) => {
    expect(parsePkcs11Uri(formatPkcs11Uri(uri)).uri).toEqual(uri);
  });

  it('leaves a PIN and its source out', () => {
    expect(formatPkcs11Uri({ token: 'a', pinValue: bytes('1'), pinSource: '/x' })).toBe('pkcs11:token=a');
  });
});

it.each([
  ['pkcs11:', true],
  ['PKCS11:x', true],
  ['./pkcs11:x', false],
  ['pkcs11', false],
])('isPkcs11Uri(%s) is %s', (text, expected) => expect(isPkcs11Uri(text)).toBe(expected));

function thrown(job: () => unknown): RolesAnywhereError {
  try {
    job();
  } catch (error) {
    if (error instanceof RolesAnywhereError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
