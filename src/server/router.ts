/**
 * Routes, the finding of the one that a path means, and its answer.
 * Tests: test/server/container-routes.test.ts, imds-routes.test.ts
 */
import type { Socket } from 'node:net';
import { errorAnswer } from './answer.ts';
import type { Answer } from './answer.ts';
import type { Head } from './guards.ts';

export interface RouteRequest {
  readonly method: string;
  readonly head: Head;
  readonly socket: Socket;
}

export interface Route {
  /** The route's name in the metrics: one of a small set. */
  readonly label: string;
  readonly methods: readonly string[];
  handle(request: RouteRequest): Answer | Promise<Answer>;
}

/** Routes by path: one leading slash, no trailing one, no query. */
export type Routes = ReadonlyMap<string, Route>;

/** The methods of routes that only give: HEAD is GET without the body, which node:http leaves out. */
export const READ = ['GET', 'HEAD'];

/** The path that stands for all of EC2's dated paths of the token. */
export const VERSIONED_TOKEN = '/VERSION/api/token';

const NOT_FOUND = errorAnswer(404, 'NotFound', 'no such resource');

/** Finds a path's route; never by a redirect, which SDKs do not follow. */
export function findRoute(routes: Routes, target: string): Route | undefined {
  return routes.get(target) ?? routes.get(normalise(target));
}

/**
 * Some SDKs double the leading slash, some end the path with one, some percent-encode
 * what a role's name may hold, and the container URI may carry a query.
 */
function normalise(target: string): string {
  // The absolute form is for proxies, and `*` for the server as a whole: neither names a resource here.
  if (!target.startsWith('/')) return '';
  const [beforeQuery = ''] = target.split('?');
  const path = beforeQuery.replace(/^\/+/, '/').replace(/\/$/, '');
  if (/^\/(?:\d{4}-\d\d-\d\d|1\.0)\/api\/token$/.test(path)) return VERSIONED_TOKEN;
  try {
    return decodeURIComponent(path);
  } catch {
    return '';
  }
}

/** Answers a request that passed the guards. */
export function answerBy(route: Route | undefined, request: RouteRequest): Answer | Promise<Answer> {
  if (route === undefined) return NOT_FOUND;
  if (!route.methods.includes(request.method)) {
    const allow = route.methods.join(', ');
    return errorAnswer(405, 'MethodNotAllowed', `only ${allow}`, ['Allow', allow]);
  }
  return route.handle(request);
}
