/** What needs nothing but the first file to be answered, besides what is kept. On the path of every run, as kept-answer.ts is. */
import { VERSION } from '../platform/version.ts';

/**
 * What `version` prints, for the bare line in surroundings of which it takes nothing.
 *
 * @param program the name that the program was called by
 * @returns undefined when the line has to be read as ever
 */
export function quickAnswer(
  program: string,
  tokens: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  if (tokens.length !== 1 || tokens[0] !== 'version' || /^aws_signing_helper\b/i.test(program)) return undefined;
  // cli.ts closes a debugger that was opened, and says so.
  if (process.execArgv.some((option) => option.startsWith('--inspect'))) return undefined;
  // Some of those are checked, or warned of, whatever the command.
  if (Object.keys(env).some((name) => /^(?:ROLES_ANYWHERE_|AWS_|NODE_OPTIONS$)/i.test(name))) return undefined;
  return `${VERSION}\n`;
}
