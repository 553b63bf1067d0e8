import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readMaterialFile } from '../../src/identity/material.ts';
import { refusal } from '../support/refusal.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'material-'));
});
afterAll(() => {
  rmSync(dir, { recursive: true });
});

describe('readMaterialFile', () => {
  it('reads a file, and says which flag named it', () => {
    writeFileSync(join(dir, 'some'), 'abc', { mode: 0o640 });
    const material = readMaterialFile('--certificate', join(dir, 'some'));
    expect(Buffer.from(material.bytes).toString()).toBe('abc');
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
    ['an empty file', 'ERR_PEM_EMPTY', () => (writeFileSync(join(dir, 'e'), ''), join(dir, 'e'))],
    ['a device without an end', 'ERR_FILE_TOO_LARGE', () => '/dev/zero'],
  ])('refuses %s, naming the flag', async (_name, code, make) => {
    const path = make();
    const error = await refusal(() => readMaterialFile('--intermediates', path));
    expect([error.code, error.flag]).toEqual([code, '--intermediates']);
    expect(error.message).toContain(`--intermediates ${path}`);
    expect(error.hint).toBeTruthy();
  });
});
