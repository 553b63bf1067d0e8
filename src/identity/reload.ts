/**
 * An identity that follows its files, or its token: certificate, chain and key are replaced
 * together, and only by a set that loads: whole, matching and valid.
 */
import { watch } from 'node:fs';
import type { FSWatcher } from 'node:fs';
import { systemClock } from '../platform/clock.ts';
import type { Clock, Timer } from '../platform/clock.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { systemCode } from '../platform/files.ts';
import { asOurs } from '../platform/unexpected.ts';
import { sameBytes } from '../x509/certificate.ts';
import type { Identity } from './identity.ts';
import { directoriesOf, directoryIdentity, fingerprint } from './watched-paths.ts';

/** What an identity comes from that is no file, and tells of its changes by itself. */
export interface ChangeSource {
  /** Names what is there now. */
  version(): string;
  /** Calls `heard` when it may have changed. */
  subscribe(heard: () => void): void;
  /** Looks at once, where it would wait. */
  retry(): void;
  close(): void;
}

export interface WatchIdentityOptions {
  /** Loads certificate, chain and key together, and checks that they match and may be used now. Called again after each change. */
  load: () => Promise<Identity>;
  /** Every file that `load` reads, passwords included. None for an identity outside the file system. */
  paths: readonly string[];
  /** What else `load` reads; closed with the watcher. */
  changes?: ChangeSource | undefined;
  /** Called with each new identity whose certificate or chain differs from the one before; what it throws is ignored. */
  onChange?: ((identity: Identity) => void) | undefined;
  /** Called when the files changed into something unusable, once for each such content and error code; the old identity stays in use. */
  onError?: ((error: RolesAnywhereError) => void) | undefined;
  /** Called when the files are usable again after {@link onError}. */
  onRecovered?: (() => void) | undefined;
  /** Called once for a directory of which the system tells no changes, with its reason: there the files are looked at now and then. */
  onUnwatched?: ((directory: string, reason: string) => void) | undefined;
  /** Watches a directory. Default node:fs'. */
  watch?: ((directory: string, heard: () => void) => FSWatcher) | undefined;
  /** The files must lie still for so long before they are loaded, in milliseconds. Default 100. */
  settleMs?: number | undefined;
  /** Files (network file systems), and a token, are looked at this often even when nothing is heard of a change, in milliseconds. Default 60,000. */
  pollMs?: number | undefined;
  /** Default: the system's. */
  clock?: Clock | undefined;
}

export interface IdentityWatcher {
  /** The newest good identity, for a look at its certificate. Sign with {@link use}: this one may be closed at any time. */
  current(): Identity;
  /**
   * Looks at the files first, then runs `task` with the newest good identity,
   * which stays open at least until the task ends.
   *
   * @throws RolesAnywhereError `ERR_INTERRUPTED` after {@link close}; what `task` throws
   */
  use<T>(task: (identity: Identity) => Promise<T>): Promise<T>;
  /** Loads again although no file changed (SIGHUP). A failure goes to `onError`. */
  reload(): Promise<void>;
  /** Stops watching and closes the identity; one that is in use, when its last user is done. Safe to call twice. */
  close(): Promise<void>;
}

/** Rounds of "it changed again while it was loaded" before the old identity is used for now. */
const MAX_ROUNDS = 5;

/** A look that takes longer (a file system that hangs, a slow token) is no reason to keep a good identity waiting. */
const MAX_LOOK_MS = 10_000;

/**
 * What was renewed in a token and cannot be used is left alone for so long: each load is a login, which may ask a person.
 * Not after the first of them, which may have met a program that was just writing.
 */
const RETRY_RENEWAL_MS = 600_000;
const FIRST_RENEWALS = 2;

/** How long closing waits for a load that is under way: a module may hang in it. */
const MAX_CLOSE_MS = 1000;

/**
 * Loads an identity and keeps it up to date until it is closed. Watching does
 * not keep the process alive.
 *
 * @throws RolesAnywhereError what `load` throws the first time
 */
export async function watchIdentity(options: WatchIdentityOptions): Promise<IdentityWatcher> {
  let snapshot: Snapshot;
  try {
    snapshot = await loadStill(options);
  } catch (error) {
    options.changes?.close();
    throw error;
  }
  const keeper = new IdentityKeeper(options, snapshot);
  await keeper.open();
  return keeper;
}

/** An identity and how many tasks use it. */
interface Held {
  readonly identity: Identity;
  users: number;
  retired: boolean;
}

