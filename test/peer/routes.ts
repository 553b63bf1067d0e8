/** What both programs' `serve` is asked for. */
import type { DifferenceId } from '../../scripts/differences.ts';

/** What of an answer is compared: its status; its body, credentials member by member; and its media type. */
export interface RouteAnswer {
  readonly status: number;
  readonly body: string;
  readonly type: string;
}

export interface Route {
  /** What it shows. */
  readonly name: string;
  readonly method?: string;
  readonly path: string;
  /** `{token}` stands for a good token, `{port}` for the server's own port. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly differs?: { readonly by: DifferenceId; readonly in: readonly (keyof RouteAnswer)[] } | undefined;
}

const TOKEN = '/latest/api/token';
const LIST = '/latest/meta-data/iam/security-credentials/';
const TTL = 'X-Aws-Ec2-Metadata-Token-Ttl-Seconds';
const WITH_TOKEN = { 'X-Aws-Ec2-Metadata-Token': '{token}' };

const put = (name: string, headers: Route['headers'] = {}, more: Partial<Route> = {}): Route => ({
  name,
  method: 'PUT',
  path: TOKEN,
  headers,
  ...more,
});
const get = (name: string, path: string, more: Partial<Route> = {}): Route => ({
  name,
  path,
  headers: WITH_TOKEN,
  ...more,
});

/** An error that only says so in other words. */
const OTHER_WORDS = { by: 'serve-errors', in: ['body', 'type'] } as const;

export const ROUTES: readonly Route[] = [
  put('gives a token', { [TTL]: '21600' }),
  put('gives a token for a second', { [TTL]: '1' }),
  put('gives a token without being told for how long'),
  put('gives a token for an empty time', { [TTL]: '' }),
  put('gives a token at the path with a slash', { [TTL]: '60' }, { path: `${TOKEN}/` }),
  ...['0', '-1', '21601', 'abc', '1.5'].map((ttl) =>
    put(`refuses a token for "${ttl}" seconds`, { [TTL]: ttl }, { differs: OTHER_WORDS }),
  ),
  ...['+5', '060'].map((ttl) =>
    put(
      `meets a token for "${ttl}" seconds`,
      { [TTL]: ttl },
      { differs: { by: 'serve-ttl', in: ['status', 'body', 'type'] } },
    ),
  ),
  put(
    'refuses to give a token to a proxy',
    { [TTL]: '60', 'X-Forwarded-For': '10.0.0.1' },
    {
      differs: { by: 'serve-guards', in: ['status', 'body', 'type'] },
    },
  ),
  put('gives a token under the address of IMDS', { [TTL]: '60', Host: '169.254.169.254' }),
  put(
    'meets another port than its own, as ssh -L makes it',
    { [TTL]: '60', Host: '127.0.0.1:8080' },
    { differs: { by: 'serve-guards', in: ['status', 'body', 'type'] } },
  ),
  put('gives a token under an address without a port', { [TTL]: '60', Host: '127.0.0.1' }),
  put('gives a token to localhost', { [TTL]: '60', Host: 'localhost:{port}' }),
  put(
    'meets the name of a stranger',
    { [TTL]: '60', Host: 'evil.example' },
    {
      differs: { by: 'serve-guards', in: ['status', 'body', 'type'] },
    },
  ),
  put(
    'meets the page of a stranger',
    { [TTL]: '60', Origin: 'https://evil.example' },
    {
      differs: { by: 'serve-guards', in: ['status', 'body', 'type'] },
    },
  ),
  ...['GET', 'POST', 'DELETE'].map((method) =>
    put(`refuses ${method} for a token`, {}, { method, differs: OTHER_WORDS }),
  ),
  get('lists the role', LIST),
  get('lists the role without the slash', LIST.slice(0, -1)),
  get('gives credentials', `${LIST}Worker`),
  get('gives credentials at the path with a slash', `${LIST}Worker/`),
  get('asks for a token', `${LIST}Worker`, { headers: {}, differs: OTHER_WORDS }),
  get('refuses another token', `${LIST}Worker`, {
    headers: { 'X-Aws-Ec2-Metadata-Token': 'nonsense' },
    differs: OTHER_WORDS,
  }),
  get('asks for a token before the list', LIST, { headers: {}, differs: OTHER_WORDS }),
  get('meets another role', `${LIST}Other`, { differs: { by: 'serve-roles', in: ['status', 'body', 'type'] } }),
  get('meets the role in another case', `${LIST}worker`, {
    differs: { by: 'serve-roles', in: ['status', 'body', 'type'] },
  }),
  get('meets the role with its path', `${LIST}path/Worker`, {
    differs: { by: 'serve-roles', in: ['status', 'body', 'type'] },
  }),
  ...['/', '/latest/', '/latest/meta-data/', '/latest/user-data', '/nothing'].map((path) =>
    get(`has nothing at ${path}`, path, { differs: OTHER_WORDS }),
  ),
  ...['/latest/meta-data/instance-id', '/latest/meta-data/iam/info', '/latest/meta-data/placement/region'].map((path) =>
    get(`meets ${path}`, path, {
      differs: { by: 'serve-more', in: path.endsWith('info') ? ['status', 'body', 'type'] : ['status', 'body'] },
    }),
  ),
  get('meets HEAD for the list', LIST, { method: 'HEAD', differs: { by: 'serve-head', in: ['status', 'type'] } }),
  get('refuses POST for the list', LIST, { method: 'POST', differs: OTHER_WORDS }),
  get('meets a doubled slash', `/${LIST}`, { differs: { by: 'serve-paths', in: ['status', 'body', 'type'] } }),
  get('meets a path with dots', `/latest/x/..${LIST.slice('/latest'.length)}`, {
    differs: { by: 'serve-paths', in: ['status', 'body', 'type'] },
  }),
];
