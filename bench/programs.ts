/** What is measured beside the npm program. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { findHelper } from '../test/peer/support/helper.ts';

export interface Programs {
  /** AWS's helper, where there is Go. */
  readonly helper: string | undefined;
  /** The standalone executable, where it is built. */
  readonly executable: string | undefined;
}

const EXECUTABLE = resolve('dist/standalone/roles-anywhere-linux-x64');

/** @param quiet whether nothing is said of those that are not there */
export async function findPrograms(quiet = false): Promise<Programs> {
  const helper = await findHelper().catch(() => undefined);
  const executable = existsSync(EXECUTABLE) ? EXECUTABLE : undefined;
  if (helper === undefined && !quiet) console.log("AWS's helper is left out: it needs Go");
  if (executable === undefined && !quiet)
    console.log('the executable is left out: npm run build:standalone -- linux-x64 makes it');
  return { helper, executable };
}
