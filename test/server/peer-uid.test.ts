import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { readdirSync, readlinkSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { peerUid } from '../../src/server/peer-uid.ts';

/** A row of /proc/net/tcp. */
const row = (local: string, remote: string, state: string, uid: number): string =>
  `   0: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000  ${uid}        0 1 1 0000000000000000\n`;
/** The client's row of a connection within one address, to port 80. */
const rowWithin = (address: string, uid: number): string => row(`${address}:D431`, `${address}:0050`, '01', uid);
/** 127.0.0.1 as an IPv6 socket has it. */
const mapped = (port: string): string => `0000000000000000FFFF00000100007F:${port}`;

/** The addresses of this machine, of all kinds that it has. */
const OWN = [
  '127.0.0.1',
  '::1',
  ...Object.values(networkInterfaces()).flatMap((all = []) =>
    // Of a link's own, the zone would have to be said.
    all.flatMap(({ address, internal }) => (internal || address.startsWith('fe80:') ? [] : [address])),
  ),
];

describe('the uid of a client', () => {
  const header = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
  const client = { address: '127.0.0.1', port: 0xd431 };
  const server = { address: '127.0.0.1', port: 9911 };
  const V4 =
    header + row('0100007F:26B7', '0100007F:D431', '01', 7) + row('0100007F:D431', '0100007F:26B7', '01', 1234);
  const V6 =
    header +
    row(mapped('D431'), mapped('26B7'), '01', 99) +
    row('00000000000000000000000001000000:D431', '00000000000000000000000001000000:26B7', '01', 55);

  const uid = (tables: Record<string, string>, from = client, to = server) =>
    peerUid(from, to, { platform: 'linux', read: (path) => Promise.resolve(tables[path] ?? header) });

  it.runIf(process.arch === 'x64' || process.arch === 'arm64')(
    'comes from the row of the client, not from its own',
    async () => {
      expect(await uid({ '/proc/net/tcp': V4 })).toBe(1234);
      expect(await uid({ '/proc/net/tcp6': V6 })).toBe(99);
      const loopback = { address: '::1', port: 0xd431 };
      expect(await uid({ '/proc/net/tcp6': V6 }, loopback, { address: '::1', port: 9911 })).toBe(55);
      expect(await uid({ '/proc/net/tcp': V4 }, { ...client, address: '::ffff:127.0.0.1' })).toBe(1234);
    },
  );

  it.runIf(process.arch === 'x64' || process.arch === 'arm64')(
    "is told at an address of this machine's own, and of no other machine",
    async () => {
      const ec2 = { address: '169.254.169.254', port: 80 };
      const table = { '/proc/net/tcp': header + row('FEA9FEA9:D431', 'FEA9FEA9:0050', '01', 1234) };
      expect(await uid(table, { ...client, address: '169.254.169.254' }, ec2)).toBe(1234);
      expect(await uid(table, { ...client, address: '169.254.1.1' }, ec2)).toBeUndefined();
    },
  );

  it.runIf(process.arch === 'x64' || process.arch === 'arm64')(
    "is told at an IPv6 address of this machine's own, where another user calls ::1 from the same port",
    async () => {
      const ec2 = { address: 'fd00:ec2::254', port: 80 };
      const another = header + rowWithin('00000000000000000000000001000000', 55);
      const both = another + rowWithin('C20E00FD000000000000000054020000', 1234);
      const from = { ...client, address: ec2.address };
      expect(await uid({ '/proc/net/tcp6': both }, from, ec2)).toBe(1234);
      expect(await uid({ '/proc/net/tcp6': another }, from, ec2)).toBeUndefined();
      const linkLocal = { ...ec2, address: 'fe80::1%eth0' };
      const table = { '/proc/net/tcp6': another + rowWithin('000080FE000000000000000001000000', 1234) };
      expect(await uid(table, { ...from, address: linkLocal.address }, linkLocal)).toBe(1234);
    },
  );

  it.runIf(process.arch === 'x64' || process.arch === 'arm64')(
    'is told of who calls from the loopback, whichever of its addresses and of this machine that is to',
    async () => {
      const v4 = { '/proc/net/tcp': header + row('0100007F:D431', '0200007F:26B7', '01', 1234) };
      expect(await uid(v4, client, { ...server, address: '127.0.0.2' })).toBe(1234);
      const [from, to] = ['00000000000000000000000001000000:D431', '000000FD000000000000000001000000:26B7'];
      const v6 = { '/proc/net/tcp6': header + row(from, to, '01', 55) };
      expect(await uid(v6, { ...client, address: '::1' }, { ...server, address: 'fd00::1' })).toBe(55);
    },
  );

  it.runIf(process.arch === 'x64' || process.arch === 'arm64')(
    'is not that of an address which only ends like it',
    async () => {
      const longer = header + row(`FF${mapped('D431').slice(2)}`, mapped('26B7'), '01', 99);
      expect(await uid({ '/proc/net/tcp6': longer })).toBeUndefined();
    },
  );

  it.runIf(process.platform === 'linux')('is looked up for a crowd without a descriptor for each of them', async () => {
    const crowd = Promise.all(Array.from({ length: 4 }, () => peerUid(client, server)));
    const over = crowd.then(() => true);
    let most = 0;
    while (!(await Promise.race([over, setImmediate(false)]))) {
      const open = readdirSync('/proc/self/fd').flatMap((fd) => {
        try {
          return readlinkSync(`/proc/self/fd/${fd}`);
        } catch {
          return [];
        }
      });
      most = Math.max(most, open.filter((path) => /\/net\/tcp6?$/.test(path)).length);
    }
    expect(await crowd).toHaveLength(4);
    expect(most).toBeLessThanOrEqual(1);
  });

  it('is not told of a closed connection, which the kernel gives to root', async () => {
    expect(await uid({ '/proc/net/tcp': header + row('0100007F:D431', '0100007F:26B7', '06', 0) })).toBeUndefined();
  });

  it('is not told off the loopback, elsewhere than on Linux, and of who is not in the table', async () => {
    const away = header + row('0100000A:D431', '0100007F:26B7', '01', 1234);
    expect(await uid({ '/proc/net/tcp': away }, { ...client, address: '10.0.0.1' })).toBeUndefined();
    expect(await uid({ '/proc/net/tcp': V4 }, { ...client, port: 1 })).toBeUndefined();
    expect(
      await peerUid(client, server, { platform: 'darwin', read: () => Promise.reject(new Error('must not be read')) }),
    ).toBeUndefined();
  });

  it.runIf(process.platform === 'linux').each(OWN)('is told by this kernel over %s', async (host) => {
    const listener = createServer();
    listener.listen(0, host);
    await once(listener, 'listening');
    const accepted = once(listener, 'connection') as Promise<[Socket]>;
    const dialled = connect((listener.address() as AddressInfo).port, host);
    const [socket] = await accepted;
    const { remoteAddress = '', remotePort = 0, localAddress = '', localPort = 0 } = socket;
    expect(
      await peerUid({ address: remoteAddress, port: remotePort }, { address: localAddress, port: localPort }),
    ).toBe(process.getuid?.());
    dialled.destroy();
    socket.destroy();
    listener.close();
  });
});
