/** The tokens of the container endpoint: which role asks for which, and the files that clients read them from. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RolesAnywhereError } from '../platform/errors.ts';
import { mkdtemp, rmdir } from '../platform/file-system.ts';
import type { Log } from '../platform/log.ts';
import { createAuthorization, generateToken } from './authorization.ts';
import type { Authorization } from './authorization.ts';
import { checkTokenFile, readToken, writeTokenFile } from './token-file.ts';
import type { TokenFile } from './token-file.ts';

export interface TokensOptions {
  /** The roles, each with the file of its own token; undefined for those that share one. */
  readonly roles: readonly { readonly name: string; readonly tokenFile?: string | undefined }[];
  /** The file of the shared token. Default {@link defaultTokenFile}. */
  readonly tokenFile?: string | undefined;
  /** The file that the shared token is read from. Default: it is made. Without `tokenFile`, clients read it there too. */
  readonly tokenSource?: string | undefined;
  /** Whether there is no other way to credentials than a file with the shared token. Default no. */
  readonly required?: boolean | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
}

export interface Tokens {
  /** The token that a role asks for, now. */
  of(role: string): Authorization;
  /** The file that clients of a role read it from, once they are written; undefined where none can be. */
  fileOf(role: string): string | undefined;
  /**
   * Finds out whether the files can be written, before anything is asked of AWS.
   *
   * @throws RolesAnywhereError `ERR_TOKEN_FILE`
   */
  check(port: number): Promise<void>;
  /** Writes the files. Called when the port is open: before that, a file may be another process's. */
  write(port: number): Promise<void>;
  /** Reads the shared token's source again. Whatever fails is logged, and the old token stays. */
  reload(): Promise<void>;
  /** Removes the files that were written and are still this process's. */
  remove(): Promise<void>;
}

const NOWHERE = 'the container endpoint needs a file for its token, and there is no directory to write it to';
const NOWHERE_HINT = 'name one with --token-file';

/** @throws RolesAnywhereError `ERR_TOKEN_FILE` */
export async function prepareTokens({
  roles,
  tokenFile,
  tokenSource,
  required = false,
  env,
  log,
}: TokensOptions): Promise<Tokens> {
  const given = tokenSource === undefined ? undefined : readToken(tokenSource);
  let shared = createAuthorization(given?.token ?? generateToken());
  const own = new Map<string, { path: string; authorization: Authorization }>();
  for (const { name, tokenFile: path } of roles)
    if (path !== undefined) own.set(name, { path, authorization: createAuthorization(generateToken()) });
  const isShared = roles.some((role) => role.tokenFile === undefined);
  let sharedPath = tokenFile ?? tokenSource;
  let sharedFile: TokenFile | undefined;
  const ownFiles: TokenFile[] = [];
  let temporary: string | undefined;
  const sourced = tokenSource !== undefined;

  /** Where the shared token goes by itself; undefined where nothing can be written. */
  const findPlace = async (port: number): Promise<string | undefined> => {
    const usual = defaultTokenFile(env, port);
    if (usual !== undefined && (await isWritable(usual))) return usual;
    temporary ??= await mkdtemp(join(tmpdir(), 'roles-anywhere-')).catch(() => undefined);
    return temporary && join(temporary, 'token');
  };

  return {
    of: (role) => own.get(role)?.authorization ?? shared,
    fileOf: (role) => own.get(role)?.path ?? sharedPath,
    async check(port) {
      for (const { path } of own.values()) await checkTokenFile(path);
      if (!isShared) return;
      if (sharedPath !== undefined) {
        if (sharedPath !== tokenSource) await checkTokenFile(sharedPath, { sourced });
      } else if ((await findPlace(port)) === undefined) {
        if (required) throw new RolesAnywhereError('ERR_TOKEN_FILE', NOWHERE, { hint: NOWHERE_HINT });
        log.warn(`${NOWHERE}, so that it gives nobody credentials: ${NOWHERE_HINT}`);
      }
    },
    async write(port) {
      for (const { path, authorization } of own.values())
        ownFiles.push(await writeTokenFile(path, authorization.token));
      if (!isShared) return;
      if (tokenFile === undefined && given !== undefined) {
        // botocore and Go refuse a token with a line end, and read the file as it is.
        if (given.endsLine)
          log.warn('the token source ends with a line end, which SDKs that read it would refuse: add --token-file', {
            path: tokenSource,
          });
        return;
      }
      sharedPath ??= await findPlace(port);
      if (sharedPath === undefined) return;
      sharedFile = await writeTokenFile(sharedPath, shared.token, { sourced });
    },
    async reload() {
      if (tokenSource === undefined) return;
      try {
        const fresh = createAuthorization(readToken(tokenSource).token);
        if (fresh.token === shared.token) return;
        if (sharedFile !== undefined) sharedFile = await writeTokenFile(sharedFile.path, fresh.token, { sourced });
        shared = fresh;
        log.info('a new token is in use', { path: tokenSource });
      } catch (error) {
        log.error('the token stays as it was', { reason: error instanceof Error ? error.message : 'unknown error' });
      }
    },
    async remove() {
      for (const file of [...ownFiles, sharedFile]) await file?.remove();
      if (temporary !== undefined) await rmdir(temporary).catch(() => undefined);
    },
  };
}

/** Whether a token can be written there. What holds something else is left alone, and is an error. */
async function isWritable(path: string): Promise<boolean> {
  try {
    await checkTokenFile(path);
    return true;
  } catch (error) {
    if (error instanceof RolesAnywhereError && error.cause !== undefined) return false;
    throw error;
  }
}

/**
 * The token's usual place: the service's runtime directory (systemd's
 * `RuntimeDirectory=`), or the user's, where the port keeps servers apart.
 *
 * @returns undefined where there is none
 */
export function defaultTokenFile(env: Readonly<Record<string, string | undefined>>, port: number): string | undefined {
  const service = env['RUNTIME_DIRECTORY']?.split(':')[0];
  if (service !== undefined && service !== '') return join(service, 'token');
  const user = env['XDG_RUNTIME_DIR'];
  return user === undefined || user === '' ? undefined : join(user, 'roles-anywhere', `serve-${port}.token`);
}
