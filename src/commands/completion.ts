/** `completion`: the script for a shell, and what the script asks when a person presses Tab. */
// Tests: test/options/completion/shells.test.ts
import { basename } from 'node:path';
import { RolesAnywhereError } from '../platform/errors.ts';
import { candidates } from '../options/completion/candidates.ts';
import { COMPLETION_SHELLS, completionScript } from '../options/completion/scripts.ts';
import type { RunCommand } from './command.ts';

/** The argument by which scripts ask. The words of the line follow, the one to complete last. */
const ASK = 'candidates';

export const run: RunCommand<'completion'> = async (_flags, io) => {
  const { args, env, program } = io;
  const [what, ...words] = args;
  if (what === ASK) {
    io.stdout(candidates(words, env));
    return;
  }
  const shell = COMPLETION_SHELLS.find((known) => known === what);
  if (shell === undefined || words.length > 0)
    throw new RolesAnywhereError(
      'ERR_USAGE',
      what === undefined ? 'no shell is given' : 'not a shell that lines are completed in',
      {
        hint: `give one of ${COMPLETION_SHELLS.join(', ')}`,
      },
    );
  // The link of `link` has a name of its own; whatever else the file is called, the command is not.
  io.stdout(
    completionScript(shell, /^aws_signing_helper\b/.test(basename(program)) ? 'aws_signing_helper' : 'roles-anywhere'),
  );
};
