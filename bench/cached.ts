/** `credential-process --cache`: lines whose credentials are kept, in an environment of their own. */
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Variant } from './measure.ts';

export interface KeptLines {
  readonly variants: readonly Variant[];
  remove(): void;
}

/**
 * Lines that the first run gets credentials for, over `oneShot`, and each further one prints them again: with flags, and with
 * a profile of a config file of a few KB.
 *
 * @param who what the program is called in the table
 * @param before what stands between it and its command
 * @param oneShot the command and its flags
 */
export function keptLines(
  who: string,
  program: string,
  before: readonly string[],
  oneShot: readonly string[],
): KeptLines {
  const dir = mkdtempSync(join(tmpdir(), 'roles-anywhere-bench-'));
  const config = join(dir, 'config');
  const others = Array.from(
    { length: 50 },
    (_, index) => `[profile other-${index}]\nregion = eu-west-1\noutput = json\n`,
  );
  const [command = '', ...flags] = oneShot;
  const keys = flags.flatMap((word, index) =>
    word.startsWith('--') ? [`rolesanywhere_${word.slice(2).replaceAll('-', '_')} = ${flags[index + 1]}`] : [],
  );
  writeFileSync(config, `${others.join('\n')}\n[profile work]\nrolesanywhere_cache = true\n${keys.join('\n')}\n`);
  utimesSync(config, 1e9, 1e9); // one that has just changed is not trusted to stay
  const env = { XDG_RUNTIME_DIR: dir, AWS_CONFIG_FILE: config };
  const line = (what: string, words: readonly string[]): Variant => ({
    name: `${who}: ${what}`,
    program,
    args: [...before, ...words],
    env,
  });
  return {
    variants: [
      line('from the cache', [...oneShot, '--cache']),
      line('from the cache, by a profile', [command, '--config-profile', 'work']),
    ],
    remove: () => rmSync(dir, { recursive: true }),
  };
}
