/** Warns as a certificate nears its end: 30, 7 and 1 days before, and when it has come. */
import type { Clock, Timer } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';

const DAY_MS = 86_400_000;
const CHECK_MS = 3_600_000;

/** Days before the end, the last one first. */
const THRESHOLDS = [0, 1, 7, 30];

export interface CertificateWatchOptions {
  /** Milliseconds since the epoch; undefined when it is not known. Asked at each look, as certificates rotate. */
  readonly notAfter: () => number | undefined;
  readonly log: Log;
  readonly clock: Clock;
}

export interface CertificateWatch {
  /** Looks at once, for a certificate that was just rotated. The watch looks every hour by itself. */
  check(): void;
  stop(): void;
}

/** Starts to watch; each threshold is reported once for each certificate. */
export function watchCertificate({ notAfter, log, clock }: CertificateWatchOptions): CertificateWatch {
  let warned: { end: number; threshold: number } | undefined;
  let timer: Timer | undefined;

  const check = (): void => {
    const end = notAfter();
    if (end === undefined) return;
    const left = end - clock.now();
    const threshold = THRESHOLDS.find((days) => left <= days * DAY_MS);
    if (threshold === undefined || (warned?.end === end && warned.threshold <= threshold)) return;
    warned = { end, threshold };
    const fields = { notAfter: new Date(end).toISOString() };
    if (threshold === 0) log.error('the certificate has expired', fields);
    else log.warn(`the certificate ends within ${threshold} day${threshold === 1 ? '' : 's'}`, fields);
  };
  const schedule = (): void => {
    timer = clock.setTimer(
      () => {
        check();
        schedule();
      },
      CHECK_MS,
      false,
    );
  };
  check();
  schedule();
  return { check, stop: () => timer?.cancel() };
}
