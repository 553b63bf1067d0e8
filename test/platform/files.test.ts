import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAX_FILE_BYTES, accessError, type NamedFile, readNamedFile, systemCode } from '../../src/platform/files.ts';
import { refusal } from '../support/refusal.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'files-'));
});
afterAll(() => {
  rmSync(dir, { recursive: true });
});

const named = (path: string, rest: Partial<NamedFile> = {}): NamedFile => ({
  path,
  name: `--policy ${path}`,
  flag: '--policy',
  ...rest,
});
const pipe = (name: string): string => {
  execFileSync('mkfifo', [join(dir, name)]);
  return join(dir, name);
};

describe('readNamedFile', () => {
  it.each([0, 1, 16 * 1024, 16 * 1024 + 1, MAX_FILE_BYTES])('reads a file of %i bytes', (length) => {
    const bytes = Buffer.alloc(length, 'abc');
    writeFileSync(join(dir, 'some'), bytes);
    const file = readNamedFile(named(join(dir, 'some')));
    expect(Buffer.compare(file.bytes, bytes)).toBe(0);
    expect(file.stats.size).toBe(length);
  });

  it.each([
    ['a missing file', 'ERR_FILE_NOT_FOUND', () => join(dir, 'missing'), {}],
    [
      'a path through a file',
      'ERR_FILE_NOT_FOUND',
      (): string => (writeFileSync(join(dir, 'f'), 'x'), join(dir, 'f', 'g')),
      {},
    ],
    ['a folder', 'ERR_FILE_IS_DIRECTORY', () => (mkdirSync(join(dir, 'd')), join(dir, 'd')), {}],
    ['a pipe that nobody writes to', 'ERR_FILE_UNREADABLE', () => pipe('nobody'), {}],
    ['a device', 'ERR_FILE_UNREADABLE', () => '/dev/zero', {}],
    ['a device without an end', 'ERR_FILE_TOO_LARGE', () => '/dev/zero', { streams: 'awaited' }],
    ['a link to itself', 'ERR_FILE_UNREADABLE', () => (symlinkSync('l', join(dir, 'l')), join(dir, 'l')), {}],
    ['a path with a zero byte', 'ERR_FILE_UNREADABLE', () => join(dir, 'a\0b'), {}],
    [
      'a file of one byte too many',
      'ERR_FILE_TOO_LARGE',
      () => (writeFileSync(join(dir, 'b'), Buffer.alloc(101)), join(dir, 'b')),
      { maxBytes: 100 },
    ],
    [
      'a file that grows while it is read',
      'ERR_FILE_TOO_LARGE',
      () => '/proc/self/status', // it has no size, and some thousand bytes
      { maxBytes: 100 },
    ],
  ] as [string, string, () => string, Partial<NamedFile>][])(
    'refuses %s, naming the flag',
    async (_name, code, make, rest) => {
      const path = make();
      const error = await refusal(() => readNamedFile(named(path, rest)));
      expect([error.code, error.flag]).toEqual([code, '--policy']);
      expect(error.message).toContain(`--policy ${path}`);
      expect(error.hint).toBeTruthy();
    },
  );

  it('refuses with the code and the hint of whoever asks, and keeps what the system said', async () => {
    const own = { code: 'ERR_SELECTOR', hint: 'ask somebody' } as const;
    const missing = await refusal(() => readNamedFile(named(join(dir, 'none'), own)));
    expect(missing).toMatchObject({ code: 'ERR_SELECTOR', hint: 'ask somebody' });
    expect(systemCode(missing)).toBe('ENOENT');
    const folder = await refusal(() => readNamedFile(named(dir, own)));
    expect([folder.code, systemCode(folder)]).toEqual(['ERR_SELECTOR', undefined]);
  });

  it('says of a tilde that it is one', async () => {
    const error = await refusal(() => readNamedFile(named('~/none.pem', { hint: 'another' })));
    expect([error.code, error.hint]).toEqual(['ERR_FILE_NOT_FOUND', expect.stringContaining('~ is not expanded')]);
  });

  it('waits for what is written into a pipe that is open, where pipes are taken', async () => {
    const path = pipe('slow');
    // Open for reading as well, the writer's end never blocks: it is there before anybody else reads.
    const writer = spawn('/bin/sh', ['-c', 'exec 3<>"$1"; echo; sleep 0.2; printf hello >&3', 'sh', path]);
    await new Promise((resolve) => writer.stdout.once('data', resolve));
    expect(Buffer.from(readNamedFile(named(path, { streams: 'open' })).bytes).toString()).toBe('hello');
  });

  it('finds a pipe empty that nobody writes to, where only open ones are taken', () => {
    expect(readNamedFile(named(pipe('empty'), { streams: 'open' })).bytes).toHaveLength(0);
  });

  it.skipIf(process.getuid?.() === 0)('refuses a file of which the mode forbids reading', async () => {
    writeFileSync(join(dir, 'secret'), 'x', { mode: 0o000 });
    const error = await refusal(() => readNamedFile(named(join(dir, 'secret'))));
    expect(error).toMatchObject({ code: 'ERR_FILE_UNREADABLE', message: expect.stringContaining('EACCES') as string });
  });
});

it.each(['EMFILE', 'ENFILE'])('%s is nothing that the mode of a file would mend', (code) => {
  const cause = Object.assign(new Error(`${code}: too many open files`), { code, syscall: 'open' });
  const error = accessError({ path: '/etc/key.pem', name: '--private-key /etc/key.pem' }, cause);
  expect(error).toMatchObject({ code: 'ERR_FILE_UNREADABLE', hint: expect.stringContaining('ulimit -n') });
});

describe("a program under Node's permission model", () => {
  it('is told which permission it lacks', () => {
    const forbidden = Object.assign(new Error('Access to this API has been restricted'), { code: 'ERR_ACCESS_DENIED' });
    const error = accessError({ path: '/etc/key.pem', name: '--private-key /etc/key.pem' }, forbidden);
    expect(error).toMatchObject({ code: 'ERR_FILE_UNREADABLE', hint: /--allow-fs-read=\/etc\/key\.pem/ });
  });
});
