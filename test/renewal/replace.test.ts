import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  chmodSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FileChange } from '../../src/renewal/form.ts';
import { checkPair, replaceFiles } from '../../src/renewal/replace.ts';

let folder: string;
let certificate: string;
let key: string;

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'ra-replace-')));
  certificate = join(folder, 'web.crt');
  key = join(folder, 'web.key');
  writeFileSync(certificate, 'certificate 0');
  writeFileSync(key, 'key 0', { mode: 0o600 });
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const text = (path: string): string => readFileSync(path, 'utf8');
const isCurrent = async (): Promise<boolean> => true;

function changes(step: number): FileChange[] {
  return [
    { flag: '--private-key', path: key, bytes: Buffer.from(`key ${step}`) },
    { flag: '--certificate', path: certificate, bytes: Buffer.from(`certificate ${step}`) },
  ];
}

const alone = (step: number, path = certificate): FileChange[] => [
  { flag: '--certificate', path, bytes: Buffer.from(`certificate ${step}`) },
];

describe('one file', () => {
  it('takes the place of the old one, which stays beside it', async () => {
    chmodSync(certificate, 0o640);
    await replaceFiles(alone(1), { asPair: false, isCurrent });
    await replaceFiles(alone(2), { asPair: false, isCurrent });
    expect([text(certificate), text(`${certificate}.previous`)]).toEqual(['certificate 2', 'certificate 1']);
    expect(statSync(certificate).mode & 0o777).toBe(0o640);
    expect(readdirSync(folder).toSorted()).toEqual(['web.crt', 'web.crt.previous', 'web.key']);
  });

  it('is found through links, which stay', async () => {
    mkdirSync(join(folder, 'archive'));
    writeFileSync(join(folder, 'archive/web1.crt'), 'certificate 0');
    const live = join(folder, 'live.crt');
    symlinkSync('archive/web1.crt', live);
    await replaceFiles(alone(1, live), { asPair: false, isCurrent });
    expect(lstatSync(live).isSymbolicLink()).toBe(true);
    expect(text(join(folder, 'archive/web1.crt'))).toBe('certificate 1');
    expect(text(`${live}.previous`)).toBe('certificate 0');
  });

  it('that something else has replaced meanwhile is left alone', async () => {
    await expect(replaceFiles(alone(1), { asPair: false, isCurrent: async () => false })).rejects.toMatchObject({
      code: 'ERR_RENEWAL_WRITE',
    });
    expect(text(certificate)).toBe('certificate 0');
    expect(readdirSync(folder).toSorted()).toEqual(['web.crt', 'web.key']);
  });
});

describe('a pair of two files', () => {
  it('changes at once, through one link, time after time', async () => {
    for (let step = 1; step <= 5; step++) {
      await replaceFiles(changes(step), { asPair: true, isCurrent });
      expect([text(certificate), text(key)]).toEqual([`certificate ${step}`, `key ${step}`]);
      expect([text(`${certificate}.previous`), text(`${key}.previous`)]).toEqual([
        `certificate ${step - 1}`,
        `key ${step - 1}`,
      ]);
      expect(statSync(key).mode & 0o777).toBe(0o600);
      // The pair in use, and the one before, which somebody may be about to open.
      expect(readdirSync(folder).filter((name) => name.startsWith('.web.crt.pair-'))).toHaveLength(2);
    }
  });

  it('takes a certificate alone afterwards', async () => {
    await replaceFiles(changes(1), { asPair: true, isCurrent });
    await replaceFiles(alone(2), { asPair: false, isCurrent });
    expect([text(certificate), text(key)]).toEqual(['certificate 2', 'key 1']);
    expect(text(`${certificate}.previous`)).toBe('certificate 1');
    await replaceFiles(changes(3), { asPair: true, isCurrent });
    expect([text(certificate), text(key)]).toEqual(['certificate 3', 'key 3']);
  });

  it('takes up files that somebody put in the place of the links', async () => {
    await replaceFiles(changes(1), { asPair: true, isCurrent });
    for (const [path, what] of [
      [certificate, 'certificate 7'],
      [key, 'key 7'],
    ] as const) {
      rmSync(path);
      writeFileSync(path, what, { mode: 0o600 });
    }
    await replaceFiles(changes(8), { asPair: true, isCurrent });
    expect([text(certificate), text(key)]).toEqual(['certificate 8', 'key 8']);
    expect(text(`${key}.previous`)).toBe('key 7');
  });

  it('cannot be in two folders', async () => {
    mkdirSync(join(folder, 'private'));
    const elsewhere = join(folder, 'private/web.key');
    writeFileSync(elsewhere, 'key');
    await expect(checkPair(certificate, elsewhere)).rejects.toMatchObject({
      code: 'ERR_RENEWAL_WRITE',
      flag: '--new-key',
    });
    await expect(checkPair(certificate, key)).resolves.toBeUndefined();
  });

  it('leaves nothing behind of a run that was killed', async () => {
    for (const name of ['web.crt', 'web.key', 'web.key.previous', '.web.crt.pair'])
      writeFileSync(join(folder, `${name}.0123456789abcdef.tmp`), 'secret');
    mkdirSync(join(folder, '.web.crt.pair-killed'));
    await replaceFiles(changes(1), { asPair: true, isCurrent });
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    expect(existsSync(join(folder, '.web.crt.pair-killed'))).toBe(false);
  });
});
