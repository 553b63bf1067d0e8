/** The command line: argv to command to exit status. The only place that exits, and the only one that knows `process`. */
import { writeSync } from 'node:fs';
import { basename } from 'node:path';
import type { Io, RunCommand } from './commands/command.ts';
import { run as credentialProcess } from './commands/credential-process.ts';
import { type ErrorClass, EXIT_STATUS, RolesAnywhereError, withoutPin } from './platform/errors.ts';
import { createLog } from './platform/log.ts';
import type { Log, LogFormat, LogLevel } from './platform/log.ts';
import { programPath } from './platform/program.ts';
import { tellWaits } from './platform/waits.ts';
import type { Configured } from './options/config/configured.ts';
import { sharedConfig } from './options/config/shared.ts';
import type { FlagsOf } from './options/flag-values.ts';
import { commandRow } from './options/flags.ts';
import type { CommandName, CommandRow } from './options/flags.ts';
import { parseOrdinary } from './options/pflag.ts';
import type { Parsed } from './options/pflag.ts';

const STDOUT = 1;
const STDERR = 2;

/** The path and the name that the program was called by. */
const path = programPath();
const called = basename(path).replace(/\.(?:cjs|js|cmd|exe)$/i, '');
const isHelper = called === 'aws_signing_helper';
const program = isHelper ? called : 'roles-anywhere';

/** The code of each command. The one-shot's is in this file: another file would cost more than it saves. */
const CODE: { readonly [C in CommandName]: () => Promise<{ run: RunCommand<C> }> } = {
  'credential-process': async () => ({ run: credentialProcess }),
  'assume-role': () => import('./commands/assume-role.ts'),
  console: () => import('./commands/console.ts'),
  exec: () => import('./commands/exec.ts'),
  export: () => import('./commands/export.ts'),
  unset: () => import('./commands/unset.ts'),
  whoami: () => import('./commands/whoami.ts'),
  'web-identity': () => import('./commands/web-identity.ts'),
  'read-certificate-data': () => import('./commands/read-certificate-data.ts'),
  'sign-string': () => import('./commands/sign-string.ts'),
  'trust-policy': () => import('./commands/trust-policy.ts'),
  cache: () => import('./commands/cache.ts'),
  doctor: () => import('./commands/doctor.ts'),
  completion: () => import('./commands/completion.ts'),
  emulator: () => import('./commands/emulator.ts'),
  init: () => import('./commands/init.ts'),
  link: () => import('./commands/link.ts'),
  renew: () => import('./commands/renew.ts'),
  serve: () => import('./commands/serve.ts'),
  update: () => import('./commands/update.ts'),
  version: () => import('./commands/version.ts'),
};

/** Once more than the command line was read: where its values are from. */
let configured: Configured | undefined;
/** Adds to an error where the values are from that it is about, if any are from elsewhere than the line. */
let explain: Io['explain'];

/** How standard error is written, once the command line was read. */
let style: { readonly level: LogLevel; readonly format: LogFormat } | undefined;

/** How standard output and standard error are written. */
let writeOut = (data: string | Uint8Array): void => write(STDOUT, data);
let writeError = (text: string | Uint8Array): void => write(STDERR, text);

async function main(tokens: readonly string[]): Promise<number> {
  const parsed = (await parseOutside(tokens)) ?? parseOrdinary(tokens, isHelper) ?? (await parseAnything(tokens));
  if (typeof parsed === 'number') return parsed;
  const { command, flags, args, compat } = parsed;
  const most = commandRow(command).args ?? 0;
  // AWS's helper says nothing in a good run, and whoever reads its standard error expects nothing.
  const level = flags.debug === true ? 'debug' : (flags['log-level'] ?? (compat ? 'error' : 'info'));
  const endsByItself = flags.once === true || (command === 'renew' && flags.daemon !== true);
  const goesOn = endsByItself ? undefined : commandRow(command).goesOn;
  style = { level, format: formatOf(goesOn, flags['log-format'], compat) };
  if (goesOn !== undefined)
    ({ writeOut, writeError } = (await import('./platform/outlet.ts')).openOutlets(
      style.format,
      (cause) => void fail(outputError(cause)),
    ));
  const log = createLog({ write: printError, ...style });
  tellWaits({ log, isTerminal: stderrIsTerminal });
  await refuseDebugger(goesOn === 'service' || command === 'exec', log);
  if (args.length > most) log.warn('arguments that belong to no flag are ignored, as aws_signing_helper does');
  for (const warning of configured?.warnings ?? []) log.warn(warning);
  if (configured !== undefined && flags['print-config'] !== undefined) {
    print((await import('./commands/print-config.ts')).printConfig(configured));
    return 0;
  }
  let status = 0;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the parser checked the line against the command's row
  await execute(command, flags as FlagsOf<typeof command>, {
    stdout: print,
    moduleOutput: printError,
    log,
    announce: printError,
    env: process.env,
    args: args.slice(0, most),
    tokens,
    program: path,
    compat,
    stop: untilStopped,
    onReload: (listener) => process.on('SIGHUP', listener),
    stderrIsTerminal,
    stdoutIsTerminal: () => process.stdout.isTTY,
    explain,
    endWith: (chosen) => (status = chosen),
  });
  return status;
}

