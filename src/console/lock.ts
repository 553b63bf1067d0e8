/**
 * What keeps the console shut: the code of the link, the passphrase, the attempts that fail, and the sessions of those who
 * got in. Secrets are kept as digests, so that comparing them takes the same time whatever was sent.
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { processAge } from '../platform/clock.ts';

/** How long the code of a link is good. */
export const CODE_MS = 5 * 60_000;

/** A session without a request for so long is over. What the server sends by itself does not count. */
const IDLE_MS = 15 * 60_000;

/** A session ends after so long, however busy. */
const LONGEST_MS = 8 * 3_600_000;

/** Wrong attempts of one client that are taken before it has to wait; the wait doubles with each further one. */
const FREE_ATTEMPTS = 5;
const FIRST_WAIT_MS = 60_000;
const LONGEST_WAIT_MS = 15 * 60_000;

/** Failures are forgotten after so long. */
const FORGET_MS = 3_600_000;

/** Clients whose failures are kept in mind; when there are more, nobody new may try. */
const MAX_CLIENTS = 1000;

/** The session that was idle for longest makes room. */
const MAX_SESSIONS = 16;

/** A browser that was let in. */
export interface Session {
  /** Sent back by the page with every request; no other page can read it. */
  readonly csrf: string;
  /** The user whose browser it is, where the system tells; nobody else can use the session. */
  readonly uid: number | undefined;
  /** When, in milliseconds of the lock's own time. */
  readonly begun: number;
  lastUse: number;
  /** Called when it ends, whatever ends it. */
  readonly ended: Set<() => void>;
}

/** What a browser sends to be let in. */
export interface Attempt {
  readonly code?: string | undefined;
  readonly passphrase?: string | undefined;
  /** Who it counts against: a user of this machine, or an address. */
  readonly client: string;
  readonly uid: number | undefined;
}

export type Outcome =
  | { readonly kind: 'open'; readonly cookie: string; readonly session: Session }
  /** `kind` of secret that was wrong, or is not good any more. */
  | { readonly kind: 'wrong'; readonly left: number }
  | { readonly kind: 'wait'; readonly waitMs: number };

export interface LockOptions {
  readonly passphrase?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Milliseconds by a clock that nobody sets. Default {@link processAge}. */
  readonly monotonic?: (() => number) | undefined;
}

export interface Lock {
  /** A new code, which takes the place of the one before. */
  newCode(): string;
  /** Whether there is a code that is still good. */
  hasCode(): boolean;
  unlock(attempt: Attempt): Outcome;
  /** The session of a cookie, if it is still good and the user is the same. Counts as use of it unless `quietly`. */
  find(cookie: string | undefined, uid: number | undefined, quietly?: boolean): Session | undefined;
  /** Whether the page sent the token of this session. */
  accepts(session: Session, csrf: string | undefined): boolean;
  /** In how many milliseconds the session is over if nothing more is asked. */
  leftOf(session: Session): number;
  end(session: Session): void;
  endAll(): void;
  /** Ends the sessions whose time is over. */
  sweep(): void;
}

