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

function check(file: string, text: string) {
  mkdirSync(join(src, dirname(file)), { recursive: true });
  writeFileSync(join(src, file), text);
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
    ['signing/sigv4.ts', `type S = import('../session/create-session.ts').S;`, 'session/create-session.ts'],
    ['options/arn.ts', `import { load } from '../identity/load.ts';`, 'options must not import identity/load.ts'],
    ['identity/pkcs11/a.ts', `import { sign } from '../../signing/sigv4.ts';`, 'identity must not import signing/'],
    ['session/create-session.ts', `import { provider } from '../credentials/provider.ts';`, 'credentials/provider.ts'],
    ['credentials/provider.ts', `import { json } from '../output/process-json.ts';`, 'output/process-json.ts'],
    ['index.ts', `import { run } from './commands/version.ts';`, 'index.ts must not import commands/version.ts'],
    ['errors.ts', `import { VERSION } from './version.ts';`, 'errors.ts must not import version.ts'],
    ['http/direct.ts', `import { helper } from '../../scripts/helper.ts';`, 'is outside of src/'],
    ['stray/file.ts', `export {};`, 'stray has no row'],
  ])('refuses in %s: %s', async (file, text, problem) => {
    const { status, stderr } = await check(file, text);
    expect(stderr).toContain(problem);
    expect(status).toBe(1);
  });

  it.each([
    ['cli.ts', `const { run } = await import('./commands/version.ts');`],
    ['emulator/main.ts', `import { RolesAnywhereError } from '../errors.ts'; import { X } from '@peculiar/x509';`],
    ['emulator/sts/main.ts', `import { verify } from '../verify.ts';`],
    ['signing/sigv4.ts', `import { createHash } from 'node:crypto'; import type { I } from '../identity/identity.ts';`],
    ['session/create-session.ts', `import { sign } from '../signing/sigv4.ts';`],
    ['commands/emulator.ts', `const emulator = await import('../emulator/emulator.ts');`],
  ])('lets pass in %s: %s', async (file, text) => {
    expect(await check(file, text)).toMatchObject({ status: 0, stdout: '' });
  });

  it('refuses a folder without sources', async () => {
    expect((await runProgram(process.execPath, [SCRIPT, src])).status).toBe(1);
  });

  it('finds nothing in this project', async () => {
    expect(await runProgram(process.execPath, [SCRIPT])).toMatchObject({ status: 0 });
  });
});
