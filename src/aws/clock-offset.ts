/** How far this machine's clock is off, by the service's Date. Loaded at the first refusal. */
import type { HttpRequest, HttpResponse, HttpTransport } from '../http/http.ts';

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

/**
 * Asks the service for its time, when there is no answer yet to take it from:
 * one small request that is not signed. Whatever is answered will do.
 *
 * @returns as {@link clockOffset}; undefined also when there is no answer
 */
export async function measureClock(
  transport: HttpTransport,
  request: Pick<HttpRequest, 'url' | 'tls' | 'signal' | 'headers'>,
  now: () => number,
): Promise<number | undefined> {
  try {
    const answer = await transport({ ...request, method: 'GET', timeoutMs: 5000, maxResponseBytes: 64 * 1024 });
    return clockOffset(answer, now());
  } catch {
    return undefined; // what could not be measured explains nothing
  }
}

/** What a person is told. */
export function offsetWarning(offsetMs: number): string {
  const direction = offsetMs > 0 ? 'behind' : 'ahead';
  return `this machine's clock is ${span(Math.abs(offsetMs))} ${direction}, by the service's: its time is used for this run; set the clock`;
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
