/** `credential-process`: one CreateSession, printed as the AWS SDKs and CLI read it. */
import type { SessionCredentials } from '../credentials/credentials.ts';
import { loadIdentity } from '../identity/load.ts';
import { isChained } from '../options/flags.ts';
import { tokenOptions } from '../options/token.ts';
import { vendingOptions } from '../options/vending.ts';
import { processJson } from '../output/process-json.ts';
import { createSession } from '../aws/create-session.ts';
import type { RunCommand } from './command.ts';
import { openNetwork } from './network.ts';
import { watchWaits } from './waits.ts';

export const run: RunCommand = async (flags, io) => {
  const options = vendingOptions(flags, io.env);
  const { region, endpoint } = options.session;
  const debug = (text: string): void => io.stderr(`debug: ${text}\n`);
  const note = flags['debug'] === true ? debug : undefined;
  const warn = (text: string): void => io.stderr(`warning: ${text}\n`);
  const waits = watchWaits(io);
  try {
    const network = await openNetwork(options, {
      env: io.env,
      warn,
      awaiting: waits.awaiting,
      debug: note,
    });
    const further = isChained(flags)
      ? (await import('./chain.ts')).chainOf(flags, { env: io.env, region, network, fromRole: true, once: true, note })
      : undefined;
    // Loading may ask a person for a password: that is no wait to be told of.
    const identity = await loadIdentity(options.identity, {
      passwords: options.passwords,
      env: io.env,
      now: network.clock.now,
      correctClock: network.correctClock,
      warn: ({ message }) => warn(message),
      token: { ...tokenOptions(flags), mode: 'in-process', env: io.env, warn },
    });
    try {
      const { signer, serialNumber, chain } = identity;
      note?.(`certificate ${serialNumber}, ${signer.keyType}, ${chain.length} intermediate certificates`);
      note?.(`CreateSession in ${region}${endpoint === undefined ? '' : ` at ${endpoint.href}`}`);
      if (!options.trust.verify) warn('--no-verify-ssl: whoever answers is believed');
      const vend = (): Promise<SessionCredentials> => createSession({ ...options.session, ...network, identity });
      const credentials = await (further === undefined ? vend() : further(vend)(new AbortController().signal));
      note?.(`credentials until ${credentials.expiration.toISOString()}`);
      io.stdout(processJson(credentials));
    } finally {
      await identity.close();
    }
  } finally {
    waits.done();
  }
};
