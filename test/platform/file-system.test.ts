import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeFolder, openForAppending } from '../../src/platform/file-system.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'file-system-'));
});
afterAll(() => {
  rmSync(dir, { recursive: true });
});

describe('makeFolder', () => {
  it('makes a folder and those above it for this user alone, and takes them when they are there', async () => {
    const path = join(dir, 'a', 'b', 'c');
    await makeFolder(path);
    await makeFolder(path);
    for (const made of [path, join(dir, 'a', 'b'), join(dir, 'a')]) {
      expect(statSync(made).isDirectory()).toBe(true);
      expect(statSync(made).mode & 0o777).toBe(process.platform === 'win32' ? 0o666 : 0o700);
    }
  });

  it('is made by several at once', async () => {
    const path = join(dir, 'x', 'y', 'z');
    await Promise.all(Array.from({ length: 8 }, () => makeFolder(path)));
    expect(statSync(path).isDirectory()).toBe(true);
  });

  it('takes a link to a folder, and no file or link to nothing', async () => {
    symlinkSync('.', join(dir, 'link'));
    await makeFolder(join(dir, 'link'));
    writeFileSync(join(dir, 'file'), '');
    symlinkSync('nothing', join(dir, 'dangling'));
    await expect(makeFolder(join(dir, 'file'))).rejects.toMatchObject({ code: 'EEXIST' });
    await expect(makeFolder(join(dir, 'file', 'below'))).rejects.toMatchObject({ code: 'ENOTDIR' });
    await expect(makeFolder(join(dir, 'dangling'))).rejects.toMatchObject({ code: 'EEXIST' });
  });

  it.runIf(process.platform === 'linux')('comes to an end where the system makes no folders', async () => {
    await expect(makeFolder('/proc/none/below')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('openForAppending', () => {
  it('makes a file for this user alone, and adds to one that is there', () => {
    const path = join(dir, 'log');
    for (const text of ['one\n', 'two\n']) {
      const file = openForAppending(path);
      writeSync(file, text);
      closeSync(file);
    }
    expect(readFileSync(path, 'utf8')).toBe('one\ntwo\n');
    expect(statSync(path).mode & 0o777).toBe(process.platform === 'win32' ? 0o666 : 0o600);
  });

  it('takes a device', () => {
    const file = openForAppending('/dev/null');
    expect(writeSync(file, 'x')).toBe(1);
    closeSync(file);
  });

  it('does not wait for somebody to read a pipe', () => {
    execFileSync('mkfifo', [join(dir, 'pipe')]);
    expect(() => openForAppending(join(dir, 'pipe'))).toThrow(/ENXIO/);
  });
});
