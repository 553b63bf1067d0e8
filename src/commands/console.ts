/** `console`: a URL that signs a browser in with the credentials that the other commands would print. */
// Tests: test/clients/tutorial.test.ts, test/cli/chain.test.ts
import { spawn } from 'node:child_process';
import { signinEndpoint, signinUrl } from '../aws/signin-url.ts';
import { connectionSettings } from '../options/connection.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import type { Io, RunCommand } from './command.ts';
import { tlsSettings } from './connection.ts';
import { obtain } from './obtain.ts';
import { watchWaits } from './waits.ts';

export const run: RunCommand<'console'> = async (flags, io) => {
  // Before anything is asked: what is wrong with the endpoint is known now.
  const settings = connectionSettings(flags, io.env, ['signin']);
  const { endpoints } = settings;
  const signin = (partition: string): URL => signinEndpoint({ endpoints }, partition);
  const { awaiting, done } = watchWaits(io);
  // Of credentials that were obtained with those of a role, or that come from elsewhere, AWS is not told how long the
  // session is to be.
  const { connection, ...request } = await obtain(flags, io, { check: signin, awaiting });
  const url = await signinUrl(
    { ...request, destination: flags.destination ?? flags.service, issuer: flags.issuer },
    // What was opened for the services before need not have read what a connection to this one takes.
    { ...connection, endpoints, tls: await tlsSettings(settings, io.env) },
  ).finally(done);
  if (flags.open !== true) return io.stdout(`${url}\n`);
  await openBrowser(url, io.env);
  return io.log.info('opened in the browser');
};

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
