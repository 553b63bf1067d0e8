/** Where a credentials file is, what others do to it while it is written, and what the system refuses. */
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import type { Stats } from 'node:fs';
import { homedir, tmpdir, userInfo } from 'node:os';
import { basename, join, relative as relativePath } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import * as clock from '../../src/platform/clock.ts';
import * as fs from '../../src/platform/file-system.ts';
import { writeCredentialsFile } from '../../src/output/credentials-file.ts';
import type { CredentialsFileOptions } from '../../src/output/credentials-file.ts';
import { refusal } from '../support/refusal.ts';
import { CREDENTIALS, KEYS, OLD } from './credentials-file-cases.ts';

vi.mock('node:os', { spy: true });
vi.mock('../../src/platform/clock.ts', { spy: true });
vi.mock('../../src/platform/file-system.ts', { spy: true });
const { processAge } = vi.mocked(clock);
const { fchmod, fchown, fstat, fsync, makeFolder, open, close, readdir, rename, stat } = vi.mocked(fs);

let work: string;
let file: string;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'roles-anywhere-credentials-'));
  file = join(work, 'credentials');
  vi.stubEnv('HOME', work);
});
afterEach(() => {
  vi.resetAllMocks();
  vi.unstubAllEnvs();
  rmSync(work, { recursive: true, force: true });
});

function write(options: Partial<CredentialsFileOptions> = {}): Promise<string> {
  return writeCredentialsFile({ file, credentials: CREDENTIALS, profile: 'dev', ...options });
}

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** Lets something happen each time when a temporary file is whole and not yet in its place. */
function meanwhile(happen: (turn: number) => void): void {
  let turn = 0;
  fchmod.mockImplementation(async () => happen((turn += 1)));
}

describe('what another program writes meanwhile', () => {
  it('is given up after 10 s in which it has never come to an end', async () => {
    let age = 0;
    processAge.mockImplementation(() => {
      writeFileSync(file, '[a]');
      return (age += 2500);
    });
    writeFileSync(file, '');
    expect(await refusal(() => write())).toMatchObject({
      code: 'ERR_CREDENTIALS_FILE',
      message: `${file} is being changed all the time by another program`,
    });
    expect(readFileSync(file, 'utf8')).toBe('[a]');
  });

  it.each<[string, () => void]>([
    ['more, in the same moment', () => appendFileSync(file, 'y = 2\n')],
    ['as much, at a later moment', () => writeFileSync(file, '[a]\ny = 2\n')],
    [
      'as much, in the same moment, in a new file',
      () => {
        writeFileSync(join(work, 'new'), '[a]\ny = 2\n');
        renameSync(join(work, 'new'), file);
      },
    ],
  ])('stays: %s', async (name, change) => {
    const moment = new Date(1_700_000_000_000);
    writeFileSync(file, '[a]\nx = 1\n');
    utimesSync(file, moment, moment);
    let text = '';
    meanwhile((turn) => {
      if (turn > 1) return;
      change();
      if (name.includes('same moment')) utimesSync(file, moment, moment);
      text = readFileSync(file, 'utf8');
    });
    await write();
    expect(fchmod).toHaveBeenCalledTimes(2);
    expect(readFileSync(file, 'utf8')).toBe(`${text}\n[dev]\n${KEYS}`);
    expect(readdirSync(work)).toEqual(['credentials']);
  });

  it('stays also where no file was, and what it removes is not there again', async () => {
    meanwhile((turn) => {
      if (turn === 1) writeFileSync(file, '[a]\nx = 1\n');
      if (turn === 2) rmSync(file);
    });
    await write();
    expect(fchmod).toHaveBeenCalledTimes(3);
    expect(readFileSync(file, 'utf8')).toBe(`[dev]\n${KEYS}`);
  });

  it('is waited out nine times, and not ten', async () => {
    meanwhile((turn) => turn < 10 && writeFileSync(file, `[a]\n${'x'.repeat(turn)} = 1\n`));
    await write();
    expect(readFileSync(file, 'utf8')).toBe(`[a]\nxxxxxxxxx = 1\n\n[dev]\n${KEYS}`);
    fchmod.mockClear();
    meanwhile((turn) => writeFileSync(file, `[b]\n${'x'.repeat(turn)} = 1\n`));
    const error = await refusal(() => write());
    expect([error.code, error.message]).toEqual([
      'ERR_CREDENTIALS_FILE',
      `${file} is being changed all the time by another program`,
    ]);
    expect(fchmod).toHaveBeenCalledTimes(10);
    expect(readFileSync(file, 'utf8')).toBe('[b]\nxxxxxxxxxx = 1\n');
    expect(readdirSync(work)).toEqual(['credentials']);
  });

  it('is not waited out after a signal', async () => {
    const controller = new AbortController();
    meanwhile((turn) => {
      writeFileSync(file, `[a]\n${'x'.repeat(turn)} = 1\n`);
      if (turn === 3) controller.abort(new Error('enough'));
    });
    await expect(write({ signal: controller.signal })).rejects.toThrow('enough');
    expect(fchmod).toHaveBeenCalledTimes(3);
    expect(readdirSync(work)).toEqual(['credentials']);
  });

  it('is not replaced when the lock was taken over', async () => {
    writeFileSync(file, `[dev]\n${OLD}`);
    meanwhile(() => rmSync(`${file}.lock`));
    expect((await refusal(() => write())).message).toContain(`the lock ${file}.lock was lost`);
    expect(readFileSync(file, 'utf8')).toBe(`[dev]\n${OLD}`);
    expect(readdirSync(work)).toEqual(['credentials']);
  });
});

