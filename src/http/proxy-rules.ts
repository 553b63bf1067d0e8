/**
 * Which proxy a request goes through, by the variables that curl, Go and most
 * other programs read. Where curl and Go differ on NO_PROXY, a host is exempt
 * when either exempts it.
 *
 * Sources: curl's manual page, "ENVIRONMENT"; golang.org/x/net/http/httpproxy.
 */
import { BlockList, isIP } from 'node:net';
import { RolesAnywhereError } from '../platform/errors.ts';

/** The proxy for a target; undefined: none, connect directly. */
export type ProxyChoice = (target: URL) => URL | undefined;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * HTTPS_PROXY for https, HTTP_PROXY for http, each also in lower case (upper
 * case wins, as in Go and so in AWS's own helper), with the exceptions of
 * NO_PROXY. This machine itself is never asked for through a proxy.
 *
 * @throws RolesAnywhereError `ERR_PROXY_URL` from the choice, when the variable's value is no proxy
 */
export function proxyFromEnvironment(env: Environment): ProxyChoice {
  const exempt = noProxy(either(env, 'NO_PROXY')?.value ?? '');
  return (target) => {
    const found = either(env, target.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY');
    if (found === undefined || exempt(target)) return undefined;
    // Under CGI a client can set HTTP_PROXY by a header called Proxy.
    if (found.name === 'HTTP_PROXY' && env['REQUEST_METHOD'] !== undefined)
      throw new RolesAnywhereError('ERR_PROXY_URL', 'HTTP_PROXY is not trusted in a CGI environment', {
        hint: 'set http_proxy, in lower case, or give --proxy',
      });
    return parseProxy(found.value, found.name);
  };
}

/** Whether a proxy speaks SOCKS5. */
export function isSocks({ protocol }: URL): boolean {
  return protocol === 'socks5:' || protocol === 'socks5h:';
}

function either(env: Environment, name: string): { name: string; value: string } | undefined {
  for (const spelling of [name, name.toLowerCase()]) {
    const value = env[spelling];
    if (value !== undefined && value !== '') return { name: spelling, value };
  }
  return undefined;
}

/**
 * Reads the address of a proxy; without a scheme it is http.
 *
 * @param source what gave it, for messages, which never hold the value: it may hold a password
 * @throws RolesAnywhereError `ERR_PROXY_URL`
 */
export function parseProxy(value: string, source: string): URL {
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const invalid = (what: string): RolesAnywhereError =>
    new RolesAnywhereError('ERR_PROXY_URL', `${source} ${what}`, {
      hint: 'give http://[USER:PASSWORD@]HOST:PORT, https://... or socks5://..., with special characters percent-encoded',
    });
  if (url === undefined || url.hostname === '') throw invalid("is not a proxy's URL");
  if (url.protocol !== 'http:' && url.protocol !== 'https:' && !isSocks(url))
    throw invalid(`is of scheme ${url.protocol.slice(0, -1)}, which is not supported`);
  if (url.pathname.replace('/', '') !== '' || url.search !== '' || url.hash !== '')
    throw invalid('has something behind the port');
  try {
    decodeURIComponent(`${url.username}${url.password}`);
  } catch {
    throw invalid('has a user name or a password with a percent sign that is not encoded');
  }
  return url;
}

/** Whether a target is to be reached without a proxy. */
export function noProxy(list: string): (target: URL) => boolean {
  const items = list.toLowerCase().split(/[\s,]+/);
  const everything = items.includes('*');
  const addresses = items.map(addressRule);
  const rules = items.map((item, index) => addresses[index] ?? nameRule(item));
  return (target) => {
    const host = bare(target.hostname);
    const port = target.port || (target.protocol === 'https:' ? '443' : '80');
    return everything || isThisMachine(host) || rules.some((rule) => rule(host, port));
  };
}

type Rule = (host: string, port: string) => boolean;

/** An address, `address:port` or a block such as 10.0.0.0/8. */
function addressRule(item: string): Rule | undefined {
  const [, block = '', prefix] = /^([^/]+)\/(\d{1,3})$/.exec(item) ?? [];
  const [, bracketed, onPort] = /^(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(item) ?? [];
  const address = bare(prefix === undefined ? (bracketed ?? item) : block);
  const family = familyOf(address);
  if (family === undefined) return undefined;
  const bits = prefix === undefined ? (family === 'ipv4' ? 32 : 128) : Number(prefix);
  if (bits > (family === 'ipv4' ? 32 : 128)) return undefined;
  const addresses = new BlockList();
  addresses.addSubnet(address, bits, family);
  return (host, port) => {
    const kind = familyOf(host);
    return kind !== undefined && (onPort === undefined || onPort === port) && addresses.check(host, kind);
  };
}

/** A name and all below it: `name`, `.name` (curl: with the name itself), `*.name` (Go: without), each with a port or not. */
function nameRule(item: string): Rule {
  const [, wildcard, name = '', onPort] = /^(\*\.|\.)?(.*?)\.?(?::(\d+))?$/s.exec(item) ?? [];
  return (host, port) =>
    name !== '' &&
    familyOf(host) === undefined &&
    (onPort === undefined || onPort === port) &&
    (host.endsWith(`.${name}`) || (host === name && wildcard !== '*.'));
}

function isThisMachine(host: string): boolean {
  return host === 'localhost' || host === '::1' || (familyOf(host) === 'ipv4' && host.startsWith('127.'));
}

/** Without brackets and the trailing dot of an absolute name. */
function bare(host: string): string {
  return host.replace(/^\[|\]$/g, '').replace(/\.$/, '');
}

function familyOf(host: string): 'ipv4' | 'ipv6' | undefined {
  const family = isIP(host);
  return family === 4 ? 'ipv4' : family === 6 ? 'ipv6' : undefined;
}
