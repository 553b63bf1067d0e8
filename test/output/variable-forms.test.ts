import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { array, assert, constantFrom, property, string } from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { githubEnvironment } from '../../src/output/github-environment.ts';
import { profileLines } from '../../src/output/profile-lines.ts';
import { FORM_OF, formatVariables } from '../../src/output/variable-forms.ts';
import type { VariableForm } from '../../src/output/variable-forms.ts';
import { outcome, refusalOf } from '../support/refusal.ts';
import { requireModule, requireTool } from '../support/tools.ts';

/** What each shell gives a meaning to, in places where that counts. */
const AWKWARD = [
  'plain/Base64+Text==',
  "it's",
  'a "quoted" word',
  'blanks  and\ttabs ',
  ' in front',
  '$HOME ${HOME} $(id) `id`',
  '%PATH% %% 100%',
  '%self',
  '=ls',
  ':=ls:~',
  '~ ~root',
  String.raw`back\slash \\ \n \' \" end\ `.trim(),
  'ends in a backslash\\',
  '! !! !$ wow!',
  '# ; & | < > ( ) { } [x] * ?',
  '-n',
  '--',
  `all of it: '"$\`\\!%^&`,
  `'`,
  `''`,
  "\\'",
  'ünïcödé ‘quotes’ ‚and‛ 🙂',
  '',
];
const SET: ReadonlyMap<string, string> = new Map(AWKWARD.map((value, index) => [`RA_${index}`, value]));

/** Shells, and what prints the variables there with a NUL behind each. */
const SHELLS: readonly (readonly [string, readonly string[], VariableForm])[] = [
  ['dash', ['-c'], 'env'],
  ['bash', ['--norc', '--noprofile', '-c'], 'env'],
  // As at a prompt, where ! is history.
  ['bash', ['--norc', '--noprofile', '-ic'], 'env'],
  ['zsh', ['-fc'], 'env'],
  ['zsh', ['-fic'], 'env'],
  ['fish', ['--no-config', '-c'], 'fish'],
];
const PRINT = `"${process.execPath}" -e 'process.stdout.write(JSON.stringify(process.env))'`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'forms-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The environment that a shell gives to a program after it has run lines in each of the ways that are documented. */
function environmentAfter(
  shell: string,
  options: readonly string[],
  text: string,
  env: Record<string, string> = {},
): Record<string, string>[] {
  const file = join(folder, 'lines');
  writeFileSync(file, text);
  const ways =
    shell === 'fish' ? [`source '${file}'`, `cat '${file}' | source`] : [`. '${file}'`, `eval "$(cat '${file}')"`];
  return ways.map(
    (way) =>
      JSON.parse(
        execFileSync(shell, [...options, `${way}; ${PRINT}`], {
          encoding: 'utf8',
          env: { HOME: folder, PATH: '/usr/bin:/bin', TERM: 'dumb', ...env },
          stdio: ['ignore', 'pipe', 'ignore'],
        }),
      ) as Record<string, string>,
  );
}

describe.each(SHELLS)('%s %j', (shell, options, form) => {
  it.runIf(requireTool(shell))('reads every value back as it was', () => {
    for (const env of environmentAfter(shell, options, formatVariables(form, { set: SET, remove: [] })))
      expect(Object.fromEntries([...SET.keys()].map((name) => [name, env[name]]))).toEqual(Object.fromEntries(SET));
  });

  it.runIf(requireTool(shell))('removes variables, whether they are set or not', () => {
    const text = formatVariables(form, { set: new Map(), remove: ['RA_THERE', 'RA_NOT_THERE'] });
    for (const env of environmentAfter(shell, options, text, { RA_THERE: 'x', RA_KEPT: 'y' })) {
      expect(env).toMatchObject({ RA_KEPT: 'y' });
      expect(env).not.toHaveProperty('RA_THERE');
    }
  });
});

const CHARACTERS = `ab 'ü"$\`\\!%^&=:#;~{}()*?<>|\t‘`;
const oneLine = string({ unit: constantFrom(...Array.from(CHARACTERS)), maxLength: 12 });

