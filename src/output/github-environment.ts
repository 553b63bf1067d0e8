/** Variables for the later steps of a job of GitHub Actions. */
// Tests: test/cli/export.test.ts
import { randomUUID } from 'node:crypto';
import { appendFile } from 'node:fs/promises';
import { RolesAnywhereError } from '../platform/errors.ts';
import { systemCode } from '../platform/files.ts';
import { checkValue } from './variable-forms.ts';
import type { VariableChanges } from './variable-forms.ts';

/** What it takes. */
export interface GithubEnvironment {
  /** Workflow commands, for standard output: the runner reads them, shows none, and masks these values in what follows. */
  readonly masks: string;
  /** Lines to append to the file that GITHUB_ENV names, once the runner has the masks. */
  readonly lines: string;
}

/**
 * Masks for the values of `secrets`, and the variables. GitHub has no way to remove one: it is made empty.
 *
 * Source: GitHub Docs, "Workflow commands for GitHub Actions": "Masking a value in a log", "Setting an environment variable".
 *
 * @param secrets names of variables
 * @throws RolesAnywhereError `ERR_EXPORT_VALUE`
 */
export function githubEnvironment(
  { set, remove }: VariableChanges,
  secrets: readonly string[],
  delimiter = `ghadelimiter_${randomUUID()}`,
): GithubEnvironment {
  for (const [name, value] of set) checkValue(name, value);
  const masked = [...set].filter(([name, value]) => secrets.includes(name) && value !== '');
  const all = [...remove.map((name) => [name, ''] as const), ...set];
  return {
    // The runner decodes these.
    masks: masked.map(([, value]) => `::add-mask::${value.replaceAll('%', '%25')}\n`).join(''),
    lines: all.map(([name, value]) => `${name}<<${delimiter}\n${value}\n${delimiter}\n`).join(''),
  };
}

/**
 * The file of a job's variables.
 *
 * @throws RolesAnywhereError `ERR_USAGE` where this is no job: masks would only show there what they are to hide
 */
export function githubFile(env: Readonly<Record<string, string | undefined>>): string {
  const { GITHUB_ACTIONS, GITHUB_ENV } = env;
  if (GITHUB_ACTIONS === 'true' && GITHUB_ENV) return GITHUB_ENV;
  const missing = GITHUB_ACTIONS === 'true' ? 'GITHUB_ENV is not set' : 'GITHUB_ACTIONS is not true';
  throw new RolesAnywhereError('ERR_USAGE', `--format github is for a step of a GitHub Actions job, and ${missing}`, {
    hint: 'take --format env elsewhere; in a container, pass both variables and the file on',
    flag: '--format',
  });
}

/**
 * Appends lines to the file, which the runner has made.
 *
 * @throws RolesAnywhereError `ERR_OUTPUT`
 */
export async function appendVariables(file: string, lines: string): Promise<void> {
  try {
    await appendFile(file, lines, { mode: 0o600 });
  } catch (cause) {
    throw new RolesAnywhereError(
      'ERR_OUTPUT',
      `cannot write to GITHUB_ENV (${systemCode(cause) ?? 'unknown reason'})`,
      {
        hint: 'the file is made by the runner: check that this process may write to it',
        cause,
      },
    );
  }
}
