/**
 * The executables as files: of which system and processor each is, what lies beside it, and its npm package. CI makes the one
 * for Linux on x64; `ROLES_ANYWHERE_LONG=1` makes all of them, twice, which fetches their runtimes.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signedAdHoc, wrongPages } from '../../scripts/build/standalone-signature.mjs';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { PKI, runProgram } from '../support/cli.ts';
import { requireStandalone } from '../support/standalone.ts';
import { requireTool } from '../support/tools.ts';
import { startTestEmulator, worldFlags } from '../support/vending.ts';

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

function linesOf(command: string, ...args: string[]): string[] {
  return execFileSync(command, args, { encoding: 'utf8', maxBuffer: 2 ** 26, stdio: ['ignore', 'pipe', 'ignore'] })
    .trim()
    .split('\n');
}

/** The symbol of a line of nm, without its version. */
function symbolOf(line: string): string {
  return line.split(' ').at(-1)?.replace(/@.*/, '') ?? '';
}

/**
 * Makes a libstdc++.so.6 for musl, where there is none to install: what an executable takes of it, out of GCC's archive, and
 * the three names of glibc that the archive wants.
 */
function makeLibrary(executable: string, place: string): void {
  const [archive = '', unwinder = '', builtins = ''] = ['libstdc++.a', 'libgcc_eh.a', 'libgcc.a'].map(
    (name) => linesOf('gcc', `-print-file-name=${name}`)[0],
  );
  const has = new Set(linesOf('nm', '--defined-only', archive).map(symbolOf));
  // A table of virtual functions is not undefined there: the loader copies it into the executable.
  const wants = linesOf('nm', '-D', executable).filter((line) => / U |_ZTV/.test(line));
  const taken = wants
    .map(symbolOf)
    .filter((name) => has.has(name))
    .map((name) => `-Wl,-u,${name}`);
  const rest = join(place, 'rest.c');
  writeFileSync(
    rest,
    `#include <sys/random.h>
    char __libc_single_threaded = 0;
    unsigned arc4random(void) { unsigned n = 0; if (getrandom(&n, sizeof n, 0) != sizeof n) __builtin_trap(); return n; }
    int _dl_find_object(void *pc, void *result) { return -1; /* the unwinder then asks dl_iterate_phdr */ }`,
  );
  const archives = ['-Wl,--start-group', archive, unwinder, builtins, '-Wl,--end-group'];
  const output = ['-Wl,-soname,libstdc++.so.6', '-o', join(place, 'libstdc++.so.6')];
  execFileSync('musl-gcc', ['-shared', '-fPIC', ...taken, ...output, rest, ...archives], { stdio: 'pipe' });
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

  describe.runIf(isLong && requireTool('musl-gcc') && existsSync('/lib/ld-musl-x86_64.so.1'))(
    'of linux-x64-musl, with a C++ library that is linked to musl for the occasion',
    () => {
      const place = mkdtempSync(join(tmpdir(), 'ra-musl-'));
      const env = { LD_LIBRARY_PATH: place };
      let emulator: Emulator;
      beforeAll(async () => {
        makeLibrary(fileOf('linux-x64-musl'), place);
        emulator = await startTestEmulator();
      }, 60_000);
      afterAll(async () => {
        await emulator.close();
        rmSync(place, { recursive: true });
      });

      it('says its version', async () => {
        const said = await runProgram(fileOf('linux-x64-musl'), ['version'], { env });
        expect(said).toMatchObject({ status: 0, stdout: `${version}\n`, stderr: '' });
      });

      it.each(['ec-p256', 'rsa-2048'])('vends with a key file of %s', async (kind) => {
        const identity = ['--certificate', `${PKI}${kind}.crt.pem`, '--private-key', `${PKI}${kind}.key.pem`];
        const args = ['credential-process', ...identity, '--intermediates', `${PKI}intermediate.pem`];
        const said = await runProgram(fileOf('linux-x64-musl'), [...args, ...worldFlags(emulator)], { env });
        expect({ status: said.status, stderr: said.stderr }).toEqual({ status: 0, stderr: '' });
        expect(JSON.parse(said.stdout)).toMatchObject({ Version: 1 });
      });
    },
  );

  it.runIf(isLong && existsSync('/usr/bin/qemu-aarch64') && existsSync('/usr/aarch64-linux-gnu/lib/libc.so.6'))(
    'of linux-arm64 says its version on an emulated processor',
    async () => {
      const args = ['-L', '/usr/aarch64-linux-gnu', fileOf('linux-arm64'), 'version'];
      expect(await runProgram('/usr/bin/qemu-aarch64', args)).toMatchObject({ status: 0, stdout: `${version}\n` });
    },
  );
});
