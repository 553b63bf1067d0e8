import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { differenceInCmd, differenceInShell, splitLikePython, splitLikeWindows } from '../../src/doctor/words.ts';

describe('splitLikePython', () => {
  it.each([
    ['a b  c', ['a', 'b', 'c']],
    [`a 'b c' "d e"`, ['a', 'b c', 'd e']],
    [String.raw`a\ b "c\"d" "e\f" 'g\h'`, ['a b', 'c"d', String.raw`e\f`, String.raw`g\h`]],
    [`'' ""`, ['', '']],
    ['a#b #c', ['a#b', '#c']],
    [`a'b'"c"`, ['abc']],
    ['$HOME ~ | ;', ['$HOME', '~', '|', ';']],
    ['', []],
  ])('takes %j apart as shlex does', (line, words) => {
    expect(splitLikePython(line)).toEqual({ words });
  });

  it.each([
    [`a 'b`, 'a single quote does not end'],
    ['a "b', 'a double quote does not end'],
    ['a \\', 'it ends with a backslash'],
  ])('says what is wrong with %j', (line, problem) => {
    expect(splitLikePython(line)).toEqual({ problem });
  });
});

describe('splitLikeWindows', () => {
  it.each([
    [String.raw`"C:\Program Files\x.exe" a`, [String.raw`C:\Program Files\x.exe`, 'a']],
    [String.raw`a\\"b c" d`, [String.raw`a\b c`, 'd']],
    [String.raw`\"a b`, ['"a', 'b']],
    [`'a b'`, [`'a`, `b'`]],
    [String.raw`C:\dir\ x`, ['C:\\dir\\', 'x']],
  ])('takes %j apart as the C runtime does', (line, words) => {
    expect(splitLikeWindows(line)).toEqual({ words });
  });

  it('says when a quote does not end', () => {
    expect(splitLikeWindows('"a')).toEqual({ problem: 'a double quote does not end' });
  });
});

describe('differenceInShell', () => {
  it.each([
    'a b',
    `'$HOME' '~' '|;&'`,
    String.raw`\$HOME \~`,
    '"a b" "c;d|e"',
    'Key=x509Subject,Value=CN=client',
    'file:~x a~b',
    '{a} b,c} {d,e',
    `{} a..b} "{a,b}" {a','b} {"a,b"}`,
  ])('finds none in %j, and the shell agrees', (line) => {
    expect(differenceInShell(line)).toBeUndefined();
    const reading = splitLikePython(line);
    const shown = execFileSync('/bin/sh', ['-c', `printf '%s\\0' ${line}`], { encoding: 'utf8' });
    expect('words' in reading && reading.words).toEqual(shown.split('\0').slice(0, -1));
  });

  it.each([
    '$HOME/x',
    '"$HOME/x"',
    '`id`',
    '"`id`"',
    '$(id)',
    'a; b',
    'a | b',
    'a && b',
    'a > b',
    '~/x',
    'a ~/x',
    '*.pem',
    'a #b',
    '{a,b}',
    '{a} {{b,c}',
    '{1..3}',
    'a{a..c}',
    '{a\u{A0},b}',
    '{a\v,b}',
    '{a\r,b}',
    '{}},"}{}},"}{}},"}{}},"}{}}',
    String.raw`"\$HOME"`,
  ])('finds one in %j', (line) => {
    expect(differenceInShell(line)).toMatch(/^(?:a|some) shells? /);
  });
});

describe('differenceInCmd', () => {
  it.each(['"C:\\a b" c', 'a "b & c"'])('finds none in %j', (line) => expect(differenceInCmd(line)).toBeUndefined());
  it.each(['%USERPROFILE%\\x', 'a & b', `'a b'`, 'a ^ b'])('finds one in %j', (line) =>
    expect(differenceInCmd(line)).toBeTypeOf('string'),
  );
});