describe('any text', () => {
  it.runIf(requireTool('dash'))('comes through sh, bash and zsh', () => {
    assert(
      property(array(oneLine, { minLength: 20, maxLength: 20 }), (values) => {
        const set = new Map(values.map((value, index) => [`RA_${index}`, value]));
        for (const shell of ['dash', 'bash', 'zsh'].filter((name) => requireTool(name))) {
          const print = values.map((_, index) => `printf '%s\\0' "$RA_${index}"`).join('; ');
          const script = `${formatVariables('env', { set, remove: [] })}${print}`;
          const read = execFileSync(shell, ['-c', script], {
            encoding: 'utf8',
            env: {},
            stdio: ['ignore', 'pipe', 'inherit'],
          });
          expect(read.split('\0').slice(0, -1)).toEqual(values);
        }
      }),
      { numRuns: 15 },
    );
  });

  it.runIf(requireTool('dash'))('is a variable of the shell alone without export', () => {
    const text = formatVariables('env-no-export', { set: SET, remove: [] });
    const print = [...SET.keys()].map((name) => `printf '%s\\0' "$${name}"`).join('; ');
    const read = execFileSync('dash', ['-c', `${text}${print}; printenv RA_0 || printf none`], {
      encoding: 'utf8',
      env: { PATH: '/usr/bin:/bin' },
    });
    expect(read.split('\0')).toEqual([...SET.values(), 'none']);
  });

  it('comes through a dotenv file, or is refused', () => {
    assert(
      property(oneLine, (value) => {
        const set = new Map([
          ['A', value],
          ['B', 'next'],
        ]);
        const written = outcome(() => formatVariables('dotenv', { set, remove: [] }));
        // Double quotes are no way out where there is a backtick.
        const isRefused = value.includes(`'`) && value.includes('`');
        expect('value' in written ? parseEnv(written.value) : written.code).toEqual(
          isRefused ? 'ERR_EXPORT_VALUE' : Object.fromEntries(set),
        );
      }),
      { numRuns: 2000 },
    );
  });
});

