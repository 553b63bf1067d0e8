/** What others do to the folder of kept credentials meanwhile, and what the system refuses. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createFileStore, listEntries, tidy } from '../../../src/credentials/cache/file-store.ts';
import * as fs from '../../../src/platform/file-system.ts';

vi.mock('../../../src/platform/file-system.ts', { spy: true });
const { readdir, rename } = vi.mocked(fs);

const [FIRST, SECOND, GONE] = ['a', 'b', 'c'].map((letter) => `session-1-${letter.repeat(32)}`) as [
  string,
  string,
  string,
];
const CREDENTIALS = { accessKeyId: 'a', secretAccessKey: 'b', sessionToken: 'c', expiration: '2020-01-01T00:00:00Z' };
const ENTRY = JSON.stringify({
  version: 1,
  obtained: 0,
  clockOffset: 0,
  chance: 0,
  role: 'r',
  credentials: CREDENTIALS,
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'roles-anywhere-store-'));
});
afterEach(() => {
  vi.resetAllMocks();
  rmSync(folder, { recursive: true });
});

/** The names that the next look into the folder finds, whatever is there. */
function found(...keys: string[]): void {
  // The type is that of the call which asks for more than names.
  readdir.mockResolvedValueOnce(keys.map((key) => `${key}.json`) as never);
}

async function filled(): Promise<void> {
  for (const key of [FIRST, SECOND]) await createFileStore(folder).set(key, ENTRY, new Date());
}

describe('the folder of kept credentials', () => {
  it('is tidied where another process removes what was found there', async () => {
    await filled();
    found(GONE, FIRST, SECOND);
    await tidy(folder, Date.now(), true);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is listed in the order of its names, whatever that of the system', async () => {
    await filled();
    found(SECOND, GONE, FIRST);
    expect((await listEntries(folder)).map(({ name }) => name)).toEqual([FIRST, SECOND]);
  });

  it('takes a new set where a folder in its place is gone by the time that it would be removed', async () => {
    rename.mockRejectedValueOnce(Object.assign(new Error('EISDIR'), { code: 'EISDIR' }));
    await createFileStore(folder).set(FIRST, 'new', new Date());
    expect(await createFileStore(folder).get(FIRST)).toBe('new');
  });

  it('keeps what it had where the new set cannot be put in its place, and nothing of that', async () => {
    await filled();
    rename.mockRejectedValueOnce(Object.assign(new Error('EIO'), { code: 'EIO' }));
    const set = createFileStore(folder).set(FIRST, 'new', new Date());
    await expect(set).rejects.toMatchObject({ code: 'EIO' });
    expect(await createFileStore(folder).get(FIRST)).toBe(ENTRY);
    expect(readdirSync(folder)).toHaveLength(2);
  });
});
