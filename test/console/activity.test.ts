import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { COLUMNS, createActivity, csvOf, jsonLinesOf } from '../../src/console/activity.ts';
import { noteVends } from '../../src/console/console.ts';
import { RolesAnywhereError } from '../../src/platform/errors.ts';
import { readTail } from '../../src/platform/tail.ts';

const ROLE = 'arn:aws:iam::123456789012:role/Deploy';

/** A line of an audit log. */
function line(more: object): string {
  return JSON.stringify({ time: '2026-01-01T00:00:00.000Z', role: ROLE, key: 'ABCD', client: '127.0.0.1:1', ...more });
}

describe('the activity', () => {
  it('keeps 5,000 rows, numbered in their order, and gives those after one', () => {
    const activity = createActivity(() => 0);
    for (let count = 0; count < 12_000; count++) activity.add({ event: 'vend', role: ROLE });
    expect(activity.rows()).toHaveLength(5000);
    expect(activity.rows(11_998).map(({ id }) => id)).toEqual([11_999, 12_000]);
  });

  it('lists a hundred of what SDKs are given within a second, and counts the others', async () => {
    const time = { now: 0 };
    const activity = createActivity(() => time.now);
    const socket = new Socket();
    const credentials = {
      accessKeyId: 'ASIAABCD',
      secretAccessKey: 's',
      sessionToken: 't',
      expiration: new Date(1e12),
    };
    const vended = noteVends(
      activity,
      () => Promise.resolve(7),
      () => time.now,
    );
    let told = 0;
    const unsubscribe = activity.subscribe(() => told++);
    for (let count = 0; count < 1000; count++) vended({ roleArn: ROLE }, credentials, socket);
    expect(activity.rows()).toHaveLength(100);
    expect(activity.unlisted()).toBe(900);
    expect(activity.minutes().at(-1)).toMatchObject({ issued: 1000 });
    time.now = 1000;
    vended({ roleArn: ROLE }, credentials, socket);
    expect(activity.rows()).toHaveLength(101);
    await vi.waitFor(() => expect(told).toBe(1));
    unsubscribe();
  });

  it('counts by minutes, of the last hour', () => {
    const time = { now: 0 };
    const activity = createActivity(() => time.now);
    activity.add({ event: 'vend', role: ROLE });
    activity.countRequest();
    time.now = 59 * 60_000;
    activity.add({ event: 'failure', role: ROLE });
    expect(activity.minutes()).toHaveLength(60);
    expect(activity.minutes()[0]).toEqual({ at: 0, requests: 1, issued: 1, refreshed: 0, failed: 0 });
    expect(activity.minutes()[59]).toMatchObject({ failed: 1, issued: 0 });
    time.now = 60 * 60_000;
    expect(activity.minutes()[0]).toMatchObject({ at: 60, issued: 0 });
  });

  it('takes what providers did, with remedy and without a secret', () => {
    const activity = createActivity(() => 0);
    const error = new RolesAnywhereError('ERR_ACCESS_DENIED', 'the service said no', {
      hint: 'look at the trust policy',
    });
    activity.ofProvider('Deploy', { type: 'failed', reason: 'due', durationMs: 12.4, error, failures: 1 });
    expect(activity.rows()).toMatchObject([
      { event: 'failure', code: 'ERR_ACCESS_DENIED', hint: 'look at the trust policy', duration_ms: 12 },
    ]);
  });

  it('begins with what an audit log has, and passes over what is no line of one', () => {
    const folder = mkdtempSync(join(tmpdir(), 'ra-activity-'));
    const file = join(folder, 'audit.log');
    writeFileSync(
      file,
      `${line({ uid: 7 })}\nno JSON\n[]\n{"time":"never"}\n${line({ via: 'console', session: 's' })}\n{"time`,
    );
    const activity = createActivity();
    activity.readAuditLog(file);
    activity.readAuditLog(join(folder, 'missing'));
    activity.readAuditLog(folder);
    expect(activity.rows()).toMatchObject([
      { event: 'vend', key: 'ABCD', uid: 7 },
      { event: 'issue', session: 's' },
    ]);
    expect(activity.minutes().every(({ issued }) => issued === 0)).toBe(true);
    expect(readTail(file, 10)).toBe('{"time');
    rmSync(folder, { recursive: true });
  });
});

describe('an export', () => {
  const rows = [
    {
      time: '2026-01-01T00:00:00.000Z',
      event: 'issue',
      role: ROLE,
      uid: 0,
      session: '=cmd',
      message: 'a "b", c\nd\\e',
    },
  ] as const;

  it('is CSV in which every field is quoted and none is a formula', () => {
    const [head, row, rest] = csvOf(rows).split('\r\n');
    expect(head).toBe(COLUMNS.map((column) => `"${column}"`).join(','));
    expect(row).toContain(`"'=cmd"`);
    expect(row).toContain(String.raw`"a ""b"", c d\\e"`);
    expect(rest).toBe('');
  });

  it('is JSON lines with the same keys in each', () => {
    const [row = '', rest] = jsonLinesOf(rows).split('\n');
    expect(Object.keys(JSON.parse(row) as object)).toEqual([...COLUMNS]);
    expect(JSON.parse(row)).toMatchObject({ session: '=cmd', uid: 0, hint: null });
    expect(rest).toBe('');
  });

  it('has the columns of the tables in the documentation, in their order', () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/console.md'), 'utf8');
    const tables = [...page.matchAll(/CREATE EXTERNAL TABLE \w+ \(([^)]*)\)/g)].map(([, body = '']) =>
      [...body.matchAll(/`(\w+)` (string|bigint)/g)].map(([, name]) => name),
    );
    const exported = csvOf([]).trim().replaceAll('"', '').split(',');
    const keys = Object.keys(JSON.parse(jsonLinesOf([{ time: '', event: 'vend' }])) as object);
    expect(tables).toEqual([exported, keys]);
  });
});
