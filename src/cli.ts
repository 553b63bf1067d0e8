/** The command line: argv to command to exit status. The only place that exits, and the only one that knows `process`. */
import { writeSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import type { Io, RunCommand } from './commands/command.ts';
import { run as credentialProcess } from './commands/credential-process.ts';
import { EXIT_STATUS, RolesAnywhereError } from './errors.ts';
import { commandRow } from './options/flags.ts';
import type { CommandName } from './options/flags.ts';
import { parseOrdinary } from './options/pflag.ts';
import type { Parsed } from './options/pflag.ts';

const STDOUT = 1;
const STDERR = 2;

/** The path and the name that the program was called by; npm's links and the one of `link` come through unresolved. */
const path = resolve(process.argv[1] ?? 'roles-anywhere');
const called = basename(path).replace(/\.(?:cjs|js|cmd|exe)$/i, '');
const isHelper = called === 'aws_signing_helper';
const program = isHelper ? called : 'roles-anywhere';

/** The code of each command. The one-shot's is in this file: another file would cost more than it saves. */
const CODE: Readonly<Record<CommandName, () => Promise<{ run: RunCommand }>>> = {
  'credential-process': async () => ({ run: credentialProcess }),
  'read-certificate-data': () => import('./commands/read-certificate-data.ts'),
  'sign-string': () => import('./commands/sign-string.ts'),
  emulator: () => import('./commands/emulator.ts'),
  link: () => import('./commands/link.ts'),
  version: () => import('./commands/version.ts'),
};

async function main(tokens: readonly string[]): Promise<number> {
  const parsed = parseOrdinary(tokens, isHelper) ?? (await parseAnything(tokens));
  if (typeof parsed === 'number') return parsed;
  const { command, flags, args, compat } = parsed;
  const most = commandRow(command).args ?? 0;
  if (args.length > most)
    printError('warning: arguments that belong to no flag are ignored, as aws_signing_helper does\n');
  const { run } = await CODE[command]();
  const io: Io = {
    stdout: print,
    stderr: printError,
    env: process.env,
    args: args.slice(0, most),
    program: path,
    compat,
    stop: untilStopped,
  };
  await run(flags, io);
  return 0;
}

/** Reads a line that is not an ordinary one: to a command to run, or, when help was all that it takes, to an exit status. */
async function parseAnything(tokens: readonly string[]): Promise<Parsed | number> {
  const { parseFully } = await import('./options/yargs.ts');
  const outcome = await parseFully(tokens, { program, compat: isHelper, columns: process.stdout.columns });
  if (outcome.kind === 'run') return outcome.parsed;
  if (outcome.kind === 'version') return { command: 'version', flags: {}, args: [], compat: false };
  if (outcome.kind === 'help') {
    print(outcome.text);
    return 0;
  }
  printError(outcome.text);
  return EXIT_STATUS.usage;
}

/** Resolves at the first SIGINT or SIGTERM. Commands that do not wait for it, and second signals, end the usual way. */
async function untilStopped(): Promise<void> {
  await new Promise<void>((stop) => {
    const stopped = (): void => {
      process.off('SIGINT', stopped).off('SIGTERM', stopped);
      stop();
    };
    process.on('SIGINT', stopped).on('SIGTERM', stopped);
  });
}

function print(data: string | Uint8Array): void {
  try {
    write(STDOUT, data);
  } catch (cause) {
    const reason = codeOf(cause) === 'EPIPE' ? 'its reader is gone' : (codeOf(cause) ?? 'unknown error');
    throw new RolesAnywhereError('ERR_OUTPUT', `cannot write to standard output: ${reason}`, { cause });
  }
}

function printError(text: string): void {
  try {
    write(STDERR, text);
  } catch {
    // There is nobody left to tell.
  }
}

/** Writes everything, before anything else happens: the process may exit right after. */
function write(descriptor: number, data: string | Uint8Array): void {
  let rest = Buffer.from(data);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(descriptor, rest));
    } catch (error) {
      if (codeOf(error) !== 'EAGAIN') throw error;
      // A pipe that does not block, and is full: wait as one that does would, a few milliseconds at a time.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

/** Reports a failure and gives its exit status. */
function report(failure: unknown): number {
  const debug = process.argv.includes('--debug');
  const error =
    failure instanceof RolesAnywhereError
      ? failure
      : new RolesAnywhereError('ERR_INTERNAL', 'unexpected error: this is a defect', {
          hint: debug ? 'report it with what is shown here' : 'run it again with --debug to see where it happened',
          cause: failure,
        });
  const { code, message, hint, serviceCode, status, requestId, cause } = error;
  const service = [serviceCode, status && `status ${status}`, requestId && `request id ${requestId}`].filter(Boolean);
  const lines = [`${program}: error: ${message} [${code}]`];
  if (service.length > 0) lines.push(`service: ${service.join(', ')}`);
  if (hint !== undefined) lines.push(`hint: ${hint}`);
  if (debug && cause !== undefined) lines.push(...trace(cause));
  // Control characters in what is quoted must not drive the terminal or pass for lines of ours.
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  printError(lines.map((line) => `${line.replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')}\n`).join(''));
  return EXIT_STATUS[error.class];
}

/** Where an error came from, without the message of one that quotes what it could not parse. */
function trace(cause: unknown): string[] {
  if (!(cause instanceof Error)) return [`cause: ${typeof cause}`];
  const frames = (cause.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return [cause instanceof SyntaxError ? `cause: ${cause.name}` : `cause: ${cause.name}: ${cause.message}`, ...frames];
}

process.on('uncaughtException', (error) => process.exit(report(error)));
main(process.argv.slice(2)).then(
  (status) => process.exit(status),
  (error: unknown) => process.exit(report(error)),
);
