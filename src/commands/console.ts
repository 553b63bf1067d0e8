/** `console`: a URL that signs a browser in with the credentials that the other commands would print. */
import { spawn } from 'node:child_process';
import { RolesAnywhereError } from '../platform/errors.ts';
import { loadIdentity } from '../identity/load.ts';
import { parseArn, partitionOf } from '../options/arn.ts';
import { isChained } from '../options/flags.ts';
import { checkEndpoint } from '../options/network.ts';
import { tokenOptions } from '../options/token.ts';
import { vendingOptions } from '../options/vending.ts';
import { createSession } from '../aws/create-session.ts';
import { signinUrl } from '../aws/signin-url.ts';
import type { AccessKey } from '../signing/sigv4.ts';
import { sourceOf } from './assume-role.ts';
import { chainOf } from './chain.ts';
import type { FlagValues, Io, RunCommand } from './command.ts';
import { openNetwork } from './network.ts';
import type { Network } from './network.ts';
import { openStsNetwork } from './sts-network.ts';

/** What the URL is made of. */
interface Start {
  readonly credentials: AccessKey;
  readonly region: string;
  readonly partition: string;
  readonly network: Network;
  /** Undefined: AWS decides. */
  readonly sessionDuration: number | undefined;
}

export const run: RunCommand = async (flags, io) => {
  const endpoint = signinEndpoint(flags);
  const start = flags['source'] === undefined ? await fromCertificate(flags, io) : await fromSource(flags, io);
  const { credentials, region, partition, network, sessionDuration } = start;
  const url = await signinUrl({
    credentials,
    region,
    partition,
    sessionDuration,
    endpoint,
    destination: text(flags, 'destination') ?? text(flags, 'service'),
    issuer: text(flags, 'issuer'),
    transport: network.transport,
    tls: network.tls,
    retry: network.retry,
    onRetry: network.onRetry,
  });
  if (flags['open'] !== true) return io.stdout(`${url}\n`);
  await openBrowser(url, io.env);
  return io.stderr('opened in the browser\n');
};

async function fromCertificate(flags: FlagValues, io: Io): Promise<Start> {
  const options = vendingOptions(flags, io.env);
  const { region, roleArn, durationSeconds } = options.session;
  const debug = (line: string): void => io.stderr(`debug: ${line}\n`);
  const note = flags['debug'] === true ? debug : undefined;
  const warn = (line: string): void => io.stderr(`warning: ${line}\n`);
  const network = await openNetwork(options, { env: io.env, warn, debug: note });
  const chained = isChained(flags);
  const further = chained
    ? chainOf(flags, { env: io.env, region, network, fromRole: true, once: true, note })
    : undefined;
  if (!options.trust.verify) warn('--no-verify-ssl: whoever answers is believed');
  const identity = await loadIdentity(options.identity, {
    passwords: options.passwords,
    env: io.env,
    now: network.clock.now,
    correctClock: network.correctClock,
    warn: ({ message }) => warn(message),
    token: { ...tokenOptions(flags), mode: 'in-process', env: io.env, warn },
  });
  try {
    const vend = (): ReturnType<typeof createSession> => createSession({ ...options.session, ...network, identity });
    const credentials = await (further === undefined ? vend() : further(vend)(new AbortController().signal));
    const { partition } = parseArn('role', roleArn, '--role-arn');
    // AWS refuses to be told for credentials that were obtained with those of a role.
    return { credentials, region, partition, network, sessionDuration: chained ? undefined : durationSeconds };
  } finally {
    await identity.close();
  }
}

/** Nothing is known of where these come from, so AWS is not told how long the session is to be. */
async function fromSource(flags: FlagValues, io: Io): Promise<Start> {
  const { region, network, note } = await openStsNetwork(flags, io);
  const further = isChained(flags)
    ? chainOf(flags, { env: io.env, region, network, fromRole: false, once: true, note })
    : undefined;
  const source = (): ReturnType<typeof sourceOf> => sourceOf(flags, io);
  const credentials = await (further === undefined ? source() : further(source)(new AbortController().signal));
  return { credentials, region, partition: partitionOf(region), network, sessionDuration: undefined };
}

function signinEndpoint(flags: FlagValues): URL | undefined {
  const value = text(flags, 'signin-endpoint');
  if (value === undefined) return undefined;
  return checkEndpoint({ endpoint: { value, from: '--signin-endpoint' }, allowHttp: flags['allow-http'] === true })
    .endpoint;
}

/** The URL goes in an argument, where others on this machine may see it for a moment: it is for one sign-in, and short-lived. */
async function openBrowser(url: string, env: Io['env']): Promise<void> {
  const [file, ...args] =
    process.platform === 'darwin'
      ? ['open', url]
      : process.platform === 'win32'
        ? ['rundll32', 'url.dll,FileProtocolHandler', url]
        : ['xdg-open', url];
  await new Promise<void>((resolve, reject) => {
    const child = spawn(file ?? '', args, { env, stdio: 'ignore', detached: true });
    child.on('error', (cause) =>
      reject(
        new RolesAnywhereError('ERR_UNSUPPORTED', `there is no ${file ?? 'program'} to open a browser with`, {
          hint: 'leave --open out, and open what is printed',
          cause,
        }),
      ),
    );
    child.on('spawn', () => {
      child.unref();
      resolve();
    });
  });
}

function text(flags: FlagValues, name: string): string | undefined {
  const value = flags[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}
