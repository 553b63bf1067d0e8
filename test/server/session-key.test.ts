import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLog } from '../../src/platform/log.ts';
import { keptSessionKey, sessionKeyFile } from '../../src/server/session-key.ts';

const KEY = 'k'.repeat(43);
const BOOT = '11111111-2222-3333-4444-555555555555';

let dir: string;
let logged: string[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ra-session-key-'));
  logged = [];
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function kept({
  env = { RUNTIME_DIRECTORY: dir },
  boot = BOOT,
}: { env?: Record<string, string>; boot?: string | undefined } = {}): Promise<Buffer | undefined> {
  return keptSessionKey({ env, log: createLog({ write: (line) => void logged.push(line) }), bootId: () => boot });
}

const file = (): string => join(dir, 'imds-key');

describe('the key of IMDS tokens', () => {
  it('is that of the process before, in a file for its owner alone', async () => {
    const first = await kept();
    expect(first).toHaveLength(32);
    expect(await kept()).toEqual(first);
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    expect(readdirSync(dir)).toEqual(['imds-key']);
    expect(logged).toEqual([]);
  });

  it("is in the user's runtime directory where there is no service's, which is made", async () => {
    const env = { XDG_RUNTIME_DIR: dir };
    const first = await kept({ env });
    expect(await kept({ env })).toEqual(first);
    expect(statSync(join(dir, 'roles-anywhere')).mode & 0o777).toBe(0o700);
    expect(sessionKeyFile({ RUNTIME_DIRECTORY: '/run/a:/run/b', XDG_RUNTIME_DIR: dir })).toBe('/run/a/imds-key');
  });

  it('is not kept where there is no runtime directory, nor where nothing tells one start of the system from another', async () => {
    const log = createLog({ write: (line) => void logged.push(line) });
    expect(await kept({ env: {} })).toBeUndefined();
    expect(await keptSessionKey({ env: { RUNTIME_DIRECTORY: dir }, log, bootId: () => undefined })).toBeUndefined();
    expect(logged).toEqual([]);
    expect(readdirSync(dir)).toEqual([]);
  });

  it('is a new one after the system was started again: the ends of the old tokens mean nothing there', async () => {
    const first = await kept();
    const second = await kept({ boot: BOOT.replaceAll('1', '9') });
    expect(second).not.toEqual(first);
    expect(await kept({ boot: BOOT.replaceAll('1', '9') })).toEqual(second);
  });

  it.runIf(process.platform === 'linux')('belongs to the start of the system that Linux names', async () => {
    const env = { RUNTIME_DIRECTORY: dir };
    const key = await keptSessionKey({ env, log: createLog({ write: (line) => void logged.push(line) }) });
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    expect(readFileSync(file(), 'latin1')).toBe(`${key?.toString('base64url')} ${boot}\n`);
    expect(logged).toEqual([]);
  });

  it.each([0o640, 0o620, 0o604, 0o601])('is a new one where others could have used the old one: %o', async (mode) => {
    const first = await kept();
    chmodSync(file(), mode);
    expect(await kept()).not.toEqual(first);
    expect(statSync(file()).mode & 0o777).toBe(0o600);
  });

  it.each([
    ['a file of something else', () => writeFileSync(file(), 'hello', { mode: 0o600 })],
    ['a large file', () => writeFileSync(file(), 'A'.repeat(4096), { mode: 0o600 })],
    ['a file with more before a key', () => writeFileSync(file(), `x${KEY} ${BOOT}\n`, { mode: 0o600 })],
    ['a file with more behind a key', () => writeFileSync(file(), `${KEY} ${BOOT}\nx`, { mode: 0o600 })],
    ['a pipe', () => void execFileSync('mkfifo', [file()])],
    ['a folder', () => mkdirSync(file())],
    ['a link', () => symlinkSync('/etc/hostname', file())],
  ])('leaves %s in its place alone, and says that tokens end with the process', async (_what, make) => {
    make();
    expect(await kept()).toBeUndefined();
    expect(logged.join('')).toContain(
      'IMDS tokens will end with this process: a file that holds no key is in the place',
    );
  });

  it('does without where the folder cannot be written', async () => {
    writeFileSync(join(dir, 'note'), '');
    expect(await kept({ env: { RUNTIME_DIRECTORY: join(dir, 'note') } })).toBeUndefined();
    expect(logged.join('')).toContain('ENOTDIR');
  });

  it.runIf(process.platform === 'linux')('does without where a folder takes no file', async () => {
    expect(await kept({ env: { RUNTIME_DIRECTORY: '/proc/self' } })).toBeUndefined();
    expect(logged.join('')).toContain('cannot be kept');
  });

  it('leaves nothing behind where something else comes into its place', async () => {
    const key = kept();
    while (readdirSync(dir).length === 0) await setImmediate();
    mkdirSync(file());
    expect(await key).toBeUndefined();
    expect(readdirSync(dir)).toEqual(['imds-key']);
    expect(logged.join('')).toContain('cannot be kept');
  });

  it('is no secret of the log', async () => {
    await kept();
    expect(logged.join('')).not.toContain(readFileSync(file(), 'utf8').slice(0, 43));
  });
});
