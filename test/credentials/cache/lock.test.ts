import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { thisHolder } from '../../../src/credentials/cache/holder.ts';
import type { Holder } from '../../../src/credentials/cache/holder.ts';
import { lockEntry } from '../../../src/credentials/cache/lock.ts';
import type { LockFiles, LockSystem } from '../../../src/credentials/cache/lock.ts';
import * as fs from '../../../src/platform/file-system.ts';

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'roles-anywhere-lock-'));
  path = join(dir, 'a.lock');
});
afterEach(() => rmSync(dir, { recursive: true }));

const patient = { waitMs: 60_000, isDone: async () => false };
const impatient = { waitMs: 50, isDone: async () => false };

/** The number of a holder that is gone, in the system below. */
const GONE = 9;

/** The system, with files as they are, and its time in the test's hand: it passes while somebody waits. */
class HeldSystem implements LockSystem {
  files: LockFiles = { ...fs };
  now = 1000;
  readonly waits: number[] = [];
  readonly beats: { ms: number; due: number; callback: () => void }[] = [];
  chance = 0.5;
  /** Called before each wait. */
  onWait: () => void = () => undefined;

  age(): number {
    return this.now;
  }

  async wait(ms: number): Promise<void> {
    this.waits.push(ms);
    this.onWait();
    const end = this.now + ms;
    for (const beat of this.beats)
      for (; beat.due <= end; beat.due += beat.ms) {
        this.now = beat.due;
        beat.callback();
      }
    this.now = end;
    await new Promise((resolve) => setImmediate(resolve));
  }

  every(ms: number, callback: () => void): () => void {
    const beat = { ms, due: this.now + ms, callback };
    this.beats.push(beat);
    return () => void this.beats.splice(this.beats.indexOf(beat), 1);
  }

  touch(file: string): void {
    utimesSync(file, this.now / 1000, this.now / 1000);
  }

  holder(turn: string): Holder {
    return holder({ turn });
  }

  isGone({ pid }: Holder): boolean {
    return pid === GONE;
  }

  random(): number {
    return this.chance;
  }
}

function holder(change: Partial<Holder> = {}): Holder {
  return { pid: 1, space: 'here', began: '1', turn: 'x', ...change };
}

function textOf(change: Partial<Holder> = {}): string {
  return JSON.stringify(holder(change));
}

/** The guard of who breaks the lock with this text, the first one or one behind it. */
function guardOf(text: string, turn = 0): string {
  return `${path}.${createHash('sha256').update(text).digest('hex').slice(0, 16)}.${turn}.break`;
}

function failing(code: string): () => Promise<never> {
  return async () => await Promise.reject(Object.assign(new Error(code), { code }));
}

function linkTo(text: string): void {
  writeFileSync(join(dir, 'target'), text);
  symlinkSync(join(dir, 'target'), path);
}

/** Timers that keep this process alive. */
function timers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
}

