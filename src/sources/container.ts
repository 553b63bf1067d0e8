/** The container credentials endpoint, as ECS, EKS and our own `serve` have it. */
// Tests: test/sources/sources.test.ts
import { RolesAnywhereError } from '../platform/errors.ts';
import { readNamedFile } from '../platform/files.ts';
import { withRetries } from '../aws/retry.ts';
import { endpointError } from './endpoint-error.ts';
import type { Source, SourceSurroundings } from './source.ts';
import { readJsonCredentials } from './json-credentials.ts';

const ECS = 'http://169.254.170.2';
/** Hosts that plain http may go to: this machine, and the link-local addresses of ECS and EKS. */
const LOCAL = /^(?:localhost|127(?:\.\d+){3}|\[::1\]|169\.254\.170\.2|169\.254\.170\.23|\[fd00:ec2::23\])$/;
const TIMEOUT_MS = 5000;
const MAX_BYTES = 64 * 1024;

/** AWS SDKs and Tools Reference Guide, "Container credential provider". */
export const fromContainer: Source = async (surroundings) => {
  const { env, transport, tls, signal } = surroundings;
  const url = endpointOf(env);
  if (url === undefined) return undefined;
  return await withRetries(async (timeoutMs) => {
    const authorization = await authorizationOf(env);
    const response = await transport({
      method: 'GET',
      url,
      headers: { accept: 'application/json', ...(authorization !== undefined && { authorization }) },
      tls,
      timeoutMs: Math.min(TIMEOUT_MS, timeoutMs),
      maxResponseBytes: MAX_BYTES,
      signal,
    });
    if (response.status === 200)
      return readJsonCredentials(response.body, 'Token', 'the container credentials endpoint');
    throw endpointError(
      `the container credentials endpoint ${url.host} gave no credentials`,
      response,
      'check AWS_CONTAINER_AUTHORIZATION_TOKEN or its _FILE, and that the role is there',
      authorization,
    );
  }, surroundings);
};

function endpointOf(env: SourceSurroundings['env']): URL | undefined {
  const relative = env['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'];
  const full = env['AWS_CONTAINER_CREDENTIALS_FULL_URI'];
  const text = relative !== undefined && relative !== '' ? `${ECS}${relative}` : full;
  if (text === undefined || text === '') return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && LOCAL.test(url.hostname))) return url;
  throw new RolesAnywhereError(
    'ERR_SOURCE_CREDENTIALS',
    'AWS_CONTAINER_CREDENTIALS_FULL_URI is neither https nor plain http to this machine',
    { hint: 'credentials would cross the network in the clear' },
  );
}

/** The file wins, and is read each time: it is replaced while in use. */
async function authorizationOf(env: SourceSurroundings['env']): Promise<string | undefined> {
  const path = env['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'];
  let token = env['AWS_CONTAINER_AUTHORIZATION_TOKEN'];
  if (path !== undefined && path !== '')
    token = Buffer.from(
      readNamedFile({
        path,
        name: `the container's token file ${path}`,
        code: 'ERR_SOURCE_CREDENTIALS',
        hint: 'check AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE',
        maxBytes: MAX_BYTES,
      }).bytes,
    ).toString('latin1');
  if (token === undefined || token === '') return undefined;
  if (/^[\x20-\x7e]+$/.test(token)) return token;
  throw new RolesAnywhereError(
    'ERR_SOURCE_CREDENTIALS',
    "the container's token holds a line end or other such characters",
    {
      hint: 'it is a single line without a line feed behind it',
    },
  );
}
