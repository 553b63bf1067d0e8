import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { isGone, parseHolder, thisHolder } from '../../../src/credentials/cache/holder.ts';

/** Files that the mock below does not give. */
const { hidden, given } = vi.hoisted(() => {
  const names = new Set<string>();
  const unlessHidden = <T>(path: unknown, read: () => T): T => {
    if (names.has(String(path))) throw Object.assign(new Error('ENOENT'), { code: 'ENOENT' });
    return read();
  };
  return { hidden: names, given: unlessHidden };
});
vi.mock('node:fs', async (original) => {
  const real = await original<typeof import('node:fs')>();
  return {
    ...real,
    readFileSync: (...args: Parameters<typeof real.readFileSync>) => given(args[0], () => real.readFileSync(...args)),
    readlinkSync: (...args: Parameters<typeof real.readlinkSync>) => given(args[0], () => real.readlinkSync(...args)),
  };
});
afterEach(() => {
  hidden.clear();
  vi.restoreAllMocks();
});

describe('a process as a holder', () => {
  it('is told from others by its number, the boot, the container and its begin', () => {
    const stat = readFileSync('/proc/self/stat', 'latin1');
    const [boot, space] = [
      readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim(),
      readlinkSync('/proc/self/ns/pid'),
    ];
    expect(thisHolder('x')).toEqual({
      pid: process.pid,
      space: `${hostname()} ${boot} ${space}`,
      began: stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19],
      turn: 'x',
    });
  });

  it('has no begin, and of its space no more than the name of the machine, where the system has none of these files', async () => {
    for (const path of ['/proc/sys/kernel/random/boot_id', '/proc/self/ns/pid', `/proc/${process.pid}/stat`])
      hidden.add(path);
    // Another copy of the module: it remembers its space.
    vi.resetModules();
    const fresh = await import('../../../src/credentials/cache/holder.ts');
    expect(fresh.thisHolder('x')).toEqual({ pid: process.pid, space: `${hostname()}  `, began: '', turn: 'x' });
    // What it has found out once holds for as long as it runs.
    hidden.clear();
    expect(fresh.thisHolder('x').space).toBe(`${hostname()}  `);
  });
});

describe('a holder', () => {
  it('is gone when its process has ended', () => {
    const { pid } = spawnSync(process.execPath, ['-e', '0']);
    expect(isGone({ ...thisHolder('x'), pid })).toBe(true);
    expect(isGone({ ...thisHolder('x'), pid, began: '' })).toBe(true);
  });

  it('is not gone when its process has ended on another machine, or in another container', () => {
    const { pid } = spawnSync(process.execPath, ['-e', '0']);
    expect(isGone({ ...thisHolder('x'), pid, space: 'elsewhere' })).toBe(false);
  });

  it.each([0, -1])('with the number %i, which means others to the system, is not asked for', (pid) => {
    const kill = vi.spyOn(process, 'kill');
    expect(isGone({ ...thisHolder('x'), pid })).toBe(false);
    expect(kill).not.toHaveBeenCalled();
  });

  it('with the number 1 is asked for', () => {
    const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
    expect(isGone({ ...thisHolder('x'), pid: 1, began: '' })).toBe(false);
    expect(kill).toHaveBeenCalledWith(1, 0);
  });

  it.each([
    ['EPERM', false],
    ['ESRCH', true],
    [undefined, true],
  ])('of which the system says %s is gone: %s', (code, gone) => {
    vi.spyOn(process, 'kill').mockImplementation(() => {
      throw Object.assign(new Error('no'), { code });
    });
    expect(isGone(thisHolder('x'))).toBe(gone);
  });

  describe('with a process of its own', () => {
    let child: ReturnType<typeof spawn>;
    let dir: string;
    let began: string;
    beforeEach(async () => {
      dir = mkdtempSync(join(tmpdir(), 'holder-'));
      // The system says this name in the midst of what it says of the process.
      const program = join(dir, 'a) Z 1 (b\n) c');
      copyFileSync('/bin/sleep', program);
      child = spawn(program, ['60'], { stdio: 'ignore', argv0: 'sleep' });
      await once(child, 'spawn');
      const stat = readFileSync(`/proc/${child.pid}/stat`, 'latin1');
      began = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
    });
    afterEach(() => {
      child.kill('SIGKILL');
      rmSync(dir, { recursive: true });
    });
    const holder = (begin: string) => ({ ...thisHolder('x'), pid: child.pid ?? 0, began: begin });

    it('is there for as long as that runs, which is not disturbed', async () => {
      const ended = once(child, 'exit');
      expect(isGone(holder(began))).toBe(false);
      expect(isGone(holder(''))).toBe(false);
      child.kill('SIGKILL');
      expect(await ended).toEqual([null, 'SIGKILL']);
      expect(isGone(holder(began))).toBe(true);
    });

    it('is gone when its number is another process’s by now', () => {
      expect(isGone(holder(`${began}0`))).toBe(true);
    });

    it('is there where the system does not say when a process began', () => {
      hidden.add(`/proc/${child.pid}/stat`);
      expect(isGone(holder('1'))).toBe(false);
    });

    it('is gone when it has ended and nobody has asked how', async () => {
      // What the shell becomes does not wait for the shell's child.
      const shell = spawn('/bin/sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      const [said] = (await once(shell.stdout, 'data')) as [Buffer];
      const zombie = Number(said.toString());
      await until(() => /^\d+ \(sleep\)/.test(readFileSync(`/proc/${shell.pid}/stat`, 'latin1')));
      process.kill(zombie, 'SIGKILL');
      await until(() => /\) Z /.test(readFileSync(`/proc/${zombie}/stat`, 'latin1')));
      expect(isGone({ ...thisHolder('x'), pid: zombie, began: '1' })).toBe(true);
      expect(process.kill(zombie, 0)).toBe(true);
      const stat = readFileSync(`/proc/${zombie}/stat`, 'latin1');
      const begin = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
      expect(isGone({ ...thisHolder('x'), pid: zombie, began: begin })).toBe(true);
      shell.kill('SIGKILL');
    });
  });
});

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe('the text of a holder', () => {
  it('is read', () => {
    expect(parseHolder(JSON.stringify(thisHolder('x')))).toEqual(thisHolder('x'));
  });

  it.each([
    '',
    '[]',
    '{}',
    ...Object.entries({ pid: '1', space: 1, began: 1, turn: 1 }).map(([name, value]) =>
      JSON.stringify({ pid: 1, space: '', began: '', turn: '', [name]: value }),
    ),
    '{"pid":1.5,"space":"","began":"","turn":""}',
  ])('is not read from %j', (text) => {
    expect(parseHolder(text)).toBeUndefined();
  });
});
