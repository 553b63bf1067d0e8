import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runProgram } from '../support/cli.ts';

const SCRIPT = fileURLToPath(new URL('../../scripts/check-imports.mjs', import.meta.url));

let src: string;
beforeEach(() => {
  src = mkdtempSync(join(tmpdir(), 'roles-anywhere-imports-'));
});
afterEach(() => rmSync(src, { recursive: true }));

function check(files: Readonly<Record<string, string>>) {
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(join(src, dirname(file)), { recursive: true });
    writeFileSync(join(src, file), text);
  }
  return runProgram(process.execPath, [SCRIPT, src]);
}

describe('the dependency-direction check', () => {
  it.each([
    ['emulator/verify.ts', `import { decimal } from '../x509/der.ts';`, 'emulator must not import x509/der.ts'],
    ['emulator/verify.ts', `const signing = await import('../signing/canonical.ts');`, 'signing/canonical.ts'],
    ['emulator/verify.ts', `import type { Identity } from '../identity/identity.ts';`, 'identity/identity.ts'],
    ['x509/pem.ts', `import { readFileSync } from 'node:fs';`, 'x509 is pure and must not import node:fs'],
    ['x509/pem.ts', `import { readFileSync } from 'fs';`, 'x509 is pure and must not import fs'],
    ['x509/pem.ts', `import { X509Certificate } from '@peculiar/x509';`, 'must not import @peculiar/x509'],
    ['x509/pem.ts', `export * from '../identity/load.ts';`, 'x509 must not import identity/load.ts'],
    ['signing/sigv4.ts', `import { connect } from 'node:net';`, 'signing is pure and must not import node:net'],
    ['signing/sigv4.ts', `export { request } from '../http/direct.ts';`, 'signing must not import http/direct.ts'],
    ['signing/sigv4.ts', `type S = import('../aws/create-session.ts').S;`, 'signing must not import aws/'],
    ['signing/sigv4.ts', `import { load } from '../identity/load.ts';`, 'signing must not import identity/load.ts'],
    ['options/arn.ts', `import type { Io } from '../commands/command.ts';`, 'options must not import commands/'],
    ['identity/pkcs11/a.ts', `import { sign } from '../../signing/sigv4.ts';`, 'identity must not import signing/'],
    ['aws/create-session.ts', `import { provider } from '../providers/material.ts';`, 'aws must not import providers/'],
    [
      'credentials/provider.ts',
      `import { json } from '../output/process-json.ts';`,
      'credentials must not import output/',
    ],
    ['index.ts', `import { run } from './commands/version.ts';`, 'index.ts must not import commands/version.ts'],
    ['platform/errors.ts', `import { run } from '../cli.ts';`, 'platform must not import cli.ts'],
    ['http/direct.ts', `import { helper } from '../../scripts/helper.ts';`, 'is outside of src/'],
    ['stray/file.ts', `export {};`, 'stray has no row'],
  ])('refuses in %s: %s', async (file, text, problem) => {
    const { status, stderr } = await check({ [file]: text });
    expect(stderr).toContain(problem);
    expect(status).toBe(1);
  });

  it.each([
    ['cli.ts', `const { run } = await import('./commands/version.ts');`],
    [
      'emulator/main.ts',
      `import { RolesAnywhereError } from '../platform/errors.ts'; import { X } from '@peculiar/x509';`,
    ],
    ['emulator/sts/main.ts', `import { verify } from '../verify.ts';`],
    ['signing/sigv4.ts', `import { createHash } from 'node:crypto'; import type { I } from '../identity/identity.ts';`],
    ['aws/create-session.ts', `import { sign } from '../signing/sigv4.ts';`],
    ['commands/emulator.ts', `const emulator = await import('../emulator/emulator.ts');`],
  ])('lets pass in %s: %s', async (file, text) => {
    expect(await check({ [file]: text })).toMatchObject({ status: 0, stdout: '' });
  });

  it.each([
    ['values', `import { b } from './b.ts';`],
    ['types', `import type { B } from './b.ts';`],
    ['a type in passing', `type B = import('./b.ts').B;`],
    ['a dynamic import', `const b = await import('./b.ts');`],
    ['what is passed on', `export * from './b.ts';`],
  ])('refuses a circle of files that is closed by %s', async (_what, text) => {
    const { status, stderr } = await check({
      'http/a.ts': text,
      'http/b.ts': `import { c } from './c.ts';`,
      'http/c.ts': `import type { A } from './a.ts';`,
    });
    expect(stderr).toContain('a circle of imports: src/http/a.ts -> src/http/b.ts -> src/http/c.ts -> src/http/a.ts');
    expect(status).toBe(1);
  });

  it('takes two ways to one file for no circle', async () => {
    const files = {
      'http/a.ts': `import './b.ts'; import './c.ts';`,
      'http/b.ts': `import './d.ts';`,
      'http/c.ts': `import './d.ts';`,
      'http/d.ts': `export {};`,
    };
    expect(await check(files)).toMatchObject({ status: 0 });
  });

  it('refuses a folder without sources', async () => {
    expect((await runProgram(process.execPath, [SCRIPT, src])).status).toBe(1);
  });

  it('finds nothing in this project', async () => {
    expect(await runProgram(process.execPath, [SCRIPT])).toMatchObject({ status: 0 });
  });
});
