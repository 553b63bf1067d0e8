import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { beforeEach, describe, expect, it } from 'vitest';
import type { LogFields } from '../../src/platform/log.ts';
import { textAnswer } from '../../src/server/answer.ts';
import type { Answer } from '../../src/server/answer.ts';
import { createConnections } from '../../src/server/connections.ts';
import { createMetrics } from '../../src/server/metrics.ts';
import { createRequestHandler } from '../../src/server/request-handler.ts';
import type { Listener, RequestHandler } from '../../src/server/request-handler.ts';
import type { Route } from '../../src/server/router.ts';
import { settle } from '../support/fake-clock.ts';

/** A connection, as far as the handler looks at it. */
class FakeSocket extends EventEmitter {
  destroyed = false;
  remoteAddress: string | undefined = '127.0.0.1';
  localAddress: string | undefined = '127.0.0.1';
  destroy(): void {
    this.destroyed = true;
  }
}

/** What was answered. */
class FakeResponse extends EventEmitter {
  statusCode = 0;
  headers: string[] = [];
  body: string | undefined;
  shouldKeepAlive = true;
  writeHead(status: number, headers: string[]): void {
    this.statusCode = status;
    this.headers = headers;
  }
  end(body: string): void {
    if (this.body !== undefined) throw new Error('it was answered before');
    this.body = body;
  }
  get code(): unknown {
    return (JSON.parse(this.body ?? '{}') as { code?: unknown }).code;
  }
}

function route(label: string, handle: Route['handle']): Route {
  return { label, methods: ['GET'], handle };
}

/** So many headers, with the name of the server. */
function manyHeaders(count: number): string[] {
  return Array.from({ length: count }, (_, index) => (index === 0 ? ['Host', 'here:80'] : ['A', 'b'])).flat();
}

interface Asked {
  url?: string;
  headers?: readonly string[];
  socket?: FakeSocket;
  listener?: Listener;
  method?: string;
}

const MAX_CONNECTIONS = 8;

