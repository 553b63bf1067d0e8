/** A role as the server sees it. */
import type { CredentialsProvider } from '../credentials/provider.ts';
import type { Authorization } from './authorization.ts';

export interface ServedRole {
  /** The role's name in paths: `/role/NAME` and `security-credentials/NAME`. Unique. */
  readonly name: string;
  /** The ARN of the role whose credentials are served. */
  readonly roleArn: string;
  /** The region of the role's profile and trust anchor. */
  readonly region: string;
  readonly provider: Pick<CredentialsProvider, 'get' | 'peek' | 'status'>;
  /** The token that the container endpoint asks for, now: it changes when the token's source is read again. */
  readonly authorization: () => Authorization;
  /** Whether IMDS gives the role too: not when it has a token of its own, which IMDS would sidestep. */
  readonly imds: boolean;
}
