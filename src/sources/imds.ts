/** The instance metadata service, version 2, of EC2 and of our own `serve`. */
// Tests: test/sources/sources.test.ts
import { RolesAnywhereError } from '../platform/errors.ts';
import type { HttpResponse, HttpTransport } from '../http/http.ts';
import type { Source } from './source.ts';
import { readJsonCredentials } from './json-credentials.ts';

const ADDRESS = { ipv4: 'http://169.254.169.254', ipv6: 'http://[fd00:ec2::254]' } as const;
const ROLES = '/latest/meta-data/iam/security-credentials/';
/** Off EC2 nothing answers at that address, and nobody wants to wait for that. */
const TIMEOUT_MS = 1000;
const MAX_BYTES = 64 * 1024;

/** EC2 User Guide, "Use the Instance Metadata Service". */
export const fromImds: Source = async ({ env, transport, signal }) => {
  if (env['AWS_EC2_METADATA_DISABLED']?.toLowerCase() === 'true') return undefined;
  const mode = env['AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE']?.toLowerCase() === 'ipv6' ? 'ipv6' : 'ipv4';
  const base = env['AWS_EC2_METADATA_SERVICE_ENDPOINT'] || ADDRESS[mode];
  if (!URL.canParse(base))
    throw new RolesAnywhereError('ERR_SOURCE_CREDENTIALS', 'AWS_EC2_METADATA_SERVICE_ENDPOINT is not a URL', {
      hint: 'it is such as http://127.0.0.1:9911',
    });
  const ask = asker(base, transport, signal);
  const token = await ask('PUT', '/latest/api/token', { 'x-aws-ec2-metadata-token-ttl-seconds': '60' }).catch(
    (error: unknown) => {
      if (error instanceof RolesAnywhereError && error.class === 'unavailable') return undefined;
      throw error;
    },
  );
  if (token === undefined) return undefined;
  const headers = { 'x-aws-ec2-metadata-token': checked(token, 'a token') };
  const roles = checked(await ask('GET', ROLES, headers), 'the name of a role');
  const [role = ''] = roles.split('\n');
  const credentials = checked(await ask('GET', `${ROLES}${encodeURIComponent(role.trim())}`, headers), 'credentials');
  return readJsonCredentials(credentials, 'Token', 'the instance metadata service');
};

type Ask = (method: 'GET' | 'PUT', path: string, headers: Record<string, string>) => Promise<HttpResponse>;

function asker(base: string, transport: HttpTransport, signal: AbortSignal | undefined): Ask {
  return async (method, path, headers) =>
    await transport({
      method,
      url: new URL(path, base),
      headers,
      timeoutMs: TIMEOUT_MS,
      maxResponseBytes: MAX_BYTES,
      signal,
    });
}

function checked({ status, body }: HttpResponse, what: string): string {
  if (status === 200) return body;
  throw new RolesAnywhereError(
    'ERR_SOURCE_CREDENTIALS',
    `the instance metadata service gave no ${what.replace(/^an? /, '')} (status ${status})`,
    { status, hint: 'check that the instance has a role' },
  );
}
