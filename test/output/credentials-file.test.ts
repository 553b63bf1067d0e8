import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RolesAnywhereError } from '../../src/platform/errors.ts';
import { checkCredentialsFile, removeCredentials, writeCredentialsFile } from '../../src/output/credentials-file.ts';
import type { CredentialsFileOptions } from '../../src/output/credentials-file.ts';
import { CREDENTIALS, EDITS, KEYS, OLD } from './credentials-file-cases.ts';

let work: string;
let file: string;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'roles-anywhere-credentials-'));
  file = join(work, 'credentials');
  // The real home directory is nothing to write to, whatever the code does.
  vi.stubEnv('HOME', work);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(work, { recursive: true, force: true });
});

function write(options: Partial<CredentialsFileOptions> = {}): Promise<string> {
  return writeCredentialsFile({ file, credentials: CREDENTIALS, profile: 'dev', ...options });
}

async function edited(text: string, options: Partial<CredentialsFileOptions> = {}): Promise<string> {
  writeFileSync(file, text);
  // Nobody is in the middle of writing it.
  utimesSync(file, 0, 0);
  await write(options);
  return readFileSync(file, 'utf8');
}

async function refusal(promise: Promise<unknown>): Promise<RolesAnywhereError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof RolesAnywhereError)) throw new Error('no refusal', { cause: error });
  expect(error.code).toBe('ERR_CREDENTIALS_FILE');
  return error;
}

function throwing(): never {
  throw new Error('thrown');
}

describe('where nothing is', () => {
  it('the file is made with mode 0600, its directory with 0700, and nothing else', async () => {
    file = join(work, 'home/.aws/credentials');
    const warnings: string[] = [];
    await write({ onWarning: (message) => warnings.push(message) });
    expect(readFileSync(file, 'utf8')).toBe(`[dev]\n${KEYS}`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(work, 'home/.aws')).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(work, 'home/.aws'))).toEqual(['credentials']);
    expect(warnings).toEqual([]);
  });
});

describe('what is there', () => {
  it.each(EDITS)('%s', async (_, before, after) => {
    expect(await edited(before)).toBe(after);
    await write();
    expect(readFileSync(file, 'utf8')).toBe(after);
  });
});

describe('what processes left that were killed', () => {
  it('is removed, and nothing that only looks like it', async () => {
    const others = [
      'credentials.x0123456789abcdef.tmp',
      'credentials.0123456789abcdef.tmp.old',
      'other.0123456789abcdef.tmp',
    ];
    for (const name of ['credentials.0123456789abcdef.tmp', ...others]) writeFileSync(join(work, name), '');
    await write();
    expect(readdirSync(work).toSorted()).toEqual(['credentials', ...others].toSorted());
  });
});

describe('a check', () => {
  it('says which file would be written, and changes nothing', async () => {
    file = join(work, 'home/.aws/credentials');
    expect(await checkCredentialsFile({ file }, ['dev', 'other'])).toBe(file);
    expect(readdirSync(join(work, 'home/.aws'))).toEqual([]);
    writeFileSync(file, `[dev]\n${OLD}`);
    await checkCredentialsFile({ file }, ['dev', 'other']);
    expect(readFileSync(file, 'utf8')).toBe(`[dev]\n${OLD}`);
  });

  it('is refused for any of the profiles that could not be written', async () => {
    writeFileSync(file, '[b]\naws_access_key_id = OLD\nx = 1\n  aws_access_key_id = 2\n');
    expect(await checkCredentialsFile({ file }, ['a'])).toBe(file);
    expect((await refusal(checkCredentialsFile({ file }, ['a', 'b']))).message).toContain('line 6: aws_access_key_id');
  });
});

describe('credentials that are removed', () => {
  it('are gone with all their keys, once', async () => {
    writeFileSync(file, `[dev]\nregion = x\n${KEYS}aws_security_token = x\n`, { mode: 0o600 });
    expect(await removeCredentials({ file }, 'dev', 'ASIAOTHER')).toBe(false);
    expect(await removeCredentials({ file }, 'dev', 'ASIANEW')).toBe(true);
    expect(readFileSync(file, 'utf8')).toBe('[dev]\nregion = x\n');
    expect(await removeCredentials({ file }, 'dev', 'ASIANEW')).toBe(false);
    expect(readdirSync(work)).toEqual(['credentials']);
  });

  it('are in no file that is not there, and none is made', async () => {
    expect(await removeCredentials({ file }, 'dev', 'ASIANEW')).toBe(false);
    expect(readdirSync(work)).toEqual([]);
  });
});

