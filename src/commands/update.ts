/**
 * `update`: credentials in profiles of the shared credentials file, renewed until the process is told to stop.
 * Tests: test/clients/update.test.ts, test/clients/update-service.heavy.test.ts, test/clients/update-crash.heavy.test.ts
 */
import type { SessionCredentials } from '../credentials/credentials.ts';
import { formatExpiration } from '../credentials/expiration.ts';
import { loadIdentity } from '../identity/load.ts';
import type { FlagsOf } from '../options/flag-values.ts';
import { secretVariables } from '../options/secrets.ts';
import { updateOptions } from '../options/update.ts';
import type { UpdateOptions } from '../options/update.ts';
import { checkCredentialsFile, removeCredentials, writeCredentialsFile } from '../output/credentials-file.ts';
import { systemClock } from '../platform/clock.ts';
import type { RolesAnywhereError } from '../platform/errors.ts';
import { refuseStreams } from '../platform/files.ts';
import type { Io, RunCommand } from './command.ts';
import { attempt } from './cleanup.ts';
import { helperLog } from './helper-log.ts';
import { readRolesAgain, runRoles } from './running-roles.ts';
import type { RunningRole } from './running-roles.ts';
import { runService } from './service.ts';
import { Hook } from './update/hook.ts';
import type { Written } from './update/hook.ts';
import { ProfileWriter } from './update/writer.ts';
import { openVending, vendWith } from './vending.ts';

/** How long other writers are waited for: dozens that start at one time on a busy machine have their turns one after another. */
const OTHERS = { timeoutMs: 120_000 } as const;

export const run: RunCommand<'update'> = async (flags, io) => {
  const options = updateOptions(flags, io.env);
  await checkCredentialsFile(
    { env: io.env, lock: OTHERS },
    options.roles.map(({ name }) => name),
  );
  await (options.once ? updateOnce(options, flags, io) : updateOn(options, flags, io));
};

/** Writes each profile once. One that cannot be had or written does not keep the others from it. */
async function updateOnce(options: UpdateOptions, flags: FlagsOf<'update'>, io: Io): Promise<void> {
  const { roles } = options;
  const [{ vending: first }] = roles;
  const vending = await openVending(first, flags, io, true);
  const identity = await loadIdentity(first.identity, vending.loading);
  const failures: unknown[] = [];
  const hook = hookOf(options, io, (error) => failures.push(error));
  try {
    for (const { name, vending: role } of roles) {
      try {
        const credentials = await vendWith(identity, role, vending, io);
        const file = await writeProfile(name, credentials, io);
        tellWritten(io, { profile: name, file, credentials });
        hook?.run({ profile: name, file, credentials });
      } catch (error) {
        failures.push(error);
      }
    }
  } finally {
    await identity.close();
  }
  await hook?.idle();
  const [failure, ...others] = failures;
  for (const other of others) io.log.error(other instanceof Error ? other.message : 'unexpected error');
  if (failure !== undefined) throw failure;
}

/** Writes each profile whenever there are new credentials for it, until told to end. */
async function updateOn(options: UpdateOptions, flags: FlagsOf<'update'>, io: Io): Promise<void> {
  const { log, env } = io;
  let notRemoved: unknown;
  let roles: readonly RunningRole[] = [];
  await runService(io, async (service) => {
    const { cleanup, signal } = service;
    const hook = hookOf(options, io, ({ message, code, hint }, { profile }) =>
      log.error(message, { profile, code, hint }),
    );
    const writer = new ProfileWriter({
      write: (profile, credentials) => writeProfile(profile, credentials, io, signal),
      onWritten(profile, file, credentials) {
        tellWritten(io, { profile, file, credentials });
        const next = roles.find(({ name }) => name === profile)?.provider.status().nextAttempt;
        if (io.compat) io.announce(helperLine(next ?? credentials.expiration, new Date()));
        hook?.run({ profile, file, credentials });
      },
      log,
      clock: systemClock,
    });
    if (options.remove)
      cleanup.add(async () => {
        for (const [profile, { accessKeyId }] of writer.written()) {
          try {
            const removed = await removeCredentials({ env, lock: OTHERS }, profile, accessKeyId);
            log.info(removed ? 'the keys were taken out' : 'the keys are not there any more', { profile });
          } catch (error) {
            notRemoved ??= error;
          }
        }
      });
    cleanup.add(() => hook?.close());
    cleanup.add(() => writer.close());
    const running = await service.unlessStopped(runRoles(options, flags, io, cleanup));
    refuseStreams();
    ({ roles } = running);
    service.watch(roles);
    for (const { name, provider } of roles)
      provider.subscribe(({ type }) => {
        const credentials = type === 'refreshed' ? provider.peek() : undefined;
        if (credentials !== undefined) writer.put(name, credentials);
      });
    service.onReload(async () => {
      await attempt(log, 'not all files were read again', () => readRolesAgain(running, io));
      writer.again();
    });
    await Promise.all(roles.map(({ provider }) => provider.start(signal)));
    await service.unlessStopped(writer.allWritten(roles.map(({ name }) => name)));
  });
  if (notRemoved !== undefined) throw notRemoved;
}

async function writeProfile(
  profile: string,
  credentials: SessionCredentials,
  { env, log, compat }: Pick<Io, 'env' | 'log' | 'compat'>,
  signal?: AbortSignal,
): Promise<string> {
  return await writeCredentialsFile({
    profile,
    credentials,
    env,
    lock: OTHERS,
    signal,
    onWarning: (message) => {
      if (!compat) log.warn(message);
    },
  });
}

function tellWritten({ log }: Pick<Io, 'log'>, { profile, file, credentials }: Written): void {
  log.info('credentials were written', { profile, file, expiration: formatExpiration(credentials.expiration) });
}

function hookOf(
  { onUpdate }: UpdateOptions,
  { env }: Io,
  onError: (error: RolesAnywhereError, written: Written) => void,
): Hook | undefined {
  return onUpdate && new Hook({ program: onUpdate, env, secrets: secretVariables() }, onError);
}

/** The line of AWS's helper: with the time as Go writes one. */
function helperLine(next: Date, now: Date): string {
  const at = next.toISOString();
  return helperLog([`Credentials will be refreshed at ${at.slice(0, 10)} ${at.slice(11, 19)} +0000 UTC`], now);
}
