/** Programs on a pseudo-terminal of their own, as a person would use them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from './cli.ts';
import type { CliResult } from './cli.ts';

/** What to type once the terminal shows a text. */
export type Step = readonly [shown: string, typed: string];

/**
 * Runs a program with a terminal as its input, output and error. Needs python3.
 *
 * @returns what the terminal showed, as stdout
 */
export async function runOnTerminal(
  command: readonly string[],
  steps: readonly Step[],
  env: Record<string, string> = {},
): Promise<CliResult> {
  const directory = mkdtempSync(join(tmpdir(), 'terminal-'));
  try {
    const driver = join(directory, 'driver.py');
    writeFileSync(driver, DRIVER);
    return await runProgram('python3', [driver, JSON.stringify(steps), ...command], { env });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const DRIVER = `
import json, os, pty, sys
steps = json.loads(sys.argv[1])
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
shown = b''
seen = 0
while True:
    try:
        chunk = os.read(fd, 4096)
    except OSError:
        break
    if not chunk:
        break
    shown += chunk
    while steps and steps[0][0].encode() in shown[seen:]:
        seen = shown.index(steps[0][0].encode(), seen) + len(steps[0][0].encode())
        os.write(fd, steps.pop(0)[1].encode())
_, status = os.waitpid(pid, 0)
sys.stdout.write(shown.decode().replace('\\r', ''))
sys.exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
`;
