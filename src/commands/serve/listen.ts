/**
 * The ports of `serve`: which there are, their opening, and the lines that tell clients of them.
 * Tests: test/clients/serve-operation.test.ts, test/server/listen.test.ts
 */
import { createServer } from 'node:net';
import { DEFAULT_REFRESH } from '../../credentials/refresh-policy.ts';
import { RolesAnywhereError } from '../../platform/errors.ts';
import type { Log } from '../../platform/log.ts';
import type { ServeOptions } from '../../options/serve.ts';
import { connectionShares, descriptorLimit } from '../../server/descriptor-limit.ts';
import { guessShell } from '../../output/shell-lines.ts';
import { exportLines, originOf } from '../../server/export-lines.ts';
import { bind, checkListenPolicy, defaultTargets, parseImdsAddresses, parseListen } from '../../server/listen.ts';
import { DEFAULT_LIMITS } from '../../server/http-server.ts';
import type { BoundAddress, ListenPolicy, ListenTarget } from '../../server/listen.ts';
import type { Tokens } from '../../server/role-tokens.ts';
import { givenNoProxy, hasProxy } from '../../server/no-proxy.ts';
import { startCredentialServer } from '../../server/server.ts';
import { MAX_TTL_SECONDS } from '../../server/session-tokens.ts';
import type { ServedRole } from '../../server/served-role.ts';
import type { InheritedSocket } from '../../server/systemd.ts';
import type { Io } from '../command.ts';
import type { Cleanup } from '../cleanup.ts';
import { helperLog } from '../helper-log.ts';
import type { RunningRole } from '../running-roles.ts';
import type { Serving } from './serving.ts';

/** Addresses that stand for all of a machine's, which no client calls. */
const WILDCARDS = new Set(['0.0.0.0', '::']);

/** How long a stop waits for answers that are under way. */
const DRAIN_MS = 5000;

/**
 * Decides where to give credentials.
 *
 * @param inherited sockets that systemd opened for it
 * @throws RolesAnywhereError `ERR_FLAG_CONFLICT`, `ERR_LISTEN`
 */
export function listenTargets(options: ServeOptions, inherited: readonly InheritedSocket[]): readonly ListenTarget[] {
  const { listen, port } = options;
  const ec2 = parseImdsAddresses(options.imdsAddresses);
  if (inherited.length > 0) {
    if (listen.length === 0) return [...inherited.map(({ fd }) => ({ fd })), ...ec2];
    throw new RolesAnywhereError('ERR_FLAG_CONFLICT', '--listen is given, and systemd has passed sockets', {
      flag: '--listen',
      hint: 'the socket unit says where to listen: leave --listen out',
    });
  }
  const targets = listen.length === 0 ? defaultTargets(port) : parseListen(listen, port);
  for (const target of targets) if ('address' in target) checkListenPolicy(target.address, policyOf(options));
  return [...targets, ...ec2];
}

/**
 * Opens and closes the ports, so that one in use costs no session. They stay closed until there are credentials, and
 * what is in use by then is found once more.
 *
 * @throws RolesAnywhereError `ERR_LISTEN`
 */
export async function checkPorts(targets: readonly ListenTarget[]): Promise<void> {
  for (const target of targets) {
    if ('fd' in target || target.port === 0) continue;
    const probe = createServer((socket) => socket.destroy());
    if ((await bind(probe, target)) === undefined) continue;
    await new Promise((resolve) => probe.close(resolve));
  }
}

/** Opens the port of health and metrics, where there is to be one. It answers before there are credentials. */
export async function openStatusPort(serving: Serving, { log }: Io, cleanup: Cleanup): Promise<void> {
  const { statusFd, options, roles, metrics, certificateValidity, renewer } = serving;
  if (statusFd === undefined && options.metricsListen === undefined) return;
  const { parseStatusListen, startStatusServer } = await import('../../server/status-server.ts');
  const server = await startStatusServer({
    listen: statusFd === undefined ? parseStatusListen(options.metricsListen ?? '') : { fd: statusFd },
    roles: roles.map(({ name, provider }) => ({ name, status: () => provider.status(), certificateValidity })),
    metrics,
    renewal: renewer && {
      status: () => renewer.status(),
      marginMs: options.refreshBeforeMs ?? DEFAULT_REFRESH.minRemainingMs,
    },
    connections: () => serving.server?.connections() ?? 0,
    maxConnections: connectionShares(descriptorLimit()).status,
  });
  cleanup.add(() => server.close());
  const { address, port } = server.address;
  log.info('health and metrics are served', { address, port });
}

