/** `export`: credentials in the form of a shell, a file or a CI system. */
// Tests: test/cli/export.test.ts
import { credentialVariables } from '../output/environment.ts';
import { appendVariables, githubEnvironment, githubFile } from '../output/github-environment.ts';
import { processJson } from '../output/process-json.ts';
import { profileLines } from '../output/profile-lines.ts';
import { guessShell } from '../output/shell-lines.ts';
import { FORM_OF, formatVariables } from '../output/variable-forms.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import type { RunCommand } from './command.ts';
import { obtain } from './obtain.ts';

/** Forms for a process of another environment than this one's, in which nothing is known to be in the way. */
const ELSEWHERE: ReadonlySet<string> = new Set(['dotenv', 'json', 'gitlab']);

/** An access key id is no secret, and yet better not in a log. */
const MASKED = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'];

export const run: RunCommand<'export'> = async (flags, io) => {
  const { format = FORM_OF[guessShell(io.env, process.platform)], profile } = flags;
  if (profile !== undefined && format !== 'ini')
    throw new RolesAnywhereError('ERR_FLAG_CONFLICT', '--profile names what --format ini writes', {
      hint: 'leave it out, or give --format ini; --source-profile names a profile to take credentials from',
      flag: '--profile',
    });
  // Before anything is asked for.
  const file = format === 'github' ? githubFile(io.env) : '';
  const { credentials: obtained } = await obtain(flags, io);
  const credentials = flags['no-account-id'] === true ? { ...obtained, accountId: undefined } : obtained;
  if (format === 'process') return io.stdout(processJson(credentials));
  if (format === 'ini') return io.stdout(profileLines(profile ?? 'default', credentials));
  const { set, remove } = credentialVariables(credentials);
  const inTheWay = remove.filter((name) => Boolean(io.env[name]));
  if (format !== 'github')
    return io.stdout(formatVariables(format, { set, remove: ELSEWHERE.has(format) ? [] : inTheWay }));
  const { masks, lines } = githubEnvironment({ set, remove: inTheWay }, MASKED);
  io.stdout(masks);
  return await appendVariables(file, lines);
};
