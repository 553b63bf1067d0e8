import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseHolder, readIfThere, readRecord, remove, writeNew } from '../../../src/identity/pkcs11/pin-record.ts';
import { refusal } from '../../support/refusal.ts';

/** What another process does just before a link is made. */
const held = vi.hoisted(() => ({ beforeLink: undefined as (() => void) | undefined }));
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  const link: typeof real.link = async (...paths) => {
    held.beforeLink?.();
    await real.link(...paths);
  };
  return { ...real, link };
});

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'pin-record-'));
  file = join(dir, 'record');
});
afterEach(() => rmSync(dir, { recursive: true }));

const FULL = {
  version: 2,
  token: 'm o 1 t',
  refused: [
    { source: 'a', tag: '00 11' },
    { source: 'b', tag: '22 33' },
  ],
  accepted: { source: 'a', stamp: 'x' },
  doubt: { source: 'a', stamp: 'x', count: 3, at: '2026-01-01T00:00:00Z', low: true, tag: '44 55' },
};

/** The files that this process has open, where Linux tells. */
function openFiles(): string[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc/self/fd').flatMap((descriptor) => {
    try {
      return [readlinkSync(`/proc/self/fd/${descriptor}`)];
    } catch {
      return [];
    }
  });
}

/** What is read of a file with this in it. */
function read(value: unknown): unknown {
  writeFileSync(file, typeof value === 'string' ? value : JSON.stringify(value));
  return readRecord(file);
}

describe('a record', () => {
  it.each<[string, object]>([
    ['everything in it', FULL],
    ['nothing but its version', { version: 2 }],
    ['a PIN that was accepted, of a source without a stamp', { version: 2, accepted: { source: 'a' } }],
    ['a doubt of nobody', { version: 2, doubt: { count: 1 } }],
    ['none that was refused', { version: 2, refused: [] }],
  ])('is read as it was written, with %s', (_, record) => {
    expect(read(record)).toEqual(record);
  });

  it('is none where there is no file', () => {
    expect(readRecord(file)).toBeUndefined();
  });

  it.each<[string, unknown]>([
    ['cut off', '{"version":2,"dou'],
    ['empty', ''],
    ['null', null],
    ['a list', [2]],
    ['a word', '"version"'],
    ['of another version', { ...FULL, version: 3 }],
    ['of a version in words', { ...FULL, version: '2' }],
    ['with one refusal, in no list', { ...FULL, refused: { source: 'a', tag: '00 11' } }],
    ['with a refusal that is a word', { ...FULL, refused: ['a'] }],
    ['with a refusal by nobody', { ...FULL, refused: [{ tag: '00 11' }] }],
    ['with a refusal of nothing', { ...FULL, refused: [{ source: 'a' }] }],
    ['with a good refusal and a bad one', { ...FULL, refused: [{ source: 'a', tag: '00 11' }, {}] }],
    ['with a source that is a number', { ...FULL, accepted: { source: 1 } }],
    ['with a PIN of no source that was accepted', { ...FULL, accepted: { stamp: 'x' } }],
    ['with a stamp that is a number', { ...FULL, accepted: { source: 'a', stamp: 1 } }],
    ['with an acceptance that is a word', { ...FULL, accepted: 'a' }],
    ['with a doubt that is a list', { ...FULL, doubt: [1] }],
    ['with a doubt without a count', { ...FULL, doubt: { source: 'a' } }],
    ['with a count in words', { ...FULL, doubt: { count: '1' } }],
    ['with a doubt about a number', { ...FULL, doubt: { count: 1, source: 1 } }],
    ['with a doubt about another form of tag', { ...FULL, doubt: { count: 1, tag: 1 } }],
    ['with a doubt about another form of stamp', { ...FULL, doubt: { count: 1, stamp: 1 } }],
  ])('that is %s is one of a login of unknown end', (_, value) => {
    expect(read(value)).toEqual({ version: 2, doubt: { count: 1 } });
  });

  it('that is a pipe or a folder is an error that says what to do, and is not waited for', async () => {
    execFileSync('mkfifo', [file]);
    mkdirSync(join(dir, 'folder'));
    for (const path of [file, join(dir, 'folder')])
      expect(await refusal(() => readIfThere(path))).toMatchObject({
        code: 'ERR_PIN_STATE',
        message: expect.stringContaining(`the record ${path}`) as string,
      });
    expect((await refusal(() => readIfThere(file))).hint).toContain('remove it');
  });

  it('is written for its owner alone, and never over another one', async () => {
    await writeNew(file, 'one');
    expect([readIfThere(file), statSync(file).mode & 0o777]).toEqual(['one', 0o600]);
    await expect(writeNew(file, 'two')).rejects.toMatchObject({ code: 'EEXIST' });
    expect(readFileSync(file, 'utf8')).toBe('one');
    expect(openFiles()).not.toContain(file);
  });

  it('that cannot be written whole is not left behind, and is an error', async () => {
    // As a disk that is full would: the text is asked for when the file is there.
    const text = {
      [Symbol.iterator](): never {
        expect(readdirSync(dir)).toEqual(['record']);
        throw new Error('full');
      },
    };
    await expect(writeNew(file, text as unknown as string)).rejects.toThrow('full');
    expect(readdirSync(dir)).toEqual([]);
  });
});

describe('a lock', () => {
  it('that is to be removed goes, and leaves nothing behind', async () => {
    writeFileSync(file, 'one');
    await remove(file, 'one');
    expect(readdirSync(dir)).toEqual([]);
  });

  it('that another process has taken meanwhile stays', async () => {
    writeFileSync(file, 'another');
    await remove(file, 'one');
    expect(readFileSync(file, 'utf8')).toBe('another');
    expect(readdirSync(dir)).toEqual(['record']);
  });

  it('that is gone already needs no more', async () => {
    await remove(file, 'one');
    expect(readdirSync(dir)).toEqual([]);
  });

  it('is not put back over the one of a third process', async () => {
    writeFileSync(file, 'another');
    held.beforeLink = () => {
      expect(readdirSync(dir)).toEqual([expect.stringMatching(/^record\.[0-9a-f]{16}$/)]);
      writeFileSync(file, 'a third');
    };
    await remove(file, 'one');
    held.beforeLink = undefined;
    expect(readFileSync(file, 'utf8')).toBe('a third');
    expect(readdirSync(dir)).toEqual(['record']);
  });

  it('that cannot be looked at is an error', async () => {
    writeFileSync(file, 'x');
    await expect(remove(join(file, 'y'), 'one')).rejects.toMatchObject({ code: 'ENOTDIR' });
  });

  it.each<[unknown, unknown]>([
    [
      { pid: 1, owner: 'a', turn: 'b' },
      { pid: 1, owner: 'a' },
    ],
    [{ pid: '1', owner: 'a' }, undefined],
    [{ pid: 1 }, undefined],
    [{ pid: 1, owner: 2 }, undefined],
    [[1, 'a'], undefined],
    [null, undefined],
  ])('of %j is held by %j', (text, holder) => {
    expect(parseHolder(JSON.stringify(text))).toEqual(holder);
  });

  it('whose text is cut off is held by nobody known', () => {
    expect(parseHolder('{"pid":1,')).toBeUndefined();
  });
});
