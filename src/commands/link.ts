/** `link`: makes this program reachable under the name of AWS's own, for the lines that call it so. */
import { lstat, readFile, realpath, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { RolesAnywhereError } from '../platform/errors.ts';
import type { RunCommand } from './command.ts';

const NAME = 'aws_signing_helper';

export const run: RunCommand<'link'> = async (flags, io) => {
  const { path, made } = await link({
    program: io.program,
    force: flags.force,
    dir: io.args[0],
  });
  io.stdout(`${path}\n`);
  if (!made) io.log.info('it is there already');
};

export interface LinkOptions {
  /** The path that this program was called by: what the link leads to. */
  readonly program: string;
  /** Where to make it. Default: where `program` is, if that is an installed command. */
  readonly dir?: string | undefined;
  /** Replace what is there. */
  readonly force?: boolean | undefined;
  /** Default: that of this process. */
  readonly platform?: NodeJS.Platform | undefined;
}

/**
 * Makes the link. It leads to the path that the program was called by, and so
 * to whatever an upgrade puts there.
 *
 * On Windows, where making a symbolic link is a privilege, it is a script that
 * adds `--compat`. That script is not tested on Windows.
 *
 * @returns the link's path, and whether it was made now or had been made before
 * @throws RolesAnywhereError `ERR_LINK_EXISTS` when something else is there, `ERR_USAGE` when the place is not clear or
 * no directory, `ERR_OUTPUT` when it cannot be written
 */
export async function link({
  program,
  dir,
  force = false,
  platform = process.platform,
}: LinkOptions): Promise<{ path: string; made: boolean }> {
  const folder = resolve(dir ?? installedIn(program));
  const windows = platform === 'win32';
  const path = join(folder, windows ? `${NAME}.cmd` : NAME);
  if (!(await isFolder(folder))) {
    throw new RolesAnywhereError('ERR_USAGE', `${folder} is not a directory`, { hint: 'name one that is on the PATH' });
  }
  if (windows ? await isScript(path, program) : await leadsTo(path, program)) return { path, made: false };
  const there = await lstat(path).catch(unlessMissing);
  if (there !== undefined && (!force || there.isDirectory())) {
    throw new RolesAnywhereError('ERR_LINK_EXISTS', `${path} is there already and is not a link to this program`, {
      hint: there.isDirectory()
        ? 'remove it, or name another directory'
        : "look what it is, since it may be AWS's own program; --force replaces it",
    });
  }
  await put(path, program, windows);
  return { path, made: true };
}

/** Makes the link under another name first, so that the name always leads somewhere. */
async function put(path: string, program: string, windows: boolean): Promise<void> {
  const fresh = `${path}.${process.pid}`;
  try {
    if (windows) await writeFile(fresh, script(program), { flag: 'wx' });
    else await symlink(program, fresh);
    await rename(fresh, path);
  } catch (cause) {
    await rm(fresh, { force: true });
    throw new RolesAnywhereError('ERR_OUTPUT', `cannot make ${path}: ${codeOf(cause)}`, {
      hint: 'name a directory that you may write to',
      cause,
    });
  }
}

/** The folder of the command that npm made for this package. A program in its package's own folder is not one. */
function installedIn(program: string): string {
  if (basename(program).startsWith('roles-anywhere') || basename(program) === NAME) return dirname(program);
  throw new RolesAnywhereError('ERR_USAGE', 'it is not clear where to make the link, as no command was installed', {
    hint: 'name the directory: roles-anywhere link DIR',
  });
}

async function isFolder(path: string): Promise<boolean> {
  const there = await stat(path).catch(unlessMissing);
  return there?.isDirectory() === true;
}

/** Whether `path` is a link that ends at this program. */
async function leadsTo(path: string, program: string): Promise<boolean> {
  const there = await lstat(path).catch(unlessMissing);
  if (there?.isSymbolicLink() !== true) return false;
  const end = await realpath(path).catch(unlessMissing);
  return end !== undefined && end === (await realpath(program).catch(unlessMissing));
}

/** Whether `path` is the script that {@link put} writes. */
async function isScript(path: string, program: string): Promise<boolean> {
  const there = await stat(path).catch(unlessMissing);
  return there?.isFile() === true && there.size < 10_000 && (await readFile(path, 'utf8')) === script(program);
}

/** A batch file, in which every % must be written twice. The standalone executable needs no Node. */
function script(program: string): string {
  return `@${program.endsWith('.exe') ? '' : 'node '}"${program.replaceAll('%', '%%')}" --compat %*\r\n`;
}

function unlessMissing(error: unknown): undefined {
  if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(codeOf(error))) return undefined;
  throw new RolesAnywhereError('ERR_OUTPUT', `cannot look at the place of the link: ${codeOf(error)}`, {
    cause: error,
  });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}
