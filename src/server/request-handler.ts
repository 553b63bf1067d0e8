/**
 * The way of a request: bounds, guards, route, answer.
 * Tests: test/server/request-handler.test.ts, guards.test.ts, limits.test.ts, stampede.test.ts
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Log } from '../platform/log.ts';
import { errorAnswer, sendAnswer } from './answer.ts';
import type { Answer } from './answer.ts';
import type { Connection, Connections } from './connections.ts';
import { readChunks, readHead, refusalAnswer, refuse } from './guards.ts';
import type { Refusal } from './guards.ts';
import { addressKind } from './listen.ts';
import type { Metrics } from './metrics.ts';
import { createRefusalLog } from './refusal-log.ts';
import { answerBy, findRoute } from './router.ts';
import type { Route, RouteRequest, Routes } from './router.ts';

/** Answers the requests for the web console, by guards of its own: a browser's page is what it is for. */
export type ConsoleHandler = (request: IncomingMessage, response: ServerResponse) => void;

/** What the requests to one address are checked against and answered from. */
export interface Listener {
  /** The routes that a client sees who calls by this value of Host, in lower case, or by none (''). Others are refused. */
  hosts: ReadonlyMap<string, Routes>;
  /** Whether only programs of this machine are answered, although others may reach the address. */
  ownOnly: boolean;
  /** Takes `/console` and all below it. Undefined: there is no such path. */
  console?: ConsoleHandler | undefined;
}

export interface RequestHandlerOptions {
  readonly connections: Connections;
  readonly maxConnections: number;
  readonly metrics: Metrics;
  readonly log: Log;
}

export interface RequestHandler {
  handle(listener: Listener, request: IncomingMessage, response: ServerResponse): void;
  /** From now on, each connection ends with its last answer. */
  endConnections(): void;
}

const CONSOLE_PATH = /^\/console(?:[/?]|$)/;

/** Most requests of one connection without an answer: no SDK sends two, and what waits here is memory. */
const MAX_PIPELINED = 16;

/** The share of all connections that may wait for credentials: the rest is for roles that have theirs. */
const WAITING_SHARE = 0.75;

const BUSY = errorAnswer(503, 'Busy', 'too many requests wait for credentials');
const INTERNAL = errorAnswer(500, 'ERR_INTERNAL', 'internal error', ['Connection', 'close']);

export function createRequestHandler(options: RequestHandlerOptions): RequestHandler {
  const { connections, metrics, log } = options;
  const refused = createRefusalLog(log);
  const maxWaiting = options.maxConnections * WAITING_SHARE;
  let waiting = 0;
  let ending = false;

  const send = (response: ServerResponse, connection: Connection, label: string, answer: Answer): void => {
    // Not before the last of those that were sent together.
    if (ending && connection.waiting === 1) response.shouldKeepAlive = false;
    metrics.request(label, answer.status);
    sendAnswer(response, answer);
    connections.answered(connection);
  };

  const sendLater = (
    response: ServerResponse,
    connection: Connection,
    label: string,
    answer: Promise<Answer>,
  ): void => {
    if (waiting >= maxWaiting) {
      answer.catch(() => undefined);
      send(response, connection, label, BUSY);
      return;
    }
    waiting++;
    const answered = (settled: Answer): void => {
      waiting--;
      send(response, connection, label, settled);
    };
    answer.then(answered, (error: unknown) => {
      log.error('a request failed', { route: label, reason: error instanceof Error ? error.message : 'unknown' });
      answered(INTERNAL);
    });
  };

  const sendAnswerOf = (
    route: Route | undefined,
    asked: RouteRequest,
    response: ServerResponse,
    connection: Connection,
  ): void => {
    const label = route?.label ?? 'unknown';
    const answer = answerBy(route, asked);
    if (answer instanceof Promise) {
      sendLater(response, connection, label, answer);
      return;
    }
    if (answer.status === 401) refused('token', asked.socket, asked.head.host);
    send(response, connection, label, answer);
  };

  return {
    handle(listener, request, response) {
      const { socket, rawHeaders, method = '', url = '' } = request;
      // What the parser had in hand when its connection was cut.
      if (socket.destroyed) return;
      const connection = connections.asked(socket);
      if (connection.waiting > MAX_PIPELINED) {
        metrics.refused('pipelined');
        socket.destroy();
        return;
      }
      if (listener.console !== undefined && CONSOLE_PATH.test(url)) {
        response.once('close', () => {
          metrics.request('console', response.statusCode);
          connections.answered(connection);
        });
        listener.console(request, response);
        return;
      }
      const head = readHead(rawHeaders);
      const { host = '' } = head;
      const sendRefusal = (refusal: Refusal): void => {
        metrics.refused(refusal);
        refused(refusal, socket, head.host);
        send(response, connection, 'refused', refusalAnswer(refusal));
      };
      const routes = listener.hosts.get(host) ?? listener.hosts.get(host.toLowerCase());
      const foreign = listener.ownOnly && !isOwn(socket);
      const refusal = foreign ? 'peer' : refuse(head, rawHeaders.length / 2, routes !== undefined);
      if (refusal !== undefined || routes === undefined) {
        sendRefusal(refusal ?? 'host');
        return;
      }
      const go = (): void => sendAnswerOf(findRoute(routes, url), { method, head, socket }, response, connection);
      if (head.transferEncoding === undefined) go();
      else readChunks(request, (small) => (small ? go() : sendRefusal('body')));
    },
    endConnections() {
      ending = true;
    },
  };
}

/** Whether the peer is a program of this machine: the kernel gives a connection to an address of its own that same address. */
function isOwn({ remoteAddress, localAddress }: Socket): boolean {
  return remoteAddress !== undefined && (remoteAddress === localAddress || addressKind(remoteAddress) === 'loopback');
}
