import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createFileStore,
  listEntries,
  openFolder,
  tidy,
  writeLine,
} from '../../../src/credentials/cache/file-store.ts';
import { cacheFolder } from '../../../src/credentials/cache/folder.ts';
import {
  bootOf,
  countedNow,
  isOwnFolder,
  readOwnFile,
  stampOf,
  stampOfPlace,
} from '../../../src/credentials/cache/safe-file.ts';

const KEY = `session-1-${'a'.repeat(32)}`;

let dir: string;
let folder: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'roles-anywhere-store-'));
  folder = join(dir, 'roles-anywhere');
});
afterEach(() => rmSync(dir, { recursive: true }));

/** The files that this process has open, where Linux tells. */
function openFiles(): string[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc/self/fd').flatMap((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`);
    } catch {
      return [];
    }
  });
}

function stampByStat(path: string): string {
  const { dev, ino, size, ctimeNs, mtimeNs } = statSync(path, { bigint: true });
  return `${dev} ${ino} ${size} ${ctimeNs} ${mtimeNs}`;
}

/** Milliseconds since the start of the system. */
function age(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

function entry(expiration: string): string {
  const credentials = { accessKeyId: 'a', secretAccessKey: 'b', sessionToken: 'c', expiration };
  return JSON.stringify({ version: 1, obtained: Date.now(), clockOffset: 0, chance: 0, role: 'r', credentials });
}

const soon = (): string => `${new Date(Date.now() + 3_000_000).toISOString().slice(0, 19)}Z`;

describe('the store of files', () => {
  it('gives back what was set last, from a file and a folder that are this user’s alone', async () => {
    const store = createFileStore(folder);
    expect(await store.get(KEY)).toBeUndefined();
    await store.set(KEY, 'one', new Date());
    await store.set(KEY, 'two', new Date());
    expect(await createFileStore(folder).get(KEY)).toBe('two');
    expect(readdirSync(folder)).toEqual([`${KEY}.json`]);
    expect((statSync(folder).mode & 0o777).toString(8)).toBe('700');
    expect((statSync(join(folder, `${KEY}.json`)).mode & 0o777).toString(8)).toBe('600');
  });

  it('replaces links and folders in the place of its files, and what they lead to stays', async () => {
    const store = createFileStore(folder);
    await store.set(KEY, 'one', new Date());
    const path = join(folder, `${KEY}.json`);
    const other = join(dir, 'other');
    writeFileSync(other, 'not ours', { mode: 0o600 });
    rmSync(path);
    symlinkSync(other, path);
    expect(await store.get(KEY)).toBeUndefined();
    await store.set(KEY, 'two', new Date());
    expect(lstatSync(path).isFile()).toBe(true);
    expect(readOwnFile(other)).toBe('not ours');
    rmSync(path);
    mkdirSync(path);
    writeFileSync(join(path, 'x'), '');
    await store.set(KEY, 'three', new Date());
    expect(await store.get(KEY)).toBe('three');
  });

  it.each(['../x', '', 'session-1-x', `${KEY}/..`])('takes no key of another form: %j', async (key) => {
    const store = createFileStore(folder);
    for (const call of [store.get(key), store.set(key, '', new Date())])
      await expect(call).rejects.toMatchObject({ code: 'ERR_CACHE' });
  });

  it('refuses a folder that is not this user’s alone', async () => {
    mkdirSync(folder, { mode: 0o700 });
    chmodSync(folder, 0o750);
    await expect(openFolder(folder)).rejects.toMatchObject({ code: 'ERR_CACHE' });
    rmSync(folder, { recursive: true });
    mkdirSync(join(dir, 'real'), { mode: 0o700 });
    symlinkSync(join(dir, 'real'), folder);
    await expect(openFolder(folder)).rejects.toMatchObject({ code: 'ERR_CACHE' });
    writeFileSync(join(dir, 'file'), '');
    for (const [place, words] of [
      [join(dir, 'file'), 'cannot make'],
      [join(dir, 'file', 'x'), 'ENOTDIR'],
      [undefined, 'there is no folder'],
    ] as const)
      await expect(openFolder(place)).rejects.toMatchObject({
        code: 'ERR_CACHE',
        message: expect.stringContaining(words) as string,
      });
  });

  it('lists what it can read, and tidies what nobody will', async () => {
    const store = createFileStore(folder);
    const [valid, expired, torn] = ['b', 'c', 'd'].map((letter) => `session-1-${letter.repeat(32)}`) as [
      string,
      string,
      string,
    ];
    await store.set(valid, entry(soon()), new Date());
    await store.set(expired, entry('2020-01-01T00:00:00Z'), new Date());
    await store.set(torn, '{', new Date());
    const files = {
      old: [`${valid}.json.0123456789abcdef.tmp`, `line-1-${'0'.repeat(16)}.json`],
      others: ['notes.txt', 'session-1-short.json', `x${valid}.json`, `${valid}.json.bak`],
      fresh: [
        `line-1-${'1'.repeat(16)}.json`,
        `session-2-${'e'.repeat(32)}.json`,
        `${valid}.json.fedcba9876543210.tmp`,
        `${valid}.lock.0123456789abcdef.0.break`,
        `${valid}.lock`,
      ],
    };
    for (const name of Object.values(files).flat()) writeFileSync(join(folder, name), '', { mode: 0o600 });
    for (const name of [...files.old, `${valid}.lock`]) utimesSync(join(folder, name), 1e9, 1e9);
    expect((await listEntries(folder)).map(({ name }) => name)).toEqual([valid, expired]);
    expect(await tidy(folder, Date.now())).toBe(1);
    expect(readdirSync(folder).toSorted()).toEqual(
      [`${valid}.json`, `${torn}.json`, ...files.others, ...files.fresh].toSorted(),
    );
    expect(await tidy(folder, Date.now(), true)).toBe(3);
    expect(readdirSync(folder).toSorted()).toEqual(files.others.toSorted());
    expect(await tidy(join(dir, 'missing'), 0)).toBe(0);
    expect(await listEntries(join(dir, 'missing'))).toEqual([]);
  });
});

describe('what is kept in the folder', () => {
  const LINE = `line-1-${'0'.repeat(16)}`;
  const remembered = {
    version: 1,
    text: 't',
    config: ['/c'],
    entry: KEY,
    minRemainingMs: 1,
    accountId: true,
    lineFeed: true,
  } as const;

  it('is locked under its own name', async () => {
    const lock = await createFileStore(folder).lock?.(KEY, { waitMs: 0, isDone: async () => false });
    expect(readdirSync(folder)).toEqual([`${KEY}.lock`]);
    await lock?.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is a line, too', async () => {
    await writeLine(await openFolder(folder), LINE, remembered);
    expect(JSON.parse(readOwnFile(join(folder, `${LINE}.json`)) ?? '')).toEqual(remembered);
  });

  it('has a name that is tidied up, should the process be killed while it writes', async () => {
    await openFolder(folder);
    const written = createFileStore(folder).set(KEY, 'x'.repeat(100_000), new Date());
    while (readdirSync(folder).length === 0) await setImmediate();
    expect(readdirSync(folder)[0]).toMatch(/^session-1-a{32}\.json\.[0-9a-f]{16}\.tmp$/);
    await written;
  });

  it('is listed in the order of its names', async () => {
    const store = createFileStore(folder);
    const keys = ['d', 'a', 'f', 'c', 'e', 'b'].map((letter) => `session-1-${letter.repeat(32)}`);
    for (const key of keys) await store.set(key, entry(soon()), new Date());
    expect((await listEntries(folder)).map(({ name }) => name)).toEqual(keys.toSorted());
  });

  it('stays for its time, and not a millisecond longer', async () => {
    await openFolder(folder);
    const [left, line] = [join(folder, `${KEY}.json.0123456789abcdef.tmp`), join(folder, `${LINE}.json`)];
    for (const [path, life] of [
      [left, 60_000],
      [line, 2_592_000_000],
    ] as const) {
      writeFileSync(path, '', { mode: 0o600 });
      utimesSync(path, 1e9, 1e9);
      await tidy(folder, 1e12 + life);
      expect(readdirSync(folder)).toHaveLength(1);
      await tidy(folder, 1e12 + life + 1);
      expect(readdirSync(folder)).toEqual([]);
    }
  });

  it('is tidied by many at once, and folders in the place of files are no way to stay', async () => {
    const store = createFileStore(folder);
    const names = Array.from({ length: 16 }, (_, index) => `session-1-${index.toString(16).repeat(32)}`);
    for (const name of names) await store.set(name, entry('2020-01-01T00:00:00Z'), new Date());
    mkdirSync(join(folder, `${KEY}.lock`));
    writeFileSync(join(folder, `${KEY}.lock`, 'x'), '');
    await Promise.all(Array.from({ length: 4 }, () => tidy(folder, Date.now(), true)));
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('a file that is read', () => {
  it('is plain, of mode 0600, small, and has one name', () => {
    const path = join(dir, 'file');
    writeFileSync(path, 'text', { mode: 0o600 });
    expect(readOwnFile(path)).toBe('text');
    chmodSync(path, 0o640);
    expect(readOwnFile(path)).toBeUndefined();
    chmodSync(path, 0o600);
    linkSync(path, join(dir, 'second'));
    expect(readOwnFile(path)).toBeUndefined();
    rmSync(join(dir, 'second'));
    symlinkSync(path, join(dir, 'link'));
    expect(readOwnFile(join(dir, 'link'))).toBeUndefined();
    expect(readOwnFile(dir)).toBeUndefined();
    expect(readOwnFile('/dev/zero')).toBeUndefined();
    expect(readOwnFile(join(dir, 'missing'))).toBeUndefined();
    expect(isOwnFolder(path)).toBe(false);
  });

  it('is known by its stamp, which another file in its place does not have', () => {
    const path = join(dir, 'file');
    writeFileSync(path, 'one');
    const stamp = stampOf(path);
    expect(stampOf(path)).toBe(stamp);
    utimesSync(path, 1e9, 1e9);
    expect(stampOf(path)).not.toBe(stamp);
    // Changed in place, of the same size, and the time put back, as `cp -p` does it.
    const touched = stampOf(path);
    writeFileSync(path, readFileSync(path, 'utf8').replace(/./, '#'));
    utimesSync(path, 1e9, 1e9);
    expect(stampOf(path)).not.toBe(touched);
    expect([stampOf(dir), stampOf(join(dir, 'missing'))]).toEqual([undefined, undefined]);
  });
});

describe('the folder of the cache', () => {
  it.each<[string, NodeJS.Platform, Record<string, string>, string | undefined]>([
    ['the runtime directory', 'linux', { XDG_RUNTIME_DIR: '.', HOME: '/h' }, './roles-anywhere'],
    ['the cache directory without one', 'linux', { XDG_CACHE_HOME: '/c', HOME: '/h' }, '/c/roles-anywhere'],
    ['that of the home', 'linux', { XDG_CACHE_HOME: 'relative', HOME: '/h' }, '/h/.cache/roles-anywhere'],
    [
      'that of the home where the runtime directory is no directory',
      'linux',
      { XDG_RUNTIME_DIR: '/dev/null', HOME: '/h' },
      '/h/.cache/roles-anywhere',
    ],
    ['none without a home', 'linux', {}, undefined],
    ['Library/Caches on macOS', 'darwin', { HOME: '/h', XDG_CACHE_HOME: '/c' }, '/h/Library/Caches/roles-anywhere'],
    ['none on Windows without a profile', 'win32', { HOME: '/h' }, undefined],
  ])('is %s', (_, platform, env, expected) => {
    // The first row's directory is one of this user.
    const own = env['XDG_RUNTIME_DIR'] === '.' ? { ...env, XDG_RUNTIME_DIR: dir } : env;
    expect(cacheFolder(own, platform)).toBe(expected?.replace(/^\.\//, `${dir}/`));
  });

  it('is known by its stamp, a folder too, which any change of its files gives another', () => {
    const certificates = join(dir, 'certificates');
    mkdirSync(certificates);
    for (const name of ['b.pem', 'a.pem']) writeFileSync(join(certificates, name), name);
    mkdirSync(join(certificates, 'deeper'));
    const seen = new Set<string | undefined>([undefined]);
    const changes: [string, () => void][] = [
      ['nothing before', () => undefined],
      ['added', () => writeFileSync(join(certificates, 'c.pem'), 'c')],
      ['changed in place', () => writeFileSync(join(certificates, 'a.pem'), 'longer')],
      ['touched', () => utimesSync(join(certificates, 'b.pem'), 1e9, 1e9)],
      ['renamed', () => renameSync(join(certificates, 'b.pem'), join(certificates, 'd.pem'))],
      ['removed', () => rmSync(join(certificates, 'a.pem'))],
      ['a link', () => symlinkSync(join(dir, 'missing'), join(certificates, 'link.pem'))],
    ];
    for (const [what, change] of changes) {
      change();
      const stamp = stampOfPlace(certificates);
      expect({ what, isNew: !seen.has(stamp) }).toEqual({ what, isNew: true });
      expect(stampOfPlace(certificates)).toBe(stamp);
      seen.add(stamp);
    }
    expect(stampOfPlace(join(certificates, 'c.pem'))).toBe(stampOf(join(certificates, 'c.pem')));
    for (let index = 0; index < 100; index++) writeFileSync(join(certificates, `${index}.pem`), '');
    expect([stampOfPlace(certificates), stampOfPlace(join(dir, 'missing'))]).toEqual([undefined, undefined]);
  });
});

describe('a file of this user alone', () => {
  it('is read up to 256 KiB, and no descriptor is left open', () => {
    const path = join(dir, 'file');
    writeFileSync(path, 'x'.repeat(256 * 1024), { mode: 0o600 });
    expect(readOwnFile(path)).toHaveLength(256 * 1024);
    writeFileSync(path, 'x'.repeat(256 * 1024 + 1));
    expect(readOwnFile(path)).toBeUndefined();
    expect(openFiles()).not.toContain(path);
  });

  it.each([0o601, 0o610, 0o640, 0o604])('is none when others have a right to it: %o', (mode) => {
    const path = join(dir, 'file');
    writeFileSync(path, 'x');
    mkdirSync(folder);
    for (const place of [path, folder]) chmodSync(place, mode | (place === folder ? 0o100 : 0));
    expect([readOwnFile(path), isOwnFolder(folder)]).toEqual([undefined, false]);
  });
});

describe('a stamp', () => {
  it('is the same in every version of this program: of a file, and of a folder by its names in order', () => {
    mkdirSync(folder);
    const names = ['m', 'z', 'a', 'k', 'b', 'y', 'c'];
    for (const name of names) writeFileSync(join(folder, name), name);
    mkdirSync(join(folder, 'sub'));
    expect(stampOf(join(folder, 'a'))).toBe(stampByStat(join(folder, 'a')));
    const { dev, ino } = statSync(folder, { bigint: true });
    const lines = [...names, 'sub']
      .toSorted()
      .map((name) => `\n${name} ${name === 'sub' ? '' : stampByStat(join(folder, name))}`);
    expect(stampOfPlace(folder)).toBe(`folder ${dev} ${ino} ${lines.join(' ')}`);
  });

  it('is given to a folder of a hundred files, and to none of more', () => {
    mkdirSync(folder);
    for (let index = 0; index < 100; index++) writeFileSync(join(folder, String(index)), '');
    expect(stampOfPlace(folder)).toBeDefined();
    writeFileSync(join(folder, 'more'), '');
    expect(stampOfPlace(folder)).toBeUndefined();
  });
});

describe('the clock that nobody sets', () => {
  it.runIf(process.platform === 'linux')('counts milliseconds since a start of the system that has a name', () => {
    const before = age();
    const counted = countedNow();
    expect(counted).toBeGreaterThan(before - 1);
    expect(counted).toBeLessThan(age() + 1);
    expect(bootOf()).toBe(readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
  });
});

describe('the folder of kept credentials', () => {
  it('is of the user on Windows too, and never in a runtime directory that is not there', () => {
    expect(cacheFolder({ LOCALAPPDATA: '/l', HOME: '/h' }, 'win32')).toBe('/l/roles-anywhere');
    expect(cacheFolder({ XDG_RUNTIME_DIR: '/nonexistent', HOME: '/h' }, 'linux')).toBe('/h/.cache/roles-anywhere');
  });
});
