/** A container credentials endpoint for the processes that a program starts. */
// Tests: test/library/types.test.ts
import { temporary } from '../credentials/cached.ts';
import type { AwsCredentials } from '../credentials/credentials.ts';
import type { CredentialsProvider } from '../credentials/provider.ts';
import { silentLog } from '../platform/log.ts';
import type { Log } from '../platform/log.ts';
import { parseArn } from '../aws/arn.ts';
import { requireFunction, requireGiven, requireOptions } from './given.ts';

export interface ContainerEndpointOptions {
  /** Gives what is served, temporary credentials: a provider of this library, of the AWS SDK v3, or of one's own. */
  readonly credentials: () => Promise<AwsCredentials>;
  /** Of the role whose credentials they are. */
  readonly roleArn: string;
  /** Default 0: any that is free. */
  readonly port?: number | undefined;
  /** Default: none. */
  readonly log?: Log | undefined;
}

export interface ContainerEndpoint {
  /** Of the credentials, on 127.0.0.1. */
  readonly url: string;
  /** What clients send as Authorization. As secret as the credentials. */
  readonly token: string;
  /** The variables by which the AWS SDKs find it; for the environment of a child process. */
  readonly environment: Readonly<Record<string, string>>;
  /** Answers what was asked, and stops listening. The provider is left alone. */
  close(): Promise<void>;
}

const GRACE_MS = 5000;

/**
 * Starts an endpoint as ECS and EKS have it, on the loopback and with a token
 * of its own. It keeps the process alive until it is closed.
 *
 * @throws RolesAnywhereError `ERR_FLAG_REQUIRED`, `ERR_USAGE`, `ERR_ARN`, `ERR_LISTEN`
 */
export async function serveContainerCredentials(options: ContainerEndpointOptions): Promise<ContainerEndpoint> {
  requireOptions(options);
  const { credentials, roleArn, port = 0, log = silentLog } = options;
  requireFunction('credentials', credentials);
  requireGiven('roleArn', roleArn);
  parseArn('role', roleArn, 'roleArn');
  const { startPrivateEndpoint } = await import('../server/private-endpoint.ts');
  const { url, token, close } = await startPrivateEndpoint({
    provider: servedProvider(credentials),
    roleArn,
    port,
    log,
  });
  return {
    url,
    token,
    environment: { AWS_CONTAINER_CREDENTIALS_FULL_URI: url, AWS_CONTAINER_AUTHORIZATION_TOKEN: token },
    close: async () => await close(GRACE_MS),
  };
}

/** The function keeps its own credentials: nothing is known of them here before it is asked. */
function servedProvider(get: () => Promise<AwsCredentials>): Pick<CredentialsProvider, 'get' | 'peek' | 'status'> {
  return {
    get: async () => temporary(await get()),
    peek: () => undefined,
    status: () => ({
      state: 'valid',
      refreshing: false,
      expiration: undefined,
      refreshedAt: undefined,
      lastError: undefined,
      failures: 0,
      nextAttempt: undefined,
    }),
  };
}
