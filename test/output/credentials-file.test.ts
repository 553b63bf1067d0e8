import { execFile, execFileSync } from 'node:child_process';
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
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual, promisify } from 'node:util';
import { loadSharedConfigFiles } from '@smithy/core/config';
import { array, assert, asyncProperty, constantFrom } from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RolesAnywhereError } from '../../src/platform/errors.ts';
import { writeCredentialsFile } from '../../src/output/credentials-file.ts';
import type { CredentialsFileOptions } from '../../src/output/credentials-file.ts';
import { cleanEnv } from '../support/cli.ts';
import { requireModule } from '../support/tools.ts';

const CREDENTIALS = { accessKeyId: 'ASIANEW', secretAccessKey: 'new/+=secret', sessionToken: 'new/token==' };
const KEYS = 'aws_access_key_id = ASIANEW\naws_secret_access_key = new/+=secret\naws_session_token = new/token==\n';
const WRITER = fileURLToPath(new URL('credentials-file-writer.mjs', import.meta.url));

let work: string;
let file: string;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'roles-anywhere-credentials-'));
  file = join(work, 'credentials');
});
afterEach(() => rmSync(work, { recursive: true, force: true }));

function write(options: Partial<CredentialsFileOptions> = {}): Promise<string> {
  return writeCredentialsFile({ file, credentials: CREDENTIALS, profile: 'dev', ...options });
}

async function edited(text: string, options: Partial<CredentialsFileOptions> = {}): Promise<string> {
  writeFileSync(file, text);
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

function isRefusal(error: unknown): boolean {
  return error instanceof RolesAnywhereError && error.code === 'ERR_CREDENTIALS_FILE';
}

/** What the AWS SDK for JavaScript finds in the file. */
async function bySdk(profile = 'dev'): Promise<Record<string, string | undefined> | undefined> {
  const options = { filepath: file, configFilepath: join(work, 'none'), ignoreCache: true };
  return (await loadSharedConfigFiles(options)).credentialsFile[profile];
}

/** What botocore uses of each profile of the file. */
function byBotocore(profiles: readonly string[]): unknown {
  const script = `
import json, sys
from botocore.credentials import SharedCredentialProvider
def load(profile):
    found = SharedCredentialProvider(sys.argv[1], profile).load()
    return found and [found.access_key, found.secret_key, found.token]
json.dump([load(profile) for profile in sys.argv[2:]], sys.stdout)
`;
  return JSON.parse(
    execFileSync('/usr/bin/python3', ['-c', script, file, ...profiles], { env: cleanEnv() }).toString(),
  );
}

const NEW = Object.values(CREDENTIALS);

describe('where nothing is', () => {
  it('the file is made with mode 0600 and its directory with 0700, whatever the umask', async () => {
    file = join(work, 'home/.aws/credentials');
    const umask = process.umask(0o077);
    try {
      process.umask(0);
      await write();
    } finally {
      process.umask(umask);
    }
    expect(readFileSync(file, 'utf8')).toBe(`[dev]\n${KEYS}`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(work, 'home/.aws')).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(work, 'home/.aws'))).toEqual(['credentials']);
  });

  it('the default is the file that AWS tools read, and the default profile', async () => {
    const { env, ...options } = { env: { HOME: work }, credentials: CREDENTIALS };
    expect(await writeCredentialsFile({ ...options, env })).toBe(join(work, '.aws/credentials'));
    expect(readFileSync(join(work, '.aws/credentials'), 'utf8')).toBe(`[default]\n${KEYS}`);
    const named = { ...env, AWS_SHARED_CREDENTIALS_FILE: '~/named' };
    expect(await writeCredentialsFile({ ...options, env: named })).toBe(join(work, 'named'));
  });
});

