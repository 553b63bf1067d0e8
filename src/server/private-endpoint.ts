/** A container endpoint for one reader: on a port and with a token that nobody else knows. */
// Tests: test/library/types.test.ts, test/clients/exec-server.heavy.test.ts
import type { CredentialsProvider } from '../credentials/provider.ts';
import type { Log } from '../platform/log.ts';
import { createAuthorization, generateToken } from './authorization.ts';
import { createMetrics } from './metrics.ts';
import { startCredentialServer } from './server.ts';

export interface PrivateEndpointOptions {
  readonly provider: Pick<CredentialsProvider, 'get' | 'peek' | 'status'>;
  /** Of the role whose credentials they are. */
  readonly roleArn: string;
  /** Default 0: any that is free. */
  readonly port?: number | undefined;
  readonly log: Log;
}

export interface PrivateEndpoint {
  /** Of the credentials, on 127.0.0.1. */
  readonly url: string;
  /** What clients send as Authorization. */
  readonly token: string;
  /** Answers what was asked, and stops listening; who waits after `graceMs` gets 503. */
  readonly close: (graceMs: number) => Promise<void>;
}

const PATH = '/credentials';

/**
 * Starts the endpoint.
 *
 * @throws RolesAnywhereError `ERR_LISTEN`
 */
export async function startPrivateEndpoint(options: PrivateEndpointOptions): Promise<PrivateEndpoint> {
  const { provider, roleArn, port = 0, log } = options;
  const authorization = createAuthorization(generateToken());
  const server = await startCredentialServer({
    roles: [{ name: 'default', roleArn, region: '', provider, authorization: () => authorization, imds: false }],
    listen: [{ address: '127.0.0.1', port }],
    imds: false,
    metrics: createMetrics(),
    log,
  });
  return {
    url: `http://127.0.0.1:${server.addresses[0]?.port ?? port}${PATH}`,
    token: authorization.token,
    close: (graceMs) => server.close(graceMs),
  };
}
