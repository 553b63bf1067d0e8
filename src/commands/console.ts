/** `console`: a URL that signs a browser in with the credentials that the other commands would print. */
// Tests: test/clients/tutorial.test.ts, test/cli/chain.test.ts
import { consolePage, signinEndpoint, signinUrl } from '../aws/signin-url.ts';
import { connectionSettings } from '../options/connection.ts';
import { openBrowser } from './browser.ts';
import type { RunCommand } from './command.ts';
import { tlsSettings } from './connection.ts';
import { obtain } from './obtain.ts';

export const run: RunCommand<'console'> = async (flags, io) => {
  const settings = connectionSettings(flags, io.env, ['signin']);
  const { endpoints } = settings;
  const destination = flags.destination ?? flags.service;
  // Before anything is asked: what is wrong with the endpoint or the page is known now.
  const check = (partition: string): void => {
    signinEndpoint({ endpoints }, partition);
    consolePage({ partition, destination });
  };
  // Of credentials that were obtained with those of a role, or that come from elsewhere, AWS is not told how long the
  // session is to be.
  const { connection, ...request } = await obtain(flags, io, { check });
  const url = await signinUrl(
    { ...request, destination, issuer: flags.issuer },
    // What was opened for the services before need not have read what a connection to this one takes.
    { ...connection, endpoints, tls: await tlsSettings(settings, io.env) },
  );
  if (flags.open !== true) return io.stdout(`${url}\n`);
  // It is for one sign-in, and short-lived.
  await openBrowser(url, io.env);
  return io.log.info('opened in the browser');
};
