import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { candidates } from '../../../src/options/completion/candidates.ts';
import { COMMANDS, FLAGS, choicesOf, flagRow, flagsOf, isCommand, isFlag } from '../../../src/options/flags.ts';
import { FLAG_HELP } from '../../../src/options/help.ts';

let work: string;
beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'roles-anywhere-candidates-'));
  writeFileSync(join(work, 'good'), '[profile b]\n[default]\n[services s]\n');
  writeFileSync(join(work, 'bad'), 'what\n');
});
afterAll(() => rmSync(work, { recursive: true }));

const values = (words: readonly string[], config = 'good'): string[] =>
  candidates(words, { AWS_CONFIG_FILE: join(work, config) })
    .split('\n')
    .flatMap((line) => line.split('\t')[0] ?? [])
    .filter((value) => value !== '');

it('the first word is a command', () => {
  expect(values([''])).toEqual(Object.keys(COMMANDS));
  expect(values(['ver'])).toEqual(['version']);
  expect(values(['help', 'li'])).toEqual(['link']);
});

it('each line has a description behind a tab', () => {
  expect(candidates(['version', '--deb'], {})).toMatch(/^--debug\t\w/);
});

it.each(Object.keys(COMMANDS).filter(isCommand))('%s completes all flags that it takes', (command) => {
  expect(values([command, '--'])).toEqual(flagsOf(command).map((flag) => `--${flag}`));
});

it('flags that were given, or are excluded, are not offered again; lists are', () => {
  const offered = values(['serve', '--ca-bundle', 'x', '--role=a=b', '--']);
  expect(offered).not.toContain('--ca-bundle');
  expect(offered).not.toContain('--ca-store');
  expect(offered).toContain('--role');
});

describe.each(Object.keys(FLAGS).filter(isFlag))('--%s', (flag) => {
  const command =
    Object.keys(COMMANDS)
      .filter(isCommand)
      .find((name) => flagsOf(name).includes(flag)) ?? 'version';
  const { kind, bare } = flagRow(flag);
  const choices = kind === 'boolean' ? ['true', 'false'] : choicesOf(flag, command);
  const expected =
    choices ??
    (FLAG_HELP[flag].value === 'FILE' ? [':files'] : FLAG_HELP[flag].value === 'PROFILE' ? ['b', 'default'] : []);

  it('completes its value as one word, as a word of its own, and as bash breaks words', () => {
    const attached = expected.map((value) => (value.startsWith(':') ? value : `--${flag}=${value}`));
    expect(values([command, `--${flag}=`])).toEqual(attached);
    expect(values([command, `--${flag}`, '='])).toEqual(expected);
    expect(values([command, `--${flag}`, '=', ''])).toEqual(expected);
    const takesNext = kind !== 'boolean' && bare === undefined;
    const next = values([command, `--${flag}`, '']);
    const others = next.filter((value) => value.startsWith('--') || value === ':folders');
    expect(next).toEqual(takesNext ? expected : others);
  });
});

it('a config file that cannot be read has no profiles', () => {
  expect(values(['serve', '--config-profile', ''], 'bad')).toEqual([]);
  expect(values(['serve', '--config-profile', ''], 'none')).toEqual([]);
});
