/** How far this machine's clock is off, by the service's Date. Loaded at the first refusal. */
import type { HttpResponse } from '../http/http.ts';
import { USER_AGENT } from '../http/user-agent.ts';
import type { Log } from '../platform/log.ts';
import type { Connection } from './connection.ts';
import { presumedNow } from './service-clock.ts';
import type { ServiceClock } from './service-clock.ts';

/** Differences up to this one are Date's whole seconds, the network, and clocks that nobody minds. */
const LEAST_OFFSET_MS = 60_000;

/**
 * How far the service is ahead of `now`, if that is more than a minute.
 *
 * @returns milliseconds, below 0 when the service is behind; undefined without a readable Date (RFC 9110, section
 * 6.6.1) and for what is within a minute
 */
export function clockOffset({ headers }: HttpResponse, now: number): number | undefined {
  const date = serviceDate(headers);
  return date === undefined || Math.abs(date - now) <= LEAST_OFFSET_MS ? undefined : date - now;
}

/** Milliseconds since 1970 of the Date header. */
export function serviceDate(headers: HttpResponse['headers']): number | undefined {
  const text = headers['date'];
  // Only the form that is sent today: Date.parse would take much else.
  if (text === undefined || !/^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/.test(text))
    return undefined;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : date;
}

/** Lets an offset stand that a request has succeeded with, and says so. */
export function confirmOffset(
  clock: ServiceClock,
  offsetMs: number,
  log: Log | undefined,
  onClockOffset?: Connection['onClockOffset'],
): void {
  const before = clock.offset();
  clock.confirm(offsetMs);
  if (Math.abs(offsetMs - before) <= LEAST_OFFSET_MS) return;
  onClockOffset?.(offsetMs);
  if (Math.abs(offsetMs) <= LEAST_OFFSET_MS) log?.info("this machine's clock is right again, by the service's");
  else
    log?.warn(
      `this machine's clock is ${span(Math.abs(offsetMs))} ${offsetMs > 0 ? 'behind' : 'ahead'}, by the service's: its time is used for this run; set the clock`,
    );
}

/**
 * Asks the service for its time, when there is no answer yet to take it from, and presumes its offset:
 * one small request that is not signed. Whatever is answered will do, and so the offset stands only when a request that is
 * signed with it succeeds.
 *
 * @returns false when the clock was right, or nobody can tell
 */
export async function correctByService(connection: Connection, url: URL): Promise<boolean> {
  const { transport, tls, signal, clock, budget, userAgent = USER_AGENT } = connection;
  if (clock === undefined) return false;
  const headers = { 'user-agent': userAgent };
  const timeoutMs = Math.max(1, Math.min(5000, budget?.remaining() ?? 5000));
  const request = { method: 'GET', url, headers, tls, signal, timeoutMs, maxResponseBytes: 64 * 1024 } as const;
  // What could not be measured explains nothing.
  const answer = await transport(request).catch(() => undefined);
  const offsetMs = answer && clockOffset(answer, presumedNow(clock));
  if (offsetMs === undefined) return false;
  clock.presume(clock.presumed() + offsetMs);
  return true;
}

/** In the two largest units that matter, such as `1 day 2 hours`. */
export function span(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const units: readonly (readonly [string, number])[] = [
    ['day', 86_400],
    ['hour', 3600],
    ['minute', 60],
    ['second', 1],
  ];
  const first = units.findIndex(([, size]) => seconds >= size);
  const shown = units.slice(first, first + 2).flatMap(([name, size], index) => {
    const amount = Math.floor(index === 0 ? seconds / size : (seconds % (units[first]?.[1] ?? 1)) / size);
    return amount === 0 ? [] : [`${amount} ${name}${amount === 1 ? '' : 's'}`];
  });
  return shown.length === 0 ? '0 seconds' : shown.join(' ');
}