/** PowerShell and cmd are not run here: these are readers of what their documentation says of such lines. */
const DOCUMENTED: Readonly<Record<string, (line: string) => readonly [string, string] | undefined>> = {
  // about_Quoting_Rules: in single quotes everything is literal, and two of them are one.
  powershell(line) {
    const [, name, text] = /^\$env:(\w+) = '((?:[^'‘-‛]|(['‘-‛])\3)*)'$/u.exec(line) ?? [];
    return name === undefined || text === undefined ? undefined : [name, text.replaceAll(/(['‘-‛])\1/gu, '$1')];
  },
  // set /?: with a quote in front of the name, the value goes to the last quote of the line.
  'windows-cmd'(line) {
    const [, name, text] = /^set "(\w+)=(.*)"$/s.exec(line) ?? [];
    return name === undefined || text === undefined ? undefined : [name, text];
  },
  // GitLab's parser: all behind the first sign, stripped.
  gitlab(line) {
    const [, name, text] = /^(.*?)=(.*)$/.exec(line) ?? [];
    return name === undefined || text === undefined ? undefined : [name.trim(), text.trim()];
  },
};

describe.each(Object.keys(DOCUMENTED) as VariableForm[])('the lines for %s', (form) => {
  it('give back every value by the documented grammar', () => {
    for (const [name, value] of SET) {
      if (form === 'gitlab' && value !== value.trim()) continue;
      if (form === 'windows-cmd' && /["%!]/.test(value)) continue;
      const [line = '', ...others] = formatVariables(form, { set: new Map([[name, value]]), remove: [] }).split('\n');
      expect(others).toEqual(['']);
      expect(DOCUMENTED[form]?.(line)).toEqual([name, value]);
    }
  });
});

it.each(['a"b', '100%', '%PATH%', 'wow!', '" & calc & "'])('cmd.exe is given no value with %s', (value) => {
  const { code, message } = refusalOf(() =>
    formatVariables('windows-cmd', { set: new Map([['NAME', `secret${value}`]]), remove: [] }),
  );
  expect(code).toBe('ERR_EXPORT_VALUE');
  expect(message).toMatch(/NAME has a quote, % or ! in it/);
  expect(message).not.toContain('secret');
});

describe('every form', () => {
  const forms: readonly VariableForm[] = [...Object.values(FORM_OF), 'env-no-export', 'dotenv', 'json', 'gitlab'];

  it.each(forms)('refuses line ends and other control characters, with the name and not the value (%s)', (form) => {
    for (const value of ['a\nb', 'a\rb', 'secret\0', '\u001b[2J', 'a\u0085b', 'a\u2028b']) {
      const { code, message } = refusalOf(() => formatVariables(form, { set: new Map([['NAME', value]]), remove: [] }));
      expect(code).toBe('ERR_EXPORT_VALUE');
      expect(message).toContain('NAME');
      expect(message).not.toContain('secret');
    }
  });

  it.each(forms)('has the words to remove a variable (%s)', (form) => {
    expect(formatVariables(form, { set: new Map(), remove: ['NAME'] })).toBe(
      {
        env: 'unset NAME\n',
        'env-no-export': 'unset NAME\n',
        fish: 'set -eg NAME\n',
        powershell: 'Remove-Item Env:NAME -ErrorAction SilentlyContinue\n',
        'windows-cmd': 'set "NAME="\n',
        dotenv: 'NAME=\n',
        gitlab: 'NAME=\n',
        json: '{\n  "NAME": null\n}\n',
      }[form],
    );
  });

  it('is JSON where it says so', () => {
    expect(JSON.parse(formatVariables('json', { set: SET, remove: [] }))).toEqual(Object.fromEntries(SET));
  });
});

function profileText(secretAccessKey: string, profile = 'build box'): string {
  return profileLines(profile, { accessKeyId: 'AK', secretAccessKey });
}

describe('a profile of a credentials file', () => {
  it.runIf(requireModule('botocore'))('is read by botocore as it was', () => {
    const values = AWKWARD.filter((text) => text !== '' && text.trim() === text && !/(?:^|\s)[#;]/.test(text));
    const files = values.map((value, index) => {
      const file = join(folder, `credentials-${index}`);
      writeFileSync(file, profileText(value));
      return file;
    });
    const script =
      'import botocore.configloader, json, sys\n' +
      'read = botocore.configloader.raw_config_parse\n' +
      "print(json.dumps([read(file)['build box']['aws_secret_access_key'] for file in sys.argv[1:]]))";
    const read = execFileSync('/usr/bin/python3', ['-c', script, ...files], { encoding: 'utf8' });
    expect(JSON.parse(read)).toEqual(values);
  });

  it('is refused where SDKs would read something else', () => {
    for (const value of ['a #b', '; a', ' a', 'a\t', ''])
      expect(refusalOf(() => profileText(value, 'build-box')).code).toBe('ERR_CREDENTIALS_FILE');
    expect(refusalOf(() => profileText('a\nb')).code).toBe('ERR_EXPORT_VALUE');
  });
});

describe('a dotenv report of GitLab', () => {
  it('is refused where GitLab would strip blanks, or take none of it', () => {
    for (const value of [' a', 'x'.repeat(5 * 1024)])
      expect(refusalOf(() => formatVariables('gitlab', { set: new Map([['NAME', value]]), remove: [] })).code).toBe(
        'ERR_EXPORT_VALUE',
      );
  });
});

/** The file of variables as the runner reads it: `NAME<<DELIMITER`, lines, the delimiter. */
function readByRunner(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  const lines = text.split('\n').values();
  for (const line of lines) {
    if (line === '') continue;
    const [, name = '', delimiter] = /^(\w+)<<(\S+)$/.exec(line) ?? [];
    if (delimiter === undefined) throw new Error(`not a heading: ${line}`);
    const value: string[] = [];
    for (const part of lines) {
      if (part === delimiter) break;
      value.push(part);
    }
    found[name] = value.join('\n');
  }
  return found;
}

describe('variables for GitHub Actions', () => {
  it('come back as they were, and a mask is there for each secret before', () => {
    const { masks, lines } = githubEnvironment({ set: SET, remove: ['RA_GONE'] }, [...SET.keys()]);
    expect(readByRunner(lines)).toEqual({ RA_GONE: '', ...Object.fromEntries(SET) });
    const masked = masks.split('\n').map((line) => line.replace(/^::add-mask::/, '').replaceAll('%25', '%'));
    expect(masked.slice(0, -1)).toEqual([...SET.values()].filter((value) => value !== ''));
  });

  it('have a delimiter that nobody can foresee', () => {
    const delimiters = [1, 2].map(() => /<<(\S+)/.exec(githubEnvironment({ set: SET, remove: [] }, []).lines)?.[1]);
    expect(new Set(delimiters).size).toBe(2);
    expect(delimiters[0]).toMatch(/^ghadelimiter_[0-9a-f-]{36}$/);
  });

  it('are refused with a line end, which could begin another variable', () => {
    expect(refusalOf(() => githubEnvironment({ set: new Map([['A', 'x\ny']]), remove: [] }, [])).code).toBe(
      'ERR_EXPORT_VALUE',
    );
  });
});
