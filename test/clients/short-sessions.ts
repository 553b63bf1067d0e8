/** A stand-in for the service whose sessions last seconds, and which can be away or in trouble. */
import { createServer } from 'node:http';
import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the service does with a request. `away`: nothing listens. */
export type Answering = 'well' | 'away' | ((response: ServerResponse) => void);

export const LIFE_MS = 5000;

/** CreateSession with sessions of seconds, and with troubles. */
export class ShortSessions {
  /** When each request came, in milliseconds since 1970. */
  readonly arrivals: number[] = [];
  /** The sets that were handed out, by key id, and when each ends. */
  readonly ends = new Map<string, number>();
  #answering: Answering = 'well';
  #server: Server;
  #port = 0;

  constructor() {
    this.#server = this.#make();
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async answer(answering: Answering): Promise<void> {
    const before = this.#answering;
    this.#answering = answering;
    if (answering === 'away') await this.close();
    else if (before === 'away') {
      this.#server = this.#make();
      await this.listen();
    }
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  #make(): Server {
    return createServer((request, response) => {
      this.arrivals.push(Date.now());
      request.resume();
      if (typeof this.#answering === 'function') this.#answering(response);
      else this.vend(response);
    });
  }

  vend(response: ServerResponse): void {
    const accessKeyId = `ASIA${String(this.ends.size).padStart(16, '0')}`;
    // Whole seconds, as the service's.
    const end = Math.floor((Date.now() + LIFE_MS) / 1000) * 1000;
    this.ends.set(accessKeyId, end);
    const expiration = new Date(end).toISOString();
    const credentials = { accessKeyId, secretAccessKey: 'hidden-key', sessionToken: 'hidden-token', expiration };
    response.writeHead(201, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ credentialSet: [{ credentials }], subjectArn: 'x' }));
  }
}
