/** `renew`: gets a new certificate for an identity once it is due, or the first one; or stays and does so each time. */
// Tests: test/renewal/step-ca.heavy.test.ts, test/docs/renewal.heavy.test.ts
import { existsSync } from 'node:fs';
import type { LoadDeps } from '../identity/load.ts';
import { isInHardware } from '../identity/load.ts';
import type { FlagsOf } from '../options/flag-values.ts';
import { passwordSources } from '../options/passwords.ts';
import { renewalSettings } from '../options/renewal.ts';
import { tokenOptions } from '../options/token.ts';
import { tpmOptions } from '../options/tpm.ts';
import { systemClock } from '../platform/clock.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import type { IdentityFiles } from '../renewal/form.ts';
import type { Issuer } from '../renewal/issuer.ts';
import { checkRenewable, loadForRenewal, renew } from '../renewal/renew.ts';
import type { Renewal } from '../renewal/renew.ts';
import { startRenewer } from '../renewal/renewer.ts';
import { DEFAULT_AT, dueTime, parseAt } from '../renewal/when.ts';
import type { At } from '../renewal/when.ts';
import { createNotifier } from '../server/systemd.ts';
import { type Certificate, readCertificate } from '../x509/certificate.ts';
import type { Io, RunCommand } from './command.ts';
import { openIssuer, readToken, renewedFiles } from './renewal.ts';

/** What a run works with. */
interface Run {
  readonly identity: IdentityFiles;
  readonly issuer: Issuer;
  readonly newKey: boolean;
  readonly loading: LoadDeps;
  readonly at: At;
  readonly now: () => number;
}

export const run: RunCommand<'renew'> = async (flags, io) => {
  const settings = renewalSettings(flags);
  const at = settings.at === undefined ? DEFAULT_AT : parseAt(settings.at);
  const identity = renewedFiles(flags);
  const { certificate } = identity;
  checkRenewable(identity);
  checkEnrolment(flags);
  const now = Date.now;
  const issuer = await openIssuer(settings, io, certificate, now);
  const { log, env } = io;
  const loading: LoadDeps = {
    passwords: passwordSources(flags, env),
    env,
    typed: new Map(),
    warn: ({ message }) => log.warn(message),
    token: { ...tokenOptions(flags), env, warn: log.warn },
    tpm: tpmOptions(flags),
  };
  const running: Run = { identity, issuer, newKey: settings.newKey, loading, at, now };
  if (flags.enroll === true) {
    if (isInHardware(certificate) || !existsSync(certificate)) {
      print(io, await first(flags, running), at, { enrolled: true });
      if (flags.daemon !== true) return;
    } else log.info('there is a certificate already: it is not enrolled again', { certificate });
  }
  if (flags.daemon === true) return await stay(running, io);
  await once(running, io, flags.force === true);
};

/** @throws RolesAnywhereError `ERR_FLAG_CONFLICT` for flags of the first certificate without it */
function checkEnrolment(flags: FlagsOf<'renew'>): void {
  if (flags.enroll === true) return;
  const given = (['subject', 'san', 'key-type'] as const).find((name) => flags[name] !== undefined);
  if (given === undefined) return;
  throw new RolesAnywhereError('ERR_FLAG_CONFLICT', `--${given} is for the first certificate, with --enroll`, {
    flag: `--${given}`,
    hint: 'leave it out: a renewed certificate has the names of the old one',
  });
}

async function first(flags: FlagsOf<'renew'>, { identity, issuer, loading, now }: Run): Promise<Certificate> {
  const { enroll } = await import('../renewal/enroll.ts');
  const { contentsFor } = await import('../renewal/csr.ts');
  const { subject, names } = await namesToAsk(flags);
  const contents = contentsFor(subject, names);
  return await enroll({ identity, issuer, contents, keyKind: flags['key-type'] ?? 'ec-p256', loading, now });
}

