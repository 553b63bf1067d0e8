import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/index.ts';
import { PKI, runProgram } from '../support/cli.ts';
import { startConnectProxy } from '../support/connect-proxy.ts';
import type { ConnectProxy } from '../support/connect-proxy.ts';
import { startTestEmulator } from '../support/vending.ts';

/** The bundlers that people use, each at the version that was the newest when this was written. */
const BUNDLERS = [
  'esbuild@0.28.2',
  'webpack@5.113.0',
  'webpack-cli@7.3.1',
  'rollup@4.68.8',
  '@rollup/plugin-node-resolve@16.0.3',
  '@rollup/plugin-commonjs@29.0.3',
  'vite@8.4.0',
  'next@16.4.6',
  'react@19.3.1',
  'react-dom@19.3.1',
];
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const APP = fileURLToPath(new URL('bundled/', import.meta.url));

/** What a bundle that works comes to. Without the helper's copy a token cannot be reached: the file is not in the bundle. */
const ALL = {
  direct: 'ASIA',
  proxy: 'ASIA',
  pooled: 'ASIA',
  token: 'ERR_PKCS11_MODULE_NOT_FOUND',
  tokenAlone: 'ERR_PKCS11_HELPER',
};

let work: string;
let project: string;
let emulator: Emulator;
let proxy: ConnectProxy;
let app: string;

/** npm as this machine is set up: where it gets packages from is the machine's affair. */
function npm(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const env = Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  return runProgram('npm', args, { cwd: ROOT, env: { ...env }, timeout: 300_000 });
}

/** Runs a bundler's command in the project. */
async function bundle(command: string, ...args: string[]): Promise<void> {
  const file = join(project, 'node_modules/.bin', command);
  const PATH = `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`;
  const env = { HOME: work, PATH, NEXT_TELEMETRY_DISABLED: '1' };
  const { status, stdout, stderr } = await runProgram(file, args, { cwd: project, env, timeout: 240_000 });
  if (status !== 0) throw new Error(`${command} ended with status ${status}\n${stdout}\n${stderr}`);
}

/** Runs what a bundler made, moved to a folder where nothing else is. */
async function runAlone(folder: string, main: string): Promise<unknown> {
  const alone = mkdtempSync(join(tmpdir(), 'roles-anywhere-alone-'));
  try {
    cpSync(join(project, folder), alone, { recursive: true });
    const { status, stdout, stderr } = await runProgram(process.execPath, [join(alone, main)], {
      cwd: alone,
      env: { APP: app },
    });
    if (status !== 0) throw new Error(`the bundle ended with status ${status}\n${stdout}\n${stderr}`);
    return JSON.parse(stdout);
  } finally {
    rmSync(alone, { recursive: true });
  }
}

beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'roles-anywhere-bundlers-'));
  project = join(work, 'project');
  mkdirSync(project);
  const pack = await npm('pack', '--ignore-scripts', '--json', '--pack-destination', work);
  const [{ filename }] = JSON.parse(pack.stdout) as [{ filename: string }];
  writeFileSync(join(project, 'package.json'), '{ "private": true }');
  const install = await npm(
    'install',
    '--prefix',
    project,
    '--no-audit',
    '--no-fund',
    join(work, filename),
    ...BUNDLERS,
  );
  if (install.status !== 0) throw new Error(`npm install ended with status ${install.status}\n${install.stderr}`);
  cpSync(APP, project, { recursive: true });
  emulator = await startTestEmulator({ tls: 'development' });
  proxy = await startConnectProxy();
  app = JSON.stringify({
    certificate: `${PKI}ec-p256.crt.pem`,
    privateKey: `${PKI}ec-p256.key.pem`,
    intermediates: `${PKI}intermediate.pem`,
    trustAnchorArn: emulator.trustAnchorArns[0],
    profileArn: emulator.profileArns[0],
    roleArn: emulator.roleArns[0],
    url: emulator.url,
    tlsUrl: emulator.tlsUrl,
    ca: emulator.tlsCa,
    proxy: `http://127.0.0.1:${proxy.port}`,
    helperPath: join(project, 'node_modules/roles-anywhere/dist/pkcs11-helper.cjs'),
  });
}, 400_000);
afterAll(async () => {
  await proxy.close();
  await emulator.close();
  rmSync(work, { recursive: true });
});

