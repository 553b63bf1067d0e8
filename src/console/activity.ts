/**
 * What happened, for the page to show: the last rows in memory, and how many of each kind came in each minute. The rows
 * of an audit log from before the start come first. Holds no secret.
 */
import type { SessionCredentials } from '../credentials/credentials.ts';
import type { ProviderEvent } from '../credentials/provider.ts';
import { readTail } from '../platform/tail.ts';
import type { ActivityRow, Minute, NumberedRow } from './api.ts';

/** The columns of a row, in the order of an export. docs/console.md has them as tables of Athena. */
export const COLUMNS = [
  'time',
  'event',
  'role',
  'key',
  'client',
  'uid',
  'session',
  'expiration',
  'duration_ms',
  'code',
  'message',
  'hint',
] as const;

export interface Activity {
  add(row: Omit<ActivityRow, 'time'> & { readonly time?: string }): NumberedRow;
  /** One that was answered, whatever it asked for. */
  countRequest(): void;
  /** An SDK that was given credentials, without a row: so many came that rows would be gone before they were read. */
  countVend(): void;
  /** How many came without one. */
  unlisted(): number;
  ofProvider(role: string, event: ProviderEvent): void;
  /** Takes in what an audit log holds already. */
  readAuditLog(path: string): void;
  /** All that is kept, oldest first; or what came after a row. */
  rows(after?: number): NumberedRow[];
  /** The last hour, oldest first, this minute included. */
  minutes(): Minute[];
  /** Calls `listener` after something was added, once for all that came since the last call. */
  subscribe(listener: () => void): () => void;
}

/** Some 1.5 MB at most. */
const MAX_ROWS = 5000;
const MINUTES = 60;

/** What comes within so long is told together. */
const TELL_MS = 250;

/** The end of an audit log that is read: more than {@link MAX_ROWS} lines of usual length are not kept anyway. */
const MAX_TAIL_BYTES = 512 * 1024;

/** @param now milliseconds since the epoch */
export function createActivity(now: () => number = Date.now): Activity {
  let rows: NumberedRow[] = [];
  let last = 0;
  let unlisted = 0;
  const minutes = new Map<number, Minute>();
  const listeners = new Set<() => void>();
  let told: NodeJS.Timeout | undefined;

  const minute = (): Minute => {
    const at = Math.floor(now() / 60_000) * 60;
    let current = minutes.get(at);
    if (current === undefined) {
      minutes.set(at, (current = { at, requests: 0, issued: 0, refreshed: 0, failed: 0 }));
      for (const old of minutes.keys()) if (old <= at - MINUTES * 60) minutes.delete(old);
    }
    return current;
  };
  const keep = (row: ActivityRow): NumberedRow => {
    const numbered = { ...row, id: ++last };
    rows.push(numbered);
    // Not one by one: that would move the whole list each time.
    if (rows.length >= 2 * MAX_ROWS) rows = rows.slice(-MAX_ROWS);
    return numbered;
  };
  const tell = (): void => {
    if (listeners.size === 0) return;
    if (told !== undefined) return;
    told = setTimeout(() => {
      told = undefined;
      for (const listener of listeners) listener();
    }, TELL_MS);
    told.unref();
  };
  const add: Activity['add'] = (row) => {
    if (row.event === 'vend' || row.event === 'issue') minute().issued++;
    else if (row.event === 'refresh') minute().refreshed++;
    else if (row.event === 'failure' || row.event === 'refused') minute().failed++;
    const kept = keep({ ...row, time: row.time ?? new Date(now()).toISOString() });
    tell();
    return kept;
  };

  return {
    add,
    countRequest() {
      minute().requests++;
    },
    countVend() {
      minute().issued++;
      unlisted++;
      tell();
    },
    unlisted: () => unlisted,
    ofProvider(role, event) {
      switch (event.type) {
        case 'refreshed':
          add({
            event: 'refresh',
            role,
            expiration: event.expiration.toISOString(),
            duration_ms: Math.round(event.durationMs),
            message: event.reason,
          });
          break;
        case 'failed':
          add({
            event: 'failure',
            role,
            duration_ms: Math.round(event.durationMs),
            code: event.error.code,
            message: event.error.message,
            hint: event.error.hint,
          });
          break;
        case 'expired':
          add({ event: 'expired', role, expiration: event.expiration.toISOString() });
          break;
        case 'attempt':
        case 'clock-jump':
      }
    },
    readAuditLog(path) {
      for (const line of readTail(path, MAX_TAIL_BYTES).split('\n')) {
        const row = rowOfAuditLine(line);
        if (row !== undefined) keep(row);
      }
    },
    rows: (after = 0) => rows.slice(-MAX_ROWS).filter(({ id }) => id > after),
    minutes() {
      const current = minute();
      return Array.from({ length: MINUTES }, (_, index) => {
        const at = current.at - (MINUTES - 1 - index) * 60;
        return minutes.get(at) ?? { at, requests: 0, issued: 0, refreshed: 0, failed: 0 };
      });
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/** The row of a set of credentials that an SDK was given. */
export function vendRow(
  roleArn: string,
  { accessKeyId, expiration }: SessionCredentials,
  client: string,
): Omit<ActivityRow, 'time'> {
  return { event: 'vend', role: roleArn, key: accessKeyId.slice(-4), client, expiration: expiration.toISOString() };
}

function text(given: unknown): string | undefined {
  return typeof given === 'string' ? given.slice(0, 2048) : undefined;
}

/** What a line of the audit log says; undefined for what is none, or was cut. */
function rowOfAuditLine(line: string): ActivityRow | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { time, role, key, client, uid, via, session }: Record<string, unknown> = { ...value };
  const at = text(time);
  if (at === undefined || Number.isNaN(Date.parse(at))) return undefined;
  return {
    time: at,
    event: via === 'console' ? 'issue' : 'vend',
    role: text(role),
    key: text(key),
    client: text(client),
    uid: typeof uid === 'number' ? uid : undefined,
    session: text(session),
  };
}

function field(value: string | number | undefined): string {
  // A backslash is what OpenCSVSerDe escapes with.
  const plain = String(value ?? '')
    .replaceAll(/[\r\n]+/g, ' ')
    .replaceAll('\\', String.raw`\\`);
  return `"${(/^[=+\-@\t]/.test(plain) ? `'${plain}` : plain).replaceAll('"', '""')}"`;
}

/**
 * Rows as CSV (RFC 4180), every field in quotes: what Athena's OpenCSVSerDe reads. A text that a spreadsheet would take
 * for a formula has an apostrophe before it (OWASP, "CSV Injection").
 */
export function csvOf(rows: readonly ActivityRow[]): string {
  const lines = rows.map((row) => COLUMNS.map((column) => field(row[column])).join(','));
  return `${[COLUMNS.map((column) => field(column)).join(','), ...lines].join('\r\n')}\r\n`;
}

/** Rows as JSON, one object a line, with the same keys in each: what Athena's JSON SerDes read. */
export function jsonLinesOf(rows: readonly ActivityRow[]): string {
  return rows
    .map((row) => `${JSON.stringify(Object.fromEntries(COLUMNS.map((column) => [column, row[column] ?? null])))}\n`)
    .join('');
}
