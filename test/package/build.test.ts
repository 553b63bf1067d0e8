import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runProgram } from '../support/cli.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** A small project with the same build. */
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'roles-anywhere-build-'));
  mkdirSync(join(root, 'src'));
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  writeFileSync(join(root, 'package.json'), '{ "type": "module" }');
});
afterEach(() => rmSync(root, { recursive: true }));

async function bundle(files: Record<string, string>, dist = 'dist') {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, 'src', name), text);
  const script = `import { bundleProgram } from ${JSON.stringify(join(ROOT, 'scripts/build/bundles.mjs'))};
    const { hotBytes } = await bundleProgram(${JSON.stringify(root)}, ${JSON.stringify(join(root, dist))}, '1.2.3', {});
    console.log(hotBytes);`;
  return runProgram(process.execPath, ['--input-type=module', '-e', script]);
}

const LAZY = {
  'cli.ts': `declare const PACKAGE_VERSION: string;
    if (process.argv[2] === 'parse') void parsed().then(console.log); else console.log(PACKAGE_VERSION);
    async function parsed() { const { parse } = await import('./parse.ts'); return parse(); }`,
  'parse.ts': `import * as yaml from 'yaml'; export const parse = () => yaml.parse('a: 1');`,
};

describe('the build of the command line', () => {
  it('puts what is imported dynamically into chunks and keeps the hot file small', async () => {
    const { status, stdout, stderr } = await bundle(LAZY);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(Number(stdout)).toBeLessThan(1000);
    expect(readdirSync(join(root, 'dist/chunks'))).toContain('parse.cjs');
    const run = await runProgram(process.execPath, [join(root, 'dist/main.cjs')]);
    expect(run).toEqual({ status: 0, stdout: '1.2.3\n', stderr: '' });
  });

  it('makes the file that the program is called by', () => {
    const first = fileURLToPath(new URL('../../dist/cli.cjs', import.meta.url));
    expect(readFileSync(first, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n"use strict";/);
    expect(statSync(first).mode & 0o111).toBe(0o111);
  });

  it('gives the same bytes every time', async () => {
    await bundle(LAZY);
    await bundle(LAZY, 'again');
    for (const file of ['main.cjs', 'chunks/parse.cjs'])
      expect(readFileSync(join(root, 'again', file)).equals(readFileSync(join(root, 'dist', file)))).toBe(true);
  });

  it('fails when a package gets into the hot file', async () => {
    const { status, stderr } = await bundle({ 'cli.ts': `import { parse } from 'yaml'; console.log(parse('a: 1'));` });
    expect(stderr).toContain('a package got into the hot file');
    expect(status).toBe(1);
  });

  it('fails when the hot file outgrows its budget', async () => {
    const { status, stderr } = await bundle({ 'cli.ts': `console.log('${'x'.repeat(200_000)}');` });
    expect(stderr).toMatch(/the hot file has \d+ bytes; its budget is \d+/);
    expect(status).toBe(1);
  });

  it('fails on a top-level await, which `require` cannot load', async () => {
    const { status, stderr } = await bundle({ 'cli.ts': `console.log(await Promise.resolve(1));` });
    expect(stderr).toMatch(/top-level await/i);
    expect(status).toBe(1);
  });
});
