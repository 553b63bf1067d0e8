/** The credential_process of a profile, and the guard against one that starts itself. Tests: test/sources/profile-roles.test.ts */
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { RolesAnywhereError } from '../platform/errors.ts';
import { killTree } from '../platform/process-tree.ts';
import { awaited } from '../platform/waits.ts';
import type { AwsCredentials } from '../credentials/credentials.ts';
import { readJsonCredentials } from './json-credentials.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const TIMEOUT_MS = 60_000;
const MAX_OUTPUT_BYTES = 64 * 1024;

/** Names, for the processes below, the profiles whose credential_process is at work: one a line. */
const AT_WORK = '_AWS_CREDENTIAL_PROCESS_AT_WORK';

export interface ProcessOptions {
  readonly env: Environment;
  /** The profile, and the file that says so. */
  readonly profile: string;
  readonly path: string;
  /** Longest time until it has ended, in milliseconds. Default 60,000. */
  readonly timeoutMs?: number | undefined;
  /** Where its standard error goes: a descriptor. Default: where that of this process goes. */
  readonly stderr?: number | undefined;
  /** Where it is run. Default: where this process is. */
  readonly cwd?: string | undefined;
}

/**
 * Runs it, through the shell, as the SDKs for Go, Java and JavaScript do. It may ask a person, as
 * the AWS CLI lets it: standard input and standard error are this process's own.
 *
 * @throws RolesAnywhereError `ERR_SOURCE_CREDENTIALS`
 */
export async function fromProcess(
  command: string,
  { env, profile, path, timeoutMs = TIMEOUT_MS, stderr = 2, cwd }: ProcessOptions,
): Promise<AwsCredentials> {
  const name = JSON.stringify(profile);
  const own = `${profile} in ${resolve(path)}`;
  const atWork = env[AT_WORK]?.split('\n') ?? [];
  if (atWork.includes(own))
    throw failure(`the credential_process of profile ${name} asks for the credentials of profile ${name} again`, {
      hint: 'let assume-role start from another profile, with --source-profile, or from another --source: a profile cannot be the source of itself',
    });
  const child = spawn(command, [], {
    shell: true,
    cwd,
    env: { ...env, [AT_WORK]: [...atWork, own].join('\n') },
    // It may ask a person, as the AWS CLI lets it.
    stdio: ['inherit', 'pipe', stderr],
    windowsHide: true,
  });
  // It stays in the group of this process: it may ask a person at the terminal, and Ctrl-C is for both.
  const kill = (): void => {
    killTree(child);
    child.stdout?.destroy();
  };
  const ended = new Promise<AwsCredentials>((done, fail) => {
    let output = '';
    const timer = setTimeout(() => {
      kill();
      fail(
        failure(`the credential_process of profile ${name} did not end within ${timeoutMs / 1000} s`, {
          hint: 'run it by itself to see what it waits for',
        }),
      );
    }, timeoutMs);
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (output.length <= MAX_OUTPUT_BYTES) return;
      kill();
      fail(failure(`the credential_process of profile ${name} prints more than ${MAX_OUTPUT_BYTES} bytes`));
    });
    child.on('error', (cause) => {
      clearTimeout(timer);
      fail(failure(`the credential_process of profile ${name} cannot be started`, { cause }));
    });
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      try {
        if (status === 0) return done(readJsonCredentials(output, 'SessionToken', "the profile's credential_process"));
        // The command may hold a password, and what it printed may hold credentials.
        throw failure(
          `the profile's credential_process failed: profile ${name}, ${signal === null ? `status ${status}` : signal}`,
          { hint: 'see above what it said on standard error, or run it by itself' },
        );
      } catch (error) {
        return fail(error instanceof Error ? error : new TypeError('not an error'));
      }
    });
  });
  return await awaited(`the credential_process of profile ${name}`, async () => await ended);
}

function failure(message: string, details: { hint?: string; cause?: unknown } = {}): RolesAnywhereError {
  return new RolesAnywhereError('ERR_SOURCE_CREDENTIALS', message, details);
}