describe('the file that takes the place of the old one', () => {
  it('is made for this user alone, named by chance, and synced with its folder', async () => {
    await write();
    const [path, flags, mode] = open.mock.calls.find(([name]) => String(name).endsWith('.tmp')) ?? [];
    expect(basename(String(path))).toMatch(/^credentials\.[0-9a-f]{16}\.tmp$/);
    expect([flags, mode]).toEqual(['wx', 0o600]);
    const [first, second] = fsync.mock.invocationCallOrder;
    const [renamed = 0] = rename.mock.invocationCallOrder;
    expect(fsync).toHaveBeenCalledTimes(2);
    expect(first).toBeLessThan(renamed);
    expect(second).toBeGreaterThan(renamed);
    expect(open).toHaveBeenCalledWith(work, 'r');
    expect(close).toHaveBeenCalledTimes(open.mock.calls.length);
  });

  it('is removed when it cannot be put in place', async () => {
    rename.mockRejectedValueOnce(systemError('EXDEV'));
    expect((await refusal(() => write())).message).toBe(`cannot write ${file} (EXDEV)`);
    expect(readdirSync(work)).toEqual([]);
  });

  it('is closed when it cannot be written', async () => {
    fsync.mockRejectedValueOnce(systemError('ENOSPC'));
    expect((await refusal(() => write())).message).toBe(`cannot write ${file} (ENOSPC)`);
    expect(close).toHaveBeenCalledTimes(open.mock.calls.length);
    expect(readdirSync(work)).toEqual([]);
  });

  it.each<[string, () => void]>([
    [
      'cannot be opened',
      () =>
        void rename.mockImplementationOnce(async (from, to) => {
          renameSync(from, to);
          open.mockRejectedValueOnce(systemError('EPERM'));
        }),
    ],
    [
      'cannot be synced',
      () => void fsync.mockResolvedValueOnce(undefined).mockRejectedValueOnce(systemError('EINVAL')),
    ],
  ])('is in place although the folder %s', async (_, prepare) => {
    prepare();
    expect(await write()).toBe(file);
    expect(existsSync(file)).toBe(true);
  });

  it('keeps the owner, whose group is what it was', async () => {
    writeFileSync(file, '');
    chmodSync(file, 0o677);
    const { uid, gid } = statSync(file);
    fstat.mockImplementation(async () => ({ uid: uid + 1, gid }) as Stats);
    fchown.mockResolvedValue(undefined);
    await write();
    expect(fchown.mock.calls.map(([, ...owner]) => owner)).toEqual([[uid, gid]]);
    expect(statSync(file).mode & 0o777).toBe(0o677);
  });

  it('is not written when it cannot be given to the owner', async () => {
    writeFileSync(file, '');
    const { uid, gid } = statSync(file);
    fstat.mockImplementation(async () => ({ uid: uid + 1, gid }) as Stats);
    fchown.mockRejectedValue(systemError('EPERM'));
    expect((await refusal(() => write())).message).toBe(`cannot write ${file} (EPERM)`);
    expect(readFileSync(file, 'utf8')).toBe('');
  });

  it('keeps the group, or else gives another group nothing', async () => {
    writeFileSync(file, '');
    chmodSync(file, 0o677);
    const { uid, gid } = statSync(file);
    fstat.mockImplementation(async () => ({ uid, gid: gid + 1 }) as Stats);
    fchown.mockResolvedValueOnce(undefined).mockRejectedValueOnce(systemError('EPERM'));
    await write();
    expect(fchown.mock.calls.map(([, ...owner]) => owner)).toEqual([[uid, gid]]);
    expect(statSync(file).mode & 0o777).toBe(0o677);
    await write();
    expect(statSync(file).mode & 0o777).toBe(0o607);
  });

  it('is left to its owner where that is this user', async () => {
    writeFileSync(file, '');
    await write();
    await write({ file: join(work, 'new') });
    expect(fchown).not.toHaveBeenCalled();
  });
});

