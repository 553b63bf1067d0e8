/** Opens something in the user's browser. Tests: test/console/console.heavy.test.ts */
import { spawn } from 'node:child_process';
import { withoutSecrets } from '../options/secrets.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import type { Io } from './command.ts';

/**
 * Starts the system's program for it, and waits no longer than that. What is opened goes in an argument, where others on
 * this machine may see it for a moment.
 *
 * @throws RolesAnywhereError `ERR_UNSUPPORTED` where there is no such program
 */
export async function openBrowser(
  target: string,
  env: Io['env'],
  platform: NodeJS.Platform = process.platform,
): Promise<void> {
  const [file, ...args] =
    platform === 'darwin'
      ? ['open', target]
      : platform === 'win32'
        ? ['rundll32', 'url.dll,FileProtocolHandler', target]
        : ['xdg-open', target];
  await new Promise<void>((resolve, reject) => {
    const child = spawn(file ?? '', args, { env: withoutSecrets(env), stdio: 'ignore', detached: true });
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
