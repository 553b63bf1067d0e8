/**
 * Limits on how often CreateSession may be called: User Guide, "Quotas"
 * (https://docs.aws.amazon.com/rolesanywhere/latest/userguide/load-balancer-limits.html).
 */
// Tests: test/emulator/services/create-session/create-session.test.ts

export interface ThrottleOptions {
  /** CreateSession requests per second of an account. Default 10, the service's own default. */
  accountRate?: number | undefined;
  /** The same of one certificate. The service has such a limit and does not say which; default 5. */
  certificateRate?: number | undefined;
}

export interface Throttle {
  /**
   * Takes one request from what is left of each.
   *
   * @returns what has run out, or undefined
   */
  take(account: string, certificate: string): string | undefined;
}

export const DEFAULT_RATES = { account: 10, certificate: 5 } as const;

interface Bucket {
  tokens: number;
  at: number;
}

const MAX_BUCKETS = 10_000;

/** Lets everything through. */
export const noThrottle: Throttle = { take: () => undefined };

/** Token buckets that hold one second's worth. */
export function createThrottle(
  { accountRate = DEFAULT_RATES.account, certificateRate = DEFAULT_RATES.certificate }: ThrottleOptions,
  now: () => Date,
): Throttle {
  const buckets = new Map<string, Bucket>();
  const filled = (key: string, rate: number): Bucket => {
    const at = now().getTime();
    const { tokens, at: before } = buckets.get(key) ?? { tokens: rate, at };
    const bucket = { tokens: Math.min(rate, tokens + (Math.max(0, at - before) / 1000) * rate), at };
    buckets.delete(key); // to the end: the first is the one that was not used the longest
    buckets.set(key, bucket);
    const [oldest] = buckets.keys();
    if (buckets.size > MAX_BUCKETS && oldest !== undefined) buckets.delete(oldest);
    return bucket;
  };
  return {
    take(account, certificate) {
      const ofAccount = filled(`account ${account}`, accountRate);
      const ofCertificate = filled(`certificate ${certificate}`, certificateRate);
      if (ofAccount.tokens < 1) return `account ${account} has used its ${accountRate} requests per second`;
      if (ofCertificate.tokens < 1) return `the certificate has used its ${certificateRate} requests per second`;
      ofAccount.tokens -= 1;
      ofCertificate.tokens -= 1;
      return undefined;
    },
  };
}
