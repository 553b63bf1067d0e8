/** Roles at work: one identity, which follows its files, and a provider of credentials for each role. */
// Tests: test/clients/serve-rotation.test.ts, test/clients/update.test.ts
import { renewalAt } from '../credentials/refresh-policy.ts';
import type { CredentialsProvider, ProviderEvent } from '../credentials/provider.ts';
import type { IdentityWatcher } from '../identity/reload.ts';
import type { FlagsOf } from '../options/flag-values.ts';
import type { RoleOptions, RolesToServe } from '../options/served-roles.ts';
import { systemClock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { watchCertificate } from '../server/certificate-watch.ts';
import type { CertificateWatch, Validity } from '../server/certificate-watch.ts';
import { logEvent } from '../server/provider-events.ts';
import { readCertificate } from '../x509/certificate.ts';
import { attempt } from './cleanup.ts';
import type { Cleanup } from './cleanup.ts';
import type { Io } from './command.ts';
import { followIdentity, sessionProvider } from './followed-identity.ts';
import { openVending } from './vending.ts';
import type { Vending } from './vending.ts';

/** One role at work. */
export interface RunningRole extends RoleOptions {
  readonly provider: CredentialsProvider;
}

export interface RunningRoles {
  readonly vending: Vending;
  readonly identity: IdentityWatcher;
  /** Of the certificate in use. */
  readonly certificateValidity: () => Validity;
  readonly roles: readonly RunningRole[];
}

export interface RunOptions {
  readonly roles: RolesToServe;
  /** The life left at which a set is renewed, in milliseconds; undefined to let its whole life decide. */
  readonly refreshBeforeMs: number | undefined;
  /** Where the log tells of each role's credentials. Default: the command's own. */
  readonly eventLog?: Log | undefined;
  /** Told of what happens to each role's credentials, besides the log. */
  readonly onEvent?: ((role: string, event: ProviderEvent) => void) | undefined;
}

/**
 * Opens the connection and the identity, and makes a provider for each role, none of which has asked for anything yet.
 *
 * @param cleanup gets what ends them
 * @throws RolesAnywhereError of class `usage` or `identity`
 */
export async function runRoles(
  { roles: wanted, refreshBeforeMs, eventLog, onEvent }: RunOptions,
  flags: FlagsOf<'credential-process'> | FlagsOf<'serve'> | FlagsOf<'update'>,
  io: Io,
  cleanup: Cleanup,
): Promise<RunningRoles> {
  const { log } = io;
  let roles: readonly RunningRole[] = [];
  let certificate: CertificateWatch | undefined;
  // What these have of the first role is the same for all.
  const [{ vending: shared }, ...others] = wanted;
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

  const refresh = refreshBeforeMs === undefined ? undefined : renewalAt(refreshBeforeMs);
  roles = wanted.map((role) => ({ ...role, provider: sessionProvider(role.vending, identity, vending, refresh) }));
  for (const { name, provider } of roles) {
    cleanup.add(() => provider.close());
    provider.subscribe((event) => {
      onEvent?.(name, event);
      logEvent(eventLog ?? log, name, event, io.explain);
    });
  }
  return { vending, identity, certificateValidity, roles };
}

/** Reads roots of trust, certificate and key again, and asks for new credentials. What is bad by now is logged, and stays. */
export async function readRolesAgain({ vending, identity, roles }: RunningRoles, { log }: Io): Promise<void> {
  await attempt(log, 'the CA bundle stays as it was', vending.readRootsAgain);
  await identity.reload();
  for (const { provider } of roles) provider.refresh('requested');
}
