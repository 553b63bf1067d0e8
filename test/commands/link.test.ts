import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { link } from '../../src/commands/link.ts';
import { CLI, INSTALLED, runProgram } from '../support/cli.ts';

let root: string;
let bin: string;
/** A command as npm installs it: a link in a bin folder. */
let program: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'ra-link-'));
  bin = join(root, 'bin');
  program = join(bin, 'roles-anywhere');
  mkdirSync(bin);
  symlinkSync(INSTALLED, program);
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

const platform = 'linux';

describe('link', () => {
  it('makes the link beside the installed command, and finds it there the next time', async () => {
    const path = join(bin, 'aws_signing_helper');
    expect(await link({ program, platform })).toEqual({ path, made: true });
    expect(readlinkSync(path)).toBe(program);
    expect(await link({ program, platform })).toEqual({ path, made: false });
    expect(await link({ program: path, platform })).toEqual({ path, made: false });
  });

  it('makes it in the directory that is named', async () => {
    const dir = join(root, 'other dir');
    mkdirSync(dir);
    expect(await link({ program, dir, platform })).toEqual({ path: join(dir, 'aws_signing_helper'), made: true });
    expect(readlinkSync(join(dir, 'aws_signing_helper'))).toBe(program);
  });

  it.each([
    ['a program', (path: string) => writeFileSync(path, 'of AWS')],
    ['a link to something else', (path: string) => symlinkSync('/bin/sh', path)],
    ['a link to nothing', (path: string) => symlinkSync('/nonexistent', path)],
  ])('leaves %s alone without --force, and replaces it with', async (_what, put) => {
    const path = join(bin, 'aws_signing_helper');
    put(path);
    const before = lstatSync(path).ino;
    await expect(link({ program, platform })).rejects.toMatchObject({ code: 'ERR_LINK_EXISTS' });
    expect(lstatSync(path).ino).toBe(before);
    expect(await link({ program, platform, force: true })).toEqual({ path, made: true });
    expect(readlinkSync(path)).toBe(program);
    expect(readdirSync(bin)).toHaveLength(2);
  });

  it('never replaces a directory', async () => {
    mkdirSync(join(bin, 'aws_signing_helper'));
    await expect(link({ program, platform, force: true })).rejects.toMatchObject({ code: 'ERR_LINK_EXISTS' });
  });

  it('asks for the directory when no command was installed', async () => {
    await expect(link({ program: CLI, platform })).rejects.toMatchObject({ code: 'ERR_USAGE' });
    expect(await link({ program: INSTALLED, dir: bin, platform })).toMatchObject({ made: true });
  });

  it.each(['none', 'bin/roles-anywhere'])('refuses %s as directory', async (dir) => {
    await expect(link({ program, dir: join(root, dir), platform })).rejects.toMatchObject({ code: 'ERR_USAGE' });
  });

  it('on Windows makes a script that asks for the old behaviour', async () => {
    const { path } = await link({ program: `${program}%1`, dir: bin, platform: 'win32' });
    expect(path).toBe(join(bin, 'aws_signing_helper.cmd'));
    expect(readFileSync(path, 'utf8')).toBe(`@node "${program}%%1" --compat %*\r\n`);
    const again = { program: `${program}%1`, dir: bin, platform: 'win32' } as const;
    expect(await link(again)).toEqual({ path, made: false });
    await expect(link({ program, platform: 'win32' })).rejects.toMatchObject({ code: 'ERR_LINK_EXISTS' });
  });
});

describe('the built program', () => {
  const env = { PATH: `${process.execPath.replace(/\/[^/]+$/, '')}:/usr/bin:/bin` };

  it('knows the name that it was called by through real links', async () => {
    const made = await runProgram(program, ['link'], { env });
    const path = join(bin, 'aws_signing_helper');
    expect(made).toEqual({ status: 0, stdout: `${path}\n`, stderr: '' });
    const asHelper = await runProgram(path, ['--help'], { env });
    expect(asHelper).toMatchObject({ status: 0, stderr: '' });
    expect(asHelper.stdout).toContain('usage: aws_signing_helper COMMAND');
    const asItself = await runProgram(program, ['--help'], { env });
    expect(asItself.stdout).toContain('usage: roles-anywhere COMMAND');
  });

  it('as aws_signing_helper ignores stray arguments without a word, and refuses them as itself', async () => {
    await runProgram(program, ['link'], { env });
    const line = ['version', 'false'];
    const asHelper = await runProgram(join(bin, 'aws_signing_helper'), line, { env });
    expect(asHelper).toMatchObject({ status: 0, stdout: expect.stringMatching(/^1\.8\.0\+/) as string });
    expect(asHelper.stderr).toBe('');
    expect(await runProgram(program, line, { env })).toMatchObject({
      status: 2,
      stdout: '',
      stderr: expect.stringContaining('ERR_USAGE') as string,
    });
  });
});
