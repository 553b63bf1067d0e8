/**
 * The executables as files: of which system and processor each is, what lies beside it, and its npm package. CI makes the one
 * for Linux on x64; `ROLES_ANYWHERE_LONG=1` makes all of them, twice, which fetches their runtimes.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signedAdHoc, wrongPages } from '../../scripts/build/standalone-signature.mjs';
import { runProgram } from '../support/cli.ts';
import { requireStandalone } from '../support/standalone.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PLACE = join(ROOT, 'dist/standalone');
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
const isLong = process.env['ROLES_ANYWHERE_LONG'] === '1';

interface Form {
  /** Format and processor, as the file's head says it; of ELF also the loader. */
  readonly form: string;
  readonly os: string;
  readonly cpu: string;
  readonly libc?: string | undefined;
}

const FORMS: Readonly<Record<string, Form>> = {
  'linux-x64': { form: 'ELF 62 /lib64/ld-linux-x86-64.so.2', os: 'linux', cpu: 'x64', libc: 'glibc' },
  'linux-x64-musl': { form: 'ELF 62 /lib/ld-musl-x86_64.so.1', os: 'linux', cpu: 'x64', libc: 'musl' },
  'linux-arm64': { form: 'ELF 183 /lib/ld-linux-aarch64.so.1', os: 'linux', cpu: 'arm64', libc: 'glibc' },
  'linux-arm64-musl': { form: 'ELF 183 /lib/ld-musl-aarch64.so.1', os: 'linux', cpu: 'arm64', libc: 'musl' },
  'windows-x64': { form: 'PE 8664', os: 'win32', cpu: 'x64' },
  'darwin-arm64': { form: 'Mach-O 100000c', os: 'darwin', cpu: 'arm64' },
  'darwin-x64': { form: 'Mach-O 1000007', os: 'darwin', cpu: 'x64' },
};

/** What the head of an executable says of it: of ELF (System V ABI), PE (Microsoft's specification) and Mach-O (loader.h). */
function formOf(bytes: Buffer): string {
  if (bytes.toString('latin1', 0, 4) === '\u007fELF') {
    const programs = Number(bytes.readBigUInt64LE(32));
    const [size, count] = [bytes.readUInt16LE(54), bytes.readUInt16LE(56)];
    const heads = Array.from({ length: count }, (_, index) => programs + index * size);
    const loader = heads.find((head) => bytes.readUInt32LE(head) === 3) ?? 0;
    const at = Number(bytes.readBigUInt64LE(loader + 8));
    return `ELF ${bytes.readUInt16LE(18)} ${bytes.toString('latin1', at, bytes.indexOf(0, at))}`;
  }
  if (bytes.toString('latin1', 0, 2) === 'MZ') {
    const head = bytes.readUInt32LE(0x3c);
    return `${bytes.toString('latin1', head, head + 2)} ${bytes.readUInt16LE(head + 4).toString(16)}`;
  }
  return bytes.readUInt32LE(0) === 0xfe_ed_fa_cf ? `Mach-O ${bytes.readUInt32LE(4).toString(16)}` : 'unknown';
}

const build = (...args: string[]): unknown =>
  execFileSync(process.execPath, ['scripts/build-standalone.mjs', ...args], { cwd: ROOT, stdio: 'pipe' });
const sums = (): string => readFileSync(join(PLACE, 'SHA256SUMS'), 'utf8');
const names = isLong ? Object.keys(FORMS) : ['linux-x64'];
const fileOf = (name: string): string =>
  join(PLACE, `roles-anywhere-${name}${name.startsWith('windows') ? '.exe' : ''}`);
const packageOf = (name: string): string => join(PLACE, 'npm', `roles-anywhere-${name}`);

