/** Role after role: each set of credentials gets the next one, and all are kept until they are stale. */
import type { AwsCredentials, SessionCredentials } from './credentials.ts';
import { DEFAULT_REFRESH, refreshThreshold } from './refresh-policy.ts';

/** The start of a chain. */
export type FirstStage = (signal: AbortSignal) => Promise<AwsCredentials>;

/** One hop: from the credentials before it to its own. */
export type HopStage = (from: AwsCredentials, signal: AbortSignal) => Promise<SessionCredentials>;

interface Kept<T extends AwsCredentials> {
  readonly credentials: T;
  readonly lifeMs: number;
}

/**
 * Makes one source of credentials out of a first one and hops from there.
 *
 * It gives those of the last hop, which end, as the chain does, with the
 * earliest of all. Called again it asks only for what a provider would renew;
 * when that is nothing, someone wants new credentials for a reason of their
 * own, and all are asked for; so they are when the first source is another one
 * than before (a rotated certificate, say), whatever is fresh.
 *
 * @param now milliseconds since the epoch
 * @param origin what the first credentials are asked for with, compared by identity
 */
export function createChain(
  first: FirstStage,
  hops: readonly [HopStage, ...HopStage[]],
  now: () => number = Date.now,
  origin: () => unknown = () => undefined,
): (signal: AbortSignal) => Promise<SessionCredentials> {
  const keep = <T extends AwsCredentials>(credentials: T): Kept<T> => ({
    credentials,
    lifeMs: endOf(credentials) - now(),
  });
  const isFresh = (stage: Kept<AwsCredentials> | undefined): boolean =>
    stage !== undefined &&
    (stage.lifeMs === Infinity ||
      // The earliest moment that chance could have chosen for a renewal.
      endOf(stage.credentials) - now() > refreshThreshold(stage.lifeMs, 1, DEFAULT_REFRESH));
  let start: Kept<AwsCredentials> | undefined;
  let startedWith = origin();
  const kept = new Map<HopStage, Kept<SessionCredentials>>();

  return async (signal) => {
    const isOther = origin() !== startedWith;
    if (isOther || (isFresh(start) && hops.every((hop) => isFresh(kept.get(hop))))) {
      // Forgotten, not passed over: when one stage fails now, the next call must not mix the old ones in.
      start = undefined;
      kept.clear();
      startedWith = origin();
    }
    const current = start !== undefined && isFresh(start) ? start : keep(await first(signal));
    start = current;
    const taken = async (hop: HopStage, from: AwsCredentials): Promise<SessionCredentials> => {
      const had = kept.get(hop);
      const stage = had !== undefined && isFresh(had) ? had : keep(await hop(from, signal));
      kept.set(hop, stage);
      return stage.credentials;
    };
    const [firstHop, ...others] = hops;
    let last = await taken(firstHop, current.credentials);
    let end = Math.min(endOf(current.credentials), endOf(last));
    for (const hop of others) {
      last = await taken(hop, last);
      end = Math.min(end, endOf(last));
    }
    return { ...last, expiration: new Date(end) };
  };
}

function endOf({ expiration }: AwsCredentials): number {
  return expiration?.getTime() ?? Infinity;
}
