/** What `--debug` says of requests: everything but secrets, and how long each phase took. Loaded for it. */
import type { Socket } from 'node:net';
import type { HttpRequest, HttpResponse, HttpTransport } from './http.ts';
import { withoutSecrets } from './echoes.ts';
import type { Log } from '../platform/log.ts';
import { inert, shownBody, shownHeader, shownStage, shownUrl } from '../platform/redact.ts';

/** A transport that tells what passes through it. */
export function traced(transport: HttpTransport, log: Log, now = monotonic): HttpTransport {
  return async (request) => {
    const phases = new Phases(now);
    logRequest(log, request);
    try {
      const response = await transport({ ...request, onSocket: (socket) => phases.watch(socket) });
      phases.note('the whole answer');
      logResponse(log, withoutSecrets(response, request));
      return response;
    } catch (error) {
      phases.note('a failure');
      throw error;
    } finally {
      log.debug(phases.text());
    }
  };
}

/** Tells what is hashed and signed. */
export function stageWriter(log: Log): (stage: string, text: string) => void {
  return (stage, text) => log.debug(`${stage}:`, { text: linesOf(shownStage(text)) });
}

function logRequest(log: Log, { method, url, headers, body = '' }: HttpRequest): void {
  // What is sent is made here, and so of known form.
  log.debug(`request: ${method} ${shownUrl(url)}`, { text: messageLines(headers, shownBody(body, true)) });
}

function logResponse(log: Log, { status, headers, body }: HttpResponse): void {
  // An answer of success holds credentials, also where it is malformed.
  log.debug(`response: ${status}`, { text: messageLines(headers, shownBody(body, status >= 300)) });
}

function messageLines(headers: HttpRequest['headers'], body: string): readonly string[] {
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${shownHeader(name, value)}`);
  return linesOf([...fields, '', body].join('\n'));
}

/** Milestones of an exchange, each with the time since the one before. */
class Phases {
  readonly #now: () => number;
  readonly #notes: string[] = [];
  readonly #begun: number;
  #last: number;

  constructor(now: () => number) {
    this.#now = now;
    this.#begun = now();
    this.#last = this.#begun;
  }

  note(what: string): void {
    const at = this.#now();
    this.#notes.push(`${what} ${(at - this.#last).toFixed(1)} ms`);
    this.#last = at;
  }

  watch(socket: Socket): void {
    socket.once('lookup', () => this.note('DNS'));
    socket.once('connect', () => {
      this.note(`TCP to ${socket.remoteAddress ?? 'nowhere'} port ${socket.remotePort ?? 0}`);
    });
    socket.once('secureConnect', () => this.note(tlsText(socket)));
    // Neither transport minds: direct.ts reads by this event itself, and undici's way of reading goes before it.
    socket.once('data', () => this.note('first byte'));
  }

  text(): string {
    const total = (this.#last - this.#begun).toFixed(1);
    return `timings: ${this.#notes.join(', ')}; ${total} ms in all`;
  }
}

function tlsText(socket: Socket): string {
  const version: unknown =
    'getProtocol' in socket && typeof socket.getProtocol === 'function' ? socket.getProtocol() : '';
  return `TLS${typeof version === 'string' && version !== '' ? ` (${version})` : ''}`;
}

function linesOf(text: string): readonly string[] {
  return inert(text).trimEnd().split('\n');
}

function monotonic(): number {
  return performance.now();
}
