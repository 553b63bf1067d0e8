/**
 * The web console of `serve`: a page, and what it asks for. Nothing is answered but the page itself before a browser has
 * unlocked it, since every user of the machine reaches the loopback.
 */
// Tests: test/console/console.test.ts, console.heavy.test.ts
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { SessionCredentials } from '../credentials/credentials.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import type { AuditFacts } from '../server/audit.ts';
import { peerUid } from '../server/peer-uid.ts';
import { csvOf, jsonLinesOf, vendRow } from './activity.ts';
import type { Activity } from './activity.ts';
import { PAGE_POLICY, readJson, sendFailure, sendJson, sendRefusal, strictHeaders } from './answers.ts';
import type { Health, NumberedRow, Overview, SessionAnswer, StreamMessage } from './api.ts';
import type { PageFileName, PageFiles } from './files.ts';
import { REFUSALS, refuseBrowser } from './guard.ts';
import type { Kind, Names } from './guard.ts';
import { issue, readIssueRequest } from './issue.ts';
import type { Grant, IssueOptions } from './issue.ts';
import { createLock } from './lock.ts';
import type { Session } from './lock.ts';

export interface ConsoleOptions extends IssueOptions {
  readonly files: PageFiles;
  readonly passphrase?: string | undefined;
  readonly activity: Activity;
  /** What the page shows of the server; asked for each time, since certificates rotate. */
  readonly overview: () => Omit<Overview, 'instance' | 'now'>;
  readonly health: () => Omit<Health, 'now'>;
  /** Makes a URL that signs in to AWS's own console. */
  readonly signIn: (grant: Grant, signal: AbortSignal) => Promise<string>;
  /** Records credentials that are about to be given; what it throws keeps them back. Default: nothing is recorded. */
  readonly record?:
    | ((roleArn: string, credentials: SessionCredentials, socket: Socket, facts: AuditFacts) => Promise<void>)
    | undefined;
  readonly log: Log;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly now?: (() => number) | undefined;
  /** Default {@link peerUid}. */
  readonly uidOf?: typeof peerUid | undefined;
}

export interface Console {
  /** Answers a request for `/console`, or below it, at an address with these names. */
  handle(names: Names, request: IncomingMessage, response: ServerResponse): void;
  /** Makes a new code for a link; the one before is good no more. */
  newCode(): string;
  /** Tells open pages that the certificate is another one. */
  identityChanged(): void;
  /** Ends all sessions, and with them the streams. */
  close(): void;
}

/** What was issued to a session: kept for a sign-in, which must not be sent the secrets again. */
interface Kept {
  readonly grants: Map<string, Grant>;
  running: number;
  streams: number;
  /** The moments of the last requests for credentials. */
  asked: number[];
}

const MAX_GRANTS = 8;
const MAX_RUNNING = 4;
const MAX_STREAMS = 6;
const MAX_ASKED_PER_MINUTE = 30;

/** Rows in one message of the stream: of a flood, the last ones are shown. */
const MAX_ROWS_PER_MESSAGE = 200;

/** How often a stream looks at the clock: counts move on, and sessions end. */
const TICK_MS = 5000;

/** Answers to SDKs that are listed within a second; the others are counted. A list of thousands tells nobody anything, and costs each answer its time. */
const MAX_VENDS_PER_SECOND = 100;

/** Connections whose user is looked up within a second: a look reads a table of the kernel. */
const MAX_LOOKS_PER_SECOND = 20;

