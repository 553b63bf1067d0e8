/** `assume-role`: from credentials that are on this machine to those of a role, printed as `credential-process` does. */
import type { Caller } from '../credentials/chain.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { processJson } from '../output/process-json.ts';
import { credentialsFrom } from '../sources/source.ts';
import { localCredentials } from '../sources/index.ts';
import type { SourceKind } from '../sources/index.ts';
import { chainOf } from './chain.ts';
import type { FlagValues, Io, RunCommand } from './command.ts';
import { openStsNetwork } from './sts-network.ts';

export const run: RunCommand = async (flags, io) => {
  const { region, network, note } = await openStsNetwork(flags, io);
  const { signal } = new AbortController();
  const chain = chainOf(flags, { env: io.env, region, network, fromRole: false, once: true, note });
  const credentials = await chain(async () => await sourceOf(flags, io))(signal);
  note(`credentials until ${credentials.expiration.toISOString()}`);
  io.stdout(processJson(credentials));
};

/** The credentials that `--source` and `--source-profile` name. */
export async function sourceOf(flags: FlagValues, { env }: Io): Promise<Caller> {
  const profile = text(flags, 'source-profile');
  const kind = SOURCES.find((known) => known === flags['source']);
  if (profile !== undefined && kind !== undefined && kind !== 'profile')
    throw new RolesAnywhereError('ERR_FLAG_CONFLICT', `--source-profile and --source ${kind} exclude each other`, {
      hint: 'leave one of them out',
    });
  return await credentialsFrom(() => localCredentials(profile === undefined ? kind : 'profile', { env, profile }));
}

const SOURCES: readonly SourceKind[] = ['env', 'profile', 'container', 'imds'];

function text(flags: FlagValues, name: string): string | undefined {
  const value = flags[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}
