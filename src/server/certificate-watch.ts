/** Warns as a certificate nears its end: when a third of its life is left, when a tenth is, and when the end has come. */
import type { Clock, Timer } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';

/** The clock may be set, and the machine may sleep: it is looked at again after this time at the latest. */
const CHECK_MS = 3_600_000;

/** In milliseconds since the epoch. */
export interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
}

/** How near the end is. The order is that of time. */
export const STAGES = ['good', 'third', 'tenth', 'expired'] as const;
export type Stage = (typeof STAGES)[number];

/** The part of a certificate's life that is left when each stage begins. */
const LEFT: Readonly<Record<Stage, number>> = { good: 1, third: 1 / 3, tenth: 1 / 10, expired: 0 };

const WORDS: Readonly<Record<Stage, string>> = {
  good: '',
  third: 'less than a third of the life of the certificate is left',
  tenth: 'less than a tenth of the life of the certificate is left',
  expired: 'the certificate has expired',
};

/** When a stage begins. */
function beginOf(stage: Stage, { notBefore, notAfter }: Validity): number {
  return notAfter - LEFT[stage] * (notAfter - notBefore);
}

/** The stage that a certificate is in. */
export function stageOf(validity: Validity, now: number): Stage {
  return STAGES.findLast((stage) => stage !== 'good' && now >= beginOf(stage, validity)) ?? 'good';
}

export interface CertificateWatchOptions {
  /** Undefined when it is not known. Asked at each look, as certificates rotate. */
  readonly validity: () => Validity | undefined;
  /** The end of the credentials in hand. Default: unknown. */
  readonly credentialsUntil?: (() => Date | undefined) | undefined;
  readonly log: Log;
  readonly clock: Clock;
}

export interface CertificateWatch {
  /** Looks at once, for a certificate that was just rotated. The watch looks by itself when a stage begins. */
  check(): void;
  stop(): void;
}

/** Starts to watch; each stage is reported once for each certificate. */
export function watchCertificate({
  validity,
  credentialsUntil,
  log,
  clock,
}: CertificateWatchOptions): CertificateWatch {
  let told: { notAfter: number; stage: Stage } | undefined;
  let timer: Timer | undefined;
  let stopped = false;

  const tell = (of: Validity): void => {
    const stage = stageOf(of, clock.now());
    const before = told?.notAfter === of.notAfter ? told.stage : 'good';
    if (STAGES.indexOf(stage) <= STAGES.indexOf(before)) return;
    told = { notAfter: of.notAfter, stage };
    const notAfter = new Date(of.notAfter).toISOString();
    if (stage !== 'expired') return log.warn(WORDS[stage], { notAfter });
    const until = credentialsUntil?.();
    if (until === undefined || until.getTime() <= clock.now())
      return log.error(`${WORDS.expired}, and there are no credentials`, { notAfter });
    return log.error(`${WORDS.expired}; credentials are good until ${until.toISOString()}`, { notAfter });
  };
  const check = (): void => {
    timer?.cancel();
    if (stopped) return;
    const of = validity();
    if (of !== undefined) tell(of);
    const next = of && STAGES.map((stage) => beginOf(stage, of) - clock.now()).find((delay) => delay > 0);
    timer = clock.setTimer(check, Math.ceil(Math.min(CHECK_MS, next ?? CHECK_MS)), false);
  };
  check();
  return {
    check,
    stop() {
      stopped = true;
      timer?.cancel();
    },
  };
}
