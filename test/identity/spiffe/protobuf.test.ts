import { randomInt } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ProtobufError, readFields, readText, writeTexts } from '../../../src/identity/spiffe/protobuf.ts';
import { readJwtAnswer, readX509Answer } from '../../../src/identity/spiffe/workload-api.ts';
import { DerError } from '../../../src/x509/der.ts';
import { field, jwtAnswer, makeTrustDomain, varint, x509Answer } from '../../support/workload-api.ts';

describe('reading a message', () => {
  it('takes the fields that are asked for, in order, and passes over all others', () => {
    const message = Buffer.concat([
      field(1, 'one'),
      Buffer.from([0x48, 0x96, 0x01]), // 9, a varint
      Buffer.from([0x51, 1, 2, 3, 4, 5, 6, 7, 8]), // 10, eight octets
      Buffer.from([0x5d, 1, 2, 3, 4]), // 11, four
      field(2 ** 20, 'far'),
      field(1, 'two'),
      field(3, ''),
    ]);
    const fields = readFields(message, [1, 3, 4]);
    expect(fields.get(1)?.map(readText)).toEqual(['one', 'two']);
    expect(fields.get(3)?.map(readText)).toEqual(['']);
    expect(fields.get(4)).toEqual([]);
    expect(readFields(new Uint8Array(), [1]).get(1)).toEqual([]);
  });

  it.each([
    ['cut off in its key', Buffer.from([0x80])],
    ['cut off in a length', Buffer.from([0x0a, 0x80])],
    ['cut off in a field', Buffer.from([0x0a, 5, 1, 2])],
    ['cut off in eight octets', Buffer.from([0x51, 1, 2])],
    ['cut off in four octets', Buffer.from([0x5d, 1])],
    ['cut off in an unknown number', Buffer.from([0x48, 0xff])],
    ['with a length of 2^63', Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f])],
    ['with a length of 2^64 - 1', Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01])],
    ['with a number that never ends', Buffer.from([0x0a, ...Array<number>(64).fill(0xff)])],
    ['with field number 0', Buffer.from([0x02, 0])],
    ['with a field number of 2^29', Buffer.concat([varint(2 ** 32 + 2), Buffer.from([0])])],
    ['with a group', Buffer.from([0x4b, 0x4c])],
    ['with wire type 6', Buffer.from([0x4e])],
    ['with wire type 7', Buffer.from([0x4f])],
    ['with a known field as a number', Buffer.from([0x08, 1])],
    ['with a known field of four octets', Buffer.from([0x0d, 1, 2, 3, 4])],
    ['of more fields than any has', Buffer.concat(Array.from({ length: 10_001 }, () => Buffer.from([0x48, 1])))],
  ])('refuses one %s', (_what, message) => {
    expect(() => readFields(message, [1])).toThrow(ProtobufError);
  });

  it('does not look into what is nested', () => {
    let nested: Buffer = Buffer.from([0xff]);
    for (let depth = 0; depth < 2000; depth++) nested = field(1, nested);
    expect(readFields(nested, [1]).get(1)).toHaveLength(1);
    expect(() => readX509Answer(nested)).toThrow(ProtobufError);
  });

  it('refuses text that is not UTF-8', () => {
    expect(() => readText(Buffer.from([0xc3, 0x28]))).toThrow(ProtobufError);
  });

  it('reads what it writes, also beyond 127 octets', () => {
    const long = 'ü'.repeat(300);
    const fields = readFields(
      writeTexts([
        [1, long],
        [2, 'x'],
        [1, ''],
      ]),
      [1, 2],
    );
    expect(fields.get(1)?.map(readText)).toEqual([long, '']);
    expect(fields.get(2)?.map(readText)).toEqual(['x']);
  });
});

describe('reading answers', () => {
  it.each([
    ['no identity', Buffer.concat([field(2, 'a CRL')])],
    ['an identity without anything', field(1, '')],
    ['a SPIFFE ID in capitals', field(1, Buffer.concat([field(1, 'spiffe://EXAMPLE/'), field(2, '0'), field(3, '0')]))],
    [
      'certificates that are none',
      field(1, Buffer.concat([field(1, 'spiffe://a/b'), field(2, 'certificates'), field(3, '0\0')])),
    ],
    ['a key that is none', field(1, Buffer.concat([field(1, 'spiffe://a/b'), field(2, '0\0'), field(3, 'key')]))],
    ['more identities than any process has', Buffer.concat(Array.from({ length: 257 }, () => field(1, '')))],
  ])('refuses one with %s', (_what, message) => {
    let thrown: unknown;
    try {
      readX509Answer(message);
    } catch (error) {
      thrown = error;
    }
    expect(thrown instanceof ProtobufError || thrown instanceof DerError).toBe(true);
  });

  it('refuses tokens that are no JWT', () => {
    for (const token of ['', 'token', 'a.b', 'a.b.c.d', 'a.b.c\n', 'a b.c.d'])
      expect(() => readJwtAnswer(jwtAnswer({ id: 'spiffe://a/b', token }))).toThrow(ProtobufError);
  });

  it('neither hangs nor fails in another way on 20,000 messages that were changed at random', async () => {
    const domain = await makeTrustDomain();
    const good = x509Answer(await domain.issue({ hint: 'internal' }), await domain.issue());
    let refused = 0;
    for (let round = 0; round < 20_000; round++) {
      let message = Buffer.from(good);
      for (let change = randomInt(1, 4); change > 0; change--) {
        const at = randomInt(0, message.length);
        const kind = randomInt(0, 4);
        if (kind === 0) message[at] = randomInt(0, 256);
        else if (kind === 1) message = message.subarray(0, Math.max(1, at));
        else if (kind === 2) message = Buffer.concat([message.subarray(0, at), message.subarray(at + randomInt(0, 9))]);
        else
          message = Buffer.concat([
            message.subarray(0, at),
            Buffer.from([randomInt(0, 256), 0xff]),
            message.subarray(at),
          ]);
        if (message.length === 0) message = Buffer.from([0]);
      }
      try {
        for (const { certificates, key } of readX509Answer(message)) {
          expect(certificates.length).toBeGreaterThan(0);
          expect(key.length).toBeLessThan(good.length);
        }
      } catch (error) {
        refused += 1;
        if (!(error instanceof ProtobufError || error instanceof DerError)) throw error;
      }
    }
    expect(refused).toBeGreaterThan(1000);
  });
});