async function execute<C extends CommandName>(command: C, flags: FlagsOf<C>, io: Io): Promise<void> {
  const { run } = await CODE[command]();
  await run(flags, io);
}

/** The form of what a command says on standard error: commands that go on say when each thing happened. */
function formatOf(goesOn: CommandRow['goesOn'], given: 'text' | 'json' | undefined, compat: boolean): LogFormat {
  const forPrograms = goesOn === 'service' && !compat && !stderrIsTerminal();
  if (given === 'json' || (given === undefined && forPrograms)) return 'json';
  return goesOn === undefined ? 'plain' : 'text';
}

/** A debugger that the environment, or a signal before the first line of this program, has opened is closed. */
async function refuseDebugger(staysOn: boolean, log: Log): Promise<void> {
  const options = `${process.execArgv.join(' ')} ${process.env['NODE_OPTIONS'] ?? ''}`;
  if (!staysOn && !options.includes('--inspect')) return;
  await (await import('./platform/debugger.ts')).closeDebugger(log);
}

/** Reads a line for which the environment or a config file may say something. */
async function parseOutside(tokens: readonly string[]): Promise<Parsed | undefined> {
  const { env } = process;
  const shared = sharedConfig(env);
  const concerned =
    shared !== undefined ||
    Object.keys(env).some((name) => /^(?:ROLES_ANYWHERE_|AWS_(?:MAX_ATTEMPTS|RETRY_MODE)$)/i.test(name)) ||
    tokens.some((token) => /^--(?:config-profile|print-config)(?:=|$)/.test(token));
  if (!concerned) return undefined;
  const reader = await import('./options/config/configured.ts');
  const read = reader.parseConfigured(tokens, { program, compat: isHelper, env, shared });
  configured = read;
  if (read !== undefined) explain = (error) => reader.explain(error, read);
  return read?.parsed;
}

/** Reads a line that is not an ordinary one: to a command to run, or, when help was all that it takes, to an exit status. */
async function parseAnything(tokens: readonly string[]): Promise<Parsed | number> {
  const { parseAny } = await import('./options/any-line.ts');
  const { stdout, stderr, env } = process;
  const terminals = { stdout: stdout.isTTY, stderr: stderr.isTTY };
  const outcome = await parseAny(tokens, { program, compat: isHelper, columns: stdout.columns, terminals, env });
  if (outcome.kind === 'run') return outcome.parsed;
  if (outcome.kind === 'version') return { command: 'version', flags: {}, args: [], compat: outcome.compat };
  if (outcome.kind === 'help') {
    print(outcome.text);
    return 0;
  }
  printError(withoutPin(outcome.text));
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
    writeOut(data);
  } catch (cause) {
    throw outputError(cause);
  }
}

function outputError(cause: unknown): RolesAnywhereError {
  const reason = codeOf(cause) === 'EPIPE' ? 'its reader is gone' : (codeOf(cause) ?? 'unknown error');
  return new RolesAnywhereError('ERR_OUTPUT', `cannot write to standard output: ${reason}`, { cause });
}

function printError(text: string | Uint8Array): void {
  try {
    writeError(text);
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

function stderrIsTerminal(): boolean {
  return process.stderr.isTTY;
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

/** Reports a failure and ends with its exit status. */
async function fail(thrown: unknown): Promise<void> {
  let kind: ErrorClass = thrown instanceof RolesAnywhereError ? thrown.class : 'internal';
  try {
    const { report } = await import('./platform/report.ts');
    const failure = thrown instanceof RolesAnywhereError ? (explain?.(thrown) ?? thrown) : thrown;
    const { argv, env } = process;
    kind = report(failure, { program, argv, env, style, stderrIsTerminal, write: printError }).class;
  } catch (error) {
    // With no descriptors left nothing more can be loaded, and each failure to do so would come here again.
    const full = [thrown, error, thrown instanceof Error && thrown.cause].some((one) =>
      /^E[MN]FILE$/.test(codeOf(one) ?? ''),
    );
    const isOurs = thrown instanceof RolesAnywhereError && thrown.code !== 'ERR_INTERNAL';
    if (full && !isOurs) kind = 'identity';
    const [words, code] = isOurs
      ? [`${thrown.message} (${codeOf(error) ?? 'unknown reason'})`, thrown.code]
      : full
        ? ['too many files are open', 'ERR_FILE_UNREADABLE']
        : [`cannot go on (${codeOf(error) ?? 'unknown reason'})`, 'ERR_INTERNAL'];
    printError(
      `${program}: error: ${words} [${code}]\n${full ? 'hint: raise the limit on open files (ulimit -n)\n' : ''}`,
    );
  }
  process.exit(EXIT_STATUS[kind]);
}

/** Runs the program and ends the process. begin.ts has seen to its signals. */
export function start(): void {
  process.on('uncaughtException', (error) => void fail(error));
  main(process.argv.slice(2)).then((status) => process.exit(status), fail);
}