describe.runIf(requireStandalone())('the executables', () => {
  beforeAll(() => {
    if (isLong) build('--pack');
  }, 900_000);

  it.each(names)('of %s is of that system and processor', (name) => {
    expect(formOf(readFileSync(fileOf(name)))).toBe(FORMS[name]?.form);
  });

  it('have their digests in SHA256SUMS, each once and no others', () => {
    const found = readdirSync(PLACE).filter((name) => /^roles-anywhere-[\w-]+(\.exe)?$/.test(name));
    const lines = found.toSorted().map((name) => {
      const digest = createHash('sha256').update(readFileSync(join(PLACE, name)));
      return `${digest.digest('hex')}  ${name}\n`;
    });
    expect(sums()).toBe(lines.join(''));
  });

  it.each(names)('of %s has a bill of materials and the licences of what it holds', (name) => {
    const document = JSON.parse(readFileSync(`${fileOf(name)}.cdx.json`, 'utf8')) as {
      bomFormat: string;
      components: { purl: string }[];
    };
    expect(document.bomFormat).toBe('CycloneDX');
    const parts = document.components.map(({ purl }) => purl);
    expect(parts.filter((purl) => purl.startsWith('pkg:npm/%40oven/bun-'))).toHaveLength(1);
    expect(parts.filter((purl) => purl.startsWith('pkg:npm/%40koromix/koffi-'))).toHaveLength(1);
    const text = readFileSync(`${fileOf(name)}.NOTICES.txt`, 'utf8');
    expect(text).toContain('Bun 1.4.5, the runtime');
    expect(text).toContain('@koromix/koffi-');
  });

  it.each(names)('of %s has a package, whose command it is, for its system alone, and that runs nothing', (name) => {
    const { os, cpu, libc } = FORMS[name]!;
    const manifest = JSON.parse(readFileSync(join(packageOf(name), 'package.json'), 'utf8')) as Record<string, unknown>;
    const program = `roles-anywhere${name.startsWith('windows') ? '.exe' : ''}`;
    expect(manifest).toMatchObject({ name: `roles-anywhere-${name}`, version, bin: { 'roles-anywhere': program } });
    expect([manifest['os'], manifest['cpu'], manifest['libc']]).toEqual([[os], [cpu], libc && [libc]]);
    for (const field of ['scripts', 'dependencies', 'optionalDependencies', 'bundleDependencies'])
      expect(manifest).not.toHaveProperty(field);
    expect(readFileSync(join(packageOf(name), program)).equals(readFileSync(fileOf(name)))).toBe(true);
  });

  describe('as a package that npm has installed for all', () => {
    let prefix: string;
    beforeAll(async () => {
      prefix = mkdtempSync(join(tmpdir(), 'ra-global-'));
      const env = { HOME: prefix, PATH: `${dirname(process.execPath)}:/usr/bin:/bin`, npm_config_offline: 'true' };
      const pack = await runProgram('npm', ['pack', packageOf('linux-x64'), '--pack-destination', prefix], { env });
      const archive = join(prefix, pack.stdout.trim());
      const install = await runProgram('npm', ['install', '--global', '--prefix', prefix, archive], { env });
      if (install.status !== 0 || install.stderr !== '')
        throw new Error(`npm ended with ${install.status}\n${install.stderr}`);
      rmSync(archive);
    }, 180_000);
    afterAll(() => rmSync(prefix, { recursive: true }));

    it('is the command, with no Node on the PATH', async () => {
      const command = join(prefix, 'bin/roles-anywhere');
      expect(formOf(readFileSync(realpathSync(command)))).toBe(FORMS['linux-x64']?.form);
      const env = { PATH: dirname(command) };
      expect(await runProgram('/usr/bin/env', ['roles-anywhere', 'version'], { env })).toMatchObject({
        status: 0,
        stdout: `${version}\n`,
        stderr: '',
      });
    });
  });

  it.runIf(isLong)(
    'are the same bytes when they are built again',
    () => {
      const before = sums();
      build();
      expect(sums()).toBe(before);
      expect(before.trim().split('\n')).toHaveLength(Object.keys(FORMS).length);
    },
    900_000,
  );

  it.runIf(isLong).each(['darwin-arm64', 'darwin-x64'])('of %s has a signature that is of its own bytes', (name) => {
    const bytes = readFileSync(fileOf(name));
    expect(wrongPages(bytes)).toBe(0);
    const at = bytes.indexOf('ROLES_ANYWHERE_');
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    expect(wrongPages(bytes)).toBe(1);
    expect(wrongPages(signedAdHoc(bytes, 'changed'))).toBe(0);
  });

  it.runIf(isLong && existsSync('/usr/bin/qemu-aarch64') && existsSync('/usr/aarch64-linux-gnu/lib/libc.so.6'))(
    'of linux-arm64 says its version on an emulated processor',
    async () => {
      const args = ['-L', '/usr/aarch64-linux-gnu', fileOf('linux-arm64'), 'version'];
      expect(await runProgram('/usr/bin/qemu-aarch64', args)).toMatchObject({ status: 0, stdout: `${version}\n` });
    },
  );
});
