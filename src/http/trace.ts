/** What `--debug` says of requests: everything but secrets, and how long each phase took. Loaded for it. */
import type { Socket } from 'node:net';
import type { HttpRequest, HttpResponse, HttpTransport } from './http.ts';
import { inert, shownBody, shownHeader, shownStage, shownUrl } from '../platform/redact.ts';

/** Takes a text of one line or more. */
export type DebugWriter = (text: string) => void;

/** A transport that tells what passes through it. */
export function traced(transport: HttpTransport, write: DebugWriter, now = monotonic): HttpTransport {
  return async (request) => {
    const phases = new Phases(now);
    write(requestText(request));
    try {
      const response = await transport({ ...request, onSocket: (socket) => phases.watch(socket) });
      phases.note('the whole answer');
      write(responseText(response));
      return response;
    } catch (error) {
      phases.note('a failure');
      throw error;
    } finally {
      write(phases.text());
    }
  };
}

/** Says what is hashed and signed. */
export function stageWriter(write: DebugWriter): (stage: string, text: string) => void {
  return (stage, text) => write(`${stage}:\n${indented(shownStage(text))}`);
}

function requestText({ method, url, headers, body = '' }: HttpRequest): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${shownHeader(name, value)}`);
  // What is sent is made here, and so of known form.
  return `request: ${method} ${shownUrl(url)}\n${indented([...lines, '', shownBody(body, true)].join('\n'))}`;
}

function responseText({ status, headers, body }: HttpResponse): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${shownHeader(name, value)}`);
  // An answer of success holds credentials, also where it is malformed.
  return `response: ${status}\n${indented([...lines, '', shownBody(body, status >= 300)].join('\n'))}`;
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
    // Neither transport minds: node:http reads by this event itself, and undici's way of reading goes before it.
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

function indented(text: string): string {
  return inert(text)
    .trimEnd()
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n');
}

function monotonic(): number {
  return performance.now();
}