/** From the flags, or from step-ca's one-time token, which is for certain names and no others. */
async function namesToAsk(flags: FlagsOf<'renew'>): Promise<{ subject: string; names: readonly string[] }> {
  const { subject, san, 'renew-token-file': tokenFile } = flags;
  if (subject !== undefined) return { subject, names: san ?? [] };
  if (flags['renew-from']?.startsWith('step-ca:') === true && tokenFile !== undefined) {
    const { claimsOf } = await import('../renewal/issuers/step-ca.ts');
    const { sub, sans } = claimsOf(readToken(tokenFile));
    if (typeof sub === 'string' && sub !== '') {
      const { nameKind } = await import('../renewal/csr.ts');
      const names = Array.isArray(sans) ? sans.filter((name) => typeof name === 'string') : [];
      return {
        subject: `CN=${sub.replaceAll(/[\\"+,;<>=#]/g, String.raw`\$&`)}`,
        names: san ?? names.map((name) => nameKind(name)),
      };
    }
  }
  throw new RolesAnywhereError('ERR_FLAG_REQUIRED', '--subject is not given', {
    flag: '--subject',
    hint: 'say whom the first certificate is for, such as --subject CN=web,O=Example',
  });
}

async function once(running: Run, io: Io, force: boolean): Promise<void> {
  const { identity, loading, at, now } = running;
  const current = await certificateOf(identity, loading);
  const due = dueTime(lifeOf(current), at, current.der);
  if (!force && now() < due) {
    io.log.info('the certificate is not due for renewal', { due: iso(due), notAfter: current.notAfter.toISOString() });
    return print(io, current, at, { renewed: false });
  }
  const { leaf, newKey } = await renew(running);
  print(io, leaf, at, { renewed: true, newKey });
}

/** Until the process is asked to end. */
async function stay(running: Run, io: Io): Promise<void> {
  const { identity, loading, at } = running;
  const { log } = io;
  const stopped = io.stop();
  const inHardware = isInHardware(identity.certificate) || isInHardware(identity.privateKey);
  // Files may be replaced by others. A token is not logged in to for each look.
  let held: Certificate | undefined = await certificateOf(identity, loading);
  const renewer = startRenewer({
    certificate: async () => (inHardware ? held : undefined) ?? (await certificateOf(identity, loading)),
    renew: async (signal) => await renew({ ...running, signal }),
    onRenewed: ({ leaf }: Renewal) => {
      held = leaf;
    },
    at,
    clock: systemClock,
    log,
  });
  io.onReload?.(() => renewer.check());
  const notifier = createNotifier({ env: io.env, pid: process.pid, clock: systemClock, log });
  log.info('the certificate is kept renewed', {
    due: iso(dueTime(lifeOf(held), at, held.der)),
    notAfter: held.notAfter.toISOString(),
  });
  await notifier?.notify('READY=1');
  notifier?.startWatchdog();
  // A timer that keeps the process alive: those of the renewer do not.
  const alive = setInterval(() => undefined, 2 ** 30);
  await stopped;
  clearInterval(alive);
  await notifier?.notify('STOPPING=1');
  await renewer.close();
  notifier?.stop();
}

async function certificateOf(identity: IdentityFiles, loading: LoadDeps): Promise<Certificate> {
  const held = await loadForRenewal(identity, loading);
  await held.close();
  return readCertificate(held.certificate, '--certificate');
}

function lifeOf({ notBefore, notAfter }: Certificate): { notBefore: number; notAfter: number } {
  return { notBefore: notBefore.getTime(), notAfter: notAfter.getTime() };
}

function iso(time: number): string {
  return new Date(time).toISOString();
}

function print(io: Io, certificate: Certificate, at: At, what: Readonly<Record<string, boolean>>): void {
  const { serialNumber, notAfter } = certificate;
  const next = iso(dueTime(lifeOf(certificate), at, certificate.der));
  io.stdout(`${JSON.stringify({ ...what, serialNumber, notAfter: notAfter.toISOString(), next })}\n`);
}
