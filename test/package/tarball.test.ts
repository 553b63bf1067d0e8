import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runProgram } from '../support/cli.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');

interface Packed {
  size: number;
  unpackedSize: number;
  filename: string;
  files: { path: string; mode: number }[];
}

let work: string;
let tarball: string;
/** What the package may weigh, packed and unpacked: look at what came in before raising either. */
const PACKED_BUDGET_BYTES = 640_000;
const UNPACKED_BUDGET_BYTES = 2_250_000;

let packed: Packed;
let consumer: string;
let installed: string;

/** npm without this machine's configuration, the registry, and so the optional native parts. */
function npm(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const env = {
    HOME: work,
    PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`,
    npm_config_offline: 'true',
  };
  return runProgram('npm', args, { cwd: ROOT, env });
}

beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'roles-anywhere-package-'));
  // Without the prepack script: other suites run the build meanwhile, and `npm test` has made it.
  const pack = await npm('pack', '--ignore-scripts', '--json', '--pack-destination', work);
  packed = (JSON.parse(pack.stdout) as Packed[])[0]!;
  tarball = join(work, packed.filename);
  consumer = join(work, 'consumer');
  mkdirSync(consumer);
  writeFileSync(join(consumer, 'package.json'), '{ "private": true, "type": "module" }');
  const { status, stderr } = await npm('install', '--prefix', consumer, tarball);
  if (status !== 0 || stderr !== '') throw new Error(`npm install ended with status ${status}\n${stderr}`);
  installed = join(consumer, 'node_modules/roles-anywhere');
}, 60_000);
afterAll(() => rmSync(work, { recursive: true }));

describe('the packed package', () => {
  it('holds the built files, the documentation and the legal texts, and nothing else', () => {
    const paths = packed.files.map(({ path }) => path);
    expect(paths).toEqual(
      expect.arrayContaining([
        'LICENSE',
        'README.md',
        'THIRD-PARTY-NOTICES.txt',
        'package.json',
        'sbom.cdx.json',
        'dist/cli.cjs',
        'dist/main.cjs',
        'dist/emulator.js',
        'dist/emulator-world.schema.json',
        'dist/index.js',
        'dist/types/emulator/index.d.ts',
        'dist/types/index.d.ts',
      ]),
    );
    const expected =
      /^(LICENSE|README\.md|THIRD-PARTY-NOTICES\.txt|package\.json|sbom\.cdx\.json|docs\/[\w/.-]+|dist\/((cli|main|pkcs11-helper|index|emulator)\.cjs|(index|emulator)\.(js|d\.mts)|emulator-world\.schema\.json|man\/roles-anywhere[\w-]*\.1|console\/(app\.(js|css)|icon\.svg|index\.html)|(chunks|lib)\/[\w.-]+\.cjs|types\/[\w/.-]+\.d\.ts|types\/package\.json))$/;
    expect(paths.filter((path) => !expected.test(path))).toEqual([]);
  });

  it('stays small to download and to keep', () => {
    expect(packed.size).toBeLessThan(PACKED_BUDGET_BYTES);
    expect(packed.unpackedSize).toBeLessThan(UNPACKED_BUDGET_BYTES);
  });

  it('installs as one package without dependencies or install scripts', () => {
    const lock = JSON.parse(readFileSync(join(consumer, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { hasInstallScript?: boolean }>;
    };
    expect(Object.keys(lock.packages)).toEqual(['', 'node_modules/roles-anywhere']);
    expect(lock.packages['node_modules/roles-anywhere']).not.toHaveProperty('hasInstallScript');
    const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as Record<string, unknown>;
    expect(manifest).not.toHaveProperty('dependencies');
    expect(manifest).not.toHaveProperty('bundleDependencies');
    expect(Object.keys(manifest['scripts'] as object).filter((name) => /install|^prepare$/.test(name))).toEqual([]);
  });

  it('has nothing that publint complains of', async () => {
    const { messages, pkg } = await publint({ pkgDir: installed, pack: false, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  });

  it('has types that are right for every way to resolve them', async () => {
    const result = await checkPackage(createPackageFromTarballData(readFileSync(tarball)));
    if (!result.types) throw new Error('the package has no types');
    const problems = result.problems.filter(
      (problem) =>
        // Node 10 reads no exports: it is long out of support. The helper is a program, which nobody imports.
        !('resolutionKind' in problem && problem.resolutionKind === 'node10') &&
        !('entrypoint' in problem && problem.entrypoint === './pkcs11-helper') &&
        // There is no default export to be read in two ways: the wrapper for require() gives the names alone.
        problem.kind !== 'CJSOnlyExportsDefault',
    );
    expect(problems).toEqual([]);
  });

  it('names no path of the machine that built it', () => {
    const paths = packed.files.map(({ path }) => path);
    expect(paths.filter((path) => readFileSync(join(installed, path), 'latin1').includes(ROOT))).toEqual([]);
  });

  it('runs from outside: command line, emulator, import and require', async () => {
    const { status, stdout } = await runProgram(process.execPath, [join(ROOT, 'scripts/black-box.mjs'), consumer]);
    expect(stdout.match(/^not ok .*(\n {2}.*)*/gm) ?? []).toEqual([]);
    expect(status).toBe(0);
  }, 120_000);

  it('can be required file by file: no module awaits at its top level', async () => {
    const files = packed.files
      .map(({ path }) => path)
      .filter((path) => /^dist\/(?!cli\.cjs|pkcs11-helper|console\/).*\.c?js$/.test(path));
    const script = `for (const file of ${JSON.stringify(files)}) require('./node_modules/roles-anywhere/' + file)`;
    writeFileSync(join(consumer, 'require-all.cjs'), script);
    expect(files.length).toBeGreaterThan(0);
    expect(await runProgram(process.execPath, ['--no-warnings', 'require-all.cjs'], { cwd: consumer })).toEqual({
      status: 0,
      stdout: '',
      stderr: '',
    });
  });

  it('is installed globally without a warning, and its command runs', async () => {
    const prefix = join(work, 'global');
    const install = await npm('install', '--global', '--prefix', prefix, tarball);
    expect(install).toMatchObject({ status: 0, stderr: '' });
    expect(install.stdout).not.toMatch(/warn|script/i);
    const bin = join(prefix, 'bin/roles-anywhere');
    expect(statSync(bin).mode & 0o111).toBe(0o111);
    expect(existsSync(join(prefix, 'share/man/man1/roles-anywhere-serve.1'))).toBe(true);
    const env = { PATH: `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin` };
    expect(await runProgram(bin, ['version'], { env })).toMatchObject({ status: 0, stderr: '' });
  });
});

describe('the public types', () => {
  const USE = `
import { RolesAnywhereError, fromAssumeRole, fromRolesAnywhere } from 'roles-anywhere';
import type { ErrorCode, Signer } from 'roles-anywhere';
/** What the AWS SDK v3 takes as credentials (AwsCredentialIdentityProvider), in its own words. */
type Provider = (properties?: Record<string, any>) => Promise<{
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: Date;
  readonly accountId?: string;
}>;
export function credentials(arns: { trustAnchorArn: string; profileArn: string; roleArn: string }): Provider {
  const source: Provider = fromRolesAnywhere({ ...arns, certificate: 'client.pem', privateKey: Buffer.alloc(1) });
  return fromAssumeRole({ source, roleArn: arns.roleArn, tags: { Team: 'blue' } });
}
export type Held = Signer;
export function codeOf(error: unknown): ErrorCode | undefined {
  return error instanceof RolesAnywhereError ? error.code : undefined;
}
// @ts-expect-error not a code: the types are the real ones, not any
export const wrong: ErrorCode = 'ERR_NO_SUCH_CODE';
`;

  beforeAll(() => {
    // Node's types are what a consumer on Node has; nothing else is installed.
    mkdirSync(join(consumer, 'node_modules/@types'), { recursive: true });
    for (const name of ['@types/node', 'undici-types'])
      symlinkSync(join(ROOT, 'node_modules', name), join(consumer, 'node_modules', name));
  });

  it.each([
    ['an ES module', 'use.mts', { module: 'nodenext' }],
    ['a CommonJS module that requires it', 'use.cts', { module: 'nodenext' }],
    ['a bundled application', 'use.ts', { module: 'esnext', moduleResolution: 'bundler' }],
  ])('compile in %s with skipLibCheck false and no other package installed', (_, file, options) => {
    writeFileSync(join(consumer, file), USE);
    const common = {
      target: 'es2022',
      lib: ['es2022'],
      types: ['node'],
      strict: true,
      exactOptionalPropertyTypes: true,
    };
    const compilerOptions = { ...common, ...options, skipLibCheck: false, noEmit: true };
    const config = join(consumer, `tsconfig.${file}.json`);
    writeFileSync(config, JSON.stringify({ compilerOptions, files: [file] }));
    expect(compile(config)).toBe('');
  });
});

/** What the compiler has to say. */
function compile(config: string): string {
  try {
    return execFileSync(process.execPath, [TSC, '-p', config], { encoding: 'utf8' });
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}
