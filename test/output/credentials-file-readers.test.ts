/** What other readers find in the files that are written, and other processes that write. */
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { loadSharedConfigFiles } from '@smithy/core/config';
import { array, assert, asyncProperty, constantFrom } from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RolesAnywhereError } from '../../src/platform/errors.ts';
import { writeCredentialsFile } from '../../src/output/credentials-file.ts';
import type { CredentialsFileOptions } from '../../src/output/credentials-file.ts';
import { cleanEnv } from '../support/cli.ts';
import { requireModule } from '../support/tools.ts';
import { CREDENTIALS, EDITS, KEYS, OLD } from './credentials-file-cases.ts';

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

function isRefusal(error: unknown): boolean {
  return error instanceof RolesAnywhereError && error.code === 'ERR_CREDENTIALS_FILE';
}

/** What the AWS SDK for JavaScript finds of the profile dev in a file. */
async function bySdk(path: string): Promise<Record<string, string | undefined> | undefined> {
  const options = { filepath: path, configFilepath: join(work, 'none'), ignoreCache: true };
  return (await loadSharedConfigFiles(options)).credentialsFile['dev'];
}

/** What botocore uses of each profile, of a file each. */
function byBotocore(profiles: readonly (readonly [file: string, profile: string])[]): unknown {
  const script = `
import json, sys
from botocore.credentials import SharedCredentialProvider
def load(file, profile):
    found = SharedCredentialProvider(file, profile).load()
    return found and [found.access_key, found.secret_key, found.token]
json.dump([load(*pair) for pair in json.load(sys.stdin)], sys.stdout)
`;
  const input = JSON.stringify(profiles);
  return JSON.parse(execFileSync('/usr/bin/python3', ['-c', script], { env: cleanEnv(), input }).toString());
}

const KEYS_OF = ['aws_access_key_id', 'aws_secret_access_key', 'aws_session_token'];
const NEW = Object.values(CREDENTIALS);

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
});

describe.skipIf(!requireModule('botocore'))('what is there', () => {
  it('is found by botocore and by the AWS SDK for JavaScript as it was written', async () => {
    const files = EDITS.map(([name, text], index) => ({ name, text, path: join(work, String(index)) }));
    const found = await Promise.all(
      files.map(async ({ text, path }) => {
        writeFileSync(path, text);
        await write({ file: path });
        return (await bySdk(path)) ?? {};
      }),
    );
    expect(found.map((keys) => KEYS_OF.map((name) => keys[name]))).toEqual(EDITS.map(() => NEW));
    expect(byBotocore(files.map(({ path }) => [path, 'dev']))).toEqual(EDITS.map(() => NEW));
  });

  it('all lines of others stay, to the byte, in whatever file botocore reads', async () => {
    const line = constantFrom(
      '[a]', '[dev]', '[ b ] # c', '[profile x]', '  [e]', 'region = x', 'region: y', '  indented = 1', '    deep = 2', 's3 =', '# note', '; note',
      '', '  ', 'AWS_Access_Key_Id = OLD', 'aws_secret_access_key=OLD', '  aws_session_token = OLD', 'aws_security_token = OLD', 'k = "v" # not a comment',
    ); // prettier-ignore
    const written: [file: string, profile: string][] = [];
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
        const copy = join(work, String(written.length));
        writeFileSync(copy, after);
        written.push([copy, 'dev']);
        expect(others(after)).toEqual(others(before));
        expect(await bySdk(file)).toMatchObject({ aws_access_key_id: 'ASIANEW', aws_session_token: 'new/token==' });
        return true;
      }),
      { numRuns: 200 },
    );
    expect(written.length).toBeGreaterThan(20);
    expect(byBotocore(written)).toEqual(written.map(() => NEW));
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
    expect(byBotocore(profiles.map((n) => [file, `p${n}`]))).toEqual(profiles.map((n) => [`AK${n}`, 's', 't']));
    expect(readFileSync(file, 'utf8').startsWith('# kept\n[a]\nregion = x\n')).toBe(true);
    expect(readdirSync(work)).toEqual(['credentials']);
  }, 60_000);
});

describe('other writers', () => {
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
});