describe('the file', () => {
  // Neither the real home directory nor this one is anything to write to, whatever the code does.
  beforeEach(async () => {
    const { makeFolder: make } = await vi.importActual<typeof fs>('../../src/platform/file-system.ts');
    makeFolder.mockImplementation(async (path) => {
      if (!path.startsWith(work)) throw new Error(`${path} is not for tests`);
      await make(path);
    });
    vi.mocked(homedir).mockReturnValue(join(work, 'system'));
    vi.mocked(userInfo).mockReturnValue({ homedir: join(work, 'user') } as ReturnType<typeof userInfo>);
  });

  it('the default is the file that AWS tools read, and the default profile', async () => {
    const { env, ...options } = { env: { HOME: work }, credentials: CREDENTIALS };
    expect(await writeCredentialsFile({ ...options, env })).toBe(join(work, '.aws/credentials'));
    expect(readFileSync(join(work, '.aws/credentials'), 'utf8')).toBe(`[default]\n${KEYS}`);
    const named = { ...env, AWS_SHARED_CREDENTIALS_FILE: '~/named' };
    expect(await writeCredentialsFile({ ...options, env: named })).toBe(join(work, 'named'));
    const empty = { ...env, AWS_SHARED_CREDENTIALS_FILE: '' };
    expect(await writeCredentialsFile({ ...options, env: empty })).toBe(join(work, '.aws/credentials'));
    const relative = relativePath(process.cwd(), join(work, 'relative'));
    expect(await writeCredentialsFile({ ...options, env: { AWS_SHARED_CREDENTIALS_FILE: relative } })).toBe(
      join(work, 'relative'),
    );
  });

  it('is in the home directory that the system names, or else the user’s, without HOME', async () => {
    const options = { credentials: CREDENTIALS, env: { HOME: '' } };
    expect(await writeCredentialsFile(options)).toBe(join(work, 'system/.aws/credentials'));
    vi.mocked(homedir).mockReturnValue('');
    expect(await writeCredentialsFile(options)).toBe(join(work, 'user/.aws/credentials'));
  });
});

describe('an error of the system', () => {
  it.each<[string, () => void]>([
    ['EACCES', () => void stat.mockRejectedValueOnce(systemError('EACCES'))],
    ['EIO', () => void readdir.mockRejectedValueOnce(systemError('EIO'))],
  ])('%s is told as one', async (code, prepare) => {
    prepare();
    const error = await refusal(() => write());
    expect([error.code, error.message]).toEqual(['ERR_CREDENTIALS_FILE', `cannot write ${file} (${code})`]);
    expect(error.hint).toContain('nothing was changed');
    expect(readdirSync(work)).toEqual([]);
  });

  it('is none where what was left is gone already', async () => {
    readdir.mockResolvedValueOnce(['credentials.0123456789abcdef.tmp'] as never);
    expect(await write()).toBe(file);
  });

  it('is told as one also where a signal fired meanwhile', async () => {
    const controller = new AbortController();
    fsync.mockImplementationOnce(async () => {
      controller.abort(new Error('enough'));
      throw systemError('EIO');
    });
    expect((await refusal(() => write({ signal: controller.signal }))).message).toBe(`cannot write ${file} (EIO)`);
  });
});
