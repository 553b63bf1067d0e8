/**
 * What a request of a browser must be before the console looks at it: meant for this server (Host), from its own page
 * (Origin, Sec-Fetch-Site), not through a proxy, and not for a frame.
 *
 * Source: Fetch Metadata Request Headers (W3C); OWASP, "Cross-Site Request Forgery Prevention".
 */
import type { IncomingHttpHeaders } from 'node:http';

/** The names by which browsers may call, each with its port where the address bar shows one. */
export interface Names {
  readonly hosts: ReadonlySet<string>;
  readonly scheme: 'http' | 'https';
}

/** A page that a person goes to, a part of it, something that it asks for, or something that it changes. */
export type Kind = 'page' | 'asset' | 'read' | 'write';

export type Refusal = 'host' | 'origin' | 'fetch-site' | 'forwarded' | 'frame';

export const REFUSALS: Readonly<Record<Refusal, readonly [code: string, message: string]>> = {
  host: ['HostNotAllowed', 'the Host header names none of the names of this server'],
  origin: ['OriginNotAllowed', 'only the page of this console may ask'],
  'fetch-site': ['OriginNotAllowed', 'only the page of this console may ask'],
  forwarded: ['ForwardedNotAllowed', 'forwarded requests are refused'],
  frame: ['FrameNotAllowed', 'the console is shown in no frame'],
};

/**
 * The names of an address.
 *
 * @param names without a port (an IPv6 address with or without brackets), or with the one that clients call
 */
export function browserNames(names: readonly string[], port: number, scheme: 'http' | 'https'): Names {
  const usual = scheme === 'https' ? 443 : 80;
  const hosts = names.flatMap((name) => {
    const lower = name.toLowerCase();
    if (/^(?:\[.*\]|[^:]*):\d+$/.test(lower)) return [lower];
    const host = lower.includes(':') && !lower.startsWith('[') ? `[${lower}]` : lower;
    return port === usual ? [host, `${host}:${port}`] : [`${host}:${port}`];
  });
  return { hosts: new Set(hosts), scheme };
}

/** @returns the reason when it may not go on */
export function refuseBrowser(headers: IncomingHttpHeaders, kind: Kind, names: Names): Refusal | undefined {
  const { host = '', origin } = headers;
  if (!names.hosts.has(host.toLowerCase())) return 'host';
  if (headers['x-forwarded-for'] !== undefined || headers['forwarded'] !== undefined) return 'forwarded';
  if (origin === undefined ? kind === 'write' : origin.toLowerCase() !== `${names.scheme}://${host.toLowerCase()}`)
    return 'origin';
  const site = headers['sec-fetch-site'];
  const destination = headers['sec-fetch-dest'];
  // Any page may link to this one. None may show it, or take it for something else.
  if (kind === 'page') return destination === undefined || destination === 'document' ? undefined : 'frame';
  if (site === undefined || site === 'same-origin' || (kind === 'asset' && site === 'none')) return undefined;
  return 'fetch-site';
}
