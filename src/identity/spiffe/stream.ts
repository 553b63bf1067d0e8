/**
 * The stream of X.509-SVIDs, for those that run long: it is opened again whenever it ends, and the newest answer is kept
 * meanwhile, in memory alone.
 */
// Tests: test/identity/spiffe/stream.test.ts
import { createHash } from 'node:crypto';
import { systemClock } from '../../platform/clock.ts';
import type { Clock, Timer } from '../../platform/clock.ts';
import { RolesAnywhereError } from '../../platform/errors.ts';
import { awaited } from '../../platform/waits.ts';
import { readCertificate } from '../../x509/certificate.ts';
import type { Contents } from '../contents.ts';
import type { Identity } from '../identity.ts';
import { isDenial } from './failures.ts';
import type { OpenCall } from './grpc.ts';
import type { SpiffeReference } from './reference.ts';
import { svidContents } from './svid.ts';
import { DEFAULT_TIMEOUT_MS, chooseSvid, openX509Stream, waitFor } from './workload-api.ts';
import type { X509Svid } from './workload-api.ts';

export interface SvidStreamOptions {
  /** How long the first answer may take each time that the stream is opened, in milliseconds. Default 10,000. */
  readonly timeoutMs?: (() => number) | undefined;
  /** Called when the stream ends, once until it is back. */
  readonly onLost?: ((error: RolesAnywhereError) => void) | undefined;
  /** Called when it is back after {@link onLost}. */
  readonly onBack?: (() => void) | undefined;
  /** Milliseconds since the epoch, by which an SVID ends. Default: the clock's. */
  readonly now?: (() => number) | undefined;
  /** Uniform in [0, 1). Default `Math.random`. */
  readonly random?: (() => number) | undefined;
  /** Default: the system's. */
  readonly clock?: Clock | undefined;
}

/** The waits before the stream is opened again: doubled each time, up to the longest, with the upper half at random. */
const [FIRST_WAIT_MS, LONGEST_WAIT_MS] = [500, 30_000];

/**
 * How long an SVID is used after the agent began to say that there is none for this process. An agent that has just
 * started may say so until it has heard of its server; SPIFFE Workload API, section 5.2.1, wants it given up otherwise.
 */
const DENIED_FOR_MS = 60_000;

/** Of an SVID's life, the part after which an agent that was silent is asked anew: agents renew at half of it. */
const SILENT_FOR = 0.75;

/** An SVID stream of one `spiffe:` value. */
export class SvidStream {
  readonly #reference: SpiffeReference;
  readonly #value: string;
  readonly #options: SvidStreamOptions;
  readonly #clock: Clock;
  readonly #now: () => number;
  readonly #listeners = new Set<() => void>();
  #call: OpenCall | undefined;
  #timer: Timer | undefined;
  #silence: Timer | undefined;
  /** The identities of the newest answer. */
  #svids: readonly X509Svid[] = [];
  #version = '';
  /** Why there is no stream now. */
  #problem: RolesAnywhereError | undefined;
  #attempts = 0;
  #deniedSince: number | undefined;
  #closed = false;

  /** @param value the `spiffe:` value, for errors */
  constructor(value: string, reference: SpiffeReference, options: SvidStreamOptions) {
    this.#value = value;
    this.#reference = reference;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#now = options.now ?? (() => this.#clock.now());
  }

