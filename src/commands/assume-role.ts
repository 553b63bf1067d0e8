/** `assume-role`: from credentials that are on this machine to those of a role, printed as `credential-process` does. */
// Tests: test/cli/chain.test.ts
import { processJson } from '../output/process-json.ts';
import { chainOf } from './chain.ts';
import type { RunCommand } from './command.ts';
import { localSource, openSts } from './sts-command.ts';
import { watchWaits } from './waits.ts';

export const run: RunCommand<'assume-role'> = async (flags, io) => {
  const { awaiting, done } = watchWaits(io);
  const { region, connection } = await openSts(flags, io, ['sts'], awaiting);
  const chain = chainOf(flags, { region, connection: () => connection, fromRole: false, once: true });
  const credentials = await chain(localSource(flags, connection, io, region))(new AbortController().signal).finally(
    done,
  );
  io.log.debug(`credentials until ${credentials.expiration.toISOString()}`);
  io.stdout(processJson(credentials, { accountId: flags['no-account-id'] !== true }));
};
