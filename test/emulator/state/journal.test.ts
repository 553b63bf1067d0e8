import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openJournal } from '../../../src/emulator/state/journal.ts';
import type { Change } from '../../../src/emulator/state/records.ts';
import { type State, createState } from '../../../src/emulator/state/state.ts';

let directory: string;
let file: string;
beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), 'roles-anywhere-state-')), 'state');
  file = join(directory, 'journal');
});
afterEach(() => rmSync(join(directory, '..'), { recursive: true, force: true }));

const put = (name: string): Change => ({
  op: 'put',
  kind: 'buckets',
  record: { arn: `arn:aws:s3:::${name}`, name, account: '123456789012', createdAt: '1' },
});
const names = (state: State): string =>
  state
    .list('buckets')
    .map(({ name }) => name)
    .join(' ');

/** Opens the directory, changes what it holds, and closes it: what one run of an emulator does. */
async function session(changes: readonly Change[] = [], compactBytes?: number): Promise<string> {
  const state = createState();
  const journal = await openJournal(directory, state, compactBytes);
  for (const change of changes) state.apply(change);
  await journal.kept();
  await journal.close();
  return names(state);
}

/** What is in the file of an emulator that was killed: its lock is there, and it is not. */
async function crash(changes: readonly Change[]): Promise<void> {
  await session(changes);
  writeFileSync(join(directory, 'lock'), '4194305'); // above every process id of Linux
}

describe('the journal', () => {
  it.runIf(process.platform === 'linux')('is refused where the system makes no folders', async () => {
    await expect(openJournal('/proc/none/state', createState())).rejects.toMatchObject({ code: 'ERR_STATE' });
  });

  it('keeps the state over restarts', async () => {
    await session([put('a'), put('b')]);
    await session([put('c'), { op: 'delete', kind: 'buckets', arn: 'arn:aws:s3:::a' }]);
    expect(await session()).toBe('b c');
  });

  it('is for its owner alone', async () => {
    await session([put('a')]);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory)).toEqual(['journal']);
  });

  it('has a change on the disk when it says so', async () => {
    const state = createState();
    const journal = await openJournal(directory, state);
    for (let round = 0; round < 20; round += 1) {
      state.apply(put(`r${round}`));
      await journal.kept();
      expect(readFileSync(file, 'utf8')).toContain(`"r${round}"`);
    }
    await journal.close();
  });

  it('drops a last line that was cut off, wherever that was', async () => {
    await crash([put('a'), put('b')]);
    const whole = readFileSync(file);
    const lastLine = whole.lastIndexOf('\n', whole.length - 2) + 1;
    for (let length = lastLine; length < whole.length; length += 1) {
      writeFileSync(file, whole.subarray(0, length));
      const state = createState();
      await (await openJournal(directory, state)).close();
      expect(names(state)).toBe('a');
    }
  });

  it('does not take a first line that was cut off for a state of nothing', async () => {
    await session([put('a'), put('b')]);
    await session();
    const whole = readFileSync(file);
    expect(whole.indexOf('\n')).toBe(whole.length - 1);
    for (const length of [1, 9, Math.floor(whole.length / 2), whole.length - 1]) {
      writeFileSync(file, whole.subarray(0, length));
      await expect(session()).rejects.toMatchObject({ code: 'ERR_STATE', message: `${file} is damaged at byte 0` });
      expect(readFileSync(file)).toHaveLength(length);
    }
  });

  it('drops a last line that is garbage, as a crash of the machine may leave it', async () => {
    await crash([put('a')]);
    appendFileSync(file, `${'\0'.repeat(100)}\n`);
    expect(await session([put('b')])).toBe('a b');
    expect(await session()).toBe('a b');
  });

  it.each([
    ['a bit', (bytes: Buffer) => bytes.writeUInt8(bytes.readUInt8(40) ^ 1, 40)],
    ['the checksum', (bytes: Buffer) => bytes.write(bytes.toString('latin1', 0, 1) === '0' ? '1' : '0', 0)],
  ])('does not go on past a line in which %s has changed', async (_, change) => {
    await crash([put('a'), put('b')]);
    const bytes = readFileSync(file);
    change(bytes);
    writeFileSync(file, bytes);
    await expect(session()).rejects.toMatchObject({ code: 'ERR_STATE', message: `${file} is damaged at byte 0` });
    expect(readdirSync(directory)).toEqual(['journal']);
  });

  it('is compacted when it has grown, with nothing lost', async () => {
    const state = createState();
    const journal = await openJournal(directory, state, 2000);
    for (let round = 0; round < 500; round += 1) {
      state.apply(put(`b${round % 7}`));
      if (round % 3 === 0) await journal.kept();
    }
    await journal.kept();
    expect(statSync(file).size).toBeLessThan(6000);
    await journal.close();
    expect(await session()).toBe('b0 b1 b2 b3 b4 b5 b6');
  });

  it('ignores a compaction that did not come to its end', async () => {
    await crash([put('a')]);
    writeFileSync(`${file}.new`, 'half');
    expect(await session()).toBe('a');
    expect(readdirSync(directory)).toEqual(['journal']);
  });

  it('is of one emulator at a time', async () => {
    const journal = await openJournal(directory, createState());
    await expect(openJournal(directory, createState())).rejects.toMatchObject({
      code: 'ERR_STATE',
      message: expect.stringContaining(`in use by process ${process.pid}`),
    });
    await journal.close();
    expect(await session()).toBe('');
  });

  it('is free again when the process that held it is gone, even if its id was this one', async () => {
    await session([put('a')]);
    for (const owner of ['4194305', String(process.pid), '', 'x']) {
      writeFileSync(join(directory, 'lock'), owner);
      expect(await session()).toBe('a');
    }
  });

  it('says when it cannot keep a change, and from then on', async () => {
    const state = createState();
    const journal = await openJournal(directory, state, 1);
    rmSync(directory, { recursive: true }); // the compaction that is due has nowhere to go
    state.apply(put('a'));
    state.apply(put('b'));
    await journal.kept().catch(() => undefined);
    for (let round = 0; round < 5; round += 1) {
      state.apply(put('c'.repeat(300)));
      await journal.kept().catch(() => undefined);
    }
    await expect(journal.kept()).rejects.toMatchObject({
      code: 'ERR_STATE',
      message: expect.stringContaining('ENOENT') as string,
    });
    await journal.close();
  });

  it.each([
    ['a file', (path: string) => path],
    ['below a file', (path: string) => join(path, 'below')],
  ])('cannot be %s', async (_, of) => {
    await session();
    const path = of(file);
    await expect(openJournal(path, createState())).rejects.toMatchObject({ code: 'ERR_STATE' });
  });

  it('begins anew when it is empty', async () => {
    await crash([put('a')]);
    truncateSync(file, 0);
    expect(await session()).toBe('');
  });
});