describe('other writers', () => {
  it('twenty calls of one process all get their profile in', async () => {
    const profiles = Array.from({ length: 20 }, (_, index) => `p${index}`);
    await Promise.all(profiles.map((profile) => write({ profile })));
    expect(
      readFileSync(file, 'utf8')
        .match(/^\[p\d+\]$/gm)
        ?.toSorted(),
    ).toEqual(profiles.map((name) => `[${name}]`).toSorted());
  });

  it('a lock that is held is waited for, and not for ever', async () => {
    writeFileSync(`${file}.lock`, 'another\n');
    expect((await refusal(write({ lock: { timeoutMs: 100 } }))).message).toContain(`${file}.lock`);
    expect([existsSync(file), readFileSync(`${file}.lock`, 'utf8')]).toEqual([false, 'another\n']);
    const controller = new AbortController();
    const waiting = write({ signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    const later = write();
    rmSync(`${file}.lock`);
    expect(await later).toBe(file);
  });

  it.each([
    ['an emptied file', 0],
    ['half of it', 60],
  ])('that write in place, as the AWS CLI does, cost no profile: %s is waited for', async (_, length) => {
    const text = `[keep]\naws_access_key_id = AKIAKEEP\naws_secret_access_key = ${'k'.repeat(40)}\n`;
    writeFileSync(file, text.slice(0, length));
    const written = write();
    await sleep(150);
    writeFileSync(file, text);
    await written;
    expect(readFileSync(file, 'utf8')).toMatch(/^\[keep\]\naws_access_key_id = AKIAKEEP\n.*k{40}\n[^]*\[dev\]\n/);
  });

  it('that write in place for ever are not waited for longer than a signal allows', async () => {
    writeFileSync(file, '');
    const signal = AbortSignal.timeout(200);
    const error = await write({ signal }).catch((thrown: unknown) => thrown);
    expect(error).toBe(signal.reason);
    expect(readFileSync(file, 'utf8')).toBe('');
  });

  it('are not waited for at a signal that has fired before, and no folder is made', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(write({ file: join(work, 'home/credentials'), signal })).rejects.toThrow('enough');
    expect(readdirSync(work)).toEqual([]);
  });
});

describe('the file itself', () => {
  it('links are followed, also to a file that is yet to be made, and stay links', async () => {
    mkdirSync(join(work, 'real'));
    symlinkSync('real', join(work, 'linked'));
    symlinkSync('linked/there', file);
    expect(await write()).toBe(join(work, 'real/there'));
    expect(await write()).toBe(join(work, 'real/there'));
    expect(readlinkSync(file)).toBe('linked/there');
    expect(readdirSync(join(work, 'real'))).toEqual(['there']);
    symlinkSync('credentials', join(work, '1'));
    for (let link = 2; link < 41; link++) symlinkSync(String(link - 1), join(work, String(link)));
    expect(await write({ file: join(work, '39') })).toBe(join(work, 'real/there'));
    expect((await refusal(write({ file: join(work, '40') }))).message).toContain('leads in a circle');
    symlinkSync('circle', join(work, 'circle'));
    expect((await refusal(write({ file: join(work, 'circle') }))).message).toContain('circle');
  });

  it('its mode is kept, with a warning when others may read it', async () => {
    const warnings: string[] = [];
    writeFileSync(file, '');
    for (const mode of [0o640, 0o400]) {
      chmodSync(file, mode);
      await write({ onWarning: (message) => warnings.push(message) });
      expect(statSync(file).mode & 0o777).toBe(mode);
    }
    expect(warnings).toEqual([`${file} has mode 0640: others may read the credentials`]);
  });

  it('is written although who is warned throws', async () => {
    writeFileSync(file, '', { mode: 0o644 });
    expect(await write({ onWarning: throwing })).toBe(file);
    expect(await write()).toBe(file);
    expect(readFileSync(file, 'utf8')).toBe(`[dev]\n${KEYS}`);
  });

  it('may become a MiB large, to the byte', async () => {
    const before = `[a]\nx = ${'x'.repeat((1 << 20) - `[a]\nx = \n\n[dev]\n${KEYS}`.length)}\n`;
    expect((await edited(before)).length).toBe(1 << 20);
    await refusal(edited(before.replace('x = x', 'x = xx')));
  });

  it.skipIf(process.getuid?.() !== 0)('its owner is kept', async () => {
    writeFileSync(file, '');
    execFileSync('chown', ['65534:65533', file]);
    await write();
    expect(statSync(file)).toMatchObject({ uid: 65_534, gid: 65_533 });
  });

  it('an account that is there is kept true, and none is added', async () => {
    expect(await edited('[dev]\naws_account_id = 1\n', { credentials: { ...CREDENTIALS, accountId: '2' } })).toBe(
      '[dev]\naws_account_id = 2\n' + KEYS,
    );
    expect(await edited('[dev]\naws_account_id = 1\n')).toBe(`[dev]\n${KEYS}`);
    expect(await edited('', { credentials: { ...CREDENTIALS, accountId: '2' } })).toBe(`[dev]\n${KEYS}`);
  });

  it('credentials without a session token remove that of others', async () => {
    const { sessionToken: _, ...key } = CREDENTIALS;
    expect(await edited(`[dev]\n${OLD}`, { credentials: key })).toBe(`[dev]\n${KEYS.replace(/aws_session.*\n/, '')}`);
  });
});

const REFUSED: readonly [string, string | Buffer, string][] = [
  ['a section twice', '[a]\n[b]\n[a]\n', ', line 3: '],
  ['a key twice', '[a]\nx = 1\nX = 2\n', ', line 3: '],
  ['text before the first section', 'x = 1\n', ', line 1: '],
  ['a byte order mark', '\ufeff[a]\n', ', line 1: a byte order mark'],
  ['a line that is nothing', '[a]\nx\n', ', line 2: '],
  ['a nested line that is nothing', '[a]\ns3 =\n  x\n', ', line 3: '],
  ['bytes that are not UTF-8', Buffer.from('[a]\nx = \xff\n', 'latin1'), 'is not UTF-8'],
  ['a MiB and a byte', `[a]\nx = ${'x'.repeat((1 << 20) - 7)}`, 'larger than 1 MiB'],
  ['a MiB less three keys', `[a]\nx = ${'x'.repeat((1 << 20) - 20)}`, 'larger than 1 MiB'],
  ['defaults that leak a token', '[DEFAULT]\naws_security_token = x\n', ', line 2: '],
  [
    'an indented line that only the SDK takes for a key',
    '[dev]\naws_access_key_id = OLD\nx = 1\n  aws_access_key_id = 2\n',
    ', line ',
  ],
];

describe('refused, with nothing changed', () => {
  it.each(REFUSED)('%s', async (_, text, message) => {
    writeFileSync(file, text);
    const error = await refusal(write());
    expect(error.message).toContain(message);
    expect(JSON.stringify([error.message, error.hint, error.cause])).not.toContain('secret');
    expect(readFileSync(file).equals(Buffer.from(text))).toBe(true);
    expect(readdirSync(work)).toEqual(['credentials']);
  });

  it.each(['', ' dev', 'dev ', 'a]b', 'a\nb', 'DEFAULT', '__proto__', 'profile dev', '"dev"', 'a\u0000', '#a', 'a #b'])(
    'the profile %j',
    async (profile) => {
      await refusal(write({ profile }));
      expect(existsSync(file)).toBe(false);
    },
  );

  it.each<[string, object]>([
    ['aws_secret_access_key', { secretAccessKey: 'a\nb' }],
    ['aws_session_token', { sessionToken: 'a b' }],
    ['aws_session_token', { sessionToken: 5 }],
    ['aws_session_token', { sessionToken: null }],
    ['aws_access_key_id', { accessKeyId: '' }],
    ['aws_access_key_id', { accessKeyId: undefined }],
    ['aws_secret_access_key', { secretAccessKey: '#a' }],
    ['aws_secret_access_key', { secretAccessKey: ';a' }],
    ['aws_secret_access_key', { secretAccessKey: undefined }],
    ['aws_account_id', { accountId: '1 2' }],
  ])('the value for %s in %j', async (name, value) => {
    const { message } = await refusal(write({ credentials: { ...CREDENTIALS, ...value } }));
    expect(message).toBe(`the value for ${name} cannot be written to a credentials file`);
    expect(readdirSync(work)).toEqual([]);
  });

  it.runIf(process.platform === 'linux')('a folder that the system does not make', async () => {
    // Node 20's own recursive mkdir never ends there.
    expect((await refusal(write({ file: '/proc/none/x' }))).message).toContain('(ENOENT)');
  });

  it('what is no file, and a directory that cannot be written to', async () => {
    expect((await refusal(write({ file: work }))).message).toContain('is a directory');
    expect((await refusal(write({ file: '/dev/null/x' }))).message).toMatch(/ENOTDIR|EEXIST/);
    execFileSync('mkfifo', [file]);
    expect((await refusal(write())).message).toContain('is a pipe and not a file');
  });

  // Node 20's recursive mkdir would go on for ever there.
  it.runIf(process.platform === 'linux')('a folder that cannot be made', async () => {
    const error = await refusal(write({ file: '/proc/none/deep/credentials' }));
    expect([error.code, error.message]).toEqual([
      'ERR_CREDENTIALS_FILE',
      'cannot write /proc/none/deep/credentials (ENOENT)',
    ]);
  });
});
