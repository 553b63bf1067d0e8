/** NO_PROXY for those who are to ask a server on this machine. */
// Tests: test/server/export-lines.test.ts, test/clients/exec-server.heavy.test.ts

type Environment = Readonly<Record<string, string | undefined>>;

/** The names of the endpoints' addresses, here and at their usual places. */
const NEVER_BY_PROXY = ['127.0.0.1', 'localhost', '::1', '169.254.169.254', '169.254.170.2', '169.254.170.23'];

/** Whether programs of this environment would ask by a proxy, which is not to see what they ask for here. */
export function hasProxy(env: Environment): boolean {
  return ['http_proxy', 'https_proxy', 'all_proxy'].some(
    (name) => (env[name] ?? '') !== '' || (env[name.toUpperCase()] ?? '') !== '',
  );
}

/** The value of NO_PROXY so far. */
export function givenNoProxy(env: Environment): string {
  return env['no_proxy'] ?? env['NO_PROXY'] ?? '';
}

/** A value of NO_PROXY with the server's own names in it. */
export function withoutProxy(given: string, origin: string): string {
  const { hostname } = new URL(origin);
  const names = given.split(',').map((name) => name.trim());
  const all = [...names, ...NEVER_BY_PROXY, hostname.replace(/^\[(.*)\]$/, '$1')];
  return [...new Set(all)].filter((name) => name !== '').join(',');
}

/** The variables with which nobody asks the server by the proxy of an environment; none where there is none. */
export function noProxyFor(origin: string, env: Environment): Record<string, string> {
  const given = givenNoProxy(env);
  if (!hasProxy(env) || given.trim() === '*') return {};
  const value = withoutProxy(given, origin);
  // Some programs read one of them, some the other.
  return { NO_PROXY: value, no_proxy: value };
}