describe('the library in a bundle', () => {
  it('works where esbuild made CommonJS of it', async () => {
    await bundle(
      'esbuild',
      'main.mjs',
      '--bundle',
      '--platform=node',
      '--format=cjs',
      '--outfile=esbuild-cjs/main.cjs',
    );
    expect(await runAlone('esbuild-cjs', 'main.cjs')).toEqual(ALL);
  }, 120_000);

  it('works where esbuild made an ES module of it', async () => {
    await bundle(
      'esbuild',
      'main.mjs',
      '--bundle',
      '--platform=node',
      '--format=esm',
      '--outfile=esbuild-esm/main.mjs',
    );
    expect(await runAlone('esbuild-esm', 'main.mjs')).toEqual(ALL);
  }, 120_000);

  it('works in webpack', async () => {
    writeFileSync(
      join(project, 'webpack.config.cjs'),
      `module.exports = { mode: 'production', target: 'node20', entry: './main.mjs',
        output: { path: __dirname + '/webpack', filename: 'main.cjs' } };`,
    );
    await bundle('webpack', '-c', 'webpack.config.cjs');
    // webpack writes down where the file was: there the package still lies.
    expect(await runAlone('webpack', 'main.cjs')).toEqual({ ...ALL, tokenAlone: expect.stringMatching(/^ERR_PKCS11/) });
  }, 240_000);

  it('works in rollup', async () => {
    writeFileSync(
      join(project, 'rollup.config.mjs'),
      `import resolve from '@rollup/plugin-node-resolve';
       import commonjs from '@rollup/plugin-commonjs';
       export default { input: 'main.mjs', external: /^node:/, plugins: [resolve({ preferBuiltins: true }), commonjs()],
         output: { dir: 'rollup', format: 'es', entryFileNames: 'main.mjs', chunkFileNames: '[name]-[hash].mjs' } };`,
    );
    await bundle('rollup', '-c', 'rollup.config.mjs');
    expect(await runAlone('rollup', 'main.mjs')).toEqual(ALL);
  }, 240_000);

  it('works in a server build of Vite', async () => {
    writeFileSync(
      join(project, 'vite.config.mjs'),
      `export default { ssr: { noExternal: true },
         build: { ssr: 'main.mjs', outDir: 'vite', rollupOptions: { output: { entryFileNames: 'main.mjs' } } } };`,
    );
    await bundle('vite', 'build', '-c', 'vite.config.mjs');
    expect(await runAlone('vite', 'main.mjs')).toEqual(ALL);
  }, 240_000);

  it('works in a route of Next, built by Turbopack', async () => {
    const next = join(project, 'app');
    mkdirSync(join(next, 'credentials'), { recursive: true });
    writeFileSync(
      join(next, 'layout.js'),
      'export default function Layout({ children }) { return <html><body>{children}</body></html>; }',
    );
    writeFileSync(join(next, 'page.js'), 'export default function Page() { return <p>page</p>; }');
    writeFileSync(
      join(next, 'credentials/route.js'),
      `import { tryAll } from '../../app.mjs';
       export const dynamic = 'force-dynamic';
       export const GET = async () => Response.json(await tryAll(JSON.parse(process.env.APP)));`,
    );
    await bundle('next', 'build');
    const port = await freePort();
    const server = spawn(
      process.execPath,
      [join(project, 'node_modules/next/dist/bin/next'), 'start', '-H', '127.0.0.1', '-p', String(port)],
      {
        cwd: project,
        env: { PATH: '/usr/bin:/bin', HOME: work, APP: app, NEXT_TELEMETRY_DISABLED: '1' },
        stdio: 'pipe',
      },
    );
    try {
      await ready(server);
      const answer = await fetch(`http://127.0.0.1:${port}/credentials`);
      // The package is installed beside it, and found there.
      expect(await answer.json()).toEqual({ ...ALL, tokenAlone: expect.stringMatching(/^ERR_PKCS11/) });
    } finally {
      server.kill();
    }
  }, 300_000);
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Waits until Next says that it is. */
async function ready(server: ChildProcess): Promise<void> {
  let said = '';
  await new Promise<void>((resolve, reject) => {
    for (const stream of [server.stdout, server.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        if (/ready in/i.test(said)) resolve();
      });
    server.once('close', () => reject(new Error(`Next ended: ${said}`)));
  });
}
