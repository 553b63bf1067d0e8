import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isGone, parseHolder, thisHolder } from '../../../src/credentials/cache/holder.ts';
import { type LockSystem, lockEntry } from '../../../src/credentials/cache/lock.ts';
import * as files from '../../../src/platform/file-system.ts';

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'roles-anywhere-lock-'));
  path = join(dir, 'a.lock');
});
afterEach(() => rmSync(dir, { recursive: true }));

const patient = { waitMs: 20_000, isDone: async () => false };
const impatient = { waitMs: 50, isDone: async () => false };

/** The guard of who breaks the lock with this text first. */
function guardOf(text: string): string {
  return `${path}.${createHash('sha256').update(text).digest('hex').slice(0, 16)}.0.break`;
}

/** The number of a process that has ended. */
function deadPid(): number {
  return spawnSync(process.execPath, ['-e', '0']).pid;
}

describe('the lock of an entry', () => {
  it('is one holder’s at a time, and leaves nothing behind', async () => {
    let inside = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        const lock = await lockEntry(path, patient);
        most = Math.max(most, (inside += 1));
        await new Promise((resolve) => setTimeout(resolve, 1));
        inside -= 1;
        await lock?.release();
      }),
    );
    expect(most).toBe(1);
    expect(readdirSync(dir)).toEqual([]);
  });

  it('is not had when the time is over, or when there is nothing left to wait for', async () => {
    const lock = await lockEntry(path, patient);
    expect(await lockEntry(path, impatient)).toBeUndefined();
    expect(await lockEntry(path, { waitMs: 60_000, isDone: async () => true })).toBeUndefined();
    await lock?.release();
  });

  it('ends the wait at a signal', async () => {
    const lock = await lockEntry(path, patient);
    const controller = new AbortController();
    const waiting = lockEntry(path, { ...patient, signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await lock?.release();
  });

  it('is taken from a process that has ended, at once', async () => {
    writeFileSync(path, JSON.stringify({ ...thisHolder('x'), pid: deadPid() }));
    const lock = await lockEntry(path, patient, { staleMs: 60_000 });
    expect(lock).toBeDefined();
    await lock?.release();
    expect(readdirSync(dir)).toEqual([]);
  });

  it('is taken from a process whose number another one has by now', async () => {
    writeFileSync(path, JSON.stringify({ ...thisHolder('x'), began: '1' }));
    const lock = await lockEntry(path, patient, { staleMs: 60_000 });
    expect(lock).toBeDefined();
    await lock?.release();
  });

  it('is taken by one of many that wait for a dead one', async () => {
    for (let turn = 0; turn < 10; turn++) {
      writeFileSync(path, JSON.stringify({ ...thisHolder('x'), pid: deadPid() }));
      let inside = 0;
      let most = 0;
      await Promise.all(
        Array.from({ length: 10 }, async () => {
          const lock = await lockEntry(path, patient, { staleMs: 60_000 });
          most = Math.max(most, (inside += 1));
          await new Promise((resolve) => setTimeout(resolve, 1));
          inside -= 1;
          await lock?.release();
        }),
      );
      expect(most).toBe(1);
    }
  });

  it.each([
    ['of another machine', () => JSON.stringify({ ...thisHolder('x'), space: 'elsewhere' })],
    ['that names nobody', () => '{'],
    ['that is empty', () => ''],
  ])('%s is taken when its heartbeat is missed', async (_, text) => {
    writeFileSync(path, text());
    expect(await lockEntry(path, impatient, { staleMs: 10_000 })).toBeUndefined();
    const lock = await lockEntry(path, patient, { staleMs: 200 });
    expect(lock).toBeDefined();
    await lock?.release();
  });

  it('stays with a holder that lives, however long', async () => {
    const lock = await lockEntry(path, patient, { beatMs: 20 });
    expect(await lockEntry(path, { waitMs: 1500, isDone: async () => false }, { staleMs: 1000 })).toBeUndefined();
    await lock?.release();
    expect(await lockEntry(path, impatient)).toBeDefined();
  });

  it('is not released for another who has taken it over', async () => {
    const lock = await lockEntry(path, patient);
    const text = JSON.stringify(thisHolder('another'));
    writeFileSync(path, text);
    await lock?.release();
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  it('is broken although one died while breaking it', async () => {
    const text = JSON.stringify({ ...thisHolder('x'), pid: deadPid() });
    writeFileSync(path, text);
    writeFileSync(guardOf(text), JSON.stringify({ ...thisHolder('y'), pid: deadPid() }));
    const lock = await lockEntry(path, patient, { staleMs: 60_000 });
    expect(lock).toBeDefined();
    await lock?.release();
    expect(readdirSync(dir)).toEqual([]);
  });

  it('is broken although one on another machine died while breaking it, and not before its time', async () => {
    const text = JSON.stringify({ ...thisHolder('x'), pid: deadPid() });
    writeFileSync(path, text);
    writeFileSync(guardOf(text), JSON.stringify({ ...thisHolder('y'), space: 'elsewhere' }));
    expect(await lockEntry(path, impatient, { staleMs: 10_000 })).toBeUndefined();
    expect(readFileSync(path, 'utf8')).toBe(text);
    const lock = await lockEntry(path, patient, { staleMs: 200 });
    expect(lock).toBeDefined();
    await lock?.release();
    expect(readdirSync(dir)).toEqual([]);
  });

  it('is broken by one who gives signs of life meanwhile, so that nobody takes it for dead, too', async () => {
    const text = JSON.stringify({ ...thisHolder('x'), pid: deadPid() });
    writeFileSync(path, text);
    const touched: string[] = [];
    const system: LockSystem = {
      files,
      age: () => performance.now(),
      wait: async () => undefined,
      every(_ms, callback) {
        callback();
        return () => undefined;
      },
      touch: (file) => void touched.push(file),
      holder: thisHolder,
      isGone,
      random: () => 0,
    };
    const lock = await lockEntry(path, patient, {}, system);
    expect(touched).toEqual([guardOf(text), path]);
    await lock?.release();
    expect(readdirSync(dir)).toEqual([]);
  });

  it('throws where no file can be made', async () => {
    await expect(lockEntry(join(dir, 'missing', 'a.lock'), impatient)).rejects.toThrow('ENOENT');
  });
});

describe('a holder', () => {
  it('is gone when its process is, a zombie too', async () => {
    expect(isGone(thisHolder('x'))).toBe(false);
    expect(isGone({ ...thisHolder('x'), pid: deadPid() })).toBe(true);
    const child = spawn(process.execPath, ['-e', 'setInterval(() => 0, 1000)'], { stdio: 'ignore' });
    await once(child, 'spawn');
    expect(isGone({ ...thisHolder('x'), pid: child.pid ?? 0, began: '' })).toBe(false);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(isGone({ ...thisHolder('x'), pid: child.pid ?? 0, began: '' })).toBe(true);
  });

  it.each([0, -1])('with the number %i, which means others to the system, is not asked for', (pid) => {
    expect(isGone({ ...thisHolder('x'), pid })).toBe(false);
  });

  it.each(['', '[]', '{}', '{"pid":"1","space":"","began":"","turn":""}'])('is not read from %j', (text) => {
    expect(parseHolder(text)).toBeUndefined();
  });
});
