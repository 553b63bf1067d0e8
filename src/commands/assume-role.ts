/** `assume-role`: from credentials that are on this machine to those of a role, printed as `credential-process` does. */
// Tests: test/cli/chain.test.ts, test/cli/kept-sts.heavy.test.ts
import { processJson } from '../output/process-json.ts';
import { chainOf } from './chain.ts';
import type { RunCommand } from './command.ts';
import type { Vended } from './kept-session.ts';
import { localSource, openSts } from './sts-command.ts';

export const run: RunCommand<'assume-role'> = async (flags, io) => {
  const vend = async (asked: typeof flags): Promise<Vended> => {
    const { region, connection } = await openSts(asked, io, ['sts']);
    const chain = chainOf(asked, { region, connection: () => connection, fromRole: false, once: true });
    const credentials = await chain(localSource(asked, connection, io, region))(new AbortController().signal);
    return { credentials, clockOffset: connection.clock.offset() };
  };
  const { credentials } =
    flags.cache === true
      ? { credentials: await (await import('./kept-sts.ts')).keptAssumeRole(flags, io, vend) }
      : await vend(flags);
  io.log.debug(`credentials until ${credentials.expiration.toISOString()}`);
  io.stdout(processJson(credentials, { accountId: flags['no-account-id'] !== true }));
};
