import { array, assert, constant, nat, oneof, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Address4, Address6 } from '../../scripts/build/ip-address.cjs';

describe('what stands in for the package ip-address', () => {
  it('reads the octets of an IPv4 address', () => {
    expect(new Address4('192.0.2.255').toArray()).toEqual([192, 0, 2, 255]);
  });

  it.each([
    ['::', '0000:0000:0000:0000:0000:0000:0000:0000'],
    ['::1', '0000:0000:0000:0000:0000:0000:0000:0001'],
    ['1::', '0001:0000:0000:0000:0000:0000:0000:0000'],
    ['2001:DB8::a:b', '2001:0db8:0000:0000:0000:0000:000a:000b'],
    ['1:2:3:4:5:6:7:8', '0001:0002:0003:0004:0005:0006:0007:0008'],
    ['::ffff:192.0.2.1', '0000:0000:0000:0000:0000:ffff:c000:0201'],
    ['64:ff9b::192.0.2.33', '0064:ff9b:0000:0000:0000:0000:c000:0221'],
    ['fe80::1%eth0', 'fe80:0000:0000:0000:0000:0000:0000:0001'],
  ])('writes %s in full', (text, full) => {
    expect(new Address6(text).canonicalForm()).toBe(full);
  });

  it('reads every address that the URL standard shortens', () => {
    assert(
      property(array(oneof(constant(0), nat(0xff)), { minLength: 16, maxLength: 16 }), (octets) => {
        const full = Address6.fromByteArray(octets).canonicalForm();
        expect(full.replaceAll(':', '')).toBe(Buffer.from(octets).toString('hex'));
        const { hostname } = new URL(`http://[${full}]/`);
        expect(new Address6(hostname.slice(1, -1)).canonicalForm()).toBe(full);
      }),
    );
  });
});
