import { describe, expect, it } from 'vitest';
import { addressKind, checkListenPolicy, parseImdsAddresses, parseListen } from '../../src/server/listen.ts';
import { parseStatusListen } from '../../src/server/status-server.ts';
import { outcome } from '../support/refusal.ts';

it.each([
  ['127.0.0.1', 'loopback'],
  ['127.8.9.10', 'loopback'],
  ['::1', 'loopback'],
  ['169.254.170.2', 'container'],
  ['169.254.170.23', 'container'],
  ['fd00:ec2::23', 'container'],
  ['FD00:EC2::23', 'container'],
  ['169.254.169.254', 'ec2'],
  ['169.254.170.3', 'network'],
  ['0.0.0.0', 'network'],
  ['::', 'network'],
  ['10.0.0.1', 'network'],
  ['fd00:ec2::254', 'ec2'],
  ['FD00:EC2::254', 'ec2'],
  ['169.254.169.253', 'network'],
])('%s is of the kind %s', (address, kind) => {
  expect(addressKind(address)).toBe(kind);
});

describe('what an address needs', () => {
  const refused = { code: 'ERR_LISTEN' };
  const fine = { value: undefined };
  it.each([
    ['127.0.0.1', false, false, fine],
    ['::1', false, false, fine],
    ['169.254.170.2', false, false, refused],
    ['169.254.170.2', false, true, fine],
    ['169.254.170.23', true, false, refused],
    ['169.254.170.23', false, true, fine],
    ['10.0.0.1', false, false, refused],
    ['10.0.0.1', true, false, refused],
    ['10.0.0.1', false, true, refused],
    ['10.0.0.1', true, true, fine],
    ['169.254.169.254', false, false, fine],
    ['0.0.0.0', false, true, refused],
    ['::', true, true, fine],
  ])('%s with TLS %s and a token file %s: %o', (address, tls, tokenFile, expected) => {
    expect(outcome(() => checkListenPolicy(address, { tls, tokenFile }))).toEqual(expected);
  });
});

it('addresses are read, with brackets too, and localhost is both loopbacks', () => {
  expect(parseListen(['10.0.0.1', '[::1]', 'localhost'], 5)).toEqual([
    { address: '10.0.0.1', port: 5 },
    { address: '::1', port: 5 },
    { address: '127.0.0.1', port: 5 },
    { address: '::1', port: 5, optional: true },
  ]);
});

describe("EC2's address", () => {
  it('is where IMDS listens too, at port 80', () => {
    expect(parseImdsAddresses(['169.254.169.254', '[fd00:ec2::254]'])).toEqual([
      { address: '169.254.169.254', port: 80 },
      { address: 'fd00:ec2::254', port: 80 },
    ]);
  });

  it.each(['169.254.170.2', '127.0.0.1', '169.254.169.254:80', 'x', ''])('is not %s', (text) => {
    expect(outcome(() => parseImdsAddresses([text]))).toEqual({ code: 'ERR_LISTEN' });
  });

  it('is not for --listen, whose refusal names the flag that is', () => {
    expect(() => parseListen(['169.254.169.254'], 9911)).toThrow(
      expect.objectContaining({
        code: 'ERR_LISTEN',
        hint: 'add --imds-address 169.254.169.254, which listens there at port 80, and leave --listen out',
      }) as Error,
    );
  });
});

it.each(['example.com', '127.0.0.1:80', '10.0.0', '', '*', '[::1]:80', '0x7f000001'])('%s is no address', (text) => {
  expect(outcome(() => parseListen([text], 1))).toEqual({ code: 'ERR_LISTEN' });
});

it.each([
  ['9912', '127.0.0.1', 9912],
  ['0.0.0.0:9912', '0.0.0.0', 9912],
  ['[::]:0', '::', 0],
])('--metrics-listen %s is %s port %i', (text, address, port) => {
  expect(parseStatusListen(text)).toEqual({ address, port });
});

it.each(['', 'x', '70000', 'localhost:1', '::1:1', '127.0.0.1', ':1', '-1'])(
  '--metrics-listen %s is refused',
  (text) => {
    expect(outcome(() => parseStatusListen(text))).toEqual({ code: 'ERR_LISTEN' });
  },
);
