/** When a certificate is renewed, and how long to wait after a failure: arithmetic only, all times in milliseconds. */
// Tests: test/renewal/when.test.ts
import { createHash } from 'node:crypto';
import { RolesAnywhereError } from '../platform/errors.ts';

/** What is left of a certificate's life when it is renewed: a part of it, or a time. */
export type At = { readonly part: number } | { readonly ms: number };

export const DEFAULT_AT: At = { part: 1 / 3 };

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Reads `1/3`, `25%`, `0.25`, or a time such as `8h` or `30d`.
 *
 * @throws RolesAnywhereError `ERR_FLAG_VALUE`
 */
export function parseAt(text: string): At {
  const [, upper = '', lower] = /^(\d{1,4})\/(\d{1,4})$/.exec(text) ?? [];
  const [, percent] = /^(\d{1,2}(?:\.\d+)?)%$/.exec(text) ?? [];
  const [, decimal] = /^(0?\.\d+)$/.exec(text) ?? [];
  const [, count = '', unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const unitMs = UNITS[unit];
  if (unitMs !== undefined && Number(count) > 0) return { ms: Number(count) * unitMs };
  const part =
    lower === undefined
      ? percent === undefined
        ? Number(decimal)
        : Number(percent) / 100
      : Number(upper) / Number(lower);
  if (part > 0 && part < 1) return { part };
  throw new RolesAnywhereError('ERR_FLAG_VALUE', `--at is no part of a life, nor a time: ${JSON.stringify(text)}`, {
    flag: '--at',
    hint: 'give what is left of the life of the certificate when it is renewed: 1/3, 25%, or a time such as 8h or 30d',
  });
}

/** In milliseconds since the epoch. */
export interface Life {
  readonly notBefore: number;
  readonly notAfter: number;
}

/** The largest part of what is left at the due time by which chance moves it later. */
const JITTER = 0.1;

/**
 * When a certificate is to be renewed. Each of a fleet that was enrolled at once has a time of its own, up to a tenth of
 * what is left later: by the certificate's bytes, so that every run and every process comes to the same.
 *
 * @param certificate its DER
 */
export function dueTime({ notBefore, notAfter }: Life, at: At, certificate: Uint8Array): number {
  const life = notAfter - notBefore;
  // A time longer than the life would be due before the certificate begins, and so for ever.
  const left = 'part' in at ? life * at.part : Math.min(at.ms, life / 2);
  const chance = createHash('sha256').update(certificate).digest().readUIntBE(0, 6) / 2 ** 48;
  return notAfter - left * (1 - JITTER * chance);
}

const FIRST_WAIT_MS = 60_000;
const LONGEST_WAIT_MS = 3_600_000;
const LEAST_WAIT_MS = 1000;

/** No wait takes more than these parts of what is left: a CA that comes back late is still found in time. */
const PART_OF_REST = 1 / 4;
const ASKED_PART_OF_REST = 1 / 2;

/**
 * How long to wait after failures in a row: doubling from a minute to an hour, less for a certificate whose life is a
 * matter of minutes or whose end is near; by chance up to a quarter more or less.
 *
 * @param failures so far, at least 1
 * @param life of the certificate, and what is left of it: 0 or less once it has ended
 * @param random uniform in [0, 1)
 * @param askedMs what the CA asked for (Retry-After)
 */
export function waitAfter(
  failures: number,
  { lifeMs, leftMs }: { readonly lifeMs: number; readonly leftMs: number },
  random: number,
  askedMs = 0,
): number {
  const first = Math.min(FIRST_WAIT_MS, Math.max(LEAST_WAIT_MS, lifeMs / 200));
  const restMs = leftMs > 0 ? leftMs : Infinity;
  const longest = Math.min(LONGEST_WAIT_MS, Math.max(first, Math.min(lifeMs / 40, restMs * PART_OF_REST)));
  const wait = Math.min(first * 2 ** (failures - 1), longest);
  return Math.max(wait * (0.75 + random / 2), Math.min(askedMs, LONGEST_WAIT_MS, restMs * ASKED_PART_OF_REST));
}

/** How loud a failure is said: the less is left, the louder. `ended`: nothing is left. */
export type Loudness = 'warn' | 'error' | 'last' | 'ended';

/** @param due when it should have been renewed */
export function loudnessOf({ notBefore, notAfter }: Life, due: number, now: number): Loudness {
  const left = notAfter - now;
  if (left <= 0) return 'ended';
  if (left < (notAfter - notBefore) / 20) return 'last';
  return left < (notAfter - Math.min(due, notAfter)) / 2 ? 'error' : 'warn';
}
