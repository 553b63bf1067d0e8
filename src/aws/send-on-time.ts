/** Requests that are signed with the service's time, and what their answers tell of it. */
import type { HttpResponse } from '../http/http.ts';
import { processAge } from './budget.ts';
import type { Connection } from './connection.ts';
import { presumedNow } from './service-clock.ts';
import type { ServiceClock } from './service-clock.ts';

/** An answer, and the time that its request was signed with, in milliseconds since 1970. */
export interface SentOnTime {
  readonly response: HttpResponse;
  readonly signedAt: number;
}

/** Signs with a time and sends; to be done within `timeoutMs`. */
type Send = (signedAt: number, timeoutMs: number) => Promise<HttpResponse>;

/** Below it, Date is within whole seconds, the network, and what clocks are off that nobody minds. */
const LEAST_OFFSET_MS = 60_000;

/** The service takes no signature that is further from its time: AWS General Reference, "SigV4", and a minute for the way. */
const MOST_OFF_MS = 6 * 60_000;

/**
 * Makes the function that sends the requests of one operation.
 *
 * A refusal whose Date is more than a minute from the time that it was signed with is followed, once for the operation,
 * by a request signed with the service's time. An offset stands when such a request succeeds: a refusal may be anybody's.
 * A good answer corrects the clock too: within five minutes the service takes signatures, and credentials would be
 * judged by the wrong clock. A Date that is further off is not the time of whoever took the signature, such as that of a
 * load balancer: it is passed over.
 *
 * @param signed whether the time is a part of the request. Default true
 */
export function senderOnTime(
  clock: ServiceClock,
  { log, onClockOffset, monotonic = processAge }: Pick<Connection, 'log' | 'onClockOffset' | 'monotonic'>,
  signed = true,
): (send: Send, timeoutMs: number) => Promise<SentOnTime> {
  let corrected = !signed;
  return async (send, timeoutMs) => {
    const begun = monotonic();
    let offset = clock.presumed();
    let signedAt = presumedNow(clock);
    let response = await send(signedAt, timeoutMs);
    const { status } = response;
    if (status >= 400 && status <= 499 && status !== 429 && signed) {
      clock.presume(undefined);
      const { clockOffset } = await import('./clock-offset.ts');
      const ahead = corrected ? undefined : clockOffset(response, signedAt);
      if (ahead !== undefined) {
        corrected = true;
        offset += ahead;
        signedAt += ahead;
        response = await send(signedAt, Math.max(1, timeoutMs - (monotonic() - begun)));
      }
    }
    if (response.status >= 200 && response.status <= 299) {
      const date = Date.parse(response.headers['date'] ?? '');
      const local = signedAt - offset + (monotonic() - begun);
      const off = Math.abs(date - signedAt);
      const isTold = off > LEAST_OFFSET_MS && (off <= MOST_OFF_MS || !signed);
      const isOff = isTold && Math.abs(date - (local + offset)) > LEAST_OFFSET_MS;
      if (offset !== clock.offset() || isOff) {
        const { confirmOffset } = await import('./clock-offset.ts');
        confirmOffset(clock, isOff ? Math.round(date - local) : offset, log, onClockOffset);
      }
    }
    return { response, signedAt };
  };
}
