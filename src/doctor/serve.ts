/** The endpoint that the environment names for credentials: whether it answers, and lets this user in. */
// Tests: test/doctor/broken.heavy.test.ts, test/doctor/healthy.heavy.test.ts
import { accessSync, constants, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fromContainer } from '../sources/container.ts';
import { fromImds } from '../sources/imds.ts';
import type { Source, SourceSurroundings } from '../sources/source.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { systemCode } from '../platform/files.ts';
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
  const container = env['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'] || env['AWS_CONTAINER_CREDENTIALS_FULL_URI'];
  if (container) {
    listToken(env['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE'], notes);
    await ask(
      { what: 'the container endpoint', where: container, source: fromContainer },
      surroundings,
      isSetUp,
      notes,
    );
  }
  const imds = env['AWS_EC2_METADATA_SERVICE_ENDPOINT'];
  if (imds && env['AWS_EC2_METADATA_DISABLED']?.toLowerCase() !== 'true')
    await ask({ what: 'the IMDS endpoint', where: imds, source: fromImds }, surroundings, isSetUp, notes);
  for (const { path, port } of runningTokens(env)) {
    if (path === env['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE']) continue;
    const where = `http://127.0.0.1:${port}/credentials`;
    listToken(path, notes);
    const own = { AWS_CONTAINER_CREDENTIALS_FULL_URI: where, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: path };
    await ask(
      { what: `serve at port ${port}`, where, source: fromContainer },
      { ...surroundings, env: own },
      false,
      notes,
    );
  }
}

/** An endpoint, and how it is asked. */
interface Endpoint {
  readonly what: string;
  readonly where: string;
  readonly source: Source;
}

async function ask(
  { what, where, source }: Endpoint,
  surroundings: SourceSurroundings,
  isSetUp: boolean,
  notes: Notebook,
): Promise<void> {
  try {
    const credentials = await source(surroundings);
    const until = credentials?.expiration === undefined ? '' : ` until ${credentials.expiration.toISOString()}`;
    notes.fact('serve', what, `${where} gives credentials${until}`);
  } catch (error) {
    if (isSetUp || !(error instanceof RolesAnywhereError)) notes.fail('serve', error);
    else notes.find('WARN_SERVE_ENDPOINT', `${what}, ${where}: ${error.message}`, { remedy: error.hint });
  }
}

/** The token files that serves of this user wrote where they write them without `--token-file`. */
function runningTokens(env: Environment): { readonly path: string; readonly port: string }[] {
  const runtime = env['XDG_RUNTIME_DIR'];
  if (!runtime) return [];
  const folder = join(runtime, 'roles-anywhere');
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return []; // none was ever started
  }
  return names.flatMap((name) => {
    const port = /^serve-(\d{1,5})\.token$/.exec(name)?.[1];
    return port === undefined ? [] : [{ path: join(folder, name), port }];
  });
}

function listToken(path: string | undefined, notes: Notebook): void {
  if (!path) return;
  let text: string;
  try {
    const { mode } = statSync(path);
    accessSync(path, constants.R_OK);
    text = `${path}, mode 0${(mode & 0o777).toString(8)}, can be read`;
  } catch (error) {
    text = `${path}, which cannot be read (${systemCode(error) ?? 'unknown reason'})`;
  }
  notes.fact('serve', 'token file', text);
}
