/** The instance metadata service, version 2, of EC2 and of our own `serve`. */
// Tests: test/sources/sources.test.ts
import { RolesAnywhereError } from '../platform/errors.ts';
import { withRetries } from '../aws/retry.ts';
import type { HttpResponse } from '../http/http.ts';
import { endpointError } from './endpoint-error.ts';
import type { Source, SourceSurroundings } from './source.ts';
import { readJsonCredentials } from './json-credentials.ts';

const ADDRESS = { ipv4: 'http://169.254.169.254', ipv6: 'http://[fd00:ec2::254]' } as const;
const ROLES = '/latest/meta-data/iam/security-credentials/';
/** Off EC2 nothing answers at that address, and nobody wants to wait for that. */
const TIMEOUT_MS = 1000;
const MAX_BYTES = 64 * 1024;

/** EC2 User Guide, "Use the Instance Metadata Service". */
export const fromImds: Source = async (surroundings) => {
  const { env } = surroundings;
  if (env['AWS_EC2_METADATA_DISABLED']?.toLowerCase() === 'true') return undefined;
  const mode = env['AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE']?.toLowerCase() === 'ipv6' ? 'ipv6' : 'ipv4';
  const base = env['AWS_EC2_METADATA_SERVICE_ENDPOINT'] || ADDRESS[mode];
  if (!URL.canParse(base))
    throw new RolesAnywhereError('ERR_SOURCE_CREDENTIALS', 'AWS_EC2_METADATA_SERVICE_ENDPOINT is not a URL', {
      hint: 'it is such as http://127.0.0.1:9911',
    });
  const ask = asker(base, surroundings);
  const token = await ask('PUT', '/latest/api/token', { 'x-aws-ec2-metadata-token-ttl-seconds': '60' }, 'token');
  if (token === undefined) return undefined;
  const headers = { 'x-aws-ec2-metadata-token': token };
  const [role = ''] = ((await ask('GET', ROLES, headers, 'name of a role')) ?? '').split('\n');
  const credentials = await ask('GET', `${ROLES}${encodeURIComponent(role.trim())}`, headers, 'credentials');
  return readJsonCredentials(credentials ?? '', 'Token', 'the instance metadata service');
};

type Ask = (
  method: 'GET' | 'PUT',
  path: string,
  headers: Record<string, string>,
  what: string,
) => Promise<string | undefined>;

/** What answers a request with a status of 200; undefined for a token that nobody answers about, which is asked for once. */
function asker(base: string, surroundings: SourceSurroundings): Ask {
  const { transport, tls, signal } = surroundings;
  return (method, path, headers, what) =>
    withRetries(async (timeoutMs) => {
      let response: HttpResponse;
      try {
        response = await transport({
          method,
          url: new URL(path, base),
          headers,
          tls,
          timeoutMs: Math.min(TIMEOUT_MS, timeoutMs),
          maxResponseBytes: MAX_BYTES,
          signal,
        });
      } catch (error) {
        if (method === 'PUT' && error instanceof RolesAnywhereError && error.class === 'unavailable') return undefined;
        throw error;
      }
      if (response.status === 200) return response.body;
      throw endpointError(
        `the instance metadata service gave no ${what}`,
        response,
        'check that the instance has a role',
        headers['x-aws-ec2-metadata-token'],
      );
    }, surroundings);
}
