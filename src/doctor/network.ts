/** The way to a service: its name, proxy, roots of trust, TLS, and the service's time. Nothing is signed or sent for it. */
// Tests: test/doctor/broken.heavy.test.ts
import { lookup } from 'node:dns/promises';
import { accessSync, constants } from 'node:fs';
import { isIP } from 'node:net';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { clockOffset, span } from '../aws/clock-offset.ts';
import type { Connection } from '../aws/connection.ts';
import type { ServiceClock } from '../aws/service-clock.ts';
import { proxyFromEnvironment, parseProxy } from '../http/proxy-rules.ts';
import type { ConnectionSettings } from '../options/connection.ts';
import type { HttpResponse } from '../http/http.ts';
import { inert, shownUrl } from '../platform/redact.ts';
import type { Notebook } from './notebook.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const TIMEOUT_MS = 15_000;
const MAX_BYTES = 64 * 1024;

/** A service that is going to be asked. */
export interface Asked {
  /** What it is to people. */
  readonly name: string;
  readonly url: URL;
  /** What gave the URL: a setting, or that there is none. */
  readonly from: string;
}

/** What the environment changes of every connection. */
export function checkTrust({ trust }: ConnectionSettings, env: Environment, notes: Notebook): void {
  if (!trust.verify) notes.find('WARN_TLS_NOT_VERIFIED', '--no-verify-ssl is given: whoever answers is believed');
  if (env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0')
    notes.find(
      'WARN_TLS_NOT_VERIFIED',
      'NODE_TLS_REJECT_UNAUTHORIZED is 0: this program verifies all the same, other programs of Node do not',
    );
  const extra = env['NODE_EXTRA_CA_CERTS'];
  if (extra === undefined || extra === '') return;
  try {
    accessSync(extra, constants.R_OK);
  } catch {
    notes.find('WARN_EXTRA_CA_CERTS', `NODE_EXTRA_CA_CERTS names ${extra}, which cannot be read`);
  }
}

/** Says what every connection goes by. */
export function listConnection(
  { trust, proxy }: ConnectionSettings,
  env: Environment,
  url: URL,
  notes: Notebook,
): void {
  const roots = trust.verify
    ? ((trust.caBundle && `${trust.caBundle.path} (${trust.caBundle.source}), in place of all others`) ??
      (trust.caStore === undefined
        ? "Node's own, and the system's where those do not do"
        : `--ca-store ${trust.caStore}`))
    : 'none: whoever answers is believed';
  notes.fact('network', 'roots of trust', roots);
  const by = notes.try('network', () =>
    proxy === 'environment' ? proxyFromEnvironment(env)(url) : proxy && parseProxy(proxy.url, '--proxy'),
  );
  notes.fact('network', 'proxy', by === undefined ? 'none' : shownUrl(by));
}

/**
 * Goes to the service once, and takes the time that it says.
 *
 * @returns whether it answered
 */
export async function reach(
  { name, url, from }: Asked,
  connection: Pick<Connection, 'transport' | 'tls'> & { readonly clock: ServiceClock },
  notes: Notebook,
): Promise<boolean> {
  notes.fact('network', name, `${url.href} (${from})`);
  const { transport, tls, clock } = connection;
  let answer: HttpResponse;
  const began = Date.now();
  try {
    answer = await transport({
      method: 'GET',
      url,
      headers: { accept: '*/*' },
      tls,
      timeoutMs: TIMEOUT_MS,
      maxResponseBytes: MAX_BYTES,
      onSocket: (socket) => describe(socket, name, notes),
    });
  } catch (error) {
    notes.fail('network', error);
    return false;
  }
  notes.fact('network', `${name}, answer`, `status ${answer.status}, after ${Date.now() - began} ms`);
  await listAddresses(url, name, notes);
  const offset = clockOffset(answer, Date.now());
  if (offset === undefined) return true;
  notes.find(
    'WARN_CLOCK_OFFSET',
    `this machine's clock is ${span(Math.abs(offset))} ${offset > 0 ? 'behind' : 'ahead'}, by the Date of ${url.host}`,
  );
  clock.presume(offset);
  return true;
}

/** Tells of TLS when it stands. */
function describe(socket: Socket, name: string, notes: Notebook): void {
  if (!(socket instanceof TLSSocket)) return;
  socket.once('secureConnect', () => {
    const { subject, issuer, valid_to: until } = socket.getPeerCertificate();
    notes.fact(
      'network',
      `${name}, TLS`,
      `${socket.getProtocol()}, certificate of ${nameOf(subject)}, issued by ${nameOf(issuer)}, until ${until}`,
    );
  });
}

/** A name in a server's certificate: a stranger's text. */
function nameOf(name: object | undefined): string {
  const parts = Object.entries(name ?? {}).map(([key, value]) => `${key}=${String(value)}`);
  return inert(parts.join(', ')).slice(0, 200);
}

async function listAddresses({ hostname }: URL, name: string, notes: Notebook): Promise<void> {
  if (isIP(hostname.replace(/^\[|\]$/g, '')) !== 0) return;
  // Behind a proxy it need not be known here.
  const found = await lookup(hostname, { all: true }).catch(() => []);
  if (found.length > 0) notes.fact('network', `${name}, addresses`, found.map(({ address }) => address).join(', '));
}

/** Whether an endpoint is one of AWS's own. */
export function isOfAws({ hostname }: URL): boolean {
  return /\.(?:amazonaws\.(?:com|com\.cn|eu)|api\.aws|api\.amazonwebservices\.(?:com\.cn|eu)|c2s\.ic\.gov|sc2s\.sgov\.gov)$/.test(
    hostname,
  );
}
