/** Identities and tokens of a SPIFFE Workload API, for the options of the library's providers. */
// Tests: test/providers/spiffe.test.ts
import { readReference } from '../identity/spiffe/reference.ts';
import { refuseUnknown, requireOptions } from './given.ts';
import type { TokenRetriever } from './web-identity.ts';

/** Which Workload API, and which of the identities that it gives. */
export interface SpiffeOptions {
  /** `unix:///run/spire/agent.sock` or `tcp://127.0.0.1:8081`. Default: SPIFFE_ENDPOINT_SOCKET. */
  readonly socket?: string | undefined;
  /** The SPIFFE ID of the identity. Default: the first that the API gives. */
  readonly id?: string | undefined;
  /** The hint of the identity (SPIFFE Workload API, section 5.3). Default: any. */
  readonly hint?: string | undefined;
}

/** The same, for a token. */
export interface SpiffeTokenOptions extends SpiffeOptions {
  /** For whom the token is: what the identity provider in IAM lists as audience, such as `sts.amazonaws.com`. */
  readonly audience: string;
  /** How long the API's answer may take, in milliseconds. Default 10,000. */
  readonly timeoutMs?: number | undefined;
}

const OPTIONS: Readonly<Record<keyof SpiffeOptions, true>> = { socket: true, id: true, hint: true };

const TOKEN_OPTIONS: Readonly<Record<keyof SpiffeTokenOptions, true>> = {
  ...OPTIONS,
  audience: true,
  timeoutMs: true,
};

/**
 * The value of `certificate` for an X.509-SVID: certificate, chain and key, asked for anew at each renewal and kept in
 * memory alone.
 *
 * Source: SPIFFE Workload API, section 5.
 *
 * @throws RolesAnywhereError `ERR_SPIFFE_ADDRESS`, `ERR_USAGE`
 */
export function spiffe(options: SpiffeOptions = {}): string {
  requireOptions(options);
  refuseUnknown(options, OPTIONS, 'the options object');
  const value = valueOf(options, []);
  readReference(value, '--certificate');
  return value;
}

/**
 * What gives a JWT-SVID as web identity token, asked for at each renewal: `tokenRetriever` of
 * {@link fromWebIdentity}.
 *
 * Source: SPIFFE Workload API, section 6.
 *
 * @throws RolesAnywhereError `ERR_SPIFFE_ADDRESS`, `ERR_USAGE`; calls reject with `ERR_SPIFFE_...`
 */
export function spiffeToken(options: SpiffeTokenOptions): TokenRetriever {
  requireOptions(options);
  refuseUnknown(options, TOKEN_OPTIONS, 'the options object');
  const { audience, timeoutMs } = options;
  const value = valueOf(options, [['audience', audience]]);
  readReference(value, '--web-identity-token');
  return async () => {
    const { readJwtSvid } = await import('../identity/spiffe/index.ts');
    const { token } = await readJwtSvid(value, { timeoutMs: timeoutMs === undefined ? undefined : () => timeoutMs });
    return token;
  };
}

function valueOf({ socket = '', id, hint }: SpiffeOptions, more: readonly [string, string][]): string {
  const query = new URLSearchParams([
    ...(id === undefined ? [] : [['id', id] as [string, string]]),
    ...(hint === undefined ? [] : [['hint', hint] as [string, string]]),
    ...more,
  ]).toString();
  return `spiffe:${socket}${query === '' ? '' : `?${query}`}`;
}
