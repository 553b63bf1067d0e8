/** scripts/oci-image.mjs: its archive, read by programs of others, and its root, entered as the user of the image. */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { PKI, runProgram } from '../support/cli.ts';
import { requireStandalone, STANDALONE } from '../support/standalone.ts';
import { requireTool } from '../support/tools.ts';
import { startTestEmulator, worldFlags } from '../support/vending.ts';

const ROOT = join(import.meta.dirname, '../..');
const ARCHIVE = join(ROOT, 'dist/oci/roles-anywhere.tar');
const USER = 65532;
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };

interface Config {
  architecture: string;
  os: string;
  config: { User: string; Entrypoint: string[]; Cmd: string[]; Env: string[]; StopSignal: string };
}

const make = (): unknown =>
  execFileSync(process.execPath, ['scripts/oci-image.mjs', STANDALONE], { cwd: ROOT, stdio: 'pipe' });

describe.runIf(process.getuid?.() === 0 && requireStandalone() && requireTool('skopeo') && requireTool('umoci'))(
  'the image from the executable',
  () => {
    let folder: string;
    let root: string;
    let config: Config;
    let emulator: Emulator;
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'ra-oci-'));
      make();
      const layout = `oci:${join(folder, 'layout')}:${version}`;
      execFileSync('skopeo', ['copy', '--insecure-policy', `oci-archive:${ARCHIVE}`, layout], { stdio: 'pipe' });
      config = JSON.parse(execFileSync('skopeo', ['inspect', '--config', layout], { encoding: 'utf8' })) as Config;
      execFileSync('umoci', ['unpack', '--image', layout.slice('oci:'.length), join(folder, 'bundle')], {
        stdio: 'pipe',
      });
      root = join(folder, 'bundle/rootfs');
      // What `-v` mounts: the identity, readable for the image's user.
      mkdirSync(join(root, 'identity'));
      for (const name of ['ec-p256.crt.pem', 'ec-p256.key.pem', 'intermediate.pem']) {
        cpSync(`${PKI}${name}`, join(root, 'identity', name));
        chmodSync(join(root, 'identity', name), 0o600);
        chownSync(join(root, 'identity', name), USER, USER);
      }
      emulator = await startTestEmulator();
    }, 300_000);
    afterAll(async () => {
      await emulator.close();
      rmSync(folder, { recursive: true, force: true });
    });

    /** Runs the image's entry point in its root as its user, with the kernel's /proc and the image's variables. */
    const run = (...args: string[]): ReturnType<typeof runProgram> =>
      runProgram(
        '/usr/bin/unshare',
        [
          '--mount',
          '--propagation',
          'private',
          '/bin/sh',
          '-c',
          '/usr/bin/mount -t proc proc "$0/proc" && user=$1 && shift && exec /usr/sbin/chroot --userspec="$user" "$0" /usr/local/bin/roles-anywhere "$@"',
          root,
          config.config.User,
          ...args,
        ],
        { env: { HOME: '/', ...Object.fromEntries(config.config.Env.map((one) => one.split('='))) } },
      );

    it('says how it is to be run, as the Dockerfile does', () => {
      const dockerfile = readFileSync(join(ROOT, 'docs/deploy/Dockerfile'), 'utf8');
      expect(config).toMatchObject({
        os: 'linux',
        architecture: process.arch === 'x64' ? 'amd64' : process.arch,
        config: { Entrypoint: ['/usr/local/bin/roles-anywhere'], Cmd: ['--help'] },
      });
      expect(dockerfile).toContain(`USER ${config.config.User}\n`);
      expect(dockerfile).toContain(`STOPSIGNAL ${config.config.StopSignal}\n`);
    });

    it('has one program, and the licences of what it holds', () => {
      const programs = execFileSync('find', [root, '-type', 'f', '-perm', '/111'], { encoding: 'utf8' });
      expect(programs.split('\n').filter((path) => path !== '' && !/\.so\.\d+$/.test(path))).toEqual([
        join(root, 'usr/local/bin/roles-anywhere'),
      ]);
      expect(readFileSync(join(root, 'usr/share/doc/libc6/copyright'), 'utf8')).toContain('Lesser General Public');
      expect(readFileSync(join(root, 'usr/share/doc/roles-anywhere/LICENSE'), 'utf8')).toContain('Apache License');
    });

    it('vends, as a user without a name', async () => {
      const files = ['--certificate', '/identity/ec-p256.crt.pem', '--private-key', '/identity/ec-p256.key.pem'];
      const { status, stdout, stderr } = await run(
        'credential-process',
        ...files,
        '--intermediates',
        '/identity/intermediate.pem',
        ...worldFlags(emulator),
      );
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(JSON.parse(stdout)).toMatchObject({ Version: 1 });
    });

    it('shows the help when nothing is asked', async () => {
      const { status, stdout } = await run(...config.config.Cmd);
      expect(status).toBe(0);
      expect(stdout).toContain('usage: roles-anywhere');
    });

    it('is the same from the same files', { timeout: 300_000 }, () => {
      const before = readFileSync(ARCHIVE);
      make();
      expect(readFileSync(ARCHIVE).equals(before)).toBe(true);
    });
  },
);
