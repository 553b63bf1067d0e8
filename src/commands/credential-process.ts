/** `credential-process`: one CreateSession, printed as the AWS SDKs and CLI read it. */
// Tests: test/cli/key-matrix.test.ts, test/cli/refusals.test.ts
import type { SessionCredentials } from '../credentials/credentials.ts';
import { vendingOptions } from '../options/vending.ts';
import type { VendingOptions } from '../options/vending.ts';
import { processJson } from '../output/process-json.ts';
import type { RunCommand } from './command.ts';
import { openVending, vendOnce } from './vending.ts';

export const run: RunCommand<'credential-process'> = async (flags, io) => {
  const options = vendingOptions(flags, io.env);
  const vend = async (asked: VendingOptions): Promise<{ credentials: SessionCredentials; clockOffset: number }> => {
    const vending = await openVending(asked, flags, io, true);
    const credentials = await vendOnce(asked, vending, io);
    return { credentials, clockOffset: vending.connection().clock.offset() };
  };
  const credentials =
    flags.cache === true
      ? await (await import('./kept-session.ts')).keptSession(options, flags, io, vend)
      : (await vend(options)).credentials;
  io.stdout(processJson(credentials, { accountId: flags['no-account-id'] !== true, lineFeed: !io.compat }));
};
