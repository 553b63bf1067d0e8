/** Places where a new certificate cannot be put: a full disk, a read-only folder, files of another user. */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { certificatePem, privateKeyPem } from '../../certs-dev/authority.ts';
import { loadIdentity } from '../../src/identity/load.ts';
import { CLI, runProgram } from '../support/cli.ts';
import { requireTool } from '../support/tools.ts';
import { type TestCa, type TestFiles, makeCa, writeIdentity } from './support/ca.ts';

/** As CI runs. */
const isRoot = process.geteuid?.() === 0;
const NOBODY = 65_534;

const canMount = ((): boolean => {
  if (!isRoot || !requireTool('unshare')) return false;
  try {
    execFileSync('unshare', ['--mount', 'sh', '-c', 'mount -t tmpfs -o size=64k tmpfs /mnt'], { stdio: 'ignore' });
    return true;
  } catch {
    return false; // a container without the capability
  }
})();

let ca: TestCa;
let files: TestFiles;

beforeAll(async () => {
  ca = await makeCa();
});
beforeEach(async () => {
  files = await writeIdentity(ca);
  writeFileSync(join(files.folder, 'ca.crt'), certificatePem(ca.intermediate.certificate));
  writeFileSync(join(files.folder, 'ca.key'), privateKeyPem(ca.intermediate.keys));
  writeFileSync(
    join(files.folder, 'issue.sh'),
    `cd ${files.folder} && openssl x509 -req -in "$RENEW_CSR" -CA ca.crt -CAkey ca.key -set_serial "0x$(openssl rand -hex 8)" -copy_extensions copyall -days 2 2>/dev/null\n`,
  );
});
afterEach(() => rmSync(files.folder, { recursive: true, force: true }));

const line = (at: { certificate: string; privateKey: string }, ...flags: string[]): string[] => [
  'renew',
  '--force',
  '--certificate',
  at.certificate,
  '--private-key',
  at.privateKey,
  '--renew-command',
  `sh ${join(files.folder, 'issue.sh')}`,
  ...flags,
];

/** Runs it as another user. */
async function asNobody(args: readonly string[]): Promise<{ status: number; stderr: string; stdout: string }> {
  const user = ['--reuid', String(NOBODY), '--regid', String(NOBODY), '--clear-groups'];
  return await runProgram('setpriv', [...user, process.execPath, CLI, ...args]);
}

const own = (uid: number): void => {
  for (const name of ['', 'web.crt', 'web.key', 'ca.crt', 'ca.key', 'issue.sh'])
    chownSync(join(files.folder, name), uid, uid);
};

describe.skipIf(!requireTool('openssl') || !requireTool('setpriv') || !isRoot)(
  'where a certificate cannot be put',
  () => {
    it.each([[[]], [['--new-key']]])('a folder that is read-only: the old pair stays; flags %j', async (flags) => {
      own(NOBODY);
      const before = [readFileSync(files.certificate), readFileSync(files.privateKey)];
      chmodSync(files.folder, 0o555);
      const { status, stderr } = await asNobody(line(files, ...flags));
      expect(stderr).toMatch(/EACCES/);
      expect(stderr).toMatch(/ERR_RENEWAL_(?:WRITE|COMMAND)/);
      expect(status).not.toBe(0);
      expect([readFileSync(files.certificate), readFileSync(files.privateKey)]).toEqual(before);
      chmodSync(files.folder, 0o755);
      expect(await asNobody(line(files, ...flags))).toMatchObject({ status: 0 });
    });

    it('files of another user: the old pair stays', async () => {
      own(NOBODY);
      chownSync(files.certificate, 12_345, 12_345);
      const before = readFileSync(files.certificate);
      const { status, stderr } = await asNobody(line(files));
      expect(stderr).toContain('ERR_RENEWAL_WRITE');
      expect(stderr).toContain('EPERM');
      expect(status).toBe(2);
      expect(readFileSync(files.certificate)).toEqual(before);
      const { serialNumber } = await loadIdentity(files);
      expect(serialNumber).not.toBe('');
    });

    it.skipIf(!canMount).each([
      ['web.crt alone', []],
      ['both files', ['--new-key']],
    ] as const)(
      'a disk that is full: the old pair stays, and is renewed once there is room; %s',
      async (_what, flags) => {
        const disk = join(files.folder, 'disk');
        mkdirSync(disk);
        const at = { certificate: join(disk, 'web.crt'), privateKey: join(disk, 'web.key') };
        const program = quoted([process.execPath, CLI, ...line(at, ...flags)]);
        const script = [
          'set -u',
          `mount -t tmpfs -o size=96k tmpfs ${disk}`,
          `cp ${files.certificate} ${files.privateKey} ${disk}`,
          `sha256sum ${disk}/web.* >${files.folder}/before`,
          // Room for the copies that the command works on, and for nothing else.
          `head -c 200k /dev/zero >${disk}/filler 2>/dev/null; truncate -s -24k ${disk}/filler`,
          `for i in 1 2 3 4 5 6 7 8; do head -c 100 /dev/zero >${disk}/small-$i 2>/dev/null; done`,
          `${program}; echo "status $?"`,
          `sha256sum -c ${files.folder}/before >&2 && echo unchanged`,
          `rm ${disk}/filler ${disk}/small-*`,
          `${program} && echo renewed`,
        ].join('\n');
        const { stdout, stderr } = await runProgram('unshare', ['--mount', 'sh', '-c', script]);
        expect(stderr).toContain('ENOSPC');
        expect(stdout).toMatch(/status [235]\nunchanged\n/);
        expect(stdout).toContain('renewed');
      },
    );
  },
);

/** As a shell reads it. */
function quoted(args: readonly string[]): string {
  return args.map((arg) => `'${arg}'`).join(' ');
}
