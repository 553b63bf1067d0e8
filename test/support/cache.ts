import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { PKI } from './cli.ts';
import { worldFlags } from './vending.ts';

/** A home and a runtime directory of a user's own, in which the cache is empty. */
export interface CacheHome {
  readonly dir: string;
  readonly env: Record<string, string>;
  /** Where the cache is once something was kept. */
  readonly folder: string;
  /** The files there, by the first word of their names. */
  files(kind?: 'session' | 'line'): string[];
  remove(): void;
}

export function cacheHome(): CacheHome {
  const dir = mkdtempSync(join(tmpdir(), 'roles-anywhere-cache-'));
  const folder = join(dir, 'roles-anywhere');
  return {
    dir,
    env: { HOME: dir, XDG_RUNTIME_DIR: dir },
    folder,
    files(kind) {
      const all = readdirSync(folder).toSorted();
      return kind === undefined ? all : all.filter((name) => name.startsWith(`${kind}-`) && name.endsWith('.json'));
    },
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}

/** A line of `credential-process --cache` for an emulator's world. */
export function cachedLine(emulator: Emulator, ...more: string[]): string[] {
  return [
    ['credential-process', '--certificate', `${PKI}ec-p256.crt.pem`, '--private-key', `${PKI}ec-p256.key.pem`],
    ['--intermediates', `${PKI}intermediate.pem`, ...worldFlags(emulator), '--cache', ...more],
  ].flat();
}

/** How many sessions an emulator gave, and how many requests for one it refused. */
export function sessionsOf(emulator: Emulator): { given: number; refused: number } {
  const asked = emulator.verdicts.filter(({ path }) => path === '/sessions');
  const given = asked.filter(({ status }) => status === 201).length;
  return { given, refused: asked.length - given };
}
