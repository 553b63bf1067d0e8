import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLog, silentLog } from '../../src/platform/log.ts';
import { openAuditLog } from '../../src/server/audit.ts';
import { refusal } from '../support/refusal.ts';
import { requireTool } from '../support/tools.ts';
import { ROLE_ARN } from '../support/arns.ts';
import { ask, imdsToken, startServer, TOKEN } from './support/server.ts';

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
  it('has a line for each vend, and for nothing else', async () => {
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
      ...(process.platform === 'linux' && { uid: process.getuid?.() }),
    };
    expect(lines()).toEqual([line, line]);
    expect(statSync(join(dir, 'audit.log')).mode & 0o777).toBe(0o600);
    await server.close(0);
    audit.close();
  });

  it('leaves no part of a line behind when the disk is full, and the next line is whole', async () => {
    let room = 1000;
    const write = (file: number, bytes: Uint8Array): number => {
      if (room === 0) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
      const count = writeSync(file, bytes.subarray(0, room));
      room -= count;
      return count;
    };
    const audit = openAuditLog(join(dir, 'audit.log'), { log: silentLog, write });
    const server = await startServer({ audit });
    const vend = async (): Promise<number> =>
      (await ask(server, 'GET', '/credentials', { Authorization: TOKEN })).status;
    expect(await vend()).toBe(200);
    room = 40;
    expect(await vend()).toBe(503);
    expect(lines()).toHaveLength(1);
    room = 1000;
    expect(await vend()).toBe(200);
    expect(lines()).toHaveLength(2);
    await server.close(0);
    audit.close();
  });

  it('begins anew on a line of its own where a part cannot be taken back', async () => {
    const path = join(dir, 'pipe');
    execFileSync('mkfifo', [path]);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    let room = 40;
    const write = (file: number, bytes: Uint8Array): number => {
      if (room === 0) throw Object.assign(new Error('full'), { code: 'EAGAIN' });
      const count = writeSync(file, bytes.subarray(0, room));
      room -= count;
      return count;
    };
    const audit = openAuditLog(path, { log: silentLog, write });
    const server = await startServer({ audit });
    expect((await ask(server, 'GET', '/credentials', { Authorization: TOKEN })).status).toBe(503);
    room = 1000;
    expect((await ask(server, 'GET', '/credentials', { Authorization: TOKEN })).status).toBe(200);
    const chunk = Buffer.alloc(1000);
    const text = chunk.subarray(0, readSync(reader, chunk)).toString();
    expect(JSON.parse(text.split('\n')[1] ?? '')).toMatchObject({ role: ROLE_ARN });
    closeSync(reader);
    await server.close(0);
    audit.close();
  });

  it('goes on in a new file after it was rotated', async () => {
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

  it('that cannot be written stops the vending', async () => {
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

  it('that cannot be opened is an error of usage at the start', async () => {
    const error = await refusal(() => openAuditLog(join(dir, 'none/audit.log'), { log: silentLog }));
    expect([error.code, error.class]).toEqual(['ERR_AUDIT_LOG', 'usage']);
  });

  it.runIf(requireTool('mkfifo'))('on a pipe that nothing reads is refused, and waits for nobody', async () => {
    execFileSync('mkfifo', [join(dir, 'pipe')]);
    const error = await refusal(() => openAuditLog(join(dir, 'pipe'), { log: silentLog }));
    expect([error.code, error.message]).toEqual([
      'ERR_AUDIT_LOG',
      `cannot write the audit log ${join(dir, 'pipe')}: it is a pipe that nothing reads`,
    ]);
  });

  it.runIf(requireTool('mkfifo'))(
    'on a pipe whose reader does not keep up stops the vending, and waits for nobody',
    async () => {
      execFileSync('mkfifo', [join(dir, 'pipe')]);
      const reader = openSync(join(dir, 'pipe'), constants.O_RDONLY | constants.O_NONBLOCK);
      const audit = openAuditLog(join(dir, 'pipe'), { log: silentLog });
      const server = await startServer({ audit });
      const vend = async (): Promise<number> =>
        (await ask(server, 'GET', '/credentials', { Authorization: TOKEN })).status;
      expect(await vend()).toBe(200);
      const writer = openSync(join(dir, 'pipe'), constants.O_WRONLY | constants.O_NONBLOCK);
      const fill = (size: number): unknown => {
        try {
          for (;;) writeSync(writer, Buffer.alloc(size));
        } catch (error) {
          return error;
        }
      };
      for (const size of [4096, 1]) expect(fill(size)).toMatchObject({ code: 'EAGAIN' });
      expect(await vend()).toBe(503);
      await server.close(0);
      audit.close();
      for (const descriptor of [reader, writer]) closeSync(descriptor);
    },
  );
});
