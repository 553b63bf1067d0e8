/**
 * A local IAM Roles Anywhere and STS that verify what they are sent as the
 * services do, and say why they refuse. What they vend is good for this STS
 * alone.
 */
import { randomBytes } from 'node:crypto';
import { RolesAnywhereError } from '../platform/errors.ts';
import type { Verdict } from './wire/answer.ts';
import { developmentTls } from './certificates/authority.ts';
import { type Fault, createFaults, faultyRefusal, withFault } from './wire/faults.ts';
import { type Handler, type TlsOptions, listen } from './wire/listener.ts';
import type { OnUnknownMember } from './services/context.ts';
import { route } from './services/router.ts';
import { createSessionTokens } from './callers/sessions.ts';
import type { Journal } from './state/journal.ts';
import type { Kind } from './state/records.ts';
import { type State, createState } from './state/state.ts';
import { type ThrottleOptions, createThrottle, noThrottle } from './services/throttle.ts';
import { type WorldOptions, createWorld } from './world/world.ts';
import { type WorldSource, openWorld } from './world/source.ts';

export type { Verdict } from './wire/answer.ts';

export interface EmulatorOptions extends Omit<WorldOptions, 'trustAnchors'> {
  /** The trust anchors, without which there must be a world file. */
  trustAnchors?: WorldOptions['trustAnchors'] | undefined;
  /** A YAML or JSON file that describes the world, in place of the members that do; read again when it changes. */
  worldFile?: string | undefined;
  /**
   * A directory that keeps the state, changes by the control plane and the key of session tokens included, over
   * restarts. A world that is given anew changes what it says otherwise than the one before did. Default: nothing is kept.
   */
  stateDir?: string | undefined;
  /** Default 0: any free one. */
  port?: number | undefined;
  /**
   * The address to listen on; default `127.0.0.1`. On one that is not of the loopback, whoever reaches it can do
   * anything here: the keys of the built-in user are known to all.
   */
  host?: string | undefined;
  /**
   * The certificate and key of an HTTPS listener beside the HTTP one, with the same sessions; default no such listener.
   * `development` makes a certificate for `localhost` and the loopback addresses.
   */
  tls?: TlsOptions | 'development' | undefined;
  /** The emulator's clock; default the system's. */
  now?: (() => Date) | undefined;
  /** Limits on CreateSession; default none, so that tests go as fast as they can. `true` for the service's own. */
  throttle?: boolean | ThrottleOptions | undefined;
  /** Called with the verdict on every request, in the order of the answers, but for requests that end before their last byte. */
  onVerdict?: ((verdict: Verdict) => void) | undefined;
  /**
   * Called with each member of an input that is not known here, once for each operation: it has no effect, and may be
   * new in the service.
   */
  onUnknownMember?: ((operation: string, member: string) => void) | undefined;
  /** Called when the world file was read again, with the problem when there is one and the world stays as it was. */
  onReload?: ((problem: RolesAnywhereError | undefined) => void) | undefined;
}

export interface Emulator {
  /** The URL of the HTTP listener, such as `http://127.0.0.1:40123`: the endpoint of all services. */
  readonly url: string;
  readonly port: number;
  /** The URL of the HTTPS listener, if there is one. */
  readonly tlsUrl: string | undefined;
  /** The CA certificate of the development certificate in PEM, if there is one. */
  readonly tlsCa: string | undefined;
  readonly region: string;
  /** The ARNs of the trust anchors at the start, in the order in which they were given; so are the next two. */
  readonly trustAnchorArns: readonly string[];
  readonly profileArns: readonly string[];
  readonly roleArns: readonly string[];
  /** The verdicts on the last requests, 1000 at most, oldest first. */
  readonly verdicts: readonly Verdict[];
  /** Everything that the emulator knows. Read it, and change it with `apply`. */
  readonly state: State;
  /**
   * Makes something go wrong with the next request, or with several.
   *
   * @returns a function that takes the fault back, if it is still to come
   */
  inject(fault: Fault): () => void;
  /** Stops listening and ends every connection. */
  close(): Promise<void>;
}

