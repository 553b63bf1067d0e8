/** A kept set of credentials: its form in a file, and for how long it is given out. */
// Tests: test/credentials/cache/entry.test.ts
import type { SessionCredentials } from '../credentials.ts';
import { parse } from './json.ts';

/** Of the form below. A program ignores what bears another one, and it is in the names too: neither displaces the other's. */
export const CACHE_VERSION = 1;

/** One kept set. All times are milliseconds since 1970, by the clock of the machine that wrote it. */
export interface CacheEntry {
  readonly version: typeof CACHE_VERSION;
  /** When it was obtained. */
  readonly obtained: number;
  /** How far the service's clock was ahead then. */
  readonly clockOffset: number;
  /** The same moment by a clock that nobody sets: which start of which machine counts it, and milliseconds. */
  readonly counted?: readonly [boot: string, at: number] | undefined;
  /** Uniform in [0, 1): this set's share of the jitter, the same for all who read it. */
  readonly chance: number;
  /** No renewal is tried before this moment, since the last one failed. */
  readonly holdUntil?: number | undefined;
  /** Whose they are, for people: the role that was asked for. */
  readonly role: string;
  /** The certificate or token they were obtained with: its path, and {@link stampOfPlace}; undefined where it is in no file. */
  readonly certificate?: readonly [path: string, stamp: string] | undefined;
  readonly credentials: KeptCredentials;
}

/** Credentials as JSON has them; what is not known is left out. */
export interface KeptCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  /** `YYYY-MM-DDTHH:MM:SSZ`. */
  readonly expiration: string;
  readonly accountId?: string;
  readonly assumedRoleArn?: string;
}

/** What is left of a session's life when it is renewed, if it is long enough: 15 minutes, from which on botocore asks again. */
export const DEFAULT_MIN_REMAINING_MS = 15 * 60_000;

/** Largest part of that by which chance makes it longer, so that a fleet does not ask at once. */
const JITTER = 0.2;
/** The clocks of machines that share a directory may differ by so much. */
const CLOCK_TOLERANCE_MS = 60_000;
/** The longest session of AWS, 12 hours, and what clocks may differ by. */
const LONGEST_LIFE_MS = 12 * 3_600_000 + CLOCK_TOLERANCE_MS;
/** After a renewal that failed, a set is given out until it has so little left. */
const LEAST_MS = 30_000;
/** No hold is longer than this, whatever a file says. */
const LONGEST_HOLD_MS = 120_000;

/** Reads the text of an entry; undefined for one that is torn, of another version, or none at all. */
export function parseEntry(text: string): CacheEntry | undefined {
  const value = parse(text);
  if (value === undefined || value['version'] !== CACHE_VERSION) return undefined;
  const { obtained, clockOffset, chance, holdUntil, role, certificate, counted } = value;
  const numbers = [obtained, clockOffset, chance, holdUntil ?? 0].every((one) => Number.isFinite(one));
  const named =
    certificate === undefined ||
    (Array.isArray(certificate) && certificate.length === 2 && certificate.every((one) => typeof one === 'string'));
  const timed =
    counted === undefined || (Array.isArray(counted) && typeof counted[0] === 'string' && Number.isFinite(counted[1]));
  const credentials: unknown = value['credentials'];
  if (!numbers || !named || !timed || typeof role !== 'string' || !isKept(credentials)) return undefined;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- every member was looked at
  return value as unknown as CacheEntry;
}

function isKept(value: unknown): value is KeptCredentials {
  if (typeof value !== 'object' || value === null) return false;
  const {
    accessKeyId,
    secretAccessKey,
    sessionToken,
    expiration,
    accountId,
    assumedRoleArn,
  }: Partial<KeptCredentials> = value;
  return (
    [accessKeyId, secretAccessKey, sessionToken, expiration].every((one) => typeof one === 'string' && one !== '') &&
    [accountId, assumedRoleArn].every((one) => one === undefined || typeof one === 'string') &&
    expiration?.length === 'YYYY-MM-DDTHH:MM:SSZ'.length &&
    expiration.endsWith('Z') &&
    !Number.isNaN(Date.parse(expiration))
  );
}

/**
 * An entry as it is after the clock was set back: as much older, by the clock that nobody sets.
 *
 * @param at by that clock, in milliseconds
 * @param isSameBoot asked where the two clocks differ: whether the same one counts
 */
export function afterSetBack(
  entry: CacheEntry,
  now: number,
  at: number,
  isSameBoot: (boot: string) => boolean,
): CacheEntry {
  const { counted, obtained, clockOffset } = entry;
  if (counted === undefined) return entry;
  const byMs = at - counted[1] - (now - obtained);
  if (byMs <= CLOCK_TOLERANCE_MS || !isSameBoot(counted[0])) return entry;
  return { ...entry, obtained: obtained - byMs, clockOffset: clockOffset + byMs };
}

/**
 * What is left of a set's life; 0 when it is over, or when the times make no sense: of the future, since the clock was set
 * back, or longer than any session lives.
 */
export function remainingOf({ obtained, clockOffset, credentials }: CacheEntry, now: number): number {
  const end = Date.parse(credentials.expiration);
  const life = end - (obtained + clockOffset);
  if (!(life > 0 && life <= LONGEST_LIFE_MS) || obtained > now + CLOCK_TOLERANCE_MS) return 0;
  return Math.max(0, end - (now + clockOffset));
}

/**
 * Whether a set is given out without asking for another one.
 *
 * @param minRemainingMs what must be left of its life, and a jitter of up to a fifth; at most a third of the whole counts
 */
export function isFresh(entry: CacheEntry, now: number, minRemainingMs: number): boolean {
  const remaining = remainingOf(entry, now);
  if (remaining === 0) return false;
  const life = Date.parse(entry.credentials.expiration) - (entry.obtained + entry.clockOffset);
  if (remaining > Math.min(minRemainingMs * (1 + JITTER * entry.chance), life / 3)) return true;
  const hold = (entry.holdUntil ?? now) - now;
  return hold > 0 && hold <= LONGEST_HOLD_MS && isStillGood(entry, now);
}

/** Whether a set that is due for renewal may be given out when that fails. */
export function isStillGood(entry: CacheEntry, now: number): boolean {
  return remainingOf(entry, now) > LEAST_MS;
}

/** The credentials of an entry. */
export function unpacked({ expiration, ...rest }: KeptCredentials): SessionCredentials {
  return { ...rest, expiration: new Date(expiration) };
}
