/** The form of every command: flags that were parsed and checked against the table, in; text and an exit status, out. */
import type { FlagsOf } from '../options/flag-values.ts';
import type { CommandName } from '../options/flags.ts';
import type { RolesAnywhereError } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';

/** Where a command reads and writes. Commands never touch `process` themselves: that is cli.ts's. */
export interface Io {
  /** Takes the result, and nothing else. */
  stdout(text: string | Uint8Array): void;
  /** Takes everything that is said to people; what is severe enough goes to standard error. */
  log: Log;
  /** Takes what a vendor's module prints, for standard error. Default: it goes nowhere. */
  moduleOutput?: ((text: Uint8Array) => void) | undefined;
  /** Writes text to standard error as it is: what programs wait for that started this one. */
  announce(text: string): void;
  env: Readonly<Record<string, string | undefined>>;
  /** Positional arguments, for the few commands that take any. */
  args: readonly string[];
  /** The words of the command line. */
  tokens?: readonly string[] | undefined;
  /** The absolute path that the program was called by: of the link, where it was called through one. */
  program: string;
  /** Whether the program was called as `aws_signing_helper`, or with `--compat`. */
  compat: boolean;
  /** Resolves when a person or the system asks the process to end (SIGINT, SIGTERM). Long-running commands wait for it. */
  stop: () => Promise<void>;
  /** Calls `listener` each time that the system asks to read configuration and files again (SIGHUP). */
  onReload?: ((listener: () => void) => void) | undefined;
  /** Adds to an error where the values are from that it is about, for what is logged. Default: nothing is added. */
  explain?: ((error: RolesAnywhereError) => RolesAnywhereError) | undefined;
  /** Makes this the exit status of a command that succeeds, in place of 0. Default: it is 0. */
  endWith?: ((status: number) => void) | undefined;
  /** Whether a person reads stderr on a terminal. Default no. */
  stderrIsTerminal?: (() => boolean) | undefined;
  /** Whether a person reads the result on a terminal. Default no. */
  stdoutIsTerminal?: (() => boolean) | undefined;
}

/**
 * Runs a command. A failure is a thrown RolesAnywhereError; cli.ts prints it
 * and turns its class into the exit status.
 */
export type RunCommand<C extends CommandName> = (flags: FlagsOf<C>, io: Io) => Promise<void>;
