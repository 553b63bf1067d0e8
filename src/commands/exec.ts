/**
 * `exec`: a program with credentials in its environment, or with an endpoint of its own that keeps them fresh.
 * Tests: test/clients/exec.test.ts, test/clients/exec-signals.heavy.test.ts, test/clients/exec-server.heavy.test.ts
 */
import { hopsOf } from '../options/hops.ts';
import type { FlagsOf } from '../options/flag-values.ts';
import { secretVariables } from '../options/secrets.ts';
import { refreshBefore } from '../options/serve.ts';
import type { RolesToServe } from '../options/served-roles.ts';
import { vendingOptions } from '../options/vending.ts';
import { childEnvironment, credentialVariables, endpointVariables } from '../output/environment.ts';
import type { CredentialVariables } from '../output/environment.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { refuseStreams } from '../platform/files.ts';
import type { Log } from '../platform/log.ts';
import { tellWaits } from '../platform/waits.ts';
import { noProxyFor } from '../server/no-proxy.ts';
import { startPrivateEndpoint } from '../server/private-endpoint.ts';
import { Cleanup } from './cleanup.ts';
import type { Io, RunCommand } from './command.ts';
import { runChild } from './exec/child.ts';
import { withoutDefaultProfile } from './exec/other-credentials.ts';
import { obtain, withCertificate } from './obtain.ts';
import { runRoles } from './running-roles.ts';

export const run: RunCommand<'exec'> = async (flags, io) => {
  const [file = '', ...args] = io.args;
  const cleanup = new Cleanup(io.log);
  try {
    const variables = await (flags.server === true ? endpoint(flags, io, cleanup) : environment(flags, io));
    // The terminal is the child's from here on.
    tellWaits(undefined);
    const status = await runChild(file, args, childEnvironment(io.env, variables, secretVariables()));
    io.endWith?.(status);
  } finally {
    await cleanup.run();
  }
};

/** One set of credentials, as variables. */
async function environment(flags: FlagsOf<'exec'>, io: Io): Promise<CredentialVariables> {
  if (flags['refresh-before'] !== undefined)
    throw new RolesAnywhereError('ERR_FLAG_REQUIRED', '--refresh-before is given, and --server is not', {
      flag: '--refresh-before',
      hint: 'credentials in variables are never renewed: give --server, or leave it out',
    });
  const { credentials, region } = await obtain(flags, io);
  const given = flags['no-account-id'] === true ? { ...credentials, accountId: undefined } : credentials;
  return inRegion(credentialVariables(given), region, io.env);
}

/** Opens an endpoint that gives fresh credentials for as long as the child lives; the variables that lead to it. */
async function endpoint(flags: FlagsOf<'exec'>, io: Io, cleanup: Cleanup): Promise<CredentialVariables> {
  const given = withCertificate(flags);
  const vending = vendingOptions(given, io.env);
  const { roleArn, region } = vending.session;
  const roles: RolesToServe = [{ name: roleArn.slice(roleArn.lastIndexOf('/') + 1), vending, tokenFile: undefined }];
  const refreshBeforeMs = refreshBefore(flags['refresh-before'], roles);
  // The terminal is the child's: it hears of trouble, and not of each renewal.
  const { log } = io;
  const quiet = { ...io, log: { ...log, info: log.debug } };
  let started = false;
  // Until it is started, a failure is the command's own.
  const eventLog: Log = { ...quiet.log, warn: (...words) => (started ? log.warn : log.debug)(...words) };
  const running = await runRoles({ roles, refreshBeforeMs, eventLog }, given, quiet, cleanup);
  refuseStreams();
  const [role] = running.roles;
  if (role === undefined) throw new TypeError('there is a role');
  // Once, as without --server: a child that is not started yet is better told of a failure than kept waiting.
  await role.provider.get();
  started = true;
  const server = await startPrivateEndpoint({
    provider: role.provider,
    roleArn: hopsOf(flags, true).at(-1)?.input.roleArn ?? roleArn,
    // What it refuses is not the child's, which has the token.
    log: { ...quiet.log, warn: log.debug },
  });
  cleanup.add(() => server.close(0));
  const variables = endpointVariables({
    AWS_CONTAINER_CREDENTIALS_FULL_URI: server.url,
    AWS_CONTAINER_AUTHORIZATION_TOKEN: server.token,
    ...noProxyFor(server.url, io.env),
    ...withoutDefaultProfile(io.env, log),
  });
  return inRegion(variables, region, io.env);
}

/** Adds the region: the one that the environment names is where the child is to work, else that of the credentials. */
function inRegion({ set, remove }: CredentialVariables, region: string, env: Io['env']): CredentialVariables {
  const { AWS_REGION: own, AWS_DEFAULT_REGION: older } = env;
  return {
    set: new Map([...set, ['AWS_REGION', own || older || region], ['AWS_DEFAULT_REGION', older || own || region]]),
    remove,
  };
}
