import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { CacheEntry } from '../../src/credentials/cache/entry.ts';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { PKI } from './cli.ts';
import { worldFlags } from './vending.ts';

/** A home and a runtime directory of a user's own, in which the cache is empty. */
export interface CacheHome {
  readonly dir: string;
  readonly env: Record<string, string>;
  /** Where the cache is once something was kept. */
  readonly folder: string;
  /** The path of the only entry. */
  entry(): string;
  /** Changes the only entry. */
  edit(change: (entry: CacheEntry) => unknown): void;
  /** Has so many seconds of the only entry's life pass. */
  age(seconds: number): void;
  /** The files there, by the first word of their names. */
  files(kind?: 'session' | 'line'): string[];
  remove(): void;
}

export function cacheHome(): CacheHome {
  const dir = mkdtempSync(join(tmpdir(), 'roles-anywhere-cache-'));
  const folder = join(dir, 'roles-anywhere');
  const home: CacheHome = {
    dir,
    env: { HOME: dir, XDG_RUNTIME_DIR: dir },
    folder,
    entry() {
      const [name = '', ...others] = home.files('session');
      expect(others).toEqual([]);
      return join(folder, name);
    },
    edit(change) {
      const path = home.entry();
      writeFileSync(path, JSON.stringify(change(JSON.parse(readFileSync(path, 'utf8')) as CacheEntry)));
    },
    age(seconds) {
      const earlier = (time: string): string =>
        `${new Date(Date.parse(time) - seconds * 1000).toISOString().slice(0, 19)}Z`;
      home.edit((entry) => ({
        ...entry,
        obtained: entry.obtained - seconds * 1000,
        credentials: { ...entry.credentials, expiration: earlier(entry.credentials.expiration) },
      }));
    },
    files(kind) {
      const all = readdirSync(folder).toSorted();
      return kind === undefined ? all : all.filter((name) => name.startsWith(`${kind}-`) && name.endsWith('.json'));
    },
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
  return home;
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
