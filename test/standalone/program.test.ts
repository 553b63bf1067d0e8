import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { programPath } from '../../src/standalone/program.ts';

describe('the path that the executable was called by', () => {
  let dir: string;
  let execPath: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'ra-called-'));
    execPath = join(dir, 'real');
    for (const folder of ['a', 'b', 'c']) mkdirSync(join(dir, folder));
    writeFileSync(execPath, '');
    chmodSync(execPath, 0o755);
    mkdirSync(join(dir, 'a', 'roles-anywhere')); // a folder is no program
    writeFileSync(join(dir, 'b', 'roles-anywhere'), ''); // nor is what may not be run, to anyone but root
    chmodSync(join(dir, 'b', 'roles-anywhere'), 0o644);
    symlinkSync(execPath, join(dir, 'c', 'roles-anywhere'));
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  const called = (argv0: string, platform: NodeJS.Platform = 'linux'): string =>
    programPath({
      argv0,
      execPath,
      platform,
      env: { PATH: ['a', 'b', 'c'].map((folder) => join(dir, folder)).join(delimiter) },
    });

  it('is the one that was given, with its links', () => {
    expect(called('/opt/bin/aws_signing_helper')).toBe('/opt/bin/aws_signing_helper');
    expect(called('./aws_signing_helper')).toBe(resolve('aws_signing_helper'));
  });

  it('is looked for on the PATH where it was a bare name', () => {
    expect(called('roles-anywhere')).toBe(join(dir, 'c', 'roles-anywhere'));
  });

  it('is that of the file itself where there is no such program, and on Windows', () => {
    expect(called('another')).toBe(execPath);
    expect(called('roles-anywhere', 'win32')).toBe(execPath);
  });
});
