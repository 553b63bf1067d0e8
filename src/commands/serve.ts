/** `serve`: one identity and its roles, given to every SDK on this machine until the process is told to stop. */
import { createServer } from 'node:net';
import { systemClock } from '../platform/clock.ts';
import type { CredentialsProvider } from '../credentials/provider.ts';
import { renewalAt } from '../credentials/refresh-policy.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { isChained } from '../options/flags.ts';
import { DEFAULT_HOP_LIMIT, serveOptions } from '../options/serve.ts';
import type { ServeOptions } from '../options/serve.ts';
import type { RoleOptions } from '../options/served-roles.ts';
import { tokenOptions } from '../options/token.ts';
import { watchCertificate } from '../server/certificate-watch.ts';
import type { CertificateWatch } from '../server/certificate-watch.ts';
import { SHELLS, exportLines, guessShell, originOf } from '../server/export-lines.ts';
import { bind, checkListenPolicy, defaultTargets, parseListen } from '../server/listen.ts';
import type { BoundAddress, ListenTarget } from '../server/listen.ts';
import type { TlsMaterial } from '../server/http-server.ts';
import { createMetrics } from '../server/metrics.ts';
import { logEvent, statusReporter } from '../server/reports.ts';
import type { ServedRole } from '../server/roles.ts';
import { startCredentialServer } from '../server/server.ts';
import type { CredentialServer } from '../server/server.ts';
import { createNotifier, inheritedSockets } from '../server/systemd.ts';
import { prepareTokens } from '../server/token-files.ts';
import type { Tokens } from '../server/token-files.ts';
import { readCertificate } from '../x509/certificate.ts';
import type { FlagValues, Io, RunCommand } from './command.ts';
import { followIdentity, sessionProvider } from './following.ts';
import { openNetwork, tlsSettings } from './network.ts';

/** Addresses that stand for all of a machine's, which no client calls. */
const WILDCARDS = new Set(['0.0.0.0', '::']);

/** How long a stop waits for answers that are under way. */
const DRAIN_MS = 5000;

export const run: RunCommand = async (flags, io) => {
  checkFileFlags(flags);
  const options = serveOptions(flags, io.env);
  const { log } = io;
  const cleanup = new Cleanup(log);
  const stopping = new AbortController();
  const stopped = io.stop().then(() => stopping.abort());
  try {
    await serve(options, flags, io, { log, cleanup, stopped, signal: stopping.signal });
  } catch (error) {
    // Asked to stop before it was ready: that is no failure.
    if (!stopping.signal.aborted) throw error;
  } finally {
    await cleanup.run();
  }
};

interface Surroundings {
  readonly log: Log;
  readonly cleanup: Cleanup;
  /** Resolves when the process is asked to stop; `signal` is aborted then. */
  readonly stopped: Promise<void>;
  readonly signal: AbortSignal;
}

/** One role at work. */
interface RunningRole {
  readonly name: string;
  readonly options: RoleOptions;
  readonly provider: CredentialsProvider;
}

