import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { identityFlags } from '../clients/serve-process.ts';
import { runProgram } from '../support/cli.ts';
import { makeAuthority } from '../http/support/pki.ts';
import { startTlsEmulator } from '../network/support.ts';
import { requireStandalone, STANDALONE } from '../support/standalone.ts';
import { startTestEmulator } from '../support/vending.ts';

/** The executable is started where others' files lie and with others' variables: none of them may be code to it. */
describe.runIf(requireStandalone())('the surroundings of the standalone executable', () => {
  let dir: string;
  let emulator: Emulator;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'ra-strange-'));
    emulator = await startTestEmulator();
    // Says that it ran in a file and on standard output, and ends the program.
    writeFileSync(
      join(dir, 'evil.js'),
      `require('fs').writeFileSync(${JSON.stringify(join(dir, 'ran'))}, ''); console.log('ran'); process.exit(66);`,
    );
  });
  afterAll(async () => {
    await emulator.close();
    rmSync(dir, { recursive: true });
  });

  const files = (): string[] => readdirSync(dir, { recursive: true }).map(String).toSorted();

  /** A run whose result is that of a run by itself, and that leaves the folder as it was. */
  async function expectUnmoved(options: Parameters<typeof runProgram>[2]): Promise<void> {
    const before = files();
    expect(await runProgram(STANDALONE, ['version'], options)).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string,
      stderr: '',
    });
    const { status, stdout, stderr } = await runProgram(
      STANDALONE,
      ['credential-process', ...identityFlags(emulator)],
      options,
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ Version: 1 });
    expect(files()).toEqual(before);
  }

  it.each([
    ['BUN_OPTIONS', '--preload ./evil.js'],
    ['BUN_OPTIONS', '--inspect-brk'],
    ['BUN_OPTIONS', '--print 1'],
    ['BUN_OPTIONS', '--config=./bunfig.toml --env-file=./.env'],
    ['BUN_BE_BUN', '1'],
    ['BUN_INSPECT', 'ws://127.0.0.1:0/x?break=1'],
    ['BUN_INSPECT_PRELOAD', './evil.js'],
    ['BUN_INSPECT_NOTIFY', 'unix://./inspect.sock'],
    ['BUN_INSPECT_CONNECT_TO', 'ws+unix://./inspect.sock'],
    ['BUN_BYTECODE_ORDER_OUT', './order'],
    ['BUN_BYTECODE_DIGEST_OUT', './digest'],
    ['BUN_CONFIG_VERBOSE_FETCH', 'curl'],
    ['BUN_RUNTIME_TRANSPILER_CACHE_PATH', './cache'],
    ['BUN_DEBUG', './debug'],
    ['BUN_DEBUG_ALL', '1'],
    ['BUN_CRASH_REPORT_URL', 'http://127.0.0.1:1'],
    ['BUN_TMPDIR', './nowhere'],
    ['BUN_ENV', 'test'],
    ['NODE_OPTIONS', '--require ./evil.js'],
    ['NODE_PATH', '.'],
    ['NODE_V8_COVERAGE', './coverage'],
    ['NODE_COMPILE_CACHE', './compile-cache'],
    ['NODE_REPL_EXTERNAL_MODULE', './evil.js'],
    ['NODE_USE_ENV_PROXY', '1'],
    ['NODE_CHANNEL_FD', '0'],
  ])('cannot move it by the variable %s=%s', async (name, value) => {
    await expectUnmoved({ cwd: dir, env: { [name]: value, HTTP_PROXY: '', NO_PROXY: '*' } });
  });

  it.each([
    ['bunfig.toml', 'preload = ["../evil.js"]\n[run]\npreload = ["../evil.js"]\n[test]\npreload = ["../evil.js"]\n'],
    ['.env', 'BUN_OPTIONS=--preload ../evil.js\nROLES_ANYWHERE_LOG_LEVEL=debug\nAWS_PROFILE=nobody\n'],
    ['.env.production', 'ROLES_ANYWHERE_LOG_LEVEL=debug\n'],
    ['.env.local', 'ROLES_ANYWHERE_LOG_LEVEL=debug\n'],
    ['tsconfig.json', '{ "compilerOptions": { "paths": { "*": ["../evil.js"], "node:fs": ["../evil.js"] } } }'],
    ['jsconfig.json', '{ "compilerOptions": { "paths": { "*": ["../evil.js"] } } }'],
    ['package.json', '{ "main": "../evil.js", "bun": { "preload": "../evil.js" }, "imports": { "#x": "../evil.js" } }'],
    ['node_modules/undici/index.js', 'require("../../../evil.js")'],
    ['node_modules/@koromix/koffi-linux-x64/index.js', 'require("../../../../evil.js")'],
    ['version', 'require("../evil.js")'],
    ['index.js', 'require("../evil.js")'],
    ['.npmrc', 'registry=http://127.0.0.1:1/'],
  ])('cannot move it by the file %s in the working directory', async (name, text) => {
    const cwd = mkdtempSync(join(dir, 'cwd-'));
    mkdirSync(join(cwd, name, '..'), { recursive: true });
    writeFileSync(join(cwd, name), text);
    await expectUnmoved({ cwd, env: { HOME: cwd } });
  });

  it('hold what tells that it ran: the trap itself works', async () => {
    const { status, stdout } = await runProgram(process.execPath, ['-e', '0'], {
      cwd: dir,
      env: { NODE_OPTIONS: '--require ./evil.js' },
    });
    expect({ status, stdout }).toEqual({ status: 66, stdout: 'ran\n' });
    rmSync(join(dir, 'ran'));
  });

  it('cannot make it believe a server that it does not know (NODE_TLS_REJECT_UNAUTHORIZED=0)', async () => {
    const authority = await makeAuthority('Service');
    const service = await startTlsEmulator(await authority.issue(['127.0.0.1']));
    const ca = join(dir, 'ca.pem');
    writeFileSync(ca, authority.root);
    try {
      const flags = [...identityFlags(service), '--endpoint', service.tlsUrl ?? ''];
      const run = (extra: string[], value: string): ReturnType<typeof runProgram> =>
        runProgram(STANDALONE, ['credential-process', ...flags.filter(unlessEndpoint(service.url)), ...extra], {
          env: { NODE_TLS_REJECT_UNAUTHORIZED: value },
        });
      expect(await run(['--ca-bundle', ca], '1')).toMatchObject({ status: 0 });
      for (const value of ['1', '0']) {
        const { status, stdout, stderr } = await run([], value);
        expect({ status, stdout }).toEqual({ status: 5, stdout: '' });
        expect(stderr).toContain('[ERR_TLS_AUTHORITY]');
      }
      const other = await makeAuthority('Other');
      writeFileSync(ca, other.root);
      expect((await run(['--ca-bundle', ca], '0')).stderr).toContain('[ERR_TLS_AUTHORITY]');
    } finally {
      await service.close();
    }
  });

  it('open no port and no socket to a debugger', async () => {
    const asked: string[] = [];
    const server = createServer((socket) => {
      asked.push('connection');
      socket.destroy();
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const address = server.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    await runProgram(STANDALONE, ['version'], { env: { BUN_INSPECT_CONNECT_TO: `ws://127.0.0.1:${port}/` } });
    await new Promise<void>((done) => server.close(() => done()));
    expect(asked).toEqual([]);
  });

  it("are not looked at: but for two, none of the runtime's own variables is known to it by name", () => {
    const text = readFileSync(STANDALONE, 'latin1');
    const known = [...text.matchAll(/(?<=\0)BUN_[A-Z][A-Z0-9_]+(?=\0)/g)].map(([name]) => name);
    expect(known.filter((name) => !/^BUN_(WORKER|FFI|INTERNALS)_/.test(name))).toEqual(IN_SCRIPTS);
  });
});

/** Read by the runtime's own scripts, of which one sizes buffers and the other says more in warnings. */
const IN_SCRIPTS = ['BUN_DISABLE_DYNAMIC_CHUNK_SIZE', 'BUN_FEATURE_FLAG_VERBOSE_WARNINGS'];

/** Leaves out the flag `--endpoint` with that value. */
function unlessEndpoint(url: string): (word: string, at: number, words: readonly string[]) => boolean {
  return (word, at, words) =>
    !((word === '--endpoint' && words[at + 1] === url) || (word === url && words[at - 1] === '--endpoint'));
}
