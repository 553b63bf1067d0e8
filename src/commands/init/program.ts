/**
 * How this program is started from a line of a config file, by whoever reads it: cron, a service, an IDE.
 * Tests: test/cli/init.test.ts
 */
import { execFile } from 'node:child_process';
import { RolesAnywhereError } from '../../platform/errors.ts';
import { VERSION } from '../../platform/version.ts';

/** What a job of cron has for a PATH (Debian's cron(8)), and what a service of systemd has at least. */
export const BARE_PATH = '/usr/bin:/bin';

const TIMEOUT_MS = 20_000;

/** How this process was started. */
export interface Started {
  /** The path that the program was called by. */
  readonly program: string;
  /** The path of Node. */
  readonly node: string;
  readonly platform: NodeJS.Platform;
}

/**
 * The words that start this program in an environment that has next to nothing: its own path, or, where `env node` is not
 * found there or finds another, Node's path before it. Found out by starting it.
 *
 * @throws RolesAnywhereError `ERR_UNSUPPORTED` where neither starts it
 */
export async function programWords({ program, node, platform }: Started): Promise<readonly string[]> {
  // The standalone executable is both.
  const ways = platform === 'win32' && program !== node ? [[node, program]] : [[program], [node, program]];
  for (const words of ways) if (await starts(words)) return words;
  throw new RolesAnywhereError('ERR_UNSUPPORTED', `${program} does not start with PATH=${BARE_PATH} and nothing else`, {
    hint: 'call init by the path of the installed command',
  });
}

async function starts([file = '', ...args]: readonly string[]): Promise<boolean> {
  return await new Promise((resolve) => {
    const child = execFile(
      file,
      [...args, 'version', '--json'],
      { env: { PATH: BARE_PATH }, cwd: '/', timeout: TIMEOUT_MS, windowsHide: true },
      (error, stdout) => resolve(error === null && stdout.includes(JSON.stringify(VERSION))),
    );
    child.stdin?.end();
  });
}

/**
 * The line for these words. botocore splits it as Python's shlex does, the other SDKs give it to a shell; between single
 * quotes both take everything for itself. On Windows all take double quotes, in which a percent sign or another quote
 * would mean something to some.
 *
 * @throws RolesAnywhereError `ERR_UNSUPPORTED` for words that cannot be written
 */
export function commandLine(words: readonly string[], platform: NodeJS.Platform): string {
  return words.map((word) => (platform === 'win32' ? windowsWord(word) : posixWord(word))).join(' ');
}

function posixWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

function windowsWord(word: string): string {
  if (/^[\w@+=:,./\\-]+$/.test(word)) return word;
  if (!/["%!^&<>|]|\\$/.test(word)) return `"${word}"`;
  throw new RolesAnywhereError('ERR_UNSUPPORTED', `${word} cannot be in a line that every SDK reads alike`, {
    hint: 'give it a name without " % ! ^ & < > |',
  });
}
