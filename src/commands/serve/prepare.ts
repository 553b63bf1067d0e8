/**
 * Everything that `serve` has before it asks for credentials. What can be known to fail fails here.
 * Tests: test/clients/serve-operation.test.ts
 */
import { systemClock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import { renewalAt } from '../../credentials/refresh-policy.ts';
import type { FlagsOf } from '../../options/flag-values.ts';
import { COMMANDS } from '../../options/flags.ts';
import { hopsOf } from '../../options/hops.ts';
import { serveOptions } from '../../options/serve.ts';
import type { ServeOptions } from '../../options/serve.ts';
import type { AuditLog } from '../../server/audit.ts';
import { watchCertificate } from '../../server/certificate-watch.ts';
import type { CertificateWatch, Validity } from '../../server/certificate-watch.ts';
import type { TlsMaterial } from '../../server/http-server.ts';
import { createMetrics } from '../../server/metrics.ts';
import { logEvent } from '../../server/provider-events.ts';
import { prepareTokens } from '../../server/role-tokens.ts';
import { keptSessionKey } from '../../server/session-key.ts';
import { inheritedSockets } from '../../server/systemd.ts';
import type { InheritedSocket } from '../../server/systemd.ts';
import type { Renewer } from '../../renewal/renewer.ts';
import { readCertificate } from '../../x509/certificate.ts';
import type { Io } from '../command.ts';
import { followIdentity, sessionProvider } from '../followed-identity.ts';
import { openVending } from '../vending.ts';
import type { Cleanup } from './cleanup.ts';
import { listenTargets } from './listen.ts';
import type { RunningRole, Serving } from './serving.ts';

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
  const tokens = await prepareTokens({ ...options, required: !options.imds && !options.printToken, env, log });
  cleanup.add(() => tokens.remove());
  await tokens.check(options.port);
  const readTls = await tlsReader(options);
  const tls = readTls();
  const audit = await auditLog(options, log);
  cleanup.add(() => audit?.close());
  const prepared = await prepareRoles(flags, options, io, cleanup);
  const renewer = flags.renew === true ? await renewerOf(flags, io, prepared, audit) : undefined;
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
    ...prepared,
    renewer,
  };
}

/** Whether systemd opened the socket for health and metrics. */
function isForStatus({ name }: InheritedSocket): boolean {
  return name === 'metrics';
}

/** Opens the connection and the identity, and makes a provider for each role, none of which has asked for anything yet. */
async function prepareRoles(
  flags: FlagsOf<'serve'>,
  options: ServeOptions,
  io: Io,
  cleanup: Cleanup,
): Promise<Pick<Serving, 'metrics' | 'vending' | 'identity' | 'certificateValidity' | 'roles' | 'furtherRoleArn'>> {
  const { log } = io;
  const metrics = createMetrics();
  let roles: readonly RunningRole[] = [];
  let certificate: CertificateWatch | undefined;
  // What these have of the first role is the same for all.
  const [{ vending: shared }, ...others] = options.roles;
  const said = new Set(shared.warnings);
  for (const warning of new Set(others.flatMap(({ vending: { warnings } }) => warnings)))
    if (!io.compat && !said.has(warning)) log.warn(warning);
  const vending = await openVending(shared, flags, io, false);
  const identity = await followIdentity(shared, vending, log, () => {
    certificate?.check();
    for (const { provider } of roles) provider.refresh('rotated');
  });
  cleanup.add(() => identity.close());
  const certificateValidity = (): Validity => {
    const { notBefore, notAfter } = readCertificate(identity.current().certificate, 'the certificate');
    return { notBefore: notBefore.getTime(), notAfter: notAfter.getTime() };
  };
  const credentialsUntil = (): Date | undefined =>
    roles
      .map(({ provider }) => provider.status().expiration)
      .filter((end) => end !== undefined)
      .toSorted((a, b) => a.getTime() - b.getTime())
      .at(-1);
  vending.checkHops?.(identity.current().certificate);
  const clock = { ...systemClock, now: vending.connection().clock.now };
  certificate = watchCertificate({ validity: certificateValidity, credentialsUntil, log, clock });
  cleanup.add(() => certificate?.stop());

  const refresh = options.refreshBeforeMs === undefined ? undefined : renewalAt(options.refreshBeforeMs);
  roles = options.roles.map((role) => ({
    ...role,
    provider: sessionProvider(role.vending, identity, vending, refresh),
  }));
  for (const { name, provider } of roles) {
    cleanup.add(() => provider.close());
    provider.subscribe((event) => {
      metrics.provider(name, event);
      logEvent(log, name, event);
    });
  }
  const furtherRoleArn = hopsOf(flags, true).at(-1)?.input.roleArn;
  return { metrics, vending, identity, certificateValidity, roles, furtherRoleArn };
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

async function tlsReader({ tls: files }: ServeOptions): Promise<() => TlsMaterial | undefined> {
  if (files === undefined) return () => undefined;
  const { readTls } = await import('./tls.ts');
  return () => readTls(files);
}
