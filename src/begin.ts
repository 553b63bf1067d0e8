/**
 * How a run begins, and those of `version` and most of `credential-process --cache` end: a version, or credentials that are kept
 * for the line, are printed, and nothing else is loaded. Anything that is not quite as expected goes on to cli.ts.
 */
// Tests: test/begin.heavy.test.ts, test/cli/cache.test.ts, test/package/hot-path.test.ts
import { writeSync } from 'node:fs';
import { sep } from 'node:path';
import { keptAnswer } from './output/kept-answer.ts';
import { quickAnswer } from './output/quick-answer.ts';
import { programPath } from './platform/program.ts';

/** The commands that go on as services. The table of commands says the same, and is not read yet. */
const SERVICES: ReadonlySet<string> = new Set(['renew', 'serve', 'update']);

/** Answers a line by itself, or goes on to all the rest of the program. */
export function begin(): void {
  const path = programPath();
  const line = [path.slice(path.lastIndexOf(sep) + 1), process.argv.slice(2), process.env] as const;
  const answer = quickAnswer(...line) ?? keptAnswer(...line);

  if (answer !== undefined && print(answer)) process.exit(0);
  // Reading the rest takes longer than all before it. A service is not ended meanwhile by a signal that asks it to read its
  // files again: it has read none yet.
  if (mayBeService(line[1])) process.on('SIGHUP', () => undefined);
  // Node would open its debugger at this signal, to any user of this machine.
  process.on('SIGUSR1', () => undefined);
  void import('./cli.ts').then(({ start }) => start());
}

/** The command may stand behind flags, whose values cannot be told from it yet. */
function mayBeService(tokens: readonly string[]): boolean {
  const end = tokens.indexOf('--');
  return tokens.some((token, at) => SERVICES.has(token) && (end < 0 || at < end));
}

/** False when it could not be written: cli.ts will find the same, and say it. */
function print(text: string): boolean {
  // It is ASCII: a byte for a character.
  let rest = text;
  while (rest.length > 0) {
    try {
      rest = rest.slice(writeSync(1, rest));
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) return false;
      // A pipe that does not block, and is full.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
  return true;
}
