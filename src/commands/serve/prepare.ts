/**
 * Everything that `serve` has before it asks for credentials. What can be known to fail fails here.
 * Tests: test/clients/serve-operation.test.ts
 */
import type { Log } from '../../platform/log.ts';
import type { FlagsOf } from '../../options/flag-values.ts';
import { COMMANDS } from '../../options/flags.ts';
import { hopsOf } from '../../options/hops.ts';
import { serveOptions } from '../../options/serve.ts';
import type { ServeOptions } from '../../options/serve.ts';
import type { AuditLog } from '../../server/audit.ts';
import type { TlsMaterial } from '../../server/http-server.ts';
import type { Renewer } from '../../renewal/renewer.ts';
import { createMetrics } from '../../server/metrics.ts';
import { prepareTokens } from '../../server/role-tokens.ts';
import { keptSessionKey } from '../../server/session-key.ts';
import { inheritedSockets } from '../../server/systemd.ts';
import type { InheritedSocket } from '../../server/systemd.ts';
import type { Cleanup } from '../cleanup.ts';
import type { Io } from '../command.ts';
import { runRoles } from '../running-roles.ts';
import { listenTargets } from './listen.ts';
import type { ConsoleBeginning, Serving } from './serving.ts';

/**
 * Checks the flags, reads every file, and makes the roles' providers. Nothing is asked of AWS.
 *
 * @throws RolesAnywhereError of class `usage` or `identity`
 */
export async function prepare(flags: FlagsOf<'serve'>, io: Io, cleanup: Cleanup): Promise<Serving> {
  const { env, log } = io;
  const options = serveOptions(flags, env);
  const sockets = inheritedSockets(env, process.pid);
  const targets = listenTargets(
    options,
    sockets.filter((socket) => !isForStatus(socket)),
  );
  if (options.hopLimit !== COMMANDS.serve.defaults['hop-limit'] && sockets.length === 0)
    log.warn('--hop-limit has no effect: Node cannot set it; use IPTTL= of a systemd socket unit', {
      hopLimit: options.hopLimit,
    });
  const idle = (['renew-from', 'renew-command'] as const).find((name) => flags[name] !== undefined);
  if (flags.renew !== true && idle !== undefined)
    log.warn(`--${idle} has no effect without --renew: the certificate is not renewed`);
  const tokens = await prepareTokens({ ...options, required: !options.imds && !options.printToken, env, log });
  cleanup.add(() => tokens.remove());
  await tokens.check(options.port);
  const readTls = tlsReader(options);
  const tls = await readTls();
  const audit = await auditLog(options, log);
  cleanup.add(() => audit?.close());
  const beginning = await beginningOf(options, flags, io);
  const metrics = beginning?.countIn(createMetrics()) ?? createMetrics();
  const running = await runRoles(
    {
      ...options,
      onEvent: (role, event) => {
        metrics.provider(role, event);
        beginning?.activity.ofProvider(role, event);
      },
    },
    flags,
    io,
    cleanup,
  );
  const renewer = flags.renew === true ? await renewerOf(flags, io, running, audit) : undefined;
  cleanup.add(() => renewer?.close());
  return {
    options,
    targets,
    statusFd: sockets.find(isForStatus)?.fd,
    tokens,
    sessionKey: options.imds ? await keptSessionKey({ env, log }) : undefined,
    audit,
    readTls,
    tls,
    server: undefined,
    beginning,
    console: undefined,
    metrics,
    renewer,
    furtherRoleArn: hopsOf(flags, true).at(-1)?.input.roleArn,
    ...running,
  };
}

/** Whether systemd opened the socket for health and metrics. */
function isForStatus({ name }: InheritedSocket): boolean {
  return name === 'metrics';
}

async function renewerOf(
  flags: FlagsOf<'serve'>,
  io: Io,
  { vending, identity }: Pick<Serving, 'vending' | 'identity'>,
  audit: AuditLog | undefined,
): Promise<Renewer> {
  const { startServeRenewer } = await import('./renewal.ts');
  return await startServeRenewer(flags, io, { vending, identity, audit });
}

async function auditLog({ auditLog: path }: ServeOptions, log: Log): Promise<AuditLog | undefined> {
  if (path === undefined) return undefined;
  const { openAuditLog } = await import('../../server/audit.ts');
  return openAuditLog(path, { log });
}

async function beginningOf(
  { console }: ServeOptions,
  flags: FlagsOf<'serve'>,
  io: Io,
): Promise<ConsoleBeginning | undefined> {
  if (console === undefined) return undefined;
  const { beginConsole } = await import('./console.ts');
  return await beginConsole(flags, io);
}

function tlsReader({ tls: files }: ServeOptions): () => Promise<TlsMaterial | undefined> {
  return async () => (files === undefined ? undefined : await (await import('../tls-files.ts')).readTls(files));
}