/** Opens the ports of the credentials, writes the tokens, and prints what to run so that the SDKs find the server. */
export async function openPorts(serving: Serving, io: Io, cleanup: Cleanup): Promise<void> {
  const { options, roles, targets, tokens, sessionKey, metrics, audit, tls } = serving;
  const { log } = io;
  const maxConnections = connectionShares(descriptorLimit()).connections;
  if (maxConnections < DEFAULT_LIMITS.maxConnections)
    log.info('the limit on open files leaves room for fewer connections', { maxConnections });
  const server = await startCredentialServer({
    limits: { maxConnections },
    waitMs: options.waitMs,
    roles: roles.map((role) => servedRole(role, tokens, serving.furtherRoleArn)),
    listen: targets,
    imds: options.imds,
    sessionKey,
    tokenTtlSeconds: io.compat ? MAX_TTL_SECONDS : undefined,
    allowedHosts: options.allowedHosts,
    permit: (bound) => permit(bound, options, log),
    metrics,
    log,
    tls,
    audit,
  });
  serving.server = server;
  cleanup.add(() => server.close(DRAIN_MS));
  // Of those that have the container endpoint.
  const first = server.addresses.find(({ kind }) => kind !== 'ec2');
  await tokens.write(first?.port ?? options.port);
  for (const { address, port } of server.addresses) log.info('credentials are served', { address, port });
  if (first === undefined) return;
  if (io.compat) io.announce(helperLines(first, options, new Date()));
  else io.stdout(linesFor(first, serving, io.env));
}

/** The lines of AWS's helper: scripts wait for the first, and find the port in it. */
function helperLines(bound: BoundAddress, { tls, allowedHosts }: ServeOptions, now: Date): string {
  return helperLog(
    [
      `Local server started on port: ${bound.port}`,
      'Make it available to the sdk by running:',
      `export AWS_EC2_METADATA_SERVICE_ENDPOINT=${originOf(bound, tls !== undefined, allowedHosts[0])}/`,
    ],
    now,
  );
}

function policyOf({ tls, tokenFile, tokenSource }: ServeOptions): ListenPolicy {
  return { tls: tls !== undefined, tokenFile: tokenFile !== undefined || tokenSource !== undefined };
}

/** Sockets that systemd opened are known only now. */
function permit({ address, kind }: BoundAddress, options: ServeOptions, log: Log): void {
  checkListenPolicy(address, policyOf(options));
  if (kind === 'ec2') {
    if (options.imds) return;
    throw new RolesAnywhereError(
      'ERR_FLAG_CONFLICT',
      `--no-imds is given, and a socket of systemd listens on ${address}`,
      {
        flag: '--no-imds',
        hint: 'leave one of the two out',
      },
    );
  }
  if (kind !== 'loopback')
    log.warn('listening beyond the loopback: whoever has the token gets credentials', { address });
  if (WILDCARDS.has(address) && options.allowedHosts.length === 0)
    log.warn(`no client can call ${address}: name what they call with --allowed-host`, { address });
}

/** @param further the role whose credentials are given in the end, where the first one goes on to others */
function servedRole(
  { name, vending, tokenFile, provider }: RunningRole,
  tokens: Tokens,
  further: string | undefined,
): ServedRole {
  const { region } = vending.session;
  const roleArn = further ?? vending.session.roleArn;
  return { name, roleArn, region, provider, authorization: () => tokens.of(name), imds: tokenFile === undefined };
}

function linesFor(bound: BoundAddress, { options, roles, tokens }: Serving, env: Io['env']): string {
  return exportLines(options.shell ?? guessShell(env, process.platform), {
    origin: originOf(bound, options.tls !== undefined, options.allowedHosts[0]),
    container: roles
      .map(({ name }, index) => ({
        path: index === 0 ? '/credentials' : `/role/${name}`,
        tokenFile: tokens.fileOf(name),
        token: options.printToken ? tokens.of(name).token : undefined,
      }))
      // Nobody could ask where there is no token to be had.
      .filter(({ tokenFile, token }) => tokenFile !== undefined || token !== undefined),
    imds: options.imds && bound.kind === 'loopback' && roles.some(({ tokenFile }) => tokenFile === undefined),
    noProxy: hasProxy(env) ? givenNoProxy(env) : undefined,
  });
}