  /**
   * Opens the stream, and waits for its first answer.
   *
   * @throws RolesAnywhereError `ERR_SPIFFE_...`; the stream is closed then
   */
  async open(): Promise<void> {
    const first = new Promise<void>((resolve, reject) => {
      const off = this.subscribe(() => {
        off();
        if (this.#problem === undefined) return resolve();
        const problem = this.#problem;
        this.close();
        return reject(problem);
      });
      this.#connect();
    });
    await awaited(waitFor(this.#reference), async () => await first);
  }

  /** Names the newest answer; another, as soon as another certificate or key is in it. */
  version(): string {
    return this.#version;
  }

  /** Calls `heard` at each answer, and when the stream ends. */
  subscribe(heard: () => void): () => void {
    this.#listeners.add(heard);
    return () => void this.#listeners.delete(heard);
  }

  /**
   * The newest SVID, as loading takes it: wipe it when done.
   *
   * @throws RolesAnywhereError `ERR_SPIFFE_ID` when it is no longer among those that the agent gives
   */
  contents(): Contents {
    const svid = chooseSvid(this.#svids, this.#reference);
    return svidContents({ ...svid, key: Uint8Array.from(svid.key) }, this.#value);
  }

  /** The identity, which refuses to sign once it must no longer be used. */
  guard(identity: Identity): Identity {
    const { notAfter } = readCertificate(identity.certificate, '--certificate');
    const { signer } = identity;
    return {
      ...identity,
      signer: {
        keyType: signer.keyType,
        sign: async (message, digest) => {
          this.#refuseStale(notAfter);
          return await signer.sign(message, digest);
        },
      },
    };
  }

  /** Opens the stream at once if it is waiting for its time. */
  retry(): void {
    if (this.#timer === undefined) return;
    this.#timer.cancel();
    this.#connect();
  }

  /** Ends the stream and overwrites the keys. Safe to call twice. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#silence?.cancel();
    this.#call?.close();
    this.#forget();
    this.#listeners.clear();
  }

  #refuseStale(notAfter: Date): void {
    if (this.#closed) return;
    if (this.#deniedSince !== undefined && this.#clock.monotonic() - this.#deniedSince >= DENIED_FOR_MS)
      throw this.#problem ?? new RolesAnywhereError('ERR_SPIFFE_DENIED', 'the SVID was taken back');
    // The newest answer may lack the identity: it is given up then, by the same section.
    chooseSvid(this.#svids, this.#reference);
    if (this.#now() <= notAfter.getTime()) return;
    const problem = this.#problem === undefined ? 'the agent gives no newer one' : this.#problem.message;
    throw new RolesAnywhereError(
      'ERR_CERTIFICATE_EXPIRED',
      `the X.509-SVID of --certificate ${this.#value} ended at ${notAfter.toISOString()}: ${problem}`,
      { hint: this.#problem?.hint ?? "see the agent's own log", cause: this.#problem },
    );
  }

  #connect(): void {
    this.#timer = undefined;
    this.#call = openX509Stream(this.#reference, this.#options.timeoutMs?.() ?? DEFAULT_TIMEOUT_MS, {
      onSvids: (svids) => this.#take(svids),
      onEnd: (error) => this.#lose(error),
    });
  }

  #take(svids: readonly X509Svid[]): void {
    this.#forget();
    this.#svids = svids;
    const hash = createHash('sha256');
    for (const { id, hint, certificates, key } of svids)
      for (const part of [id, hint, ...certificates, key]) hash.update(`${part.length} `).update(part);
    this.#version = hash.digest('hex');
    this.#attempts = 0;
    this.#deniedSince = undefined;
    const wasLost = this.#problem !== undefined;
    this.#problem = undefined;
    this.#watchSilence();
    if (wasLost) this.#options.onBack?.();
    this.#tell();
  }

  #lose(error: RolesAnywhereError): void {
    const isFirst = this.#problem === undefined;
    this.#problem = error;
    this.#silence?.cancel();
    this.#deniedSince = isDenial(error.code) ? (this.#deniedSince ?? this.#clock.monotonic()) : undefined;
    const ceiling = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(this.#attempts++, 16));
    const random = this.#options.random ?? Math.random;
    this.#timer = this.#clock.setTimer(() => this.#connect(), (ceiling * (1 + random())) / 2, false);
    if (isFirst && this.#svids.length > 0) this.#options.onLost?.(error);
    this.#tell();
  }

  /** An agent that hangs says nothing, and neither does one that has nothing new: late in an SVID's life, it is asked. */
  #watchSilence(): void {
    this.#silence?.cancel();
    const ends = this.#svids.flatMap(({ certificates: [leaf] }) => {
      if (leaf === undefined) return [];
      try {
        const { notBefore, notAfter } = readCertificate(leaf, '--certificate');
        return [notBefore.getTime() + SILENT_FOR * (notAfter.getTime() - notBefore.getTime())];
      } catch {
        return []; // loading says what is wrong with it
      }
    });
    if (ends.length === 0) return;
    const waitMs = Math.max(LONGEST_WAIT_MS, Math.min(...ends) - this.#now());
    this.#silence = this.#clock.setTimer(
      () => {
        this.#call?.close();
        this.#connect();
      },
      waitMs,
      false,
    );
  }

  #forget(): void {
    for (const { key } of this.#svids) key.fill(0);
    this.#svids = [];
  }

  #tell(): void {
    if (this.#closed) return;
    for (const listener of this.#listeners) listener();
  }
}
