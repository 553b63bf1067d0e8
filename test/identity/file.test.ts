import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAX_FILE_BYTES, readMaterialFile } from '../../src/identity/file.ts';
import { refusal } from '../support/refusal.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'material-'));
});
afterAll(() => {
  rmSync(dir, { recursive: true });
});

describe('readMaterialFile', () => {
  it.each([1, 16 * 1024, 16 * 1024 + 1, MAX_FILE_BYTES])('reads a file of %i bytes', (length) => {
    const bytes = Buffer.alloc(length, 'abc');
    writeFileSync(join(dir, 'some'), bytes);
    const material = readMaterialFile('--certificate', join(dir, 'some'));
    expect(Buffer.compare(material.bytes, bytes)).toBe(0);
    expect(material).toMatchObject({ flag: '--certificate', source: `--certificate ${dir}/some`, rereadable: true });
  });

  it('reads a pipe to its end, and says that it cannot be read twice', () => {
    const pipe = join(dir, 'pipe');
    execFileSync('mkfifo', [pipe]);
    execFileSync('/bin/sh', ['-c', 'printf hello > "$1" &', 'sh', pipe], { stdio: 'ignore' });
    const material = readMaterialFile('--private-key', pipe);
    expect(Buffer.from(material.bytes).toString()).toBe('hello');
    expect(material.rereadable).toBe(false);
  });

  it.each([
    ['a missing file', 'ERR_FILE_NOT_FOUND', () => join(dir, 'missing')],
    ['a path through a file', 'ERR_FILE_NOT_FOUND', () => (writeFileSync(join(dir, 'f'), 'x'), join(dir, 'f', 'g'))],
    ['a folder', 'ERR_FILE_IS_DIRECTORY', () => (mkdirSync(join(dir, 'd')), join(dir, 'd'))],
    ['an empty file', 'ERR_PEM_EMPTY', () => (writeFileSync(join(dir, 'e'), ''), join(dir, 'e'))],
    ['a link to itself', 'ERR_FILE_UNREADABLE', () => (symlinkSync('l', join(dir, 'l')), join(dir, 'l'))],
    ['a path with a zero byte', 'ERR_FILE_UNREADABLE', () => join(dir, 'a\0b')],
    [
      'a file of one byte too many',
      'ERR_FILE_TOO_LARGE',
      () => (writeFileSync(join(dir, 'b'), Buffer.alloc(MAX_FILE_BYTES + 1)), join(dir, 'b')),
    ],
    ['a device without an end', 'ERR_FILE_TOO_LARGE', () => '/dev/zero'],
  ])('refuses %s, naming the flag', async (_name, code, make) => {
    const path = make();
    const error = await refusal(() => readMaterialFile('--intermediates', path));
    expect(error.code).toBe(code);
    expect(error.message).toContain(`--intermediates ${path}`);
    expect(error.hint).toBeTruthy();
  });

  it('says of a tilde that it is one', async () => {
    const error = await refusal(() => readMaterialFile('--certificate', '~/none.pem'));
    expect([error.code, error.hint]).toEqual(['ERR_FILE_NOT_FOUND', expect.stringContaining('~ is not expanded')]);
  });

  it.skipIf(process.getuid?.() === 0)('refuses a file of which the mode forbids reading', async () => {
    writeFileSync(join(dir, 'secret'), 'x', { mode: 0o000 });
    const error = await refusal(() => readMaterialFile('--private-key', join(dir, 'secret')));
    expect(error).toMatchObject({ code: 'ERR_FILE_UNREADABLE', message: expect.stringContaining('EACCES') as string });
  });
});
