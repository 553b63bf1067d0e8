import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TypedPasswords } from '../../../src/identity/containers/password.ts';
import { openWithPassword } from '../../../src/identity/containers/password.ts';
import { WrongPasswordError } from '../../../src/identity/containers/secret.ts';
import { loadCertificates, loadIdentity } from '../../../src/identity/load.ts';
import { passwordFiles } from '../../../src/identity/passwords.ts';
import type { PasswordSource } from '../../../src/identity/passwords.ts';
import { passwordSources } from '../../../src/options/passwords.ts';
import { pkiPath } from '../../support/pki.ts';
import { outcome, refusal, refusalCode } from '../../support/refusal.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'passwords-'));
});
afterAll(() => {
  rmSync(dir, { recursive: true });
});

/** Something that opens with one password and tells which were tried. */
function lock(right: string) {
  const tried: string[] = [];
  const open = async (password: Uint8Array): Promise<string> => {
    tried.push(Buffer.from(password).toString());
    if (tried.at(-1) === right) return 'open';
    throw new WrongPasswordError();
  };
  return { open, tried };
}

/** A person who types these, one after the other, and then leaves. */
function person(...lines: string[]) {
  const questions: string[] = [];
  const typed: Uint8Array[] = [];
  const ask = async (question: string): Promise<Uint8Array | undefined> => {
    questions.push(question);
    const line = lines.shift();
    if (line === undefined) return undefined;
    typed.push(Buffer.from(line));
    return typed.at(-1);
  };
  return { ask, questions, typed };
}

function file(content: string | Uint8Array): PasswordSource {
  const path = join(dir, 'password');
  writeFileSync(path, content);
  return { file: path, from: '--pkcs12-password-file' };
}

describe('passwordSources', () => {
  const env = { ROLES_ANYWHERE_PKCS8_PASSWORD: 'e8', ROLES_ANYWHERE_PKCS12_PASSWORD: 'e12' };
  const flag8 = { pkcs8: { password: 'f8', from: '--pkcs8-password' } };

  it.each([
    ['nothing', {}, {}, {}],
    ['a flag', { 'pkcs8-password': 'f8' }, {}, flag8],
    ['a file', { 'pkcs12-password-file': 'p' }, {}, { pkcs12: { file: 'p', from: '--pkcs12-password-file' } }],
    [
      'the environment',
      {},
      env,
      {
        pkcs8: { password: 'e8', from: 'ROLES_ANYWHERE_PKCS8_PASSWORD' },
        pkcs12: { password: 'e12', from: 'ROLES_ANYWHERE_PKCS12_PASSWORD' },
      },
    ],
    ['a flag before the environment', { 'pkcs8-password': 'f8' }, { ROLES_ANYWHERE_PKCS8_PASSWORD: 'e8' }, flag8],
    [
      'a file before the environment',
      { 'pkcs8-password-file': 'p' },
      { ROLES_ANYWHERE_PKCS8_PASSWORD: 'e8' },
      { pkcs8: { file: 'p', from: '--pkcs8-password-file' } },
    ],
    [
      'nothing for what is empty',
      {}, // an empty flag is left out with the line's other empty values
      { ROLES_ANYWHERE_PKCS8_PASSWORD: '' },
      {},
    ],
  ])('takes %s', (_name, flags, environment, expected) => {
    expect(passwordSources(flags, environment)).toEqual(expected);
  });

  it.each([
    { 'pkcs8-password-file': '-', 'pkcs12-password-file': '-' },
    { certificate: '-', 'pkcs12-password-file': '-' },
    { 'private-key': '-', 'pkcs8-password-file': '-' },
    { intermediates: '-', 'pkcs8-password-file': '-' },
  ])('refuses to read standard input twice: %o', (flags) => {
    expect(outcome(() => passwordSources(flags, {}))).toEqual({ code: 'ERR_FLAG_CONFLICT' });
  });

  it('names the files to watch', () => {
    expect(passwordFiles(passwordSources({ 'pkcs8-password-file': '-', 'pkcs12-password-file': 'p' }, {}))).toEqual([
      'p',
    ]);
    expect(passwordFiles(passwordSources({ 'pkcs8-password': 'x' }, {}))).toEqual([]);
  });
});

