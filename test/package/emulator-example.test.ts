import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runProgram } from '../support/cli.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PAGE = readFileSync(join(ROOT, 'docs/emulator.md'), 'utf8');

/** The examples of the page, by file name. */
const EXAMPLES = new Map(
  Array.from(PAGE.matchAll(/<!-- example: (\S+) -->\n+```js\n([^]*?)```/g), ([, name = '', text = '']) => [name, text]),
);

let project: string;

function npm(...args: string[]) {
  const env = {
    HOME: project,
    PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`,
    npm_config_offline: 'true',
  };
  return runProgram('npm', args, { cwd: ROOT, env });
}

beforeAll(async () => {
  project = mkdtempSync(join(tmpdir(), 'roles-anywhere-example-'));
  const pack = await npm('pack', '--ignore-scripts', '--json', '--pack-destination', project);
  const [{ filename }] = JSON.parse(pack.stdout) as [{ filename: string }];
  writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }');
  const { status, stderr } = await npm('install', '--prefix', project, join(project, filename));
  if (status !== 0) throw new Error(`npm install ended with status ${status}\n${stderr}`);
  for (const [name, text] of EXAMPLES) writeFileSync(join(project, name), text);
}, 60_000);
afterAll(() => rmSync(project, { recursive: true }));

describe('a project of its own, with the packed package installed, tests its code with the emulator', () => {
  it('in under 30 lines, with the runner of Node', async () => {
    const text = EXAMPLES.get('app.test.js') ?? '';
    expect(text.trim().split('\n').length).toBeLessThan(30);
    const { status, stdout } = await runProgram(process.execPath, ['--test', '--test-reporter=tap', 'app.test.js'], {
      cwd: project,
    });
    expect(stdout).toMatch(/^# pass 2$/m);
    expect(status).toBe(0);
  });

  it('with Vitest', async () => {
    symlinkSync(join(ROOT, 'node_modules/vitest'), join(project, 'node_modules/vitest'));
    writeFileSync(join(project, 'vitest.config.js'), 'export default {};'); // none of a folder above
    const args = [join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', 'policy.vitest.test.js'];
    const { status, stdout } = await runProgram(process.execPath, args, { cwd: project, env: { NO_COLOR: '1' } });
    expect(stdout).toMatch(/Tests {2}1 passed/);
    expect(status).toBe(0);
  });

  it('with Jest', async () => {
    // Jest is no dependency here: of it, the example uses `test` and `expect(...).rejects.toThrow`.
    const jest = `
      import assert from 'node:assert/strict';
      import { test } from 'node:test';
      globalThis.test = test;
      globalThis.expect = (promise) => ({ rejects: { toThrow: (text) => assert.rejects(promise, new RegExp(text)) } });
    `;
    writeFileSync(join(project, 'jest.mjs'), jest);
    const args = ['--import', './jest.mjs', '--test-reporter=tap', 'revoked.jest.test.mjs'];
    const { status, stdout } = await runProgram(process.execPath, args, { cwd: project });
    expect(stdout).toMatch(/^# pass 1$/m);
    expect(status).toBe(0);
  });

  it('with types that stand alone', async () => {
    mkdirSync(join(project, 'node_modules/@types'), { recursive: true });
    for (const name of ['@types/node', 'undici-types'])
      symlinkSync(join(ROOT, 'node_modules', name), join(project, 'node_modules', name));
    const use = `
      import { createAuthority, createClock, startEmulator } from 'roles-anywhere/emulator';
      import type { Emulator, Fault, Verdict } from 'roles-anywhere/emulator';
      const fault: Fault = { cut: 'middle', times: 2 };
      export async function start(): Promise<Emulator> {
        const { certificate } = await createAuthority({ subject: 'CN=a' });
        const emulator = await startEmulator({ trustAnchors: [{ certificates: certificate }], now: createClock().now });
        emulator.inject(fault);
        return emulator;
      }
      export const last = (emulator: Emulator): Verdict | undefined => emulator.verdicts.at(-1);
      // @ts-expect-error not a fault: the types are the real ones, not any
      export const wrong: Fault = { cut: 'after' };
    `;
    writeFileSync(join(project, 'use.mts'), use);
    const compilerOptions = {
      target: 'es2022',
      lib: ['es2022'],
      types: ['node'],
      module: 'nodenext',
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      noEmit: true,
    };
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['use.mts'] }));
    const args = [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', project];
    expect(await runProgram(process.execPath, args)).toMatchObject({ status: 0, stdout: '' });
  });
});