describe('the lock of an entry', () => {
  let system: HeldSystem;
  beforeEach(() => {
    system = new HeldSystem();
  });

  it('names its holder, for the eyes of its owner, and leaves nothing behind', async () => {
    const lock = await lockEntry(path, impatient, {}, system);
    const { turn, ...rest } = JSON.parse(readFileSync(path, 'utf8')) as Holder;
    expect(rest).toEqual({ pid: 1, space: 'here', began: '1' });
    expect(turn).toMatch(/^[0-9a-f]{18}$/);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(dir)).toEqual(['a.lock']);
    expect(system.waits).toEqual([]);
    await lock?.release();
    expect(readdirSync(dir)).toEqual([]);
  });

  it('is made under another name first, for its owner alone', async () => {
    const made: string[] = [];
    const { writeFile } = fs;
    system.files.writeFile = async (file, text, options) => {
      made.push(file);
      await writeFile(file, text, options);
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect(existsSync(path)).toBe(false);
    };
    await lockEntry(path, impatient, {}, system);
    expect(made).toEqual([expect.stringMatching(/a\.lock\.[0-9a-f]{16}\.tmp$/)]);
  });

  it('is one holder’s at a time', async () => {
    let inside = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        const lock = await lockEntry(path, patient, {}, system);
        most = Math.max(most, (inside += 1));
        await new Promise((resolve) => setImmediate(resolve));
        inside -= 1;
        await lock?.release();
      }),
    );
    expect(most).toBe(1);
    expect(readdirSync(dir)).toEqual([]);
  });

  it('is tried for again in steps that grow, and not beyond the time', async () => {
    const lock = await lockEntry(path, impatient, {}, system);
    expect(await lockEntry(path, { ...patient, waitMs: 200 }, {}, system)).toBeUndefined();
    expect(system.waits).toEqual([8, 12, 18, 27, 40.5, 50, 44.5]);
    expect(system.now).toBe(1200);
    system.waits.length = 0;
    expect(await lockEntry(path, { ...patient, waitMs: 39 }, {}, system)).toBeUndefined();
    expect(system.waits).toEqual([8, 12, 18, 1]);
    await lock?.release();
  });

  it.each([
    [0, [4, 6, 9, 13.5, 17.5]],
    [1, [12, 18, 20]],
  ])('is tried for again earlier or later by chance: %d', async (chance, waits) => {
    writeFileSync(path, textOf());
    system.chance = chance;
    expect(await lockEntry(path, impatient, {}, system)).toBeUndefined();
    expect(system.waits).toEqual(waits);
  });

  it('is tried for once where there is no time to wait', async () => {
    writeFileSync(path, textOf());
    expect(await lockEntry(path, { ...impatient, waitMs: 0 }, {}, system)).toBeUndefined();
    expect(system.waits).toEqual([]);
    rmSync(path);
    expect(await lockEntry(path, { ...impatient, waitMs: 0 }, {}, system)).toBeDefined();
  });

  it('is not had when there is nothing left to wait for', async () => {
    writeFileSync(path, textOf());
    expect(await lockEntry(path, { ...patient, isDone: async () => true }, {}, system)).toBeUndefined();
    expect(system.waits).toEqual([]);
  });

  it('ends the wait at a signal, and is not made behind one', async () => {
    writeFileSync(path, textOf());
    const controller = new AbortController();
    system.onWait = () => {
      rmSync(path);
      controller.abort(new Error('enough'));
    };
    await expect(lockEntry(path, { ...patient, signal: controller.signal }, {}, system)).rejects.toThrow('enough');
    expect(readdirSync(dir)).toEqual([]);
  });

  it('is taken from one that is gone, at once', async () => {
    writeFileSync(path, textOf({ pid: GONE }));
    const lock = await lockEntry(path, { ...impatient, waitMs: 8 }, {}, system);
    expect(lock).toBeDefined();
    expect(system.waits).toEqual([8]);
    await lock?.release();
    expect(readdirSync(dir)).toEqual([]);
  });

  it('is taken by one of many that wait for one that is gone', async () => {
    for (let turn = 0; turn < 10; turn++) {
      writeFileSync(path, textOf({ pid: GONE, turn: `x${turn}` }));
      let inside = 0;
      let most = 0;
      await Promise.all(
        Array.from({ length: 10 }, async () => {
          const lock = await lockEntry(path, patient, { staleMs: 600_000 }, system);
          most = Math.max(most, (inside += 1));
          await new Promise((resolve) => setImmediate(resolve));
          inside -= 1;
          await lock?.release();
        }),
      );
      expect(most).toBe(1);
    }
    expect(readdirSync(dir)).toEqual([]);
  });

  it.each([
    ['of one who is not known to be gone', () => writeFileSync(path, textOf())],
    ['that names nobody', () => writeFileSync(path, '{')],
    ['that is empty', () => writeFileSync(path, '')],
    ['that is a folder', () => mkdirSync(join(path, 'inside'), { recursive: true })],
    ['that is a link', () => symlinkSync('/nonexistent', path)],
    ['that is a link to one of a holder who is gone', () => linkTo(textOf({ pid: GONE }))],
    ['that is a pipe', () => spawnSync('mkfifo', [path])],
    ['that is too large', () => writeFileSync(path, textOf({ pid: GONE }).padEnd(4097))],
  ])('%s is taken when its heartbeat is missed, and not before', async (_, make) => {
    make();
    expect(await lockEntry(path, { ...patient, waitMs: 290 }, { staleMs: 300 }, system)).toBeUndefined();
    // The time is watched by each for itself.
    const before = system.now;
    expect(await lockEntry(path, { ...patient, waitMs: 400 }, { staleMs: 300 }, system)).toBeDefined();
    expect(system.now - before).toBeGreaterThanOrEqual(300);
    expect(readFileSync(path, 'utf8')).toContain('"turn"');
  });

  it('is taken when its heartbeat was missed for just that long', async () => {
    writeFileSync(path, textOf());
    // What was found after 8 and 20 ms counts: at 20, not at 8.
    expect(await lockEntry(path, { ...patient, waitMs: 38 }, { staleMs: 20 }, system)).toBeDefined();
    expect(system.waits).toEqual([8, 12, 18]);
  });

  it('is taken away when its heartbeat was missed for ten seconds, where nobody says otherwise', async () => {
    writeFileSync(path, textOf());
    // The last look is when the time is over.
    expect(await lockEntry(path, { ...patient, waitMs: 9999 }, {}, system)).toBeUndefined();
    expect(readFileSync(path, 'utf8')).toBe(textOf());
    expect(await lockEntry(path, { ...patient, waitMs: 10_000 }, {}, system)).toBeUndefined();
    expect(readdirSync(dir)).toEqual([]);
  });

  it('of 4096 bytes is read', async () => {
    writeFileSync(path, textOf({ pid: GONE }).padEnd(4096));
    expect(await lockEntry(path, impatient, {}, system)).toBeDefined();
  });

  it('that cannot be read is taken when its heartbeat is missed', async () => {
    writeFileSync(path, textOf({ pid: GONE }));
    const { open } = fs;
    system.files.open = async (file, flags) => await (file === path ? failing('EACCES')() : open(file, flags));
    expect(await lockEntry(path, { ...patient, waitMs: 290 }, { staleMs: 300 }, system)).toBeUndefined();
    await lockEntry(path, { ...patient, waitMs: 400 }, { staleMs: 300 }, system);
    expect(readFileSync(path, 'utf8')).not.toBe(textOf({ pid: GONE }));
  });

  it('stays with a holder that gives signs of life, however long', async () => {
    const lock = await lockEntry(path, patient, {}, system);
    expect(system.beats.map(({ ms }) => ms)).toEqual([1000]);
    expect(await lockEntry(path, { ...patient, waitMs: 12_000 }, {}, system)).toBeUndefined();
    expect(statSync(path).mtimeMs).toBe(system.now);
    await lock?.release();
    expect(system.beats).toEqual([]);
    expect(await lockEntry(path, impatient, { beatMs: 20 }, system)).toBeDefined();
    expect(system.beats.map(({ ms }) => ms)).toEqual([20]);
  });

  it('is not missed by its holder’s heartbeat, nor by its release', async () => {
    const lock = await lockEntry(path, patient, {}, system);
    rmSync(path);
    await system.wait(2500);
    await lock?.release();
    expect(system.beats).toEqual([]);
    expect(readdirSync(dir)).toEqual([]);
  });

  it('is not released for another who has taken it over', async () => {
    const lock = await lockEntry(path, patient, {}, system);
    writeFileSync(path, textOf({ turn: 'another' }));
    await lock?.release();
    expect(readFileSync(path, 'utf8')).toBe(textOf({ turn: 'another' }));
  });

  it('is broken although one died while breaking it, and another one while breaking it behind that', async () => {
    const text = textOf({ pid: GONE });
    writeFileSync(path, text);
    writeFileSync(guardOf(text), textOf({ pid: GONE, turn: 'y' }));
    writeFileSync(guardOf(text, 1), textOf({ pid: GONE, turn: 'z' }));
    const lock = await lockEntry(path, impatient, {}, system);
    expect(lock).toBeDefined();
    expect(readdirSync(dir)).toEqual(['a.lock']);
    await lock?.release();
  });

  it.each([
    ['one that may live', (guard: string) => writeFileSync(guard, textOf({ turn: 'y' }))],
    ['nobody knows who', (guard: string) => mkdirSync(join(guard, 'inside'), { recursive: true })],
  ])('is not broken while %s breaks it, until that gives no sign of life', async (_, make) => {
    const text = textOf({ pid: GONE });
    writeFileSync(path, text);
    make(guardOf(text));
    expect(await lockEntry(path, { ...patient, waitMs: 290 }, { staleMs: 300 }, system)).toBeUndefined();
    expect(readFileSync(path, 'utf8')).toBe(text);
    expect(readdirSync(dir)).toHaveLength(2);
    const lock = await lockEntry(path, { ...patient, waitMs: 400 }, { staleMs: 300 }, system);
    expect(lock).toBeDefined();
    await lock?.release();
    expect(readdirSync(dir)).toEqual([]);
  });

  it('is left alone where the other who breaks it has done so meanwhile', async () => {
    const text = textOf({ pid: GONE });
    writeFileSync(path, text);
    writeFileSync(guardOf(text), textOf({ turn: 'y' }));
    const { open } = fs;
    system.files.open = async (file, flags) => {
      if (file === guardOf(text)) rmSync(file, { force: true });
      return await open(file, flags);
    };
    expect(await lockEntry(path, { ...impatient, waitMs: 0 }, {}, system)).toBeUndefined();
    expect(readFileSync(path, 'utf8')).toBe(text);
    expect(readdirSync(dir)).toEqual(['a.lock']);
  });

  it('of the next holder is not broken for the one before', async () => {
    const text = textOf({ pid: GONE });
    writeFileSync(path, text);
    const { link } = fs;
    system.files.link = async (from, to) => {
      await link(from, to);
      if (to === guardOf(text)) writeFileSync(path, textOf({ turn: 'next' }));
    };
    expect(await lockEntry(path, impatient, {}, system)).toBeUndefined();
    expect(readFileSync(path, 'utf8')).toBe(textOf({ turn: 'next' }));
    expect(readdirSync(dir)).toEqual(['a.lock']);
  });

  it('is broken by one who gives signs of life meanwhile, so that nobody takes it for dead, too', async () => {
    const text = textOf({ pid: GONE });
    writeFileSync(path, text);
    const touched: string[] = [];
    system.touch = (file) => void touched.push(file);
    let ended = 0;
    system.every = (_ms, callback) => {
      callback();
      return () => void (ended += 1);
    };
    const lock = await lockEntry(path, patient, {}, system);
    expect({ touched, ended }).toEqual({ touched: [guardOf(text), path], ended: 1 });
    await lock?.release();
    expect(ended).toBe(2);
    expect(readdirSync(dir)).toEqual([]);
  });

  it('is released although somebody takes it away at that moment', async () => {
    const lock = await lockEntry(path, patient, {}, system);
    const { readFile } = fs;
    system.files.readFile = async (descriptor) => {
      const text = await readFile(descriptor);
      rmSync(path);
      return text;
    };
    await lock?.release();
    expect(readdirSync(dir)).toEqual([]);
  });

  it('is had although it is gone when its breaker looks at it again, or takes it away', async () => {
    const text = textOf({ pid: GONE });
    const { link, readFile } = fs;
    writeFileSync(path, text);
    system.files.link = async (from, to) => {
      await link(from, to);
      if (to === guardOf(text)) rmSync(path);
    };
    const lock = await lockEntry(path, impatient, {}, system);
    expect(lock).toBeDefined();
    await lock?.release();
    system.files.link = link;
    writeFileSync(path, text);
    system.files.readFile = async (descriptor) => {
      const read = await readFile(descriptor);
      if (existsSync(guardOf(text))) rmSync(path);
      return read;
    };
    expect(await lockEntry(path, impatient, {}, system)).toBeDefined();
    expect(readdirSync(dir)).toEqual(['a.lock']);
  });

  it('is had although somebody takes away the guard of its breaker', async () => {
    const text = textOf({ pid: GONE });
    writeFileSync(path, text);
    const { rm } = fs;
    system.files.rm = async (file, options) => {
      if (file === path) rmSync(guardOf(text));
      await rm(file, options);
    };
    expect(await lockEntry(path, impatient, {}, system)).toBeDefined();
  });

  it('that comes and goes is not taken for one that was left', async () => {
    writeFileSync(path, textOf());
    const { open } = fs;
    system.files.open = async (file, flags) => await (file === path ? failing('ENOENT')() : open(file, flags));
    expect(await lockEntry(path, { ...patient, waitMs: 400 }, { staleMs: 300 }, system)).toBeUndefined();
    expect(readFileSync(path, 'utf8')).toBe(textOf());
  });

  it('leaves no guard behind where it cannot be taken away', async () => {
    writeFileSync(path, textOf({ pid: GONE }));
    const { rm } = fs;
    system.files.rm = async (file, options) => await (file === path ? failing('EACCES')() : rm(file, options));
    await expect(lockEntry(path, impatient, {}, system)).rejects.toThrow('EACCES');
    expect(readdirSync(dir)).toEqual(['a.lock']);
  });

  it.each(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])(
    'is made in place where the system has no hard links and says %s',
    async (code) => {
      system.files.link = failing(code);
      const lock = await lockEntry(path, impatient, {}, system);
      expect(readFileSync(path, 'utf8')).toContain('"turn"');
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(readdirSync(dir)).toEqual(['a.lock']);
      expect(await lockEntry(path, impatient, {}, system)).toBeUndefined();
      await lock?.release();
      expect(readdirSync(dir)).toEqual([]);
    },
  );

  it('that cannot be made in place either is an error', async () => {
    const { writeFile } = fs;
    system.files.link = failing('EPERM');
    system.files.writeFile = async (file, text, options) =>
      await (file === path ? failing('ENOSPC')() : writeFile(file, text, options));
    await expect(lockEntry(path, impatient, {}, system)).rejects.toThrow('ENOSPC');
  });

  it('is an error where no file can be made', async () => {
    await expect(lockEntry(join(dir, 'missing', 'a.lock'), impatient, {}, system)).rejects.toThrow('ENOENT');
    system.files.writeFile = failing('ENOSPC');
    await expect(lockEntry(path, impatient, {}, system)).rejects.toThrow('ENOSPC');
    system.files.writeFile = fs.writeFile;
    system.files.link = failing('EIO');
    await expect(lockEntry(path, impatient, {}, system)).rejects.toThrow('EIO');
    expect(readdirSync(dir)).toEqual([]);
  });

  it('closes what it reads', async () => {
    const { open, close } = fs;
    const opened = new Set<number>();
    system.files.open = async (file, flags) => {
      const descriptor = await open(file, flags);
      opened.add(descriptor);
      return descriptor;
    };
    system.files.close = async (descriptor) => {
      expect(opened.delete(descriptor)).toBe(true);
      await close(descriptor);
    };
    writeFileSync(path, textOf());
    await lockEntry(path, impatient, {}, system);
    rmSync(path);
    mkdirSync(path);
    await lockEntry(path, impatient, {}, system);
    expect([...opened]).toEqual([]);
  });
});