const OLD = 'aws_access_key_id = OLD\naws_secret_access_key = OLD\naws_session_token = OLD\n';
const EDITS: readonly [string, string, string][] = [
  ['an empty file', '', `[dev]\n${KEYS}`],
  ['a section that is there', `[a]\nx = 1\n[dev]\n${OLD}[b]\ny = 2\n`, `[a]\nx = 1\n[dev]\n${KEYS}[b]\ny = 2\n`],
  ['another section only, without an end of its last line', '[a]\nx = 1', `[a]\nx = 1\n\n[dev]\n${KEYS}`],
  // three that aws_signing_helper update gets wrong
  ['the last section with another key last', `[dev]\n${OLD}region = x`, `[dev]\n${KEYS}region = x\n`],
  ['a bare header after it', `[dev]\n${OLD}[other]`, `[dev]\n${KEYS}[other]\n`],
  ['a header in the last line', '[a]\nx = 1\n[dev]', `[a]\nx = 1\n[dev]\n${KEYS}`],
  ['a line of 70 kB', `[a]\nx = ${'x'.repeat(70_000)}\n[dev]\n`, `[a]\nx = ${'x'.repeat(70_000)}\n[dev]\n${KEYS}`],
  ['CRLF', '[dev]\r\nregion = x\r\n', `[dev]\r\n${KEYS.replaceAll('\n', '\r\n')}region = x\r\n`],
  ['a comment behind the header', `[dev] # mine\n${OLD}`, `[dev] # mine\n${KEYS}`],
  ['a comment without a space', `[dev]# mine\n${OLD}`, `[dev] # mine\n${KEYS}`],
  ['spaces in the brackets', `[ dev ]\n${OLD}region=x\n`, `[dev]\n${KEYS}region=x\n`],
  ['spaces before the header', `  [dev]\n${OLD}`, `  [dev]\n${KEYS}`],
  [
    'indented keys',
    '[dev]\n  region = x\n  s3 =\n    y = 1\n',
    `[dev]\n${KEYS.replaceAll(/^(?=.)/gm, '  ')}  region = x\n  s3 =\n    y = 1\n`,
  ],
  [
    'an indented header after it',
    '[dev]\n  [b]\n  y = 2\n',
    `[dev]\n${KEYS.replaceAll(/^(?=.)/gm, '  ')}  [b]\n  y = 2\n`,
  ],
  ['a token that botocore prefers', `[dev]\n${OLD}aws_security_token = OLD\n`, `[dev]\n${KEYS}`],
  ['keys in upper case, and with a colon', '[dev]\nAWS_ACCESS_KEY_ID: OLD\n', `[dev]\n${KEYS}`],
  [
    'a value of several lines',
    `[dev]\n${OLD}  more\n\n  more\n# kept\nregion = x\n`,
    `[dev]\n${KEYS}\n# kept\nregion = x\n`,
  ],
  [
    'keys in another order',
    '[dev]\naws_session_token=a\nregion = x\naws_access_key_id=b\n',
    '[dev]\naws_session_token = new/token==\nregion = x\naws_access_key_id = ASIANEW\naws_secret_access_key = new/+=secret\n',
  ],
  ['a nested block last', '[dev]\ns3 =\n  y = 1\n', `[dev]\n${KEYS}s3 =\n  y = 1\n`],
  ['what is not ASCII', '# é ☃ \u00a0\n[dév]\nx = ☃\n', `# é ☃ \u00a0\n[dév]\nx = ☃\n\n[dev]\n${KEYS}`],
];

