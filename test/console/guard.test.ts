import { describe, expect, it } from 'vitest';
import { type Kind, type Refusal, REFUSALS, browserNames, refuseBrowser } from '../../src/console/guard.ts';

const HOST = '127.0.0.1:9912';
const ORIGIN = `http://${HOST}`;
const names = browserNames(['127.0.0.1'], 9912, 'http');

/** What is said of a request with these headers, and a right Host where there is none among them. */
function refused(kind: Kind, headers: Record<string, string>): Refusal | undefined {
  return refuseBrowser({ host: HOST, ...headers }, kind, names);
}

describe('the names by which browsers call', () => {
  it.each<[string, number, 'http' | 'https', string[]]>([
    ['Example.com', 80, 'http', ['example.com', 'example.com:80']],
    ['example.com', 443, 'https', ['example.com', 'example.com:443']],
    ['example.com', 443, 'http', ['example.com:443']],
    ['example.com', 80, 'https', ['example.com:80']],
    ['example.com:8443', 9912, 'https', ['example.com:8443']],
    ['::1', 9912, 'http', ['[::1]:9912']],
    ['fd00:ec2::254', 9912, 'http', ['[fd00:ec2::254]:9912']],
    ['[::1]', 9912, 'http', ['[::1]:9912']],
    ['[::1]:9000', 9912, 'http', ['[::1]:9000']],
    ['2001:470::1', 9912, 'http', ['[2001:470::1]:9912']],
    ['::1', 80, 'http', ['[::1]', '[::1]:80']],
  ])('of %s at port %i over %s', (name, port, scheme, hosts) => {
    expect(browserNames([name], port, scheme)).toEqual({ scheme, hosts: new Set(hosts) });
  });

  it('are those of all that are given', () => {
    expect([...browserNames(['a', 'b'], 1, 'http').hosts]).toEqual(['a:1', 'b:1']);
  });
});

describe.each<Kind>(['page', 'asset', 'read', 'write'])('a request of the kind %s', (kind) => {
  it.each([
    {},
    { 'sec-fetch-site': 'same-origin' },
    { 'sec-fetch-site': 'same-origin', 'sec-fetch-dest': 'document' },
    { host: HOST, origin: ORIGIN.toUpperCase() },
  ])('goes on from the page itself: %j', (headers) => {
    expect(refused(kind, { origin: ORIGIN, ...headers })).toBeUndefined();
  });

  it.each(['', '127.0.0.1', '127.0.0.1:9913', '127.0.0.2:9912', `evil.example, ${HOST}`, 'evil.example:9912'])(
    'is refused for its Host: %j',
    (host) => {
      expect(refused(kind, { host, origin: `http://${host}` })).toBe('host');
    },
  );

  it('is refused without a Host', () => {
    expect(refuseBrowser({ origin: ORIGIN }, kind, names)).toBe('host');
  });

  it.each(['x-forwarded-for', 'forwarded'])('is refused with %s, empty or not', (name) => {
    expect([refused(kind, { [name]: '', origin: ORIGIN }), refused(kind, { [name]: 'a', origin: ORIGIN })]).toEqual([
      'forwarded',
      'forwarded',
    ]);
  });

  it.each(['', 'null', `https://${HOST}`, 'http://127.0.0.1', 'http://127.0.0.1:9913', `${ORIGIN}/`, HOST])(
    'is refused for the origin %j',
    (origin) => {
      expect(refused(kind, { origin })).toBe('origin');
    },
  );
});

describe('a name that is not in lower case', () => {
  it('is the same name', () => {
    const shouted = { host: 'EXAMPLE.COM:1', origin: 'HTTP://Example.Com:1' };
    expect(refuseBrowser(shouted, 'write', browserNames(['Example.com'], 1, 'http'))).toBeUndefined();
  });
});

describe('without an origin', () => {
  it.each<[Kind, Refusal | undefined]>([
    ['page', undefined],
    ['asset', undefined],
    ['read', undefined],
    ['write', 'origin'],
  ])('a request of the kind %s: %s', (kind, refusal) => {
    expect(refused(kind, {})).toBe(refusal);
  });
});

describe('what a browser says of where a request comes from', () => {
  it.each<[Kind, string, Refusal | undefined]>([
    ['page', 'cross-site', undefined],
    ['page', 'none', undefined],
    ['asset', 'none', undefined],
    ['asset', 'same-site', 'fetch-site'],
    ['asset', 'cross-site', 'fetch-site'],
    ['read', 'none', 'fetch-site'],
    ['read', 'same-site', 'fetch-site'],
    ['read', 'cross-site', 'fetch-site'],
    ['write', 'none', 'fetch-site'],
    ['write', 'same-site', 'fetch-site'],
    ['write', 'cross-site', 'fetch-site'],
    ['read', '', 'fetch-site'],
  ])('of the kind %s from %j: %s', (kind, site, refusal) => {
    expect(refused(kind, { 'sec-fetch-site': site, origin: ORIGIN })).toBe(refusal);
  });

  it.each(['iframe', 'embed', 'object', 'script', 'empty', ''])('shows the page in no %j', (destination) => {
    expect(refused('page', { 'sec-fetch-dest': destination, 'sec-fetch-site': 'same-origin' })).toBe('frame');
  });
});

describe('a refusal', () => {
  it.each<[Refusal, string]>([
    ['host', 'HostNotAllowed'],
    ['origin', 'OriginNotAllowed'],
    ['fetch-site', 'OriginNotAllowed'],
    ['forwarded', 'ForwardedNotAllowed'],
    ['frame', 'FrameNotAllowed'],
  ])('for its %s has the code %s, and words', (refusal, code) => {
    expect(REFUSALS[refusal]).toEqual([code, expect.stringMatching(/^[a-z].+[a-z]$/) as string]);
  });
});
