/** What the suites of `update` share: a folder of their own, services to ask, and processes that are ended. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { runCli } from '../support/cli.ts';
import type { CliResult } from '../support/cli.ts';
import { startTestEmulator } from '../support/vending.ts';
import { identityFlags, spawnCommand } from './serve-process.ts';
import type { ServeProcess } from './serve-process.ts';
import { ShortSessions } from './short-sessions.ts';

/** Three keys, as a pattern. */
export const KEYS =
  /aws_access_key_id = (ASIA\w+)\naws_secret_access_key = ([\w/+=-]+)\naws_session_token = ([\w/+=-]+)\n/.source;

export interface UpdateWorld {
  /** Sessions of an hour. */
  readonly emulator: () => Emulator;
  /** Sessions of seconds. */
  readonly service: () => ShortSessions;
  /** The folder of a test. */
  readonly dir: () => string;
  /** The credentials file. */
  readonly file: () => string;
  /** What is in it. */
  readonly text: () => string;
  readonly env: (extra?: Record<string, string>) => Record<string, string>;
  /** One run with --once against the emulator. */
  readonly once: (args?: readonly string[], extra?: Record<string, string>) => Promise<CliResult>;
  /** The flags of a session of seconds, renewed every second or two. */
  readonly shortFlags: () => string[];
  /** Starts one that goes on; default with those sessions. */
  readonly start: (args?: readonly string[], extra?: Record<string, string>, flags?: readonly string[]) => ServeProcess;
  /** The key ids in the file, in its order. */
  readonly keyIds: () => string[];
  readonly untilNewer: (than: readonly string[]) => Promise<void>;
}

/** Sets it up for the tests of a file. */
export function updateWorld(): UpdateWorld {
  let emulator: Emulator;
  let service: ShortSessions;
  let dir: string;
  const running: ServeProcess[] = [];
  beforeAll(async () => {
    emulator = await startTestEmulator();
  });
  afterAll(() => emulator.close());
  beforeEach(async () => {
    service = new ShortSessions();
    await service.listen();
    dir = mkdtempSync(join(tmpdir(), 'ra-update-'));
  });
  afterEach(async () => {
    for (const process of running.splice(0)) {
      process.kill('SIGKILL');
      await process.exited;
    }
    await service.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const file = (): string => join(dir, 'credentials');
  const text = (): string => readFileSync(file(), 'utf8');
  const env = (extra: Record<string, string> = {}): Record<string, string> => ({
    AWS_SHARED_CREDENTIALS_FILE: file(),
    HOME: dir,
    ...extra,
  });
  const keyIds = (): string[] =>
    existsSync(file()) ? [...text().matchAll(/^aws_access_key_id = (\S+)$/gm)].map(([, id = '']) => id) : [];
  const shortFlags = (): string[] => [
    ...identityFlags(emulator).map((flag) => (flag === emulator.url ? service.url : flag)),
    '--refresh-before',
    '3',
  ];
  return {
    emulator: () => emulator,
    service: () => service,
    dir: () => dir,
    file,
    text,
    env,
    once: (args = [], extra) => runCli(['update', ...identityFlags(emulator), '--once', ...args], { env: env(extra) }),
    shortFlags,
    start(args = [], extra, flags = shortFlags()) {
      const update = spawnCommand('update', [...flags, ...args], { env: env(extra) });
      running.push(update);
      return update;
    },
    keyIds,
    async untilNewer(than) {
      await expect
        .poll(() => keyIds().length === than.length && keyIds().every((id) => !than.includes(id)), { timeout: 15_000 })
        .toBe(true);
    },
  };
}