/** The lines that are not of the profile dev's credentials, nor empty. */
function others(text: string): string[] {
  const kept: string[] = [];
  let isDev = false;
  let isOwn = false;
  let indent = Infinity;
  for (const line of text.split(/(?<=\n)/)) {
    const start = line.search(/\S/);
    if (start < 0) continue;
    const isComment = /^[#;]/.test(line.trim());
    const isContinued = !isComment && start > indent;
    const isHeader = !isComment && !isContinued && line.trim().startsWith('[');
    if (isHeader) isDev = line.trim() === '[dev]';
    else if (!isComment && !isContinued)
      isOwn =
        isDev && /^aws_(?:access_key_id|secret_access_key|session_token|security_token)\s*[=:]/i.test(line.trim());
    if (!isComment && !isContinued) indent = isHeader ? Infinity : start;
    if (isComment || !(isHeader ? isDev : isOwn)) kept.push(line);
  }
  return kept;
}

describe.skipIf(!requireModule('botocore'))('what is there', () => {
  it.each(EDITS)('%s', async (_, before, after) => {
    expect(await edited(before)).toBe(after);
    expect(byBotocore(['dev'])).toEqual([NEW]);
    expect(await bySdk()).toMatchObject({
      aws_access_key_id: 'ASIANEW',
      aws_secret_access_key: 'new/+=secret',
      aws_session_token: 'new/token==',
    });
    await write();
    expect(readFileSync(file, 'utf8')).toBe(after);
  });

  it('all lines of others stay, to the byte, in whatever file botocore reads', async () => {
    const line = constantFrom(
      '[a]', '[dev]', '[ b ] # c', '[profile x]', '  [e]', 'region = x', 'region: y', '  indented = 1', '    deep = 2', 's3 =', '# note', '; note',
      '', '  ', 'AWS_Access_Key_Id = OLD', 'aws_secret_access_key=OLD', '  aws_session_token = OLD', 'aws_security_token = OLD', 'k = "v" # not a comment',
    ); // prettier-ignore
    let written = 0;
    await assert(
      asyncProperty(array(line, { maxLength: 14 }), constantFrom('\n', '\r\n'), async (lines, end) => {
        const before = ['[first]', ...lines, ''].join(end);
        writeFileSync(file, before);
        const error = await write().then(
          () => undefined,
          (reason: unknown) => reason,
        );
        const after = readFileSync(file, 'utf8');
        if (error !== undefined) return isRefusal(error) && after === before;
        written++;
        expect(others(after)).toEqual(others(before));
        expect(await bySdk()).toMatchObject({ aws_access_key_id: 'ASIANEW', aws_session_token: 'new/token==' });
        return written % 15 > 0 || isDeepStrictEqual(byBotocore(['dev']), [NEW]);
      }),
      { numRuns: 200 },
    );
    expect(written).toBeGreaterThan(20);
  }, 120_000);

  it('ten processes that write at the same time all get their profile in', async () => {
    writeFileSync(file, '# kept\n[a]\nregion = x\n');
    const numbers = Array.from({ length: 10 }, (_, index) => index);
    await Promise.all(
      numbers.map((n) =>
        promisify(execFile)(process.execPath, [WRITER, file, 'live', `${n}a`, `${n}b`], { env: cleanEnv() }),
      ),
    );
    const profiles = numbers.flatMap((n) => [`${n}a`, `${n}b`]);
    expect(byBotocore(profiles.map((n) => `p${n}`))).toEqual(profiles.map((n) => [`AK${n}`, 's', 't']));
    expect(readFileSync(file, 'utf8').startsWith('# kept\n[a]\nregion = x\n')).toBe(true);
    expect(readdirSync(work)).toEqual(['credentials']);
  }, 60_000);
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

  it('one that was killed before it renamed leaves the old file whole, and the next cleans up after it', async () => {
    writeFileSync(file, `[dev]\n${OLD}`, { mode: 0o600 });
    await expect(
      promisify(execFile)(process.execPath, [WRITER, file, 'die', '1'], { env: cleanEnv() }),
    ).rejects.toMatchObject({ signal: 'SIGKILL' });
    expect(readFileSync(file, 'utf8')).toBe(`[dev]\n${OLD}`);
    const left = readdirSync(work).filter((name) => name.endsWith('.tmp'));
    expect(left.map((name) => statSync(join(work, name)).mode & 0o777)).toEqual([0o600]);
    await write({ lock: { staleMs: 100 } });
    expect(readFileSync(file, 'utf8')).toBe(`[dev]\n${KEYS}`);
    expect(readdirSync(work)).toEqual(['credentials']);
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

  it.each([{ secretAccessKey: 'a\nb' }, { sessionToken: 'a b' }, { accessKeyId: '' }, { secretAccessKey: '#a' }])(
    'the value %j',
    async (value) => {
      const { message } = await refusal(write({ credentials: { ...CREDENTIALS, ...value } }));
      expect(message).toMatch(/^the value for aws_\w+ cannot be written to a credentials file$/);
    },
  );

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