describe('a password that is given', () => {
  it.each([
    ['as it is', { password: 'pässwörd 🔑', from: 'f' }, 'pässwörd 🔑'],
    ['with spaces', { password: ' a b ', from: 'f' }, ' a b '],
  ])('is tried %s, once', async (_name, source, expected) => {
    const { open, tried } = lock(expected);
    expect(await openWithPassword('pkcs8', 's', { passwords: { pkcs8: source } }, open)).toBe('open');
    expect(tried).toEqual([expected]);
  });

  it.each([
    ['a line feed', 'secret\n', 'secret'],
    ['no line feed', 'secret', 'secret'],
    ['a carriage return and a line feed', 'secret\r\n', 'secret'],
    ['a mark of UTF-8', '\ufeffsecret\r\n', 'secret'],
    ['more lines', 'secret\nof another file\n', 'secret'],
    ['spaces, which are kept', ' secret \n', ' secret '],
    ['letters beyond ASCII', 'Grüße 世界\n', 'Grüße 世界'],
    ['the longest line', `${'x'.repeat(1024)}\n`, 'x'.repeat(1024)],
  ])('in a file with %s', async (_name, content, expected) => {
    const { open, tried } = lock(expected);
    expect(await openWithPassword('pkcs12', 's', { passwords: { pkcs12: file(content) } }, open)).toBe('open');
    expect(tried).toEqual([expected]);
  });

  it.each([
    ['is empty', () => file('')],
    ['has an empty line', () => file('\nsecret\n')],
    ['has a line that is too long', () => file('x'.repeat(1025))],
    ['is missing', () => ({ file: join(dir, 'missing'), from: '--pkcs12-password-file' })],
    ['is a folder', () => ({ file: dir, from: '--pkcs12-password-file' })],
  ])('in a file that %s is an error that names the file', async (_name, make) => {
    const { open, tried } = lock('x');
    const error = await refusal(
      async () => await openWithPassword('pkcs12', 's', { passwords: { pkcs12: make() } }, open),
    );
    expect(error.code).toBe('ERR_PASSWORD_SOURCE');
    expect(error.message).toContain(`--pkcs12-password-file ${dir}`);
    expect(tried).toEqual([]);
  });

  it('and is wrong is an error that names its source, and nobody is asked', async () => {
    const { ask, questions } = person('right');
    const deps = { passwords: { pkcs8: { password: 'wrong-one', from: 'ROLES_ANYWHERE_PKCS8_PASSWORD' } }, ask };
    const error = await refusal(
      async () => await openWithPassword('pkcs8', '--private-key k', deps, lock('right').open),
    );
    expect(error.code).toBe('ERR_PASSWORD_INCORRECT');
    expect(error.message).toBe('the password from ROLES_ANYWHERE_PKCS8_PASSWORD does not open --private-key k');
    expect(`${error.hint} ${String(error.cause)}`).not.toContain('wrong-one');
    expect(questions).toEqual([]);
  });

  it('for the other kind is not tried', async () => {
    const { open, tried } = lock('x');
    const deps = { passwords: { pkcs8: { password: 'x', from: 'f' } }, ask: person().ask };
    expect(await refusalCode(async () => await openWithPassword('pkcs12', 's', deps, open))).toBe(
      'ERR_PASSWORD_REQUIRED',
    );
    expect(tried).toEqual(['']);
  });
});

describe('a password that is not given', () => {
  it('is not asked for when the empty one opens', async () => {
    const { ask, questions } = person();
    expect(await openWithPassword('pkcs12', 's', { ask }, lock('').open)).toBe('open');
    expect(questions).toEqual([]);
  });

  it.each([
    [['right'], 1],
    [['wrong', 'right'], 2],
    [['wrong', 'wrong', 'right'], 3],
  ])('is asked for: %o', async (lines, questionsAsked) => {
    const { ask, questions, typed } = person(...lines);
    expect(await openWithPassword('pkcs12', '--certificate c.p12', { ask }, lock('right').open)).toBe('open');
    expect(questions).toHaveLength(questionsAsked);
    for (const question of questions)
      expect(question).toMatch(/^(wrong, try again: )?password of --certificate c\.p12$/);
    for (const line of typed) expect(line.every((byte) => byte === 0)).toBe(true);
  });

  it('is asked for three times at most', async () => {
    const { ask, questions } = person('a', 'b', 'c', 'right');
    const call = async () => await openWithPassword('pkcs12', 's', { ask }, lock('right').open);
    expect(await refusalCode(call)).toBe('ERR_PASSWORD_INCORRECT');
    expect(questions).toHaveLength(3);
  });

  it('is an error when nobody is there, with what to do instead', async () => {
    const error = await refusal(
      async () => await openWithPassword('pkcs8', 's', { ask: person().ask }, lock('right').open),
    );
    expect(error.code).toBe('ERR_PASSWORD_REQUIRED');
    expect(error.hint).toBe('give it with --pkcs8-password-file FILE or in ROLES_ANYWHERE_PKCS8_PASSWORD');
  });

  it('is asked for once only, when what was typed is handed back', async () => {
    const typed: TypedPasswords = new Map();
    const { ask, questions } = person('right', 'new');
    expect(await openWithPassword('pkcs12', 's', { ask, typed }, lock('right').open)).toBe('open');
    expect(await openWithPassword('pkcs12', 's', { ask, typed }, lock('right').open)).toBe('open');
    expect(questions).toHaveLength(1);
    // Rotated, with another password: the person is asked again.
    expect(await openWithPassword('pkcs12', 's', { ask, typed }, lock('new').open)).toBe('open');
    expect(questions).toHaveLength(2);
  });
});

it('is typed once although files that do not match are read twice', async () => {
  const { ask, questions } = person('development', 'development');
  const spec = { certificate: pkiPath('serial-1.crt.pem'), privateKey: pkiPath('ec-p256.encrypted.pem') };
  expect(await refusalCode(async () => await loadIdentity(spec, { ask, pause: async () => {} }))).toBe(
    'ERR_KEY_MISMATCH',
  );
  expect(questions).toHaveLength(1);
});

it('of a key is not needed to read the certificate beside it', async () => {
  const [certificate, key] = ['ec-p256.crt.pem', 'ec-p256.encrypted.pem'].map(pkiPath);
  const path = join(dir, 'both.pem');
  writeFileSync(path, [certificate, key].map((name) => readFileSync(name ?? '', 'utf8')).join(''));
  expect((await loadCertificates(path))[0].version).toBe(3);
  const whole = await loadIdentity(
    { certificate: path },
    { passwords: { pkcs8: { password: 'development', from: 'f' } } },
  );
  expect(whole.signer.keyType).toBe('EC');
});