export function createLock({ passphrase, now: wall, monotonic = processAge }: LockOptions): Lock {
  const now = passedTime(wall, monotonic);
  const key = randomBytes(32);
  const digest = (text: string): Buffer => createHmac('sha256', key).update(text).digest();
  const expected = passphrase === undefined ? undefined : digest(passphrase);
  let code: { readonly digest: Buffer; readonly until: number } | undefined;
  const failures = new Map<string, { count: number; last: number; until: number }>();
  const sessions = new Map<string, Session>();

  /** Not above 0 where a client need not wait. */
  const waitOf = (client: string): number => {
    const known = failures.get(client);
    if (known !== undefined) return known.until - now();
    for (const [other, { last }] of failures) if (now() - last > FORGET_MS) failures.delete(other);
    return failures.size < MAX_CLIENTS ? 0 : FIRST_WAIT_MS;
  };
  const failed = (client: string): Outcome => {
    const before = failures.get(client);
    const count = before === undefined || now() - before.last > FORGET_MS ? 1 : before.count + 1;
    const over = count - FREE_ATTEMPTS;
    const waitMs = over < 0 ? 0 : Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** over);
    failures.set(client, { count, last: now(), until: now() + waitMs });
    return waitMs === 0 ? { kind: 'wrong', left: -over } : { kind: 'wait', waitMs };
  };
  /** Each secret is compared, whichever was sent, and a code is gone as soon as it was right. */
  const opens = ({ code: sent = '', passphrase: phrase = '' }: Attempt): boolean => {
    const byCode = timingSafeEqual(digest(sent), code?.digest ?? key);
    const byPhrase = timingSafeEqual(digest(phrase), expected ?? key);
    if (byCode && code !== undefined) {
      const good = now() < code.until;
      code = undefined;
      if (good) return true;
    }
    return byPhrase && expected !== undefined;
  };
  const open = (uid: number | undefined): Outcome => {
    const cookie = randomBytes(32).toString('base64url');
    const session: Session = {
      csrf: randomBytes(32).toString('base64url'),
      uid,
      begun: now(),
      lastUse: now(),
      ended: new Set(),
    };
    if (sessions.size >= MAX_SESSIONS) {
      const oldest = [...sessions.values()].toSorted((a, b) => a.lastUse - b.lastUse)[0];
      if (oldest !== undefined) end(oldest);
    }
    sessions.set(nameOf(cookie), session);
    return { kind: 'open', cookie, session };
  };
  const endOf = ({ begun, lastUse }: Session): number => Math.min(lastUse + IDLE_MS, begun + LONGEST_MS);
  const end = (session: Session): void => {
    for (const [name, other] of sessions) if (other === session) sessions.delete(name);
    for (const listener of session.ended) listener();
    session.ended.clear();
  };

  return {
    newCode() {
      const fresh = randomBytes(32).toString('base64url');
      code = { digest: digest(fresh), until: now() + CODE_MS };
      return fresh;
    },
    hasCode: () => code !== undefined && now() < code.until,
    unlock(attempt) {
      const waitMs = waitOf(attempt.client);
      if (waitMs > 0) return { kind: 'wait', waitMs };
      if (!opens(attempt)) return failed(attempt.client);
      failures.delete(attempt.client);
      return open(attempt.uid);
    },
    find(cookie, uid, quietly = false) {
      const session = cookie === undefined ? undefined : sessions.get(nameOf(cookie));
      if (session === undefined) return undefined;
      if (now() >= endOf(session)) {
        end(session);
        return undefined;
      }
      if (session.uid !== undefined && session.uid !== uid) return undefined;
      if (!quietly) session.lastUse = now();
      return session;
    },
    accepts: ({ csrf }, sent) => sent !== undefined && timingSafeEqual(digest(csrf), digest(sent)),
    leftOf: (session) => endOf(session) - now(),
    end,
    endAll() {
      for (const session of sessions.values()) end(session);
    },
    sweep() {
      for (const session of sessions.values()) if (now() >= endOf(session)) end(session);
    },
  };
}

/** What a session is kept under: a look-up by it tells nothing of the cookie, however long it takes. */
function nameOf(cookie: string): string {
  return createHash('sha256').update(cookie).digest('base64url');
}

/**
 * Milliseconds that have passed, by whichever clock says more: the wall clock counts what was slept, and the monotonic one
 * goes on where that was set back. Otherwise a code or a session would be good for longer.
 */
function passedTime(wall: () => number, monotonic: () => number): () => number {
  let passed = 0;
  let last = { wall: wall(), monotonic: monotonic() };
  return () => {
    const current = { wall: wall(), monotonic: monotonic() };
    passed += Math.max(current.wall - last.wall, current.monotonic - last.monotonic);
    last = current;
    return passed;
  };
}