const MAX_VERDICTS = 1000;

/**
 * Starts an emulator.
 *
 * @throws RolesAnywhereError `ERR_LISTEN`, `ERR_TLS`, `ERR_STATE`, and for a world that cannot be:
 * `ERR_CERTIFICATE_MALFORMED`, `ERR_ARN`, `ERR_ARN_MISMATCH`, `ERR_DURATION`, `ERR_USAGE`, `ERR_WORLD`
 */
export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  const { host = '127.0.0.1', port = 0, now = () => new Date(), throttle = false, onVerdict, onReload } = options;
  const state = createState();
  const { world, journal } = await begin(options, state, now);
  try {
    const context = {
      state,
      region: world.region,
      now,
      tokens: createSessionTokens(ownKey(state)),
      throttle: throttle === false ? noThrottle : createThrottle(throttle === true ? {} : throttle, now),
      kept: async () => journal?.kept(),
      onUnknownMember: onceEach(options.onUnknownMember),
    };
    await context.kept();
    const faults = createFaults();
    const verdicts: Verdict[] = [];
    const handler: Handler = async (request, requestId, problem) => {
      world.refresh(state, now(), onReload);
      const fault = faults.take(request);
      const { answer, verdict } = await route(request, requestId, context, problem ?? (fault && faultyRefusal(fault)));
      const told = withFault(verdict, fault);
      verdicts.push(told);
      if (verdicts.length > MAX_VERDICTS) verdicts.shift();
      onVerdict?.(told);
      return { answer, delivery: fault };
    };
    const { tls, ca } = await openTls(options);
    const plain = await listen({ host, port }, handler, now);
    const secure =
      tls &&
      (await listen({ host, port: tls.port ?? 0, tls }, handler, now).catch(async (error: unknown) => {
        await plain.close();
        throw error;
      }));
    const arnsOf = (kind: Kind): string[] => state.list(kind).map(({ arn }) => arn);
    return {
      url: plain.url,
      port: plain.port,
      tlsUrl: secure?.url,
      tlsCa: ca,
      region: world.region,
      trustAnchorArns: arnsOf('trustAnchors'),
      profileArns: arnsOf('profiles'),
      roleArns: arnsOf('roles'),
      verdicts,
      state,
      inject: (fault) => faults.inject(fault),
      close: async () => {
        await Promise.all([plain.close(), secure?.close()]);
        await journal?.close();
      },
    };
  } catch (error) {
    await journal?.close();
    throw error;
  }
}

async function openTls({ tls }: EmulatorOptions): Promise<{ tls?: TlsOptions | undefined; ca?: string | undefined }> {
  if (tls !== 'development') return { tls };
  const { ca, cert, key } = await developmentTls();
  return { tls: { cert, key }, ca };
}

/** The state that was kept, if any, with the world on top of it. */
async function begin(
  options: EmulatorOptions,
  state: State,
  now: () => Date,
): Promise<{ world: WorldSource; journal: Journal | undefined }> {
  const world = await openWorld(options);
  const records = createWorld(world.options, now());
  const { stateDir } = options;
  const journal =
    stateDir === undefined ? undefined : await (await import('./state/journal.ts')).openJournal(stateDir, state);
  state.apply({ op: 'load', world: records });
  return { world, journal };
}

/** The most members of inputs that are remembered as told. */
const MAX_TOLD = 1000;

/** Tells each member of an operation once. */
function onceEach(tell: OnUnknownMember = () => undefined): OnUnknownMember {
  const told = new Set<string>();
  return (operation, member) => {
    const key = `${operation} ${member}`;
    if (told.has(key) || told.size >= MAX_TOLD) return;
    told.add(key);
    tell(operation, member);
  };
}

/** The key of the session tokens, made when there is none yet. */
function ownKey(state: State): Buffer {
  const known = state.get('ownKeys', 'sessions');
  if (known !== undefined) return Buffer.from(known.key, 'base64');
  const key = randomBytes(32);
  state.apply({ op: 'put', kind: 'ownKeys', record: { arn: 'sessions', key: key.toString('base64') } });
  return key;
}
