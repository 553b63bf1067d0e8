/** Where credentials are kept between processes: the interface for a store of one's own. */
// Tests: test/credentials/cache/keep.test.ts

/**
 * Keeps credentials for other processes, or for another run of this one. What is kept is text, of some 3 KB, which holds
 * secrets: a store keeps it where nobody else can read it, or encrypted. The text says for itself what it is good for, so
 * that a store may lose it or give back an old one.
 */
export interface CredentialsStore {
  /** The text that was kept last under `key`; undefined for none. A rejection is told as a warning and counts as none. */
  get(key: string): Promise<string | undefined>;
  /**
   * Keeps `text` in place of what is there, whole or not at all. A rejection is told as a warning.
   *
   * @param key letters, digits and `-`, the same for the same options
   * @param expiration from when on the text is worth nothing
   */
  set(key: string, text: string, expiration: Date): Promise<void>;
  /**
   * Waits until the caller is the one that renews what is kept under `key`. Left out: who finds nothing fresh asks the
   * service at once.
   *
   * @returns undefined when what others kept is fresh by now, or the time is over: the caller looks, and may ask the
   * service all the same
   */
  lock?(key: string, request: LockRequest): Promise<StoreLock | undefined>;
}

/** How to wait for others. */
export interface LockRequest {
  /** Longest wait, in milliseconds. */
  readonly waitMs: number;
  /** Whether what the others do is done: to be asked now and then. */
  readonly isDone: () => Promise<boolean>;
  /** Ends the wait, by a rejection with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** A lock that is held. */
export interface StoreLock {
  release(): Promise<void>;
}
