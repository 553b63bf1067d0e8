/** What commands share that do something with one set of credentials, whether from a certificate or from a source. */
// Tests: test/cli/export.test.ts, test/cli/whoami.test.ts, test/cli/chain.test.ts
import { partitionOf } from '../aws/arn.ts';
import type { Service } from '../aws/endpoints.ts';
import type { AwsCredentials } from '../credentials/credentials.ts';
import type { FlagsOf } from '../options/flag-values.ts';
import { isChained } from '../options/flags.ts';
import { vendingOptions } from '../options/vending.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { chainOf } from './chain.ts';
import type { Io } from './command.ts';
import type { CommandConnection } from './connection.ts';
import { localSource, openSts } from './sts-command.ts';
import { openVending, vendOnce } from './vending.ts';

type ObtainingFlags = FlagsOf<'console'> | FlagsOf<'exec'> | FlagsOf<'export'> | FlagsOf<'whoami'>;

export interface ObtainOptions {
  /** Checks what depends on the partition alone, before anything is asked; throws of class `usage`. */
  readonly check?: ((partition: string) => void) | undefined;
}

/** One set of credentials, and where it is from. */
export interface Obtained {
  readonly credentials: AwsCredentials;
  readonly region: string;
  readonly partition: string;
  readonly connection: CommandConnection;
  /** The seconds that were asked for, of a session that is a certificate's own. */
  readonly sessionDuration: number | undefined;
}

/**
 * Obtains credentials with a certificate, or from `--source`, and goes on to further roles.
 *
 * @throws RolesAnywhereError of class `usage`; the identity's, the source's, the network's and the service's
 */
export async function obtain(flags: ObtainingFlags, io: Io, options: ObtainOptions = {}): Promise<Obtained> {
  return await (flags.source === undefined ? fromCertificate : fromSource)(flags, io, options);
}

async function fromCertificate(flags: ObtainingFlags, io: Io, { check }: ObtainOptions): Promise<Obtained> {
  const given = withCertificate(flags);
  const options = vendingOptions(given, io.env);
  const { partition, session } = options;
  check?.(partition);
  const vending = await openVending(options, given, io, true);
  const credentials = await vendOnce(options, vending, io);
  const sessionDuration = vending.further === undefined ? session.durationSeconds : undefined;
  return { credentials, region: session.region, partition, connection: vending.connection(), sessionDuration };
}

/** The flags of a session with a certificate, all of which the parser has asked for where there is no `--source`. */
export function withCertificate(flags: ObtainingFlags): ObtainingFlags & FlagsOf<'credential-process'> {
  const { certificate, 'trust-anchor-arn': anchor, 'profile-arn': profile, 'role-arn': role } = flags;
  const isNamed = certificate !== undefined || flags['cert-selector'] !== undefined;
  if (!isNamed || anchor === undefined || profile === undefined || role === undefined)
    throw new RolesAnywhereError('ERR_FLAG_REQUIRED', 'missing flag: --certificate or --source', {
      flag: ['--certificate', '--source'],
    });
  return { ...flags, 'trust-anchor-arn': anchor, 'profile-arn': profile, 'role-arn': role };
}

async function fromSource(flags: ObtainingFlags, io: Io, { check }: ObtainOptions): Promise<Obtained> {
  const chained = isChained(flags);
  const services: readonly Service[] = chained ? ['sts'] : [];
  const { region, connection } = await openSts(flags, io, services);
  const partition = partitionOf(region);
  check?.(partition);
  const source = localSource(flags, connection, io, region);
  const further = chained
    ? chainOf(flags, { region, connection: () => connection, fromRole: false, once: true })(source)
    : source;
  const credentials = await further(new AbortController().signal);
  return { credentials, region, partition, connection, sessionDuration: undefined };
}
