/** `unset`: the lines that remove what `export` has set. Tests: test/cli/export.test.ts */
import { credentialVariables } from '../output/environment.ts';
import { appendVariables, githubEnvironment, githubFile } from '../output/github-environment.ts';
import { guessShell } from '../output/shell-lines.ts';
import { FORM_OF, formatVariables } from '../output/variable-forms.ts';
import type { RunCommand } from './command.ts';

export const run: RunCommand<'unset'> = async (flags, io) => {
  const { format = FORM_OF[guessShell(io.env, process.platform)] } = flags;
  const known = { accessKeyId: '', secretAccessKey: '', sessionToken: '', expiration: new Date(0), accountId: '' };
  const changes = { set: new Map<string, string>(), remove: [...credentialVariables(known).set.keys()] };
  if (format !== 'github') return io.stdout(formatVariables(format, changes));
  return await appendVariables(githubFile(io.env), githubEnvironment(changes, []).lines);
};
