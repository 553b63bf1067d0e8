/** How the standalone executable was called: takes the place of src/platform/program.ts in it. */
// Tests: test/standalone/program.test.ts
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';

/** What a process knows of its start. */
type Called = Pick<NodeJS.Process, 'argv0' | 'execPath' | 'platform' | 'env'>;

/**
 * The path that the executable was called by, with links unresolved. Its arguments hold the place of the script inside
 * it; what it was called by is in `process.argv0`, a bare name where a PATH was searched.
 */
export function programPath({ argv0, execPath, platform, env }: Called = process): string {
  // Windows says the name in any form, with or without its extension, and has no links by which this program is called.
  if (platform === 'win32') return execPath;
  if (argv0.includes('/')) return resolve(argv0);
  return (
    (env['PATH'] ?? '')
      .split(delimiter)
      .map((folder) => resolve(join(folder, argv0)))
      .find(isProgram) ?? execPath
  );
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