export function createConsole(options: ConsoleOptions): Console {
  const { activity, log, files, now = Date.now, uidOf = peerUid } = options;
  const lock = createLock({ passphrase: options.passphrase, now });
  const instance = randomBytes(9).toString('base64url');
  const kept = new WeakMap<Session, Kept>();
  const uids = new WeakMap<Socket, Promise<number | undefined>>();
  const changed = new Set<() => void>();

  const userOf = (socket: Socket): Promise<number | undefined> => {
    const known = uids.get(socket);
    if (known !== undefined) return known;
    const { remoteAddress, remotePort, localAddress, localPort } = socket;
    const asked =
      remoteAddress === undefined || remotePort === undefined || localAddress === undefined || localPort === undefined
        ? Promise.resolve(undefined)
        : uidOf({ address: remoteAddress, port: remotePort }, { address: localAddress, port: localPort }).catch(
            () => undefined,
          );
    uids.set(socket, asked);
    return asked;
  };
  const keptBy = (session: Session): Kept => {
    let own = kept.get(session);
    if (own === undefined) {
      const fresh: Kept = { grants: new Map(), running: 0, streams: 0, asked: [] };
      kept.set(session, (own = fresh));
      session.ended.add(() => fresh.grants.clear());
    }
    return own;
  };
  const sessionAnswer = (session: Session): SessionAnswer => ({
    csrf: session.csrf,
    idleMs: lock.leftOf(session),
  });

  const unlock: Operation = async ({ request, response, cookieName, secure }) => {
    const { socket } = request;
    const { code, passphrase }: Record<string, unknown> = { ...Object(await readJson(request)) };
    const uid = await userOf(socket);
    const client = uid === undefined ? (socket.remoteAddress ?? 'unknown') : `uid ${uid}`;
    const outcome = lock.unlock({
      code: typeof code === 'string' ? code : undefined,
      passphrase: typeof passphrase === 'string' ? passphrase : undefined,
      client,
      uid,
    });
    const where = { client: clientOf(socket), uid };
    if (outcome.kind === 'open') {
      activity.add({ event: 'unlock', ...where });
      log.info('the console was unlocked', where);
      sendJson(response, 200, sessionAnswer(outcome.session), {
        'Set-Cookie': `${cookieName}=${outcome.cookie}; Path=/console; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`,
      });
      return;
    }
    if (outcome.kind === 'wait') {
      const { waitMs } = outcome;
      activity.add({ event: 'locked-out', ...where });
      log.warn('the console is locked for a client that tried too often', { ...where, forMs: waitMs });
      sendJson(
        response,
        429,
        {
          code: 'LockedOut',
          message: 'there were too many wrong attempts',
          hint: 'wait; a further wrong attempt makes the wait longer',
          waitMs,
        },
        { 'Retry-After': String(Math.ceil(waitMs / 1000)) },
      );
      return;
    }
    log.warn('a wrong attempt to unlock the console', where);
    const byPhrase = typeof passphrase === 'string';
    sendJson(response, 403, {
      code: byPhrase ? 'WrongPassphrase' : 'WrongCode',
      message: byPhrase ? 'that is not the passphrase' : 'this link is not good any more',
      hint: byPhrase
        ? `${outcome.left} more ${outcome.left === 1 ? 'attempt' : 'attempts'} before a wait`
        : 'a link is good once, for 5 minutes: SIGHUP makes serve print a new one',
    });
  };

  const issueCredentials: SessionOperation = async ({ request, response, session }) => {
    const own = keptBy(session);
    const asked = readIssueRequest(await readJson(request));
    own.asked = own.asked.filter((at) => Math.abs(now() - at) < 60_000);
    if (own.running >= MAX_RUNNING || own.asked.length >= MAX_ASKED_PER_MINUTE) {
      sendJson(response, 429, {
        code: 'TooManyRequests',
        message: 'too much is asked for at once',
        hint: 'wait for a minute',
      });
      return;
    }
    own.asked.push(now());
    own.running++;
    const given = new AbortController();
    response.once('close', () => given.abort());
    const { socket } = request;
    const client = clientOf(socket);
    const uid = await userOf(socket);
    try {
      const grant = await issue(asked, options, given.signal);
      const { credentials, roleArn, session: name } = grant;
      await options.record?.(roleArn, credentials, socket, { via: 'console', session: name });
      const id = randomBytes(12).toString('base64url');
      own.grants.set(id, grant);
      for (const oldest of own.grants.keys()) if (own.grants.size > MAX_GRANTS) own.grants.delete(oldest);
      activity.add({ ...vendRow(roleArn, credentials, client), event: 'issue', uid, session: name });
      sendJson(response, 200, { id, ...grant.issued });
    } catch (error) {
      if (error instanceof RolesAnywhereError) {
        const { code, message, hint } = error;
        const role = asked.further?.roleArn ?? asked.role;
        activity.add({ event: 'refused', role, client, uid, code, message, hint });
      }
      throw error;
    } finally {
      own.running--;
    }
  };

  const signIn: SessionOperation = async ({ request, response, session }) => {
    const { id }: Record<string, unknown> = { ...Object(await readJson(request)) };
    const grant = typeof id === 'string' ? keptBy(session).grants.get(id) : undefined;
    if (grant === undefined || grant.credentials.expiration.getTime() <= now())
      throw new RolesAnywhereError('ERR_USAGE', 'these credentials are not kept here any more', {
        hint: 'get new ones',
      });
    const given = new AbortController();
    response.once('close', () => given.abort());
    const url = await options.signIn(grant, given.signal);
    const { socket } = request;
    const uid = await userOf(socket);
    activity.add({
      ...vendRow(grant.roleArn, grant.credentials, clientOf(socket)),
      event: 'sign-in',
      uid,
      session: grant.session,
    });
    sendJson(response, 200, { url });
  };

  const stream: SessionOperation = async ({ response, session }) => {
    const own = keptBy(session);
    if (own.streams >= MAX_STREAMS) {
      sendJson(response, 429, { code: 'TooManyRequests', message: 'too many pages are open', hint: 'close some' });
      return;
    }
    own.streams++;
    let last = 0;
    let unlisted = activity.unlisted();
    let health = '';
    response.writeHead(200, { ...strictHeaders('text/event-stream; charset=utf-8'), 'X-Accel-Buffering': 'no' });
    const send = (message: StreamMessage): void => {
      // One that does not read is let go, rather than kept in memory for.
      if (response.writableLength > 4 * 1024 * 1024) response.destroy();
      else response.write(`data: ${JSON.stringify(message)}\n\n`);
    };
    const sendRows = (): void => {
      const fresh = activity.rows(last);
      const rows = last === 0 ? fresh : fresh.slice(-MAX_ROWS_PER_MESSAGE);
      last = fresh.at(-1)?.id ?? last;
      const skipped = fresh.length - rows.length + activity.unlisted() - unlisted;
      unlisted = activity.unlisted();
      if (rows.length > 0 || skipped > 0) send({ type: 'rows', rows, skipped });
    };
    const sendHealth = (): void => {
      const current = options.health();
      const text = JSON.stringify(current);
      if (text === health) return;
      health = text;
      send({ type: 'health', health: { ...current, now: new Date(now()).toISOString() } });
    };
    const tick = (): void => {
      lock.sweep();
      if (response.writableEnded) return;
      send({ type: 'minutes', minutes: activity.minutes() });
      sendHealth();
    };
    const onRows = (): void => {
      sendRows();
      sendHealth();
    };
    const onIdentity = (): void => send({ type: 'identity' });
    const onEnd = (): void => {
      send({ type: 'locked' });
      response.end();
    };
    const unsubscribe = activity.subscribe(onRows);
    changed.add(onIdentity);
    session.ended.add(onEnd);
    const timer = setInterval(tick, TICK_MS);
    timer.unref();
    response.once('close', () => {
      own.streams--;
      clearInterval(timer);
      unsubscribe();
      changed.delete(onIdentity);
      session.ended.delete(onEnd);
    });
    sendRows();
    tick();
  };

  const download =
    (type: string, format: (rows: readonly NumberedRow[]) => string): SessionOperation =>
    async ({ response }) => {
      const body = Buffer.from(format(activity.rows()));
      response.writeHead(200, { ...strictHeaders(type), 'Content-Length': body.length });
      response.end(body);
    };

  const showOverview: SessionOperation = async ({ response }) => {
    const overview: Overview = { ...options.overview(), instance, now: new Date(now()).toISOString() };
    sendJson(response, 200, overview);
  };

  const routes = new Map<string, Route>([
    ...(
      [
        ['', 'index.html'],
        ['/app.js', 'app.js'],
        ['/app.css', 'app.css'],
        ['/icon.svg', 'icon.svg'],
      ] as const
    ).map(([path, name]): [string, Route] => [path, { kind: name === 'index.html' ? 'page' : 'asset', file: name }]),
    ['/api/unlock', { kind: 'write', open: unlock }],
    [
      '/api/session',
      {
        kind: 'read',
        byCookie: true,
        run: async ({ response, session }) => sendJson(response, 200, sessionAnswer(session)),
      },
    ],
    [
      '/api/lock',
      {
        kind: 'write',
        run: async ({ response, session, cookieName }) => {
          lock.end(session);
          sendJson(
            response,
            200,
            {},
            { 'Set-Cookie': `${cookieName}=; Path=/console; HttpOnly; SameSite=Strict; Max-Age=0` },
          );
        },
      },
    ],
    ['/api/overview', { kind: 'read', run: showOverview }],
    ['/api/credentials', { kind: 'write', run: issueCredentials }],
    ['/api/sign-in', { kind: 'write', run: signIn }],
    ['/api/events', { kind: 'read', run: stream }],
    ['/api/activity.csv', { kind: 'read', run: download('text/csv; charset=utf-8', csvOf) }],
    ['/api/activity.jsonl', { kind: 'read', run: download('application/x-ndjson; charset=utf-8', jsonLinesOf) }],
  ]);

  const runInSession = async (route: SessionRoute, asked: Asked): Promise<void> => {
    const { request, response, cookieName } = asked;
    const uid = await userOf(request.socket);
    const session = lock.find(cookieOf(request.headers.cookie, cookieName), uid);
    if (session === undefined) {
      sendRefusal(response, 401, {
        code: 'Locked',
        message: 'the console is locked',
        hint: 'open it by the link that serve prints at its start; SIGHUP makes it print a new one',
        passphrase: options.passphrase !== undefined,
      });
      return;
    }
    const token = request.headers['x-csrf-token'];
    if (route.byCookie !== true && !lock.accepts(session, typeof token === 'string' ? token : undefined)) {
      sendRefusal(response, 403, {
        code: 'CsrfToken',
        message: 'the token of the page is missing, or of another session',
      });
      return;
    }
    await route.run({ ...asked, session });
  };

  const fail = (response: ServerResponse, path: string, error: unknown): void => {
    if (!(error instanceof RolesAnywhereError))
      log.error('a request of the console failed', {
        path,
        reason: error instanceof Error ? error.message : 'unknown',
      });
    if (response.headersSent || response.destroyed) response.destroy();
    else sendFailure(response, error);
  };

  return {
    handle(names, request, response) {
      const path = (request.url ?? '').replace(/\?.*$/s, '').slice('/console'.length).replace(/^\/$/, '');
      const route = routes.get(path);
      const refusal = refuseBrowser(request.headers, route?.kind ?? 'read', names);
      if (refusal !== undefined) {
        const [code, message] = REFUSALS[refusal];
        sendRefusal(response, 403, { code, message });
        return;
      }
      if (route === undefined) {
        sendRefusal(response, 404, { code: 'NotFound', message: 'no such resource' });
        return;
      }
      const methods = route.kind === 'write' ? ['POST'] : ['GET', 'HEAD'];
      if (!methods.includes(request.method ?? '')) {
        response.setHeader('Allow', methods.join(', '));
        sendRefusal(response, 405, { code: 'MethodNotAllowed', message: `only ${methods.join(', ')}` });
        return;
      }
      if ('file' in route) {
        const { type, body } = files[route.file];
        response.writeHead(200, {
          ...strictHeaders(type, route.kind === 'page' ? PAGE_POLICY : undefined),
          'Content-Length': body.length,
        });
        response.end(body);
        return;
      }
      const asked: Asked = {
        request,
        response,
        // Cookies know no ports: each server on this machine has a name of its own.
        cookieName: `roles_anywhere_console_${request.socket.localPort ?? 0}`,
        secure: names.scheme === 'https',
      };
      const done = 'open' in route ? route.open(asked) : runInSession(route, asked);
      done.catch((error: unknown) => fail(response, path, error));
    },
    newCode: () => lock.newCode(),
    identityChanged() {
      for (const tell of changed) tell();
    },
    close: () => lock.endAll(),
  };
}

