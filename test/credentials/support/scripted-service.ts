import { RolesAnywhereError } from '../../../src/platform/errors.ts';
import type { ErrorCode, ErrorDetails } from '../../../src/platform/errors.ts';
import type { SessionCredentials } from '../../../src/credentials/credentials.ts';
import type { Clock } from '../../../src/platform/clock.ts';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;

/** What the service does when it is asked; it may be changed at any time. */
export type Behaviour = (signal: AbortSignal) => Promise<SessionCredentials>;

/** A service on a fake clock that vends sessions of a fixed life, or does what the test says. */
export class ScriptedService {
  /** Wall time of each call. */
  readonly calls: number[] = [];
  readonly signals: AbortSignal[] = [];
  inFlight = 0;
  mostInFlight = 0;
  behaviour: Behaviour;
  readonly #clock: Clock;

  constructor(clock: Clock, lifeMs = HOUR, delayMs = 0) {
    this.#clock = clock;
    this.behaviour = this.vending(lifeMs, delayMs);
  }

  readonly vend: Behaviour = async (signal) => {
    this.calls.push(this.#clock.now());
    this.signals.push(signal);
    this.mostInFlight = Math.max(this.mostInFlight, ++this.inFlight);
    try {
      return await this.behaviour(signal);
    } finally {
      this.inFlight -= 1;
    }
  };

  vending(lifeMs: number, delayMs = 0): Behaviour {
    return async () => {
      if (delayMs > 0) await new Promise<void>((resolve) => void this.#clock.setTimer(resolve, delayMs));
      return session(this.#clock.now() + lifeMs, this.calls.length);
    };
  }

  failing(code: ErrorCode, details: ErrorDetails = {}): Behaviour {
    return () => Promise.reject(new RolesAnywhereError(code, `scripted ${code}`, details));
  }

  /** Never answers, whatever happens to the signal. */
  hanging(): Behaviour {
    return () => new Promise(() => undefined);
  }
}

export function session(end: number, serial = 1): SessionCredentials {
  return {
    accessKeyId: `ASIA${String(serial).padStart(16, '0')}`,
    secretAccessKey: `secret-${serial}`,
    sessionToken: `token-${serial}`,
    expiration: new Date(end),
  };
}
