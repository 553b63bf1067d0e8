/** What every command is: flags that were parsed and checked against the table, in; text and an exit status, out. */

/** A flag's value. Lists are flags that may be repeated. */
export type FlagValue = string | number | boolean | readonly string[];

/** Values by flag name (without the dashes): those that were given, and the table's defaults. */
export type FlagValues = Readonly<Record<string, FlagValue | undefined>>;

/** Where a command reads and writes. Commands never touch `process` themselves: that is cli.ts's. */
export interface Io {
  /** The result, and nothing else. */
  stdout(text: string | Uint8Array): void;
  /** Everything for people. */
  stderr(text: string): void;
  env: Readonly<Record<string, string | undefined>>;
  /** Positional arguments, for the few commands that take any. */
  args: readonly string[];
  /** Absolute path that the program was called by: of the link, where it was called through one. */
  program: string;
  /** Whether the program was called as `aws_signing_helper`, or with `--compat`. */
  compat: boolean;
  /** Resolves when a person or the system asks the process to end (SIGINT, SIGTERM). Long-running commands wait for it. */
  stop: () => Promise<void>;
  /** Calls `listener` each time that the system asks to read configuration and files again (SIGHUP). */
  onReload?: (listener: () => void) => void;
  /** Whether a person reads stderr on a terminal. Default no. */
  stderrIsTerminal?: () => boolean;
}

/**
 * Runs a command. A failure is a thrown RolesAnywhereError; cli.ts prints it
 * and turns its class into the exit status.
 */
export type RunCommand = (flags: FlagValues, io: Io) => Promise<void>;
