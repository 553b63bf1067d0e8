import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type ListenTarget,
  addressKind,
  bind,
  checkListenPolicy,
  defaultTargets,
  parseImdsAddresses,
  parseListen,
} from '../../src/server/listen.ts';
import { parseStatusListen } from '../../src/server/status-server.ts';
import { outcome, refusal, refusalOf } from '../support/refusal.ts';

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
  ['10.127.0.1', 'network'],
  ['1.1.127.1', 'network'],
  ['::1234', 'network'],
  ['fd00::1', 'network'],
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

describe('what the console needs beside', () => {
  it.each([
    ['127.0.0.1', false, false, true],
    ['169.254.169.254', false, false, true],
    ['10.0.0.1', true, true, true],
    ['10.0.0.1', true, false, false],
    ['169.254.170.2', true, true, true],
    ['169.254.170.2', false, true, false],
    ['169.254.170.2', true, false, false],
  ])('at %s with TLS %s and a passphrase %s: may be %s', (address, tls, passphrase, may) => {
    const policy = { tls, tokenFile: true, console: { passphrase } };
    expect(outcome(() => checkListenPolicy(address, policy))).toEqual(
      may ? { value: undefined } : { code: 'ERR_LISTEN' },
    );
  });

  it('is said, with the flag that it is about', () => {
    const policy = { tls: true, tokenFile: true, console: { passphrase: false } };
    expect(refusalOf(() => checkListenPolicy('10.0.0.1', policy))).toMatchObject({
      flag: '--console',
      message: 'the console on 10.0.0.1 needs TLS and a passphrase',
    });
  });
});

const systemError = (code: string): Error => Object.assign(new Error(code), { code });

/** Binds where the system refuses with this error. */
async function refusedBind(error: Error, target: ListenTarget) {
  const server = createServer();
  vi.spyOn(server, 'listen').mockImplementation(() => {
    queueMicrotask(() => server.emit('error', error));
    return server;
  });
  return await bind(server, target);
}

describe('a server', () => {
  const TARGET = { address: '127.0.0.1', port: 0 };

  it('listens, and says where', async () => {
    const server = createServer();
    const listen = vi.spyOn(server, 'listen');
    const bound = await bind(server, TARGET);
    expect(bound).toMatchObject({ address: '127.0.0.1', kind: 'loopback' });
    expect(bound?.port).toBeGreaterThan(0);
    expect(listen.mock.calls[0]?.[0]).toEqual({ host: '127.0.0.1', port: 0, backlog: 4096 });
    expect(server.listenerCount('error')).toBe(0);
    const second = await refusal(() => bind(createServer(), { address: '127.0.0.1', port: bound?.port ?? 0 }));
    expect(second).toMatchObject({
      code: 'ERR_LISTEN',
      message: `cannot listen on 127.0.0.1 port ${bound?.port}: EADDRINUSE`,
      hint: expect.stringMatching(/^something else listens there: choose another/) as string,
      cause: expect.objectContaining({ code: 'EADDRINUSE' }) as unknown,
    });
    server.close();
  });

  it.each(['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EPROTONOSUPPORT'])(
    'does without an optional address: %s',
    async (code) => {
      expect(await refusedBind(systemError(code), { address: '::1', port: 1, optional: true })).toBeUndefined();
      for (const target of [{ address: '::1', port: 1 }, { address: '::1', port: 1, optional: false }, { fd: 3 }])
        expect((await refusal(() => refusedBind(systemError(code), target))).code).toBe('ERR_LISTEN');
    },
  );

  it('does not do without one that something else has', async () => {
    const error = systemError('EADDRINUSE');
    expect((await refusal(() => refusedBind(error, { address: '::1', port: 1, optional: true }))).code).toBe(
      'ERR_LISTEN',
    );
  });

  const EC2 = { address: '169.254.169.254', port: 80 };
  it.each<[string, ListenTarget, RegExp | undefined]>([
    ['EADDRINUSE', TARGET, /another with --port, or 0/],
    ['EACCES', TARGET, /ports below 1024/],
    ['EADDRNOTAVAIL', TARGET, /not one of this machine/],
    ['EADDRINUSE', { fd: 3 }, /another with --port, or 0/],
    ['EADDRINUSE', EC2, /something else listens there, or at port 80/],
    ['EACCES', EC2, /CAP_NET_BIND_SERVICE/],
    ['EADDRNOTAVAIL', EC2, /^give it to this machine first: ip addr add 169.254.169.254\/32 dev lo$/],
    ['EADDRNOTAVAIL', { address: 'fd00:ec2::254', port: 80 }, /ip addr add fd00:ec2::254\/128 dev lo$/],
    ['EIO', TARGET, undefined],
    ['EIO', EC2, undefined],
  ])('says what to do about %s at %j', async (code, target, hint) => {
    const error = await refusal(() => refusedBind(systemError(code), target));
    expect(hint === undefined ? error.hint === undefined : hint.test(error.hint ?? '')).toBe(true);
    expect(error.message.endsWith(`: ${code}`)).toBe(true);
  });

  it('says what it was given where there is no code', async () => {
    const { message } = await refusal(() => refusedBind(new Error('x'), { fd: 3 }));
    expect(message).toBe('cannot listen on the inherited socket 3: unknown error');
  });

  it.each(['/run/x', null])('takes no inherited socket of another kind: %j', async (address) => {
    const server = createServer();
    const listen = vi.spyOn(server, 'listen').mockImplementation((_target, listening) => {
      (listening as () => void)();
      return server;
    });
    vi.spyOn(server, 'address').mockReturnValue(address);
    const close = vi.spyOn(server, 'close');
    const error = await refusal(() => bind(server, { fd: 3 }));
    expect(error.message).toBe('the inherited socket is not a TCP socket');
    expect([listen.mock.calls[0]?.[0], close.mock.calls.length]).toEqual([{ fd: 3 }, 1]);
  });
});

