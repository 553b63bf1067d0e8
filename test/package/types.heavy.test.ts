import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runProgram } from '../support/cli.ts';

/** The oldest compiler that the types promise to work with, the last ones of the lines that people are on, and the newest. */
const COMPILERS = { '5.2': '5.2.2', '5.9': '5.9.3', '7.0': '7.0.2' };
const ROOT = fileURLToPath(new URL('../../', import.meta.url));

const USE = `
import { RolesAnywhereError, cached, fromAssumeRole, fromRolesAnywhere, serveContainerCredentials } from 'roles-anywhere';
import type { CredentialsFunction, ErrorCode, RemoteSigner } from 'roles-anywhere';
import { startEmulator } from 'roles-anywhere/emulator';

/** The AWS SDK v3's own words for a provider (@smithy/types, AwsCredentialIdentityProvider). */
interface AwsCredentialIdentity {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly credentialScope?: string;
  readonly accountId?: string;
  readonly expiration?: Date;
}
type Provider = (properties?: Record<string, any>) => Promise<AwsCredentialIdentity>;

declare const fromSdk: Provider;
declare const kms: { send(command: object): Promise<{ Signature?: Uint8Array | undefined }> };

const signer: RemoteSigner = {
  async sign(Message) {
    const { Signature } = await kms.send({ Message });
    if (Signature === undefined) throw new Error('KMS gave no signature');
    return Signature;
  },
};

export function credentials(arns: { trustAnchorArn: string; profileArn: string; roleArn: string }): Provider {
  const source: Provider = fromRolesAnywhere({ ...arns, certificate: 'client.pem', signer, region: undefined });
  return fromAssumeRole({ source, roleArn: arns.roleArn, tags: { Team: 'blue' }, externalId: undefined });
}
export const kept: CredentialsFunction = cached(fromSdk, { jitter: undefined });
export const again: Provider = async () => await kept({ forceRefresh: true });
export const endpoint = serveContainerCredentials({ credentials: fromSdk, roleArn: 'arn:aws:iam::123456789012:role/Demo' });
export const emulator = startEmulator;
export function codeOf(error: unknown): ErrorCode | undefined {
  return error instanceof RolesAnywhereError ? error.code : undefined;
}
// @ts-expect-error not a code: the types are the real ones, not any
export const wrong: ErrorCode = 'ERR_NO_SUCH_CODE';
`;

let work: string;

/** npm as this machine is set up: where it gets packages from is the machine's affair. */
function npm(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const env = Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  return runProgram('npm', args, { cwd: ROOT, env: { ...env }, timeout: 300_000 });
}

beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'roles-anywhere-types-'));
  const pack = await npm('pack', '--ignore-scripts', '--json', '--pack-destination', work);
  const [{ filename }] = JSON.parse(pack.stdout) as [{ filename: string }];
  writeFileSync(join(work, 'package.json'), '{ "private": true }');
  const compilers = Object.entries(COMPILERS).map(([name, version]) => `ts-${name}@npm:typescript@${version}`);
  const packages = [join(work, filename), ...compilers, '@types/node@20.19.43'];
  const install = await npm('install', '--prefix', work, '--no-audit', '--no-fund', ...packages);
  if (install.status !== 0) throw new Error(`npm install ended with status ${install.status}\n${install.stderr}`);
}, 400_000);
afterAll(() => rmSync(work, { recursive: true }));

/** A kind of project: whether it is of ES modules, and what its tsconfig.json says. */
const PROJECTS: Readonly<Record<string, readonly ['module' | 'commonjs', object]>> = {
  'CommonJS, as it was for years': ['commonjs', { module: 'commonjs', moduleResolution: 'node10' }],
  'CommonJS by node16': ['commonjs', { module: 'node16' }],
  'CommonJS by nodenext': ['commonjs', { module: 'nodenext' }],
  'ES modules by node16': ['module', { module: 'node16' }],
  'ES modules by nodenext': ['module', { module: 'nodenext' }],
  'a bundler': ['module', { module: 'esnext', moduleResolution: 'bundler' }],
};

describe.each(Object.keys(COMPILERS))('TypeScript %s', (compiler) => {
  const projects = Object.entries(PROJECTS).filter(
    // Version 7 has no node10 any more.
    ([, [, options]]) =>
      !(compiler === '7.0' && 'moduleResolution' in options && options.moduleResolution === 'node10'),
  );

  it.each(projects)(
    'takes the types in a project of %s',
    async (name, [type, options]) => {
      const folder = join(work, `${compiler} ${name}`);
      mkdirSync(folder);
      writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type }));
      writeFileSync(join(folder, 'use.ts'), USE);
      // The newest compiler is also the quickest, by far.
      for (const exactOptionalPropertyTypes of compiler === '7.0' ? [false, true] : [true]) {
        const common = { target: 'es2022', lib: ['es2022'], types: ['node'], strict: true, exactOptionalPropertyTypes };
        const compilerOptions = { ...common, ...options, skipLibCheck: false, noEmit: true };
        writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['use.ts'] }));
        const tsc = join(work, `node_modules/ts-${compiler}/bin/tsc`);
        const { stdout } = await runProgram(process.execPath, [tsc, '-p', folder], { timeout: 120_000 });
        expect(stdout).toBe('');
      }
    },
    240_000,
  );
});
