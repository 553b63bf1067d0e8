/** `console`: a URL that signs a browser in with the credentials that the other commands would print. */
// Tests: test/clients/tutorial.test.ts, test/cli/chain.test.ts
import { spawn } from 'node:child_process';
import { partitionOf } from '../aws/arn.ts';
import type { Connection } from '../aws/connection.ts';
import type { Service } from '../aws/endpoints.ts';
import { signinEndpoint, signinUrl } from '../aws/signin-url.ts';
import type { AwsCredentials } from '../credentials/credentials.ts';
import { connectionSettings } from '../options/connection.ts';
import type { FlagsOf } from '../options/flag-values.ts';
import { isChained } from '../options/flags.ts';
import { vendingOptions } from '../options/vending.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { chainOf } from './chain.ts';
import type { Io, RunCommand } from './command.ts';
import { tlsSettings } from './connection.ts';
import { localSource, openSts } from './sts-command.ts';
import { openVending, vendOnce } from './vending.ts';

/** What the URL is made of. */
interface Start {
  readonly credentials: AwsCredentials;
  readonly region: string;
  readonly partition: string;
  readonly connection: Connection;
  /** Undefined: AWS decides. */
  readonly sessionDuration: number | undefined;
}

type ConsoleFlags = FlagsOf<'console'>;

export const run: RunCommand<'console'> = async (flags, io) => {
  // Before anything is asked: what is wrong with the endpoint is known now.
  const settings = connectionSettings(flags, io.env, ['signin']);
  const { endpoints } = settings;
  const signin = (partition: string): URL => signinEndpoint({ endpoints }, partition);
  const start =
    flags.source === undefined ? await fromCertificate(flags, signin, io) : await fromSource(flags, signin, io);
  const { connection, ...request } = start;
  const url = await signinUrl(
    { ...request, destination: flags.destination ?? flags.service, issuer: flags.issuer },
    // What was opened for the services before need not have read what a connection to this one takes.
    { ...connection, endpoints, tls: await tlsSettings(settings, io.env) },
  );
  if (flags.open !== true) return io.stdout(`${url}\n`);
  await openBrowser(url, io.env);
  return io.log.info('opened in the browser');
};

async function fromCertificate(flags: ConsoleFlags, check: (partition: string) => URL, io: Io): Promise<Start> {
  const options = vendingOptions(withCertificate(flags), io.env);
  check(options.partition);
  const vending = await openVending(options, withCertificate(flags), io, true);
  const credentials = await vendOnce(options, vending, io);
  const { partition, session } = options;
  // AWS refuses to be told for credentials that were obtained with those of a role.
  const sessionDuration = vending.further === undefined ? session.durationSeconds : undefined;
  return { credentials, region: session.region, partition, connection: vending.connection(), sessionDuration };
}

/** The flags of a session with a certificate, all of which the parser has asked for where there is no `--source`. */
function withCertificate(flags: ConsoleFlags): ConsoleFlags & FlagsOf<'credential-process'> {
  const { certificate, 'trust-anchor-arn': anchor, 'profile-arn': profile, 'role-arn': role } = flags;
  const isNamed = certificate !== undefined || flags['cert-selector'] !== undefined;
  if (!isNamed || anchor === undefined || profile === undefined || role === undefined)
    throw new RolesAnywhereError('ERR_FLAG_REQUIRED', 'missing flag: --certificate or --source', {
      flag: ['--certificate', '--source'],
    });
  return { ...flags, 'trust-anchor-arn': anchor, 'profile-arn': profile, 'role-arn': role };
}

/** Nothing is known of where these come from, so AWS is not told how long the session is to be. */
async function fromSource(flags: ConsoleFlags, check: (partition: string) => URL, io: Io): Promise<Start> {
  const chained = isChained(flags);
  const services: readonly Service[] = chained ? ['sts'] : [];
  const { region, connection } = await openSts(flags, io, services);
  check(partitionOf(region));
  const source = localSource(flags, connection, io, region);
  const further = chained
    ? chainOf(flags, { region, connection: () => connection, fromRole: false, once: true })(source)
    : source;
  const credentials = await further(new AbortController().signal);
  return { credentials, region, partition: partitionOf(region), connection, sessionDuration: undefined };
}

/** The URL goes in an argument, where others on this machine may see it for a moment: it is for one sign-in, and short-lived. */
async function openBrowser(url: string, env: Io['env']): Promise<void> {
  const [file, ...args] =
    process.platform === 'darwin'
      ? ['open', url]
      : process.platform === 'win32'
        ? ['rundll32', 'url.dll,FileProtocolHandler', url]
        : ['xdg-open', url];
  await new Promise<void>((resolve, reject) => {
    const child = spawn(file ?? '', args, { env, stdio: 'ignore', detached: true });
    child.on('error', (cause) =>
      reject(
        new RolesAnywhereError('ERR_UNSUPPORTED', `there is no ${file ?? 'program'} to open a browser with`, {
          hint: 'leave --open out, and open what is printed',
          cause,
        }),
      ),
    );
    child.on('spawn', () => {
      child.unref();
      resolve();
    });
  });
}
