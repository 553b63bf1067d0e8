/** Faults on demand: what a network or a service in trouble does to a client, for tests of that client. */
import type { Verdict } from './answer.ts';
import type { ReceivedRequest } from './received.ts';
import { Refusal } from './refusal.ts';

export interface Fault {
  /** The requests that it befalls, by method; default all. */
  method?: string | undefined;
  /** The same by path, such as `/sessions`; default all. */
  path?: string | undefined;
  /** The number of requests that it befalls; default 1, and `Infinity` for all that come. */
  times?: number | undefined;
  /** Milliseconds by which the answer is late. */
  delayMs?: number | undefined;
  /** HTTP status of an answer that is given without a look at the request. */
  status?: number | undefined;
  /** The error's code in that answer; default `ThrottlingException` for 429, and `InternalFailure` for others. */
  code?: string | undefined;
  /** Ends the connection `before` the first byte of the answer, or in the `middle` of its body. */
  cut?: 'before' | 'middle' | undefined;
  /** The moment in the answer's Date header, by which clients correct their clocks. */
  date?: Date | undefined;
}

/** The delivery of an answer, when it is not at once and whole. */
export type Delivery = Pick<Fault, 'delayMs' | 'cut' | 'date'>;

export interface Faults {
  /** @returns takes the fault back, if it is still to come */
  inject(fault: Fault): () => void;
  /** The oldest fault that befalls a request, which is then used up by one. */
  take(request: ReceivedRequest): Fault | undefined;
}

export function createFaults(): Faults {
  const waiting: { fault: Fault; left: number }[] = [];
  const remove = (entry: (typeof waiting)[number]): void => {
    const index = waiting.indexOf(entry);
    if (index >= 0) waiting.splice(index, 1);
  };
  return {
    inject(fault) {
      const entry = { fault, left: fault.times ?? 1 };
      waiting.push(entry);
      return () => remove(entry);
    },
    take({ method, path }) {
      const entry = waiting.find(({ fault }) => (fault.method ?? method) === method && (fault.path ?? path) === path);
      if (entry === undefined) return undefined;
      entry.left -= 1;
      if (entry.left <= 0) remove(entry);
      return entry.fault;
    },
  };
}

/** The refusal that a fault puts in the place of the service's answer, if it does. */
export function faultyRefusal({
  status,
  code = status === 429 ? 'ThrottlingException' : 'InternalFailure',
}: Fault): Refusal | undefined {
  return status === undefined
    ? undefined
    : new Refusal(status, code, 'This failure was asked for', 'a fault was asked for');
}

/** A verdict that says what was done to the request or its answer. */
export function withFault(verdict: Verdict, { delayMs, cut, date }: Fault = {}): Verdict {
  const what = [
    ...(delayMs === undefined ? [] : [`answered ${delayMs} ms late`]),
    ...(cut === undefined ? [] : [`cut ${cut === 'before' ? 'before' : 'in the middle of'} the answer`]),
    ...(date === undefined ? [] : [`dated ${date.toISOString()}`]),
  ];
  return what.length === 0 ? verdict : { ...verdict, reason: `${verdict.reason} (fault: ${what.join(', ')})` };
}
