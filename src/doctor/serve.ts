/** The endpoint that the environment names for credentials: whether it answers, and lets this user in. */
// Tests: test/doctor/broken.heavy.test.ts, test/doctor/healthy.heavy.test.ts
import { statSync } from 'node:fs';
import { fromContainer } from '../sources/container.ts';
import { fromImds } from '../sources/imds.ts';
import type { SourceSurroundings } from '../sources/source.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import type { Notebook } from './notebook.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Whether the environment names an endpoint of this kind. */
export function namesEndpoint(env: Environment): boolean {
  return Boolean(env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] || env['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI']);
}

/**
 * Asks it as an SDK does. What it gives is looked at no further than for when it ends.
 *
 * @param isSetUp whether it is the set-up itself that is looked at, so that its faults are errors
 */
export async function checkServe(surroundings: SourceSurroundings, isSetUp: boolean, notes: Notebook): Promise<void> {
  const { env } = surroundings;
  const name = env['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'] || env['AWS_CONTAINER_CREDENTIALS_FULL_URI'];
  if (name) {
    listToken(env, notes);
    await ask('the container endpoint', name, fromContainer);
  }
  const imds = env['AWS_EC2_METADATA_SERVICE_ENDPOINT'];
  if (imds && env['AWS_EC2_METADATA_DISABLED']?.toLowerCase() !== 'true')
    await ask('the IMDS endpoint', imds, fromImds);

  async function ask(what: string, url: string, source: typeof fromContainer): Promise<void> {
    try {
      const credentials = await source(surroundings);
      notes.fact(
        'serve',
        what,
        `${url} gives credentials${credentials?.expiration === undefined ? '' : ` until ${credentials.expiration.toISOString()}`}`,
      );
    } catch (error) {
      if (isSetUp || !(error instanceof RolesAnywhereError)) notes.fail('serve', error);
      else notes.find('WARN_SERVE_ENDPOINT', `${url}: ${error.message}`, { remedy: error.hint });
    }
  }
}

function listToken(env: Environment, notes: Notebook): void {
  const path = env['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'];
  if (!path) return;
  const stats = statSync(path, { throwIfNoEntry: false });
  notes.fact(
    'serve',
    'token file',
    stats === undefined ? `${path}, which does not exist` : `${path}, mode 0${(stats.mode & 0o777).toString(8)}`,
  );
}
