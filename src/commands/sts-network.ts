/** The network of commands that need STS alone. */
import { networkOptions, trustOptions } from '../options/network.ts';
import { regionOf } from '../providers/assume-role.ts';
import { stsEndpointOption } from './chain.ts';
import type { FlagValues, Io } from './command.ts';
import { openNetwork } from './network.ts';
import type { Network } from './network.ts';

export interface StsNetwork {
  readonly region: string;
  readonly endpoint: URL | undefined;
  readonly network: Network;
  /** Says something under `--debug`. */
  readonly note: (text: string) => void;
}

/**
 * Checks the flags and makes the network.
 *
 * @throws RolesAnywhereError of class `usage`
 */
export async function openStsNetwork(flags: FlagValues, io: Io): Promise<StsNetwork> {
  const given = flags['region'];
  const region = regionOf(typeof given === 'string' && given !== '' ? given : undefined, io.env);
  const endpoint = stsEndpointOption(flags, io.env);
  const debug = (text: string): void => io.stderr(`debug: ${text}\n`);
  const warn = (text: string): void => io.stderr(`warning: ${text}\n`);
  const trust = trustOptions(flags, io.env);
  const needs = { trust, network: networkOptions(flags), session: endpoint === undefined ? {} : { endpoint } };
  const listening = flags['debug'] === true;
  const network = await openNetwork(needs, { env: io.env, warn, ...(listening ? { debug } : {}) });
  if (!trust.verify) warn('--no-verify-ssl: whoever answers is believed');
  return { region, endpoint, network, note: listening ? debug : () => undefined };
}
