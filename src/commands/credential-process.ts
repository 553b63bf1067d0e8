/** `credential-process`: one CreateSession, printed as the AWS SDKs and CLI read it. */
// Tests: test/cli/key-matrix.test.ts, test/cli/refusals.test.ts
import { vendingOptions } from '../options/vending.ts';
import { processJson } from '../output/process-json.ts';
import type { RunCommand } from './command.ts';
import { openVending, vendOnce } from './vending.ts';
import { watchWaits } from './waits.ts';

export const run: RunCommand<'credential-process'> = async (flags, io) => {
  const options = vendingOptions(flags, io.env);
  const { awaiting, done } = watchWaits(io);
  try {
    const vending = await openVending(options, flags, io, true, awaiting);
    io.stdout(
      processJson(await vendOnce(options, vending, io), {
        accountId: flags['no-account-id'] !== true,
        lineFeed: !io.compat,
      }),
    );
  } finally {
    done();
  }
};