describe('the lock of an entry, by the system’s time', () => {
  it('is one holder’s at a time, and stays with one that lives', async () => {
    let inside = 0;
    let most = 0;
    const beatMs = 20;
    await Promise.all(
      Array.from({ length: 5 }, async () => {
        const lock = await lockEntry(path, patient, { beatMs, staleMs: 20_000 });
        most = Math.max(most, (inside += 1));
        expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(thisHolder(expect.any(String) as string));
        utimesSync(path, 1, 1);
        while (statSync(path).mtimeMs === 1000) await new Promise((resolve) => setTimeout(resolve, 5));
        expect(Math.abs(statSync(path).mtimeMs - Date.now())).toBeLessThan(60_000);
        inside -= 1;
        await lock?.release();
      }),
    );
    expect(most).toBe(1);
    expect(readdirSync(dir)).toEqual([]);
  });

  it('is taken from a process that has ended', async () => {
    writeFileSync(path, JSON.stringify({ ...thisHolder('x'), pid: spawnSync(process.execPath, ['-e', '0']).pid }));
    const lock = await lockEntry(path, patient, { staleMs: 600_000 });
    expect(lock).toBeDefined();
    await lock?.release();
    expect(readdirSync(dir)).toEqual([]);
  });

  it('is waited for', async () => {
    const lock = await lockEntry(path, patient);
    const waits = vi.spyOn(globalThis, 'setTimeout');
    await lockEntry(path, impatient);
    const [first] = waits.mock.calls.map(([, ms]) => ms);
    waits.mockRestore();
    expect(first).toBeGreaterThanOrEqual(4);
    expect(first).toBeLessThan(12);
    await lock?.release();
  });

  it('beats no more behind its release, and keeps no process alive', async () => {
    const before = timers();
    const lock = await lockEntry(path, patient, { beatMs: 1 });
    expect(timers()).toBe(before);
    await lock?.release();
    writeFileSync(path, '');
    utimesSync(path, 1, 1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(statSync(path).mtimeMs).toBe(1000);
  });
});