async function serve(
  options: ServeOptions,
  flags: FlagValues,
  io: Io,
  { log, cleanup, stopped, signal }: Surroundings,
): Promise<void> {
  // From the first moment on: by default, the signal would end the process.
  let reload: (() => Promise<void>) | undefined;
  io.onReload?.(() => {
    if (reload === undefined || signal.aborted) return;
    log.info('reading files again');
    void attempt(log, 'the files were not all read again', reload);
  });
  const notifier = createNotifier({ env: io.env, pid: process.pid, clock: systemClock, log });
  cleanup.add(() => notifier?.stop());
  const sockets = inheritedSockets(io.env, process.pid);
  const targets = listenTargets(
    options,
    sockets.filter(({ name }) => name !== 'metrics'),
  );
  warnOfOptions(options, sockets.length > 0, log);
  const tokens = await prepareTokens({ ...options, roles: options.roles, env: io.env, log });
  cleanup.add(() => tokens.remove());
  // What can be known to fail fails before a session is asked for.
  await tokens.check(options.port);
  const { tls: tlsFiles } = options;
  const { readTls } = tlsFiles === undefined ? {} : await import('./serve-tls.ts');
  const loadTls = (): TlsMaterial | undefined => (tlsFiles === undefined ? undefined : readTls?.(tlsFiles));
  let tls = loadTls();
  const audit =
    options.auditLog === undefined
      ? undefined
      : (await import('../server/audit.ts')).openAuditLog(options.auditLog, { log });
  cleanup.add(() => audit?.close());

  const metrics = createMetrics();
  let running: readonly RunningRole[] = [];
  const [{ vending }] = options.roles;
  const network = await openNetwork(vending, {
    env: io.env,
    warn: (text) => log.warn(text),
    ...(flags['debug'] === true ? { debug: (text) => log.debug(text) } : {}),
  });
  const { region } = vending.session;
  const further = isChained(flags)
    ? (await import('./chain.ts')).chainOf(flags, { env: io.env, region, network, fromRole: true, once: false })
    : undefined;
  let certificate: CertificateWatch | undefined;
  const identity = await followIdentity(vending, {
    token: tokenOptions(flags),
    env: io.env,
    log,
    network,
    onChange() {
      certificate?.check();
      for (const { provider } of running) provider.refresh('rotated');
    },
  });
  cleanup.add(() => identity.close());
  const notAfter = (): number => readCertificate(identity.current().certificate, 'the certificate').notAfter.getTime();
  certificate = watchCertificate({ notAfter, log, clock: { ...systemClock, now: network.clock.now } });
  cleanup.add(() => certificate?.stop());

  running = options.roles.map((role) => ({
    name: role.name,
    options: role,
    provider: sessionProvider(role.vending, identity, network, {
      ...(further === undefined ? {} : { further }),
      ...(options.refreshBeforeMs === undefined ? {} : { refresh: renewalAt(options.refreshBeforeMs) }),
    }),
  }));
  for (const { provider } of running) cleanup.add(() => provider.close());
  const reportStatus = statusReporter(running, notifier);
  for (const { name, provider } of running)
    provider.subscribe((event) => {
      metrics.provider(name, event);
      logEvent(log, name, event);
      reportStatus();
    });

  let server: CredentialServer | undefined;
  const inheritedStatus = sockets.find(({ name }) => name === 'metrics')?.fd;
  if (inheritedStatus !== undefined || options.metricsListen !== undefined) {
    const { parseStatusListen, startStatusServer } = await import('../server/status-server.ts');
    const statusServer = await startStatusServer({
      listen: inheritedStatus === undefined ? parseStatusListen(options.metricsListen ?? '') : { fd: inheritedStatus },
      roles: running.map(({ name, provider }) => ({
        name,
        status: () => provider.status(),
        certificateNotAfter: notAfter,
      })),
      metrics,
      connections: () => server?.connections() ?? 0,
    });
    cleanup.add(() => statusServer.close());
    const { address, port } = statusServer.address;
    log.info('health and metrics are served', { address, port });
  }

  await checkPorts(targets);
  let ready = false;
  reload = async () => {
    const announced = ready;
    if (announced) await notifier?.notify('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
    audit?.reopen();
    await attempt(log, 'the CA bundle stays as it was', async () => {
      network.tls = await tlsSettings(vending, io.env);
    });
    await attempt(log, 'the TLS certificate stays as it was', () => {
      tls = loadTls();
      if (tls !== undefined) server?.setTls(tls);
    });
    await tokens.reload();
    await identity.reload();
    for (const { provider } of running) provider.refresh('requested');
    if (announced) await notifier?.notify('READY=1');
  };
  await Promise.all(running.map(({ provider }) => provider.start(signal)));
  server = await startCredentialServer({
    roles: running.map((role) => servedRole(role, tokens)),
    listen: targets,
    imds: options.imds,
    allowedHosts: options.allowedHosts,
    permit({ address, kind }) {
      checkListenPolicy(address, policyOf(options));
      if (kind !== 'loopback')
        log.warn('listening beyond the loopback: whoever has the token gets credentials', { address });
      if (WILDCARDS.has(address) && options.allowedHosts.length === 0)
        log.warn(`no client can call ${address}: name what they call with --allowed-host`, { address });
    },
    metrics,
    log,
    ...(tls === undefined ? {} : { tls }),
    ...(audit === undefined ? {} : { audit }),
  });
  const opened = server;
  cleanup.add(() => opened.close(DRAIN_MS));
  await tokens.write(opened.addresses[0]?.port ?? options.port);
  announce({ options, io, log, tokens, addresses: opened.addresses });

  ready = true;
  await notifier?.notify('READY=1');
  notifier?.startWatchdog();
  reportStatus();
  await stopped;
  log.info('stopping');
  await notifier?.notify('STOPPING=1', 'STATUS=stopping');
}

/** Undoes what was done, the last thing first. */
class Cleanup {
  readonly #steps: (() => unknown)[] = [];
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  add(step: () => unknown): void {
    this.#steps.push(step);
  }

  async run(): Promise<void> {
    for (const step of this.#steps.splice(0).toReversed()) await attempt(this.#log, 'stopping: a step failed', step);
  }
}

function policyOf({ tls, tokenFile, tokenSource }: ServeOptions): { tls: boolean; tokenFile: boolean } {
  return { tls: tls !== undefined, tokenFile: tokenFile !== undefined || tokenSource !== undefined };
}

/** Known before anything is asked of AWS, so that a line that cannot work fails at once. */
function listenTargets(options: ServeOptions, inherited: readonly { readonly fd: number }[]): readonly ListenTarget[] {
  const { listen, port } = options;
  if (inherited.length > 0) {
    if (listen.length === 0) return inherited.map(({ fd }) => ({ fd }));
    throw new RolesAnywhereError('ERR_FLAG_CONFLICT', '--listen is given, and systemd has passed sockets', {
      hint: 'the socket unit says where to listen: leave --listen out',
    });
  }
  const targets = listen.length === 0 ? defaultTargets(port) : parseListen(listen, port);
  for (const target of targets) if ('address' in target) checkListenPolicy(target.address, policyOf(options));
  return targets;
}

/**
 * Opens and closes the ports, so that one in use costs no session. They stay closed until there are credentials, and
 * what is in use by then is found once more.
 */
async function checkPorts(targets: readonly ListenTarget[]): Promise<void> {
  for (const target of targets) {
    if ('fd' in target || target.port === 0) continue;
    const probe = createServer((socket) => socket.destroy());
    if ((await bind(probe, target)) === undefined) continue;
    await new Promise((resolve) => probe.close(resolve));
  }
}

/** The flags whose values are files of the server's own. */
const FILE_FLAGS = ['token-file', 'token-source', 'audit-log', 'tls-cert', 'tls-key'];

/** A flag without its value takes the next flag as one, which would then have no effect: `--no-imds`, for one. */
function checkFileFlags(flags: FlagValues): void {
  for (const name of FILE_FLAGS) {
    const value = flags[name];
    if (typeof value !== 'string' || !value.startsWith('--')) continue;
    throw new RolesAnywhereError('ERR_FLAG_VALUE', `--${name}: ${JSON.stringify(value)} is a flag, not a file`, {
      hint: `--${name} lacks its value; for a file of that name, write ./${value}`,
    });
  }
}

function warnOfOptions({ hopLimit, roles }: ServeOptions, inherited: boolean, log: Log): void {
  if (hopLimit !== DEFAULT_HOP_LIMIT && !inherited)
    log.warn('--hop-limit has no effect: Node cannot set it; use IPTTL= of a systemd socket unit', { hopLimit });
  if (!roles[0].vending.trust.verify) log.warn('--no-verify-ssl: whoever answers is believed');
}

function servedRole({ name, options: { vending, tokenFile }, provider }: RunningRole, tokens: Tokens): ServedRole {
  const { roleArn, region } = vending.session;
  return { name, roleArn, region, provider, authorization: () => tokens.of(name), imds: tokenFile === undefined };
}

interface Announcement {
  readonly options: ServeOptions;
  readonly io: Io;
  readonly log: Log;
  readonly tokens: Tokens;
  readonly addresses: readonly BoundAddress[];
}

/** Prints what to run so that the SDKs find the server. */
function announce({ options, io, log, tokens, addresses }: Announcement): void {
  for (const { address, port } of addresses) log.info('credentials are served', { address, port });
  const [first] = addresses;
  if (first === undefined) return;
  const shell = SHELLS.find((known) => known === options.shell) ?? guessShell(io.env, process.platform);
  io.stdout(
    exportLines(shell, {
      origin: originOf(first, options.tls !== undefined, options.allowedHosts[0]),
      container: options.roles.map(({ name }, index) => ({
        path: index === 0 ? '/credentials' : `/role/${name}`,
        tokenFile: tokens.fileOf(name),
        token: options.printToken ? tokens.of(name).token : undefined,
      })),
      imds: options.imds && first.kind === 'loopback' && options.roles.some(({ tokenFile }) => tokenFile === undefined),
    }),
  );
}

async function attempt(log: Log, message: string, step: () => unknown): Promise<void> {
  try {
    await step();
  } catch (error) {
    log.error(message, { reason: error instanceof Error ? error.message : 'unknown error' });
  }
}
