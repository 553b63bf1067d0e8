/**
 * A connection by the runtime's own sockets, which load none of Node's modules. It is used for what is plainly right alone:
 * whatever else happens on the way, a certificate that is not believed above all, makes it unusable, and the common code
 * connects anew and says what it was. Nothing is written before the other side was verified.
 */
// Tests: test/standalone/connection.test.ts, test/http/faults.test.ts, test/standalone/hot-path.heavy.test.ts
import type { Target } from '../http/direct.ts';
import { readCertificate } from '../x509/certificate.ts';
import { TAG, expectTag, readChildren, readDer } from '../x509/der.ts';
import { EXTENSION } from '../x509/extensions.ts';
import type { Connect, RuntimeSocket } from './runtime.ts';

/** What a user of a connection is told. */
export interface Sink {
  data(bytes: Uint8Array): void;
  /** No more will come: the other side closed, or the connection broke with an error. */
  ended(error: unknown): void;
}

const MAX_NAMES = 1000;
/** dNSName of a GeneralName (RFC 5280, section 4.2.1.6). */
const DNS_NAME = 0x82;
/** TLS versions as the record has them (RFC 8446, section 4.1.2). */
const VERSION = { 'TLSv1.2': 0x03_03, 'TLSv1.3': 0x03_04 } as const;

/** Whether a target can be reached by such a connection: over plain HTTP, or by a name over TLS that is verified. */
export function isPlainTarget({ url, tls }: Target, env: Readonly<Record<string, string | undefined>>): boolean {
  if (env['NODE_DEBUG']) return false;
  if (url.protocol !== 'https:') return url.protocol === 'http:' && !url.hostname.startsWith('[');
  const isVerified = tls?.verify !== false && tls?.client === undefined;
  // Which roots those variables change, and how, is Node's to say.
  const rootsAreKnown = tls?.ca !== undefined || !env['NODE_EXTRA_CA_CERTS'];
  return isVerified && rootsAreKnown && isPlainName(url.hostname);
}

/** A DNS name in lower case, absolute by nature: letters in the last label, and no dot at the end. */
function isPlainName(name: string): boolean {
  const last = name.slice(name.lastIndexOf('.') + 1);
  return name.length > 0 && !name.startsWith('[') && last !== '' && last.toLowerCase() !== last.toUpperCase();
}

/** One connection, which begins at once. */
export class PlainConnection {
  /** Whether it can be used; false when the common code has to look. */
  readonly ready: Promise<boolean>;
  #resolve: (isUsable: boolean) => void = () => {};
  #socket: RuntimeSocket | undefined;
  #sink: Sink | undefined;
  #end: { readonly error: unknown } | undefined;
  #unsent: Uint8Array | undefined;
  #isGivenUp = false;

  constructor({ url, tls }: Target, connect: Connect) {
    this.ready = new Promise((resolve) => (this.#resolve = resolve));
    const isTls = url.protocol === 'https:';
    const { ca, minVersion = 'TLSv1.2' } = tls ?? {};
    const began = connect({
      hostname: url.hostname,
      port: Number(url.port || (isTls ? 443 : 80)),
      tls: isTls
        ? {
            ca,
            // Said, or NODE_TLS_REJECT_UNAUTHORIZED could switch it off.
            rejectUnauthorized: true,
            serverName: url.hostname,
            minVersion: VERSION[minVersion],
            ALPNProtocols: '\u0008http/1.1',
          }
        : undefined,
      socket: {
        open: (socket) => {
          this.#socket = socket;
          if (this.#isGivenUp) socket.terminate();
          else if (!isTls) this.#resolve(true);
        },
        handshake: (socket, success, error) => {
          if (success && error === null && isBelieved(socket, url.hostname, VERSION[minVersion])) this.#resolve(true);
          else this.giveUp();
        },
        data: (_socket, bytes) => this.#receive(bytes),
        drain: () => this.#write(),
        end: () => this.#close(undefined),
        close: (_socket, error) => this.#close(error),
        error: (_socket, error) => this.#close(error),
        connectError: () => this.giveUp(),
      },
    });
    began.catch(() => this.giveUp());
  }

  /** Whether it was not closed yet. */
  get isOpen(): boolean {
    return this.#end === undefined && !this.#isGivenUp;
  }

  /** Sends a request, once, when it is ready, and tells what comes of it. */
  send(bytes: Uint8Array, sink: Sink): void {
    this.#sink = sink;
    this.#unsent = bytes;
    this.#write();
    if (this.#end !== undefined) sink.ended(this.#end.error);
  }

  /** Ends it at once. */
  giveUp(): void {
    if (this.#isGivenUp) return;
    this.#isGivenUp = true;
    this.#sink = undefined;
    this.#resolve(false);
    this.#socket?.terminate();
  }

  #write(): void {
    if (this.#unsent === undefined || this.#socket === undefined) return;
    const taken = this.#socket.write(this.#unsent);
    // Negative when it is closed: that is told by itself.
    this.#unsent = taken < this.#unsent.length ? this.#unsent.subarray(Math.max(0, taken)) : undefined;
  }

  #receive(bytes: Uint8Array): void {
    // What comes before anything was asked, as a load balancer's 408, answers nothing (RFC 9112, section 9.2).
    if (this.#sink === undefined) this.giveUp();
    else this.#sink.data(bytes);
  }

  #close(error: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    this.#resolve(false);
    this.#sink?.ended(error);
  }
}

/** Whether a server's certificate was verified, by the runtime and for a name that is plainly its own; and the rest as asked. */
function isBelieved(socket: RuntimeSocket, host: string, least: number): boolean {
  if (socket.authorized !== true) return false;
  const version = Object.entries(VERSION).find(([name]) => name === socket.getTLSVersion?.())?.[1] ?? 0;
  if (version < least) return false;
  if (socket.alpnProtocol && socket.alpnProtocol !== 'http/1.1') return false;
  const raw = socket.getPeerCertificate?.()?.raw;
  return raw !== undefined && namesHost(raw, host);
}

/**
 * Whether a certificate plainly names a host: by its letters, or by a `*` in place of its first label, in the subjectAltName.
 * What takes more to see is for the common code.
 */
export function namesHost(der: Uint8Array, host: string): boolean {
  try {
    const { extensions } = readCertificate(der, 'the server');
    const names = extensions.get(EXTENSION.subjectAltName);
    if (names === undefined) return false;
    const wildcard = host.split('.').length > 2 ? `*${host.slice(host.indexOf('.'))}` : host;
    return readChildren(expectTag(readDer(names), TAG.sequence, 'subjectAltName'), MAX_NAMES).some(
      ({ tag, content }) => {
        if (tag !== DNS_NAME) return false;
        const name = Buffer.from(content).toString('latin1').toLowerCase();
        return name === host || name === wildcard;
      },
    );
  } catch {
    return false; // malformed, or of a form that this program does not read
  }
}