describe('the handler of requests', () => {
  let logged: [string, LogFields | undefined][];
  let counted: string[];
  let connections: ReturnType<typeof createConnections>;
  let handler: RequestHandler;
  let listener: Listener;
  /** Ends what was asked for at `/later`, one after the other. */
  let later: { resolve: (answer: Answer) => void; reject: (reason: unknown) => void }[];

  beforeEach(() => {
    [logged, counted, later] = [[], [], []];
    const log = (message: string, fields?: LogFields): void => void logged.push([message, fields]);
    connections = createConnections({ maxConnections: MAX_CONNECTIONS, idleTimeoutMs: 60_000 });
    handler = createRequestHandler({
      connections,
      maxConnections: MAX_CONNECTIONS,
      metrics: {
        ...createMetrics(),
        request: (label, status) => void counted.push(`${label} ${status}`),
        refused: (reason) => void counted.push(`refused ${reason}`),
      },
      log: { level: 'debug', debug: log, info: log, warn: log, error: log },
    });
    const routes = new Map([
      ['/now', route('now', () => textAnswer(200, 'now'))],
      ['/closed', route('closed', ({ head }) => textAnswer(head.token === 'right' ? 200 : 401, 'token'))],
      ['/later', route('later', () => new Promise((resolve, reject) => later.push({ resolve, reject })))],
      ['/console', route('console of a role', () => textAnswer(200, 'a role'))],
      ['/x/console', route('console of a role', () => textAnswer(200, 'a role'))],
    ]);
    listener = { hosts: new Map([['here:80', routes]]), ownOnly: false };
  });

  function connect(addresses: Partial<FakeSocket> = {}): FakeSocket {
    const socket = Object.assign(new FakeSocket(), addresses);
    connections.add(socket as unknown as Socket);
    return socket;
  }

  function ask({ url = '/now', headers = ['Host', 'here:80'], socket = connect(), ...rest }: Asked = {}) {
    const body = new PassThrough();
    const response = new FakeResponse();
    const request = Object.assign(body, { socket, rawHeaders: [...headers], method: rest.method ?? 'GET', url });
    handler.handle(
      rest.listener ?? listener,
      request as unknown as IncomingMessage,
      response as unknown as ServerResponse,
    );
    return Object.assign(response, { request: body, socket });
  }

  it('answers by the route, and counts by its label', () => {
    const { statusCode, body, shouldKeepAlive } = ask();
    expect([statusCode, body, shouldKeepAlive, counted]).toEqual([200, 'now', true, ['now 200']]);
    expect(logged).toEqual([]);
  });

  it('counts what has no route as unknown', () => {
    const { statusCode } = ask({ url: '/nowhere' });
    expect([statusCode, counted]).toEqual([404, ['unknown 404']]);
  });

  it('gives the route the method, the headers that matter and the connection', () => {
    const seen: unknown[] = [];
    const handle: Route['handle'] = (request) => {
      seen.push(request.method, request.head.token, request.socket);
      return textAnswer(200, '');
    };
    const routes = new Map([['/seen', { label: 'seen', methods: ['PUT'], handle }]]);
    const socket = connect();
    const headers = ['X-aws-ec2-metadata-token', 'a'];
    ask({ url: '/seen', method: 'PUT', headers, socket, listener: { hosts: new Map([['', routes]]), ownOnly: false } });
    expect(seen).toEqual(['PUT', 'a', socket]);
  });

  it('answers nothing on a connection that was cut', () => {
    const { body } = ask({ socket: connect({ destroyed: true }) });
    expect([body, counted]).toEqual([undefined, []]);
  });

  it('tells the connection’s requests and answers', async () => {
    const socket = connect();
    const first = ask({ url: '/later', socket });
    connections.closeIdle();
    expect(socket.destroyed).toBe(false);
    later[0]?.resolve(textAnswer(200, 'then'));
    await settle();
    expect(first.body).toBe('then');
    connections.closeIdle();
    expect(socket.destroyed).toBe(true);
  });

  it('cuts a connection with more than 16 requests that wait', () => {
    const socket = connect();
    handler = createRequestHandler({
      connections,
      maxConnections: 100,
      metrics: { ...createMetrics(), refused: (reason) => void counted.push(reason) },
      log: { level: 'error', debug: fail, info: fail, warn: fail, error: fail },
    });
    for (let count = 0; count < 16; count++) ask({ url: '/later', socket });
    expect([later.length, socket.destroyed, counted]).toEqual([16, false, []]);
    const { body } = ask({ url: '/later', socket });
    expect([later.length, socket.destroyed, counted, body]).toEqual([16, true, ['pipelined'], undefined]);
  });

  it('logs the first wrong token', () => {
    const headers = ['Host', 'here:80', 'X-aws-ec2-metadata-token'];
    ask({ url: '/closed', headers: [...headers, 'right'] });
    expect(logged).toEqual([]);
    expect(ask({ url: '/closed', headers: [...headers, 'wrong'] }).statusCode).toBe(401);
    expect(logged).toEqual([
      ['a request was refused', expect.objectContaining({ guard: 'token', client: '127.0.0.1', host: 'here:80' })],
    ]);
    expect(counted).toEqual(['closed 200', 'closed 401']);
  });

  describe('with an answer that takes time', () => {
    it('sends it when it is there', async () => {
      const response = ask({ url: '/later' });
      expect(response.body).toBeUndefined();
      later[0]?.resolve(textAnswer(200, 'then'));
      await settle();
      expect([response.statusCode, response.body, counted]).toEqual([200, 'then', ['later 200']]);
    });

    it.each([
      [new Error('why'), 'why'],
      ['a text', 'unknown'],
    ])('says that it failed by %s, ends the connection, and says why in the log alone', async (error, reason) => {
      const response = ask({ url: '/later' });
      later[0]?.reject(error);
      await settle();
      expect([response.statusCode, response.code, counted]).toEqual([500, 'ERR_INTERNAL', ['later 500']]);
      expect(response.body).not.toContain('why');
      expect(response.headers.slice(-2)).toEqual(['Connection', 'close']);
      expect(logged).toEqual([['a request failed', { route: 'later', reason }]]);
    });

    it('lets three quarters of the connections wait, and refuses the others at once until one has its answer', async () => {
      const waiting = Array.from({ length: 6 }, () => ask({ url: '/later' }));
      expect(waiting.every(({ body }) => body === undefined)).toBe(true);
      const busy = ask({ url: '/later' });
      expect([busy.statusCode, busy.code, counted]).toEqual([503, 'Busy', ['later 503']]);
      // What has its answer at hand waits for nothing.
      expect(ask().statusCode).toBe(200);
      // What becomes of the answer that nobody waits for is nobody's affair.
      later[6]?.reject(new Error('unheard'));
      later[0]?.resolve(textAnswer(200, ''));
      later[1]?.reject(new Error('heard'));
      await settle();
      expect(logged.map(([, fields]) => fields?.['reason'])).toEqual(['heard']);
      expect([ask({ url: '/later' }).body, ask({ url: '/later' }).body]).toEqual([undefined, undefined]);
      expect(ask({ url: '/later' }).statusCode).toBe(503);
    });
  });

  describe('that ends its connections', () => {
    it('does so with the last answer of each', async () => {
      const socket = connect();
      const [one, other] = [ask({ url: '/later', socket }), ask({ url: '/later', socket })];
      handler.endConnections();
      for (const { resolve } of later) resolve(textAnswer(200, ''));
      await settle();
      expect([one.shouldKeepAlive, other.shouldKeepAlive]).toEqual([true, false]);
      expect(ask().shouldKeepAlive).toBe(false);
    });
  });

  describe('with a web console', () => {
    const seen: unknown[] = [];
    beforeEach(() => {
      seen.length = 0;
      listener.console = (request) => void seen.push(request.url);
    });

    it.each(['/console', '/console/', '/console/a', '/console?a'])(
      'leaves %s to it, whatever its guards say',
      (url) => {
        const socket = connect();
        const response = ask({ url, headers: [], socket });
        expect([seen, response.body, counted]).toEqual([[url], undefined, []]);
        connections.closeIdle();
        expect(socket.destroyed).toBe(false);
        response.statusCode = 304;
        response.emit('close');
        expect(counted).toEqual(['console 304']);
        connections.closeIdle();
        expect(socket.destroyed).toBe(true);
      },
    );

    it.each(['/consoles', '/x/console', '/now'])('does not leave %s to it', (url) => {
      expect(ask({ url }).body).toBeDefined();
      expect(seen).toEqual([]);
    });
  });

  it('knows no console where there is none', () => {
    expect(ask({ url: '/console' }).body).toBe('a role');
  });

  describe('with a refusal', () => {
    it.each<[string, readonly string[], string | undefined]>([
      ['host', ['Host', 'there:80'], 'there:80'],
      ['host', [], undefined],
      ['origin', ['Host', 'here:80', 'Origin', 'http://x'], 'here:80'],
    ])('by the guard of %s says so, counts it and logs it', (guard, headers, host) => {
      const { statusCode, headers: answered } = ask({ headers });
      expect([statusCode, counted]).toEqual([403, [`refused ${guard}`, 'refused 403']]);
      expect(answered.slice(-2)).toEqual(['Connection', 'close']);
      expect(logged).toEqual([['a request was refused', expect.objectContaining({ guard, host })]]);
    });

    it('knows a name in capitals', () => {
      expect(ask({ headers: ['HOST', 'HERE:80'] }).statusCode).toBe(200);
    });

    it('takes 100 headers, and no more', () => {
      expect(ask({ headers: manyHeaders(100) }).statusCode).toBe(200);
      expect(ask({ headers: manyHeaders(101) }).statusCode).toBe(431);
      expect(counted).toEqual(['now 200', 'refused headers', 'refused 431']);
    });
  });

  describe('for programs of this machine alone', () => {
    beforeEach(() => {
      listener.ownOnly = true;
    });

    it.each([
      ['127.0.0.1', '127.0.0.1', 200],
      ['127.0.0.2', '127.0.0.1', 200],
      ['10.0.0.1', '10.0.0.1', 200],
      ['10.0.0.2', '10.0.0.1', 403],
      [undefined, undefined, 403],
      [undefined, '127.0.0.1', 403],
    ])('takes a connection from %s to %s: %d', (remoteAddress, localAddress, status) => {
      const { statusCode } = ask({ socket: connect({ remoteAddress, localAddress }) });
      expect([statusCode, counted]).toEqual([status, status === 200 ? ['now 200'] : ['refused peer', 'refused 403']]);
    });

    it('asks nobody else where others may ask', () => {
      listener.ownOnly = false;
      expect(ask({ socket: connect({ remoteAddress: '10.0.0.2', localAddress: '10.0.0.1' }) }).statusCode).toBe(200);
    });

    it('says so to a peer that calls by another name too', () => {
      const socket = connect({ remoteAddress: '10.0.0.2', localAddress: '10.0.0.1' });
      expect(ask({ socket, headers: ['Host', 'there'] }).code).toBe('PeerNotAllowed');
    });
  });

  describe('with a body of chunks', () => {
    const headers = ['Host', 'here:80', 'Transfer-Encoding', 'chunked'];

    it('answers behind its end', async () => {
      const response = ask({ headers });
      response.request.write('{}');
      await settle();
      expect(response.body).toBeUndefined();
      response.request.end();
      await settle();
      await settle();
      expect([response.statusCode, counted]).toEqual([200, ['now 200']]);
    });

    it('refuses one that is too large', async () => {
      const response = ask({ headers });
      response.request.write('x'.repeat(1025));
      await settle();
      expect([response.statusCode, counted]).toEqual([413, ['refused body', 'refused 413']]);
    });
  });
});

function fail(message: string): never {
  throw new Error(`logged: ${message}`);
}
