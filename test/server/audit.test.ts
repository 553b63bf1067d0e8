import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLog, silentLog } from '../../src/platform/log.ts';
import { openAuditLog } from '../../src/server/audit.ts';
import { peerUid } from '../../src/server/peer-uid.ts';
import { refusal } from '../support/refusal.ts';
import { ask, imdsToken, ROLE_ARN, startServer, TOKEN } from './support/server.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ra-audit-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const lines = (name = 'audit.log'): Record<string, unknown>[] =>
  readFileSync(join(dir, name), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('the audit log', () => {
  test('is no pipe that nobody reads, which would be waited for', async () => {
    execFileSync('mkfifo', [join(dir, 'pipe')]);
    const error = await refusal(() => openAuditLog(join(dir, 'pipe'), { log: silentLog }));
    expect([error.code, error.message]).toEqual(['ERR_AUDIT_LOG', expect.stringContaining('ENXIO')]);
  });

  test('has a line for each vend, and for nothing else', async () => {
    const audit = openAuditLog(join(dir, 'audit.log'), { log: silentLog, now: () => Date.UTC(2026, 0, 1) });
    const server = await startServer({ audit });
    const path = '/latest/meta-data/iam/security-credentials/Demo';
    const token = await imdsToken(server);
    await ask(server, 'GET', path);
    await ask(server, 'GET', '/credentials');
    await ask(server, 'HEAD', '/credentials', { Authorization: TOKEN });
    await ask(server, 'GET', path, { 'X-aws-ec2-metadata-token': token });
    await ask(server, 'GET', '/credentials', { Authorization: TOKEN });
    const line = {
      time: '2026-01-01T00:00:00.000Z',
      role: ROLE_ARN,
      key: '0001',
      client: expect.stringMatching(/^127\.0\.0\.1:\d+$/) as string,
      ...(process.platform === 'linux' ? { uid: process.getuid?.() } : {}),
    };
    expect(lines()).toEqual([line, line]);
    expect(statSync(join(dir, 'audit.log')).mode & 0o777).toBe(0o600);
    await server.close(0);
    audit.close();
  });

  test('goes on in a new file after it was rotated', async () => {
    const audit = openAuditLog(join(dir, 'audit.log'), { log: silentLog });
    const server = await startServer({ audit });
    await ask(server, 'GET', '/credentials', { Authorization: TOKEN });
    renameSync(join(dir, 'audit.log'), join(dir, 'audit.log.1'));
    audit.reopen();
    await ask(server, 'GET', '/credentials', { Authorization: TOKEN });
    expect([lines('audit.log.1').length, lines().length]).toEqual([1, 1]);
    await server.close(0);
    audit.close();
  });

  test('that cannot be written stops the vending', async () => {
    const logged: string[] = [];
    const log = createLog({ write: (line) => void logged.push(line) });
    const audit = openAuditLog('/dev/full', { log });
    const server = await startServer({ audit });
    const { status, body } = await ask(server, 'GET', '/credentials', { Authorization: TOKEN });
    expect(status).toBe(503);
    expect(body).not.toContain('ASIA');
    expect(logged.join('')).toContain('ENOSPC');
    await server.close(0);
    audit.close();
  });

  test('that cannot be opened is an error of usage at the start', async () => {
    const error = await refusal(() => openAuditLog(join(dir, 'none/audit.log'), { log: silentLog }));
    expect([error.code, error.class]).toEqual(['ERR_AUDIT_LOG', 'usage']);
  });
});

/** A row of /proc/net/tcp. */
const row = (local: string, remote: string, state: string, uid: number): string =>
  `   0: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000  ${uid}        0 1 1 0000000000000000\n`;
/** 127.0.0.1 as an IPv6 socket has it. */
const mapped = (port: string): string => `0000000000000000FFFF00000100007F:${port}`;

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

  test.runIf(process.arch === 'x64' || process.arch === 'arm64')(
    'comes from the row of the client, not from its own',
    async () => {
      expect(await uid({ '/proc/net/tcp': V4 })).toBe(1234);
      expect(await uid({ '/proc/net/tcp6': V6 })).toBe(99);
      const loopback = { address: '::1', port: 0xd431 };
      expect(await uid({ '/proc/net/tcp6': V6 }, loopback, { address: '::1', port: 9911 })).toBe(55);
      expect(await uid({ '/proc/net/tcp': V4 }, { ...client, address: '::ffff:127.0.0.1' })).toBe(1234);
    },
  );

  test('is not told of a closed connection, which the kernel gives to root', async () => {
    expect(await uid({ '/proc/net/tcp': header + row('0100007F:D431', '0100007F:26B7', '06', 0) })).toBeUndefined();
  });

  test('is not told off the loopback, elsewhere than on Linux, and of who is not in the table', async () => {
    expect(await uid({ '/proc/net/tcp': V4 }, { ...client, address: '10.0.0.1' })).toBeUndefined();
    expect(await uid({ '/proc/net/tcp': V4 }, { ...client, port: 1 })).toBeUndefined();
    expect(
      await peerUid(client, server, { platform: 'darwin', read: () => Promise.reject(new Error('must not be read')) }),
    ).toBeUndefined();
  });

  test.runIf(process.platform === 'linux').each(['127.0.0.1', '::1'])(
    'is told by this kernel over %s',
    async (host) => {
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
    },
  );
});