/** A request, and what it is answered with. */
interface Asked {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly cookieName: string;
  readonly secure: boolean;
}

type Operation = (asked: Asked) => Promise<void>;
type SessionOperation = (asked: Asked & { readonly session: Session }) => Promise<void>;

interface SessionRoute {
  readonly kind: Kind;
  /** Whether the cookie alone will do: for the page that was loaded again, and has no token any more. */
  readonly byCookie?: boolean | undefined;
  readonly run: SessionOperation;
}

type Route =
  | SessionRoute
  | { readonly kind: Kind; readonly file: PageFileName }
  | { readonly kind: Kind; readonly open: Operation };

/** Who asks over one connection. */
interface Client {
  readonly name: string;
  uid: number | undefined;
  /** While it is being found out who that is. */
  looked: Promise<void> | undefined;
}

async function look(client: Client, asked: Promise<number | undefined>): Promise<void> {
  try {
    client.uid = await asked;
  } catch {
    // The table could not be read: the user stays unknown.
  }
  client.looked = undefined;
}

/**
 * Makes what notes that SDKs were given credentials. It is on the path of every such answer, so that users are looked up
 * once a connection, and of few connections when there are many.
 */
export function noteVends(
  activity: Activity,
  uidOf: typeof peerUid = peerUid,
  now: () => number = Date.now,
): (role: { readonly roleArn: string }, credentials: SessionCredentials, socket: Socket) => void {
  const clients = new WeakMap<Socket, Client>();
  let second = 0;
  let looks = 0;
  let vends = 0;
  return ({ roleArn }, credentials, socket) => {
    const at = Math.floor(now() / 1000);
    if (at !== second) [second, looks, vends] = [at, 0, 0];
    if (++vends > MAX_VENDS_PER_SECOND) {
      activity.countVend();
      return;
    }
    let client = clients.get(socket);
    if (client === undefined) {
      const fresh: Client = { name: clientOf(socket), uid: undefined, looked: undefined };
      clients.set(socket, (client = fresh));
      const { remoteAddress, remotePort, localAddress, localPort } = socket;
      if (looks++ < MAX_LOOKS_PER_SECOND && remoteAddress && remotePort && localAddress && localPort)
        fresh.looked = look(
          fresh,
          uidOf({ address: remoteAddress, port: remotePort }, { address: localAddress, port: localPort }),
        );
    }
    const row = activity.add({ ...vendRow(roleArn, credentials, client.name), uid: client.uid });
    const { looked } = client;
    if (looked !== undefined) {
      const asking = client;
      void looked.then(() => (row.uid = asking.uid));
    }
  };
}

function clientOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress ?? 'unknown'}:${remotePort ?? 0}`;
}

/** The value of one cookie. */
function cookieOf(header: string | undefined, name: string): string | undefined {
  for (const pair of (header ?? '').split(';')) {
    const equals = pair.indexOf('=');
    if (equals > 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
  }
  return undefined;
}
