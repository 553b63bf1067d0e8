import { describe, expect, it } from 'vitest';
import { isSpiffeId, readReference } from '../../../src/identity/spiffe/reference.ts';

const read = (value: string, variable?: string) =>
  readReference(value, '--certificate', { SPIFFE_ENDPOINT_SOCKET: variable });

describe('what spiffe: names', () => {
  it.each([
    ['spiffe:', 'unix:///run/agent.sock', { kind: 'unix', path: '/run/agent.sock' }],
    ['spiffe:unix:///run/agent.sock', undefined, { kind: 'unix', path: '/run/agent.sock' }],
    ['spiffe:unix:/run/agent.sock', 'unix:///other', { kind: 'unix', path: '/run/agent.sock' }],
    ['spiffe:unix:///run/my%20agent.sock', undefined, { kind: 'unix', path: '/run/my agent.sock' }],
    ['SPIFFE:tcp://127.0.0.1:8081', undefined, { kind: 'tcp', host: '127.0.0.1', port: 8081 }],
    ['spiffe:tcp://[::1]:8081', undefined, { kind: 'tcp', host: '::1', port: 8081 }],
  ])('%s with SPIFFE_ENDPOINT_SOCKET=%s', (value, variable, address) => {
    expect(read(value, variable).address).toEqual(address);
  });

  it('takes an id, a hint and, for tokens, audiences', () => {
    expect(read('spiffe:unix:///s?id=spiffe://example.org/ns/web&hint=a%26b')).toMatchObject({
      id: 'spiffe://example.org/ns/web',
      hint: 'a&b',
      where: 'unix:///s',
      audiences: [],
    });
    expect(readReference('spiffe:unix:///s?audience=a&audience=b', '--web-identity-token', {}).audiences).toEqual([
      'a',
      'b',
    ]);
  });

  it.each([
    ['spiffe:', 'is not given'],
    ['spiffe:unix://run/agent.sock', 'three slashes'],
    ['spiffe:unix:agent.sock', 'absolute'],
    ['spiffe:unix:///a#b', 'nothing behind it'],
    ['spiffe:unix:///a%00b', 'cannot be one'],
    ['spiffe:unix:///a%zz', 'percent sign'],
    ['spiffe:/run/agent.sock', 'neither unix: nor tcp:'],
    ['spiffe:http://127.0.0.1:1', 'neither unix: nor tcp:'],
    ['spiffe:tcp://localhost:8081', 'not a name'],
    ['spiffe:tcp://127.0.0.1', 'and a port'],
    ['spiffe:tcp://127.0.0.1:8081/', 'nothing else'],
    ['spiffe:tcp://user@127.0.0.1:8081', 'nothing else'],
    ['spiffe:tcp://127.0.0.1:0', 'out of range'],
    ['spiffe:tcp://127.0.0.1:65536', 'out of range'],
    ['spiffe:tcp://::1:80', 'nothing else'],
    ['spiffe://example.org/web', 'this is a SPIFFE ID'],
    ['spiffe:unix:///s?id=web', 'is not a SPIFFE ID'],
    ['spiffe:unix:///s?id=', 'needs one value of id='],
    ['spiffe:unix:///s?id=spiffe://a/b&id=spiffe://a/b', 'needs one value of id='],
    ['spiffe:unix:///s?hint=a&hint=b', 'needs one value of hint='],
    ['spiffe:unix:///s?svid=web', 'does not know "svid"'],
    ['spiffe:unix:///s?audience=a', 'for tokens'],
    [`spiffe:unix:///s?hint=${'x'.repeat(1025)}`, 'too long'],
  ])('%s is refused: %s', (value, message) => {
    expect(() => read(value)).toThrow(
      expect.objectContaining({ code: 'ERR_SPIFFE_ADDRESS', message: expect.stringContaining(message) }),
    );
  });

  it('names the variable where that is wrong', () => {
    expect(() => read('spiffe:', '/run/agent.sock')).toThrow('SPIFFE_ENDPOINT_SOCKET is no address of a Workload API');
  });

  it('wants an audience for a token', () => {
    expect(() => readReference('spiffe:unix:///s', '--web-identity-token', {})).toThrow('needs the audience');
    expect(() => readReference('spiffe:unix:///s?audience=', '--web-identity-token', {})).toThrow('needs the audience');
  });

  it('knows SPIFFE IDs', () => {
    for (const id of ['spiffe://example.org', 'spiffe://a/b/c_d-e.F', 'spiffe://1.2_3-4/x'])
      expect(isSpiffeId(id)).toBe(true);
    for (const id of [
      '',
      'https://a/b',
      'spiffe:///a',
      'spiffe://A/b',
      'spiffe://a/',
      'spiffe://a//b',
      'spiffe://a/../b',
      'spiffe://a/b?c',
      'spiffe://a:1/b',
      `spiffe://a/${'b'.repeat(2050)}`,
    ])
      expect(isSpiffeId(id)).toBe(false);
  });
});
