import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { PKI, runProgram } from '../support/cli.ts';
import { requireStandalone, STANDALONE } from '../support/standalone.ts';
import { requireTool } from '../support/tools.ts';
import { startTestEmulator, worldFlags } from '../support/vending.ts';

const MODULE = '/usr/lib/softhsm/libsofthsm2.so';
const isRoot = process.getuid?.() === 0;

/** A root file system in which there is the executable, the C library, and SoftHSM: no shell and no Node. */
describe.runIf(isRoot && requireStandalone() && requireTool('softhsm2-util'))(
  'a system with nothing but its C library',
  () => {
    let root: string;
    let emulator: Emulator;
    beforeAll(async () => {
      emulator = await startTestEmulator();
      root = mkdtempSync(join(tmpdir(), 'ra-root-'));
      for (const folder of ['tmp', 'dev', 'proc', 'pki', 'tokens', 'etc']) mkdirSync(join(root, folder));
      execFileSync('mknod', ['-m', '666', join(root, 'dev', 'null'), 'c', '1', '3']);
      copyFileSync(STANDALONE, join(root, 'roles-anywhere'));
      for (const file of [STANDALONE, MODULE]) for (const library of librariesOf(file)) put(library);
      put(MODULE);
      for (const name of ['ec-p256.crt.pem', 'ec-p256.key.pem', 'intermediate.pem'])
        cpSync(`${PKI}${name}`, join(root, 'pki', name));
      writeFileSync(join(root, 'etc', 'softhsm2.conf'), 'directories.tokendir = /tokens\n');
      const outside = join(root, 'etc', 'outside.conf');
      writeFileSync(outside, `directories.tokendir = ${join(root, 'tokens')}\n`);
      const softhsm = (...args: string[]): unknown =>
        execFileSync('softhsm2-util', args, { env: { ...process.env, SOFTHSM2_CONF: outside }, stdio: 'pipe' });
      softhsm('--init-token', '--free', '--label', 'bare', '--pin', '123456', '--so-pin', '12345678');
      const pkcs8 = join(root, 'etc', 'key.pem');
      execFileSync('openssl', ['pkcs8', '-topk8', '-nocrypt', '-in', `${PKI}ec-p256.key.pem`, '-out', pkcs8]);
      softhsm('--import', pkcs8, '--token', 'bare', '--label', 'key', '--id', '01', '--pin', '123456');
      rmSync(pkcs8);
    }, 120_000);
    afterAll(async () => {
      await emulator.close();
      rmSync(root, { recursive: true });
    });

    /** Copies a file of this system to the same place below the root. */
    function put(path: string): void {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      copyFileSync(realpathSync(path), join(root, path));
    }

    const env = { HOME: '/', SOFTHSM2_CONF: '/etc/softhsm2.conf', PATH: '/usr/bin:/bin' };
    const files = ['--certificate', '/pki/ec-p256.crt.pem', '--private-key', '/pki/ec-p256.key.pem'];
    const token = [
      '--certificate',
      '/pki/ec-p256.crt.pem',
      '--private-key',
      'pkcs11:token=bare;object=key?pin-value=123456',
    ];
    const rest = (): string[] => ['--intermediates', '/pki/intermediate.pem', ...worldFlags(emulator)];
    /** What `unshare` takes to start the executable in there, with the kernel's /proc, which its runtime needs. */
    const enter = (): string[] => [
      '--mount',
      '--propagation',
      'private',
      '/bin/sh',
      '-c',
      '/usr/bin/mount -t proc proc "$0/proc" && exec /usr/sbin/chroot "$0" "$@"',
      root,
      '/roles-anywhere',
    ];
    const inside = (...args: string[]): ReturnType<typeof runProgram> =>
      runProgram('unshare', [...enter(), ...args], { env });

    it('is what it says: no shell and no Node', () => {
      const found = execFileSync('find', [root, '-type', 'f', '-perm', '/111'], { encoding: 'utf8' })
        .trim()
        .split('\n');
      const programs = found.map((path) => basename(path)).filter((name) => !/\.so(\.|$)/.test(name));
      expect(programs).toEqual(['roles-anywhere']);
    });

    it('vends with files', async () => {
      const { status, stdout, stderr } = await inside('credential-process', ...files, ...rest());
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(JSON.parse(stdout)).toMatchObject({ Version: 1 });
    });

    it('vends with a key in SoftHSM, and leaves nothing of its native part behind', async () => {
      const lib = ['--pkcs11-lib', MODULE];
      const { status, stdout, stderr } = await inside('credential-process', ...token, ...lib, ...rest());
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(JSON.parse(stdout)).toMatchObject({ Version: 1 });
      expect(execFileSync('find', [join(root, 'tmp'), '-name', '*koffi*'], { encoding: 'utf8' })).toBe('');
    });

    it('serves, and ends when it is told to', async () => {
      const args = [...enter(), 'serve', ...files, ...rest()];
      const child = spawn('unshare', args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
      const exited = new Promise<number | null>((done) => child.once('exit', done));
      let log = '';
      const url = await new Promise<string>((found, failed) => {
        child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
        let lines = '';
        child.stdout.setEncoding('utf8').on('data', (text: string) => {
          lines += text;
          const [, address] = /AWS_EC2_METADATA_SERVICE_ENDPOINT=['"]?(http:[^'"\s]+)/.exec(lines) ?? [];
          if (address !== undefined) found(address);
        });
        void exited.then((status) => failed(new Error(`serve ended with ${status}\n${log}`)));
      });
      const asked = await fetch(new URL('/latest/api/token', url), {
        method: 'PUT',
        headers: { 'X-aws-ec2-metadata-token-ttl-seconds': '60' },
      });
      const headers = { 'X-aws-ec2-metadata-token': await asked.text() };
      const place = new URL('/latest/meta-data/iam/security-credentials/', url);
      const role = await (await fetch(place, { headers })).text();
      const answer = await fetch(new URL(role, place), { headers });
      expect(await answer.json()).toMatchObject({ Code: 'Success' });
      child.kill('SIGTERM');
      expect(await exited).toBe(0);
    });
  },
);

/** The shared libraries that a file needs, the loader included. */
function librariesOf(file: string): string[] {
  const listed = execFileSync('ldd', [file], { encoding: 'utf8' });
  return [...listed.matchAll(/(\/\S+) \(0x/g)].map(([, path = '']) => path);
}
