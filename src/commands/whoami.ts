/** `whoami`: whose credentials these are, as STS says it, and how long they last. */
// Tests: test/cli/whoami.test.ts
import { callerIdentity } from '../aws/caller-identity.ts';
import { formatExpiration } from '../credentials/expiration.ts';
import { connectionSettings } from '../options/connection.ts';
import { inertJson } from '../platform/redact.ts';
import type { RunCommand } from './command.ts';
import { tlsSettings } from './connection.ts';
import { obtain } from './obtain.ts';

export const run: RunCommand<'whoami'> = async (flags, io) => {
  // Before anything is asked: what is wrong with the endpoint is known now.
  const settings = connectionSettings(flags, io.env, flags.source === undefined ? ['rolesanywhere', 'sts'] : ['sts']);
  const { credentials, region, partition, connection } = await obtain(flags, io);
  const caller = await callerIdentity(
    { credentials, region, partition },
    // What was opened for the services before need not have read what a connection to this one takes.
    { ...connection, endpoints: settings.endpoints, tls: await tlsSettings(settings, io.env) },
  );
  const [, role, session] = /:assumed-role\/([^/]+)\/(.+)$/.exec(caller.arn) ?? [];
  const { expiration } = credentials;
  const secondsLeft = expiration && Math.max(0, Math.floor((expiration.getTime() - connection.clock.now()) / 1000));
  if (flags.json === true || flags.format === 'json')
    return io.stdout(
      `${inertJson({
        Account: caller.account,
        Arn: caller.arn,
        UserId: caller.userId,
        Role: role,
        RoleSessionName: session,
        Expiration: expiration && formatExpiration(expiration),
        SecondsLeft: secondsLeft,
      })}\n`,
    );
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['account', caller.account],
    ['role', role],
    ['session', session],
    ['arn', caller.arn],
    ['user id', caller.userId],
    ['expires', expiration && `${formatExpiration(expiration)}, in ${duration(secondsLeft ?? 0)}`],
  ];
  return io.stdout(rows.map(([name, value]) => (value === undefined ? '' : `${name.padEnd(7)}  ${value}\n`)).join(''));
};

/** A time in its two largest units: `59 min 58 s`. */
function duration(seconds: number): string {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}