describe('the standalone executable', () => {
  const versions = Object.getOwnPropertyDescriptor(process, 'versions') ?? {};
  beforeEach(() => {
    Object.defineProperty(process, 'versions', { ...versions, value: { ...process.versions, bun: '1' } });
  });
  afterEach(() => {
    Object.defineProperty(process, 'versions', versions);
  });

  it('takes no socket of systemd, and listens by itself', async () => {
    const server = createServer();
    const listen = vi.spyOn(server, 'listen');
    const error = await refusal(() => bind(server, { fd: 3 }));
    expect(error.message).toBe('the standalone executable cannot take sockets that systemd opened');
    expect(listen).not.toHaveBeenCalled();
    expect(await bind(server, { address: '127.0.0.1', port: 0 })).toMatchObject({ kind: 'loopback' });
    server.close();
  });
});

it('both loopbacks are the default, of which one may be missing', () => {
  expect(defaultTargets(7)).toEqual([
    { address: '127.0.0.1', port: 7 },
    { address: '::1', port: 7, optional: true },
  ]);
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

  it.each(['169.254.170.2', '127.0.0.1', '169.254.169.254:80', 'fd00[:ec2::254]', '[fd00:ec2:]:254', 'x', ''])(
    'is not %s',
    (text) => {
      expect(refusalOf(() => parseImdsAddresses([text]))).toMatchObject({ code: 'ERR_LISTEN', flag: '--imds-address' });
    },
  );

  it('is not for --listen, whose refusal names the flag that is', () => {
    expect(() => parseListen(['169.254.169.254'], 9911)).toThrow(
      expect.objectContaining({
        code: 'ERR_LISTEN',
        hint: 'add --imds-address 169.254.169.254, which listens there at port 80, and leave --listen out',
      }) as Error,
    );
  });
});

it.each(['example.com', '127.0.0.1:80', '10.0.0', '', '*', '[::1]:80', 'fe80[::1]', '0x7f000001'])(
  '%s is no address',
  (text) => {
    expect(refusalOf(() => parseListen([text], 1))).toMatchObject({ code: 'ERR_LISTEN', flag: '--listen' });
  },
);

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
