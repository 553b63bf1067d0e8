/** The answer to a line for which credentials are kept. On the path of every run: it loads nothing that Node has not. */
// Tests: test/cli/cache.test.ts
import { sep } from 'node:path';
import { isFresh } from '../credentials/cache/entry.ts';
import { readEntry } from '../credentials/cache/read-entry.ts';
import { cacheFolder } from '../credentials/cache/folder.ts';
import { lineOf, mayUseCache, parseLine } from '../credentials/cache/line.ts';
import type { Line } from '../credentials/cache/line.ts';
import { isOwnFolder, readOwnFile } from '../credentials/cache/safe-file.ts';
import { VERSION } from '../platform/version.ts';
import { writtenJson } from './process-json.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * What `credential-process` prints for a line, when that is kept.
 *
 * @param program the name that the program was called by
 * @returns undefined when the line has to be read as ever
 */
export function keptAnswer(program: string, tokens: readonly string[], env: Environment): string | undefined {
  if (!mayUseCache(tokens, env)) return undefined;
  // cli.ts closes a debugger that the environment has opened, and says so.
  if (`${process.execArgv.join(' ')} ${env['NODE_OPTIONS'] ?? ''}`.includes('--inspect')) return undefined;
  const folder = cacheFolder(env);
  if (folder === undefined || !isOwnFolder(folder)) return undefined;
  const line = currentLine(program, tokens, env);
  const text = readOwnFile(`${folder}${sep}${line.name}.json`);
  const remembered = text === undefined ? undefined : parseLine(text, line, directory);
  if (remembered === undefined) return undefined;
  const kept = readEntry(readOwnFile(`${folder}${sep}${remembered.entry}.json`));
  if (kept === undefined || !isFresh(kept, Date.now(), remembered.minRemainingMs)) return undefined;
  return writtenJson(kept.credentials, remembered);
}

/** The working directory; none where it was removed, which the rest of the program says. */
function directory(): string | undefined {
  try {
    return process.cwd();
  } catch {
    return undefined;
  }
}

/** The line of this process; another version of the program reads its own. */
export function currentLine(program: string, tokens: readonly string[], env: Environment): Line {
  return lineOf(`${program} ${VERSION}`, tokens, env);
}
