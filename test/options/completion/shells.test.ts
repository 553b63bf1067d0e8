import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cleanEnv, INSTALLED, runCli, runProgram } from '../../support/cli.ts';
import { runOnTerminal } from '../../support/terminal.ts';
import type { Step } from '../../support/terminal.ts';
import { requireTool } from '../../support/tools.ts';

const python = requireTool('python3');

/** What a person types before Tab, and the words that the line then has. */
const LINES: readonly (readonly [typed: string, words: string])[] = [
  ['credential-p', '[credential-process]'],
  ['credential-process --trust-anchor', '[credential-process] [--trust-anchor-arn]'],
  ['sign-string --format=te', '[sign-string] [--format=text]'],
  ['sign-string --format te', '[sign-string] [--format] [text]'],
  ['sign-string --debug=t', '[sign-string] [--debug=true]'],
  ['credential-process --config-profile te', '[credential-process] [--config-profile] [team one]'],
  ['credential-process --config-profile=wor', '[credential-process] [--config-profile=work]'],
  ['sign-string --certificate ./cert', '[sign-string] [--certificate] [./certificate.pem]'],
  ['sign-string --certificate=./cert', '[sign-string] [--certificate=./certificate.pem]'],
  ['link ./fol', '[link] [./folder/]'],
  ['completion ba', '[completion] [bash]'],
  ['help li', '[help] [link]'],
];

let work: string;
let env: Record<string, string>;
beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'roles-anywhere-completion-'));
  mkdirSync(join(work, 'folder'));
  writeFileSync(join(work, 'certificate.pem'), '');
  writeFileSync(join(work, 'config'), '[default]\n[profile work]\n[profile "team one"]\n');
  mkdirSync(join(work, 'bin'));
  symlinkSync(INSTALLED, join(work, 'bin', 'roles-anywhere'));
  symlinkSync(process.execPath, join(work, 'bin', 'node'));
  for (const shell of ['bash', 'zsh', 'fish']) {
    writeFileSync(join(work, `script.${shell}`), (await runCli(['completion', shell])).stdout);
  }
  env = {
    PATH: `${join(work, 'bin')}:${cleanEnv()['PATH'] ?? ''}`,
    HOME: work,
    TERM: 'dumb',
    AWS_CONFIG_FILE: join(work, 'config'),
  };
});
afterAll(() => rmSync(work, { recursive: true }));

/** Completes each line, and prints its words in place of running it. */
const STEPS = [
  ...LINES.map(([line], index): Step => [`ready ${index}> `, `roles-anywhere ${line}\t\u0001show \u0005\r`]),
  [`ready ${LINES.length}> `, 'exit\r'] satisfies Step,
];

/** What stood in brackets; whether a shell shows the line before it too depends on when it was typed. */
function words(shown: string): string[] {
  return [...shown.matchAll(/=\[roles-anywhere\] (.*)/g)].map(([, found = '']) => found.trim());
}

/** Prints its words in brackets; the next prompt has the next number. */
const SHOW = `n=0
PS1='ready 0> '
show() { printf '='; printf '[%s] ' "$@"; printf '\\n'; n=$((n + 1)); PS1="ready $n> "; }`;
const EXPECTED = LINES.map(([, line]) => line);

it('a shell that is not known is refused, and none too', async () => {
  for (const args of [[], ['tcsh'], ['bash', 'zsh']]) {
    const { status, stdout, stderr } = await runCli(['completion', ...args]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/\[ERR_USAGE\]\nhint: give one of bash, zsh, fish, powershell\n$/);
  }
});

it('powershell is given a completer for the name that the program was called by', async () => {
  const { status, stdout } = await runCli(['completion', 'powershell']);
  expect(status).toBe(0);
  expect(stdout).toContain("Register-ArgumentCompleter -Native -CommandName 'roles-anywhere'");
  expect(stdout).toContain("completion candidates '--' @words");
  expect(stdout).not.toContain('@PROGRAM@');
});

describe.runIf(python)('completion scripts complete commands, flags and values', () => {
  it.runIf(requireTool('bash'))('in bash', async () => {
    writeFileSync(join(work, 'rc.bash'), `cd '${work}'\n${SHOW}\nsource script.bash\n`);
    const command = ['bash', '--noprofile', '--rcfile', join(work, 'rc.bash'), '-i'];
    const { stdout } = await runOnTerminal(command, STEPS, env);
    expect(words(stdout)).toEqual(EXPECTED);
  });

  it.runIf(requireTool('zsh'))('in zsh', async () => {
    const rc = `cd '${work}'\nautoload -U compinit && compinit -u -D\nbindkey -e\nunsetopt auto_remove_slash\n${SHOW}\nsource script.zsh\n`;
    writeFileSync(join(work, '.zshrc'), rc);
    const { stdout } = await runOnTerminal(['zsh', '-d', '-i'], STEPS, { ...env, ZDOTDIR: work });
    expect(words(stdout)).toEqual(EXPECTED);
  });

  it.runIf(requireTool('fish'))('in fish', async () => {
    const asked = LINES.map(([line]) => `complete -C 'roles-anywhere ${line}'`).join('; echo ---; ');
    const { stdout, stderr } = await runProgram('fish', ['--no-config', '-c', `source script.fish; ${asked}`], {
      env,
      cwd: work,
    });
    expect(stderr).toBe('');
    const last = stdout.split('---\n').map((found) => found.trim().replaceAll(/\t.*$/gm, ''));
    expect(last.map((word) => `[${word}]`)).toEqual(EXPECTED.map((line) => /\[[^\]]*\]$/.exec(line)?.[0]));
  });
});