/** An identity, and the digest of the files that it was loaded from. */
interface Snapshot {
  readonly identity: Identity;
  readonly digest: string;
}

/** The first load: when the files change under it, it is done again. */
async function loadStill(options: WatchIdentityOptions): Promise<Snapshot> {
  const { load } = options;
  for (let round = 1; ; round++) {
    const digest = await digestOf(options);
    const outcome = await load().catch((error: unknown) => ({ error }));
    const still = (await digestOf(options)) === digest || round === MAX_ROUNDS;
    if ('error' in outcome) {
      if (still) throw outcome.error;
      continue;
    }
    if (still) return { identity: outcome, digest };
    await outcome.close();
  }
}

/** Names what there is to load. */
async function digestOf({ paths, changes }: WatchIdentityOptions): Promise<string> {
  const files = await fingerprint(paths);
  return changes === undefined ? files : `${files} ${changes.version()}`;
}

class IdentityKeeper implements IdentityWatcher {
  readonly #options: WatchIdentityOptions;
  readonly #clock: Clock;
  readonly #settleMs: number;
  #held: Held;
  /** The digest of the files that the identity in use was loaded from. */
  #digest: string;
  /** The last failure that was reported: it is not reported again for the same files. */
  #reported = '';
  readonly #watchers = new Map<string, FSWatcher>();
  /** When a renewal in the identity's token was last tried, by the monotonic clock, and how often since one was taken. */
  #triedRenewal = 0;
  #renewalTries = 0;
  readonly #unwatched = new Set<string>();
  #checking: Promise<void> | undefined;
  #eventTimer: Timer | undefined;
  #pollTimer: Timer | undefined;
  #closed = false;

