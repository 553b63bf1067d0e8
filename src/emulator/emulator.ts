/**
 * A local IAM Roles Anywhere and STS that verify what they are sent as the
 * services do, and say why they refuse. What they vend is good for this STS
 * alone.
 */
import { RolesAnywhereError } from '../errors.ts';
import type { Verdict } from './answer.ts';
import { type Handler, type TlsOptions, listen } from './listener.ts';
import { route } from './router.ts';
import { createSessionStore } from './sessions.ts';
import { type WorldOptions, createWorld } from './world.ts';

export type { Verdict } from './answer.ts';

export interface EmulatorOptions extends WorldOptions {
  /** Default 0: any free one. */
  port?: number;
  /** A loopback address: `127.0.0.1` (the default), another of 127.0.0.0/8, or `::1`. */
  host?: string;
  /** With it there is an HTTPS listener beside the HTTP one, with the same sessions. */
  tls?: TlsOptions;
  /** The emulator's clock; default the system's. */
  now?: () => Date;
  /** Told of every request, but for those that end before their last byte, in the order of the answers. */
  onVerdict?: (verdict: Verdict) => void;
}

export interface Emulator {
  /** Of the HTTP listener, such as `http://127.0.0.1:40123`: the endpoint of both services. */
  readonly url: string;
  readonly port: number;
  /** Of the HTTPS listener, if there is one. */
  readonly tlsUrl: string | undefined;
  readonly region: string;
  /** In the order in which they were given; there is at least one anchor. */
  readonly trustAnchorArns: readonly string[];
  readonly profileArns: readonly string[];
  readonly roleArns: readonly string[];
  /** The verdicts on the last requests, 1000 at most, oldest first. */
  readonly verdicts: readonly Verdict[];
  /** Stops listening and ends every connection. */
  close(): Promise<void>;
}

const MAX_VERDICTS = 1000;

/**
 * Starts an emulator.
 *
 * @throws RolesAnywhereError `ERR_LISTEN`, `ERR_TLS`, and for a world that cannot be: `ERR_CERTIFICATE_MALFORMED`,
 * `ERR_ARN`, `ERR_ARN_MISMATCH`, `ERR_DURATION`, `ERR_USAGE`
 */
export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  const { host = '127.0.0.1', port = 0, tls, now = () => new Date(), onVerdict } = options;
  if (!/^(?:127(?:\.\d{1,3}){3}|::1)$/.test(host))
    throw new RolesAnywhereError('ERR_LISTEN', `the emulator does not listen on ${host}`, {
      hint: 'what it vends is worthless elsewhere: give a loopback address, such as 127.0.0.1',
    });
  const world = createWorld(options);
  const context = { world, sessions: createSessionStore(now), now };
  const verdicts: Verdict[] = [];
  const handler: Handler = (request, requestId, problem) => {
    const { answer, verdict } = route(request, requestId, context, problem);
    verdicts.push(verdict);
    if (verdicts.length > MAX_VERDICTS) verdicts.shift();
    onVerdict?.(verdict);
    return answer;
  };

  const plain = await listen({ host, port }, handler, now);
  const secure =
    tls &&
    (await listen({ host, port: tls.port ?? 0, tls }, handler, now).catch(async (error: unknown) => {
      await plain.close();
      throw error;
    }));
  return {
    url: plain.url,
    port: plain.port,
    tlsUrl: secure?.url,
    region: world.region,
    trustAnchorArns: [...world.trustAnchors.keys()],
    profileArns: [...world.profiles.keys()],
    roleArns: [...world.roles.keys()],
    verdicts,
    close: async () => {
      await Promise.all([plain.close(), secure?.close()]);
    },
  };
}
