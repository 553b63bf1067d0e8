/** Runs `doctor` in this process, as cli.ts would, and reads its report. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { run } from '../../src/commands/doctor.ts';
import type { FlagsOf } from '../../src/options/flag-values.ts';
import { parseConfigured } from '../../src/options/config/configured.ts';
import { sharedConfig } from '../../src/options/config/shared.ts';
import { memoryIo } from './io.ts';

/** A finding, as `--json` has it. */
export interface ReportedFinding {
  readonly code: string;
  readonly severity: 'error' | 'warning' | 'note';
  readonly area: string;
  readonly cause: string;
  readonly remedy: string;
  readonly details: readonly string[];
}

export interface Report {
  readonly subject: string;
  readonly status: number;
  readonly findings: readonly ReportedFinding[];
  readonly facts: readonly { readonly area: string; readonly label: string; readonly value: string }[];
  readonly notLookedAt: readonly string[];
}

/** The text of a report, and the exit status that the command ended with. */
export async function doctorText(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  { isTerminal = false } = {},
): Promise<{ text: string; status: number }> {
  const tokens = ['doctor', ...args];
  const parsed = parseConfigured(tokens, {
    program: 'roles-anywhere',
    compat: false,
    env,
    shared: sharedConfig(env),
  })?.parsed;
  if (parsed === undefined) throw new Error(`not a line: ${args.join(' ')}`);
  let status = 0;
  const io = memoryIo(env);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the parser checked the line against the command's row
  const flags = parsed.flags as FlagsOf<'doctor'>;
  await run(flags, {
    ...io,
    tokens,
    stdoutIsTerminal: () => isTerminal,
    endWith: (chosen) => (status = chosen),
  });
  return { text: io.out().toString('utf8'), status };
}

/** The report, as a program reads it. */
export async function doctor(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Report> {
  const { text, status } = await doctorText([...args, '--json'], env);
  const report = JSON.parse(text) as Report;
  if (report.status !== status)
    throw new Error(`the report says ${report.status}, and the command ended with ${status}`);
  return report;
}

/** Writes a file with its folders, and gives its path. */
export function put(path: string, content: string | Uint8Array, mode = 0o600): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content, { mode });
  return path;
}