  constructor(options: WatchIdentityOptions, { identity, digest }: Snapshot) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#settleMs = options.settleMs ?? 100;
    this.#held = { identity, users: 0, retired: false };
    this.#digest = digest;
  }

  /** Begins to watch, and catches up with what changed since the first load. */
  async open(): Promise<void> {
    const { paths, changes } = this.#options;
    if (paths.length === 0 && changes === undefined && this.#held.identity.isCurrent === undefined) return;
    changes?.subscribe(() => this.#heard());
    this.#poll();
    await this.#check();
  }

  current(): Identity {
    return this.#held.identity;
  }

  async use<T>(task: (identity: Identity) => Promise<T>): Promise<T> {
    await this.#checkInTime();
    if (this.#closed) throw new RolesAnywhereError('ERR_INTERRUPTED', 'the identity is closed');
    const held = this.#held;
    held.users += 1;
    try {
      return await task(held.identity);
    } finally {
      held.users -= 1;
      if (held.retired && held.users === 0) void this.#closeIdentity(held.identity);
    }
  }

  async reload(): Promise<void> {
    this.#options.changes?.retry();
    while (this.#checking !== undefined) await this.#checking;
    await this.#check(true);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#eventTimer?.cancel();
    this.#pollTimer?.cancel();
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
    await this.#atMost(MAX_CLOSE_MS, this.#checking);
    this.#options.changes?.close();
    await this.#retire(this.#held);
  }

  /**
   * A look that begins after the call; never rejects. One that is under way may have read a file before it was replaced:
   * it would answer for what was there then. Those who wait for the same one share the next.
   */
  async #checkAnew(): Promise<void> {
    await this.#checking;
    await this.#check();
  }

  /** One look at the files, whoever asks; never rejects. */
  #check(forced = false): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#checking ??= this.#lookAtFiles(forced).finally(() => (this.#checking = undefined));
    return this.#checking;
  }

  #checkInTime(): Promise<void> {
    return this.#atMost(MAX_LOOK_MS, this.#checkAnew());
  }

  #atMost(limitMs: number, job: Promise<void> | undefined): Promise<void> {
    if (job === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#clock.setTimer(resolve, limitMs, false);
      void job.finally(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  async #lookAtFiles(forced: boolean): Promise<void> {
    const { paths, load } = this.#options;
    // Watching comes first: what changes after the look is then heard of.
    await this.#watchDirectories();
    let digest = await digestOf(this.#options);
    if (!forced && digest === this.#digest && !(await this.#isRenewed())) return this.#recover();
    for (let round = 0; round < MAX_ROUNDS && !this.#closed; round++) {
      if (paths.length > 0) await this.#settle();
      const outcome = await load().catch((error: unknown) => ({ error }));
      const before = digest;
      digest = await digestOf(this.#options);
      if (digest === before) return this.#take(outcome, digest);
      if (!('error' in outcome)) await this.#closeIdentity(outcome);
    }
    // Still changing: an event or the next look takes it up.
  }

  /** Whether something else lies in the token that the identity is from; not again soon where that cannot be used. */
  async #isRenewed(): Promise<boolean> {
    const { isCurrent } = this.#held.identity;
    const isTooSoon =
      this.#renewalTries >= FIRST_RENEWALS && this.#clock.monotonic() - this.#triedRenewal < RETRY_RENEWAL_MS;
    if (isCurrent === undefined || isTooSoon || (await isCurrent())) return false;
    this.#triedRenewal = this.#clock.monotonic();
    this.#renewalTries++;
    return true;
  }

  async #take(outcome: Identity | { error: unknown }, digest: string): Promise<void> {
    if ('error' in outcome) return this.#report(digest, outcome.error);
    if (this.#closed) return this.#closeIdentity(outcome);
    const old = this.#held;
    this.#held = { identity: outcome, users: 0, retired: false };
    this.#digest = digest;
    this.#recover();
    this.#renewalTries = 0;
    if (!sameIdentity(old.identity, outcome)) quietly(() => this.#options.onChange?.(outcome));
    void this.#retire(old);
  }

  #report(digest: string, cause: unknown): void {
    const error = asOurs(cause, 'the identity could not be loaded again: unexpected error');
    const reported = `${digest} ${error.code}`;
    if (reported === this.#reported) return;
    this.#reported = reported;
    quietly(() => this.#options.onError?.(error));
  }

  /** The files are good: what is wrong with them next is told, whether or not it was before. */
  #recover(): void {
    if (this.#reported === '') return;
    this.#reported = '';
    quietly(() => this.#options.onRecovered?.());
  }

  async #retire(held: Held): Promise<void> {
    held.retired = true;
    if (held.users === 0) await this.#closeIdentity(held.identity);
  }

  async #closeIdentity(identity: Identity): Promise<void> {
    await identity.close().catch((error: unknown) => this.#report('close', error));
  }

  #settle(): Promise<void> {
    return new Promise((resolve) => void this.#clock.setTimer(resolve, this.#settleMs));
  }

  #poll(): void {
    this.#pollTimer = this.#clock.setTimer(
      () => {
        void this.#check();
        this.#poll();
      },
      this.#options.pollMs ?? 60_000,
      false,
    );
  }

  /** Watches exactly the directories that matter now. */
  async #watchDirectories(): Promise<void> {
    const wanted = new Map<string, string>();
    for (const path of this.#options.paths) {
      for (const directory of await directoriesOf(path)) {
        const identity = await directoryIdentity(directory);
        if (identity !== undefined) wanted.set(`${identity} ${directory}`, directory);
      }
    }
    if (this.#closed) return;
    for (const [key, watcher] of this.#watchers) {
      if (wanted.has(key)) continue;
      watcher.close();
      this.#watchers.delete(key);
    }
    for (const [key, directory] of wanted) if (!this.#watchers.has(key)) this.#watch(key, directory);
  }

  #watch(key: string, directory: string): void {
    try {
      const begin = this.#options.watch ?? ((path, heard) => watch(path, { persistent: false }, heard));
      const watcher = begin(directory, () => this.#heard());
      this.#watchers.set(key, watcher);
      watcher.on('error', () => {
        watcher.close();
        this.#watchers.delete(key);
      });
    } catch (error) {
      // No watching here, or no more of it (inotify's limit): looking before each use and now and then must do.
      if (this.#unwatched.has(directory)) return;
      this.#unwatched.add(directory);
      quietly(() => this.#options.onUnwatched?.(directory, systemCode(error) ?? 'unknown reason'));
    }
  }

  /** Something happened in a directory: looks once when the burst is over. */
  #heard(): void {
    if (this.#closed) return;
    this.#eventTimer ??= this.#clock.setTimer(
      () => {
        this.#eventTimer = undefined;
        void this.#checkAnew();
      },
      this.#settleMs,
      false,
    );
  }
}

function sameIdentity(a: Identity, b: Identity): boolean {
  return (
    sameBytes(a.certificate, b.certificate) &&
    a.chain.length === b.chain.length &&
    a.chain.every((der, index) => sameBytes(der, b.chain[index] ?? new Uint8Array()))
  );
}

function quietly(callback: () => void): void {
  try {
    callback();
  } catch {
    // A listener's fault must not cost the identity.
  }
}
