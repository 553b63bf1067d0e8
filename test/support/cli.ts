import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { captureOutput, captureSecrets } from './capture.ts';

/** The built program, as users run it. */
export const CLI = fileURLToPath(new URL('../../dist/cli.cjs', import.meta.url));

/**
 * The program to test in place of the built one: a standalone executable. Suites that run the program as users do are run
 * with it too (scripts/test.mjs).
 */
const EXECUTABLE = process.env['ROLES_ANYWHERE_PROGRAM'] || undefined;

/** Whether it is. */
export const IS_EXECUTABLE = EXECUTABLE !== undefined;

/** The words that start the program. */
export const PROGRAM: readonly [string, ...string[]] =
  EXECUTABLE === undefined ? [process.execPath, CLI] : [EXECUTABLE];

/** The same, as a shell or a config file takes them. */
export const COMMAND_LINE = PROGRAM.map((word) => `"${word}"`).join(' ');

/** What a command on the PATH leads to. */
export const INSTALLED = EXECUTABLE ?? CLI;

/** The development PKI's folder (npm run certs). */
export const PKI = fileURLToPath(new URL('../../certs-dev/out/', import.meta.url));

export interface CliResult {
  status: number;
  stdout: string;
  stderr: string;
}

/** An environment of its own: what the machine's shell exports (CA bundles, proxies, AWS settings) must not reach the program under test. */
export function cleanEnv(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/nonexistent', LANG: 'C.UTF-8', ...extra };
}

/** Runs a program to its end; never rejects for a bad exit status. */
export function runProgram(
  file: string,
  args: readonly string[],
  { env = {}, timeout = 60_000, cwd }: { env?: Record<string, string>; timeout?: number; cwd?: string } = {},
): Promise<CliResult> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      file,
      [...args],
      { env: cleanEnv(env), timeout, maxBuffer: 16 << 20, ...(cwd === undefined ? {} : { cwd }) },
      (error, stdout, stderr) => {
        captureOutput(stderr);
        captureSecrets(args, env, stdout);
        if (error !== null && typeof error.code !== 'number') {
          reject(new Error(`${file} did not end by itself: ${error.message}\n${stderr}`, { cause: error }));
        } else {
          resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr });
        }
      },
    );
    child.stdin?.end();
  });
}

/** Runs the program. */
export function runCli(args: readonly string[], options: Parameters<typeof runProgram>[2] = {}): Promise<CliResult> {
  const [file, ...before] = PROGRAM;
  return runProgram(file, [...before, ...args], options);
}
