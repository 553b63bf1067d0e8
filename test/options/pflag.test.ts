import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isCommand } from '../../src/options/flags.ts';
import { findProblem, parseOrdinary, readValues, scan } from '../../src/options/pflag.ts';

/** What Go's cobra made of a line: see pflag-vectors/main.go. */
interface Vector {
  line: string[];
  command?: string;
  given?: Record<string, string>;
  args?: string[];
  help?: true;
  error?: string;
}

const vectors = JSON.parse(
  readFileSync(new URL('pflag-vectors/vectors.json', import.meta.url), 'utf8'),
) as readonly Vector[];

/** The same, by our parser. */
function read(tokens: readonly string[]): Omit<Vector, 'line'> {
  const line = scan(tokens);
  const [command = '', ...args] = line.args;
  const { given, problem } = readValues(line.flags);
  if (given.help === true) return { help: true };
  if (line.problem !== undefined || problem !== undefined || !isCommand(command)) return { error: 'refused' };
  if (findProblem(command, given, args, true)?.kind === 'not-here') return { error: 'refused' };
  return {
    command,
    ...(args.length > 0 ? { args } : {}),
    ...(Object.keys(given).length > 0
      ? {
          given: Object.fromEntries(
            Object.entries(given as Record<string, string | number | boolean | string[]>).map(([name, value]) => [
              name,
              String(value),
            ]),
          ),
        }
      : {}),
  };
}

describe('the grammar is that of Go’s pflag', () => {
  it.each(vectors)('$line', ({ line, ...expected }) => {
    expect(read(line)).toEqual(expected.error === undefined ? expected : { error: 'refused' });
  });

  it('whole numbers are decimal, where Go would also take 0x10, 010 and 1_000', () => {
    for (const text of ['0x384', '01604', '1_000', '+900', '９００']) {
      expect(readValues([['session-duration', text]]).problem).toMatchObject({ kind: 'bad-value', value: text });
    }
  });
});

describe('an ordinary line', () => {
  const LINE = ['--certificate', 'c', '--role-arn', 'r', '--profile-arn', 'p', '--trust-anchor-arn', 't'];

  it('gives the values and the defaults', () => {
    expect(parseOrdinary(['credential-process', ...LINE, '--no-verify-ssl'], false)).toEqual({
      command: 'credential-process',
      flags: {
        certificate: 'c',
        'role-arn': 'r',
        'profile-arn': 'p',
        'trust-anchor-arn': 't',
        'no-verify-ssl': true,
        'system-store-name': 'MY',
      },
      args: [],
      compat: false,
    });
  });

  it.each([
    ['called as aws_signing_helper', [], true, 3600],
    ['with --compat', ['--compat'], false, 3600],
    ['with --compat=false', ['--compat=false'], false, undefined],
    ['called as roles-anywhere', [], false, undefined],
    ['called as aws_signing_helper, with a duration', ['--session-duration', '900'], true, 900],
  ])('%s: the duration to send', (_what, more, compat, seconds) => {
    const parsed = parseOrdinary(['credential-process', ...LINE, ...more], compat);
    expect(parsed?.flags['session-duration']).toBe(seconds);
  });

  it.each([
    ['help', [...LINE, '--help']],
    ['-h', [...LINE, '-h']],
    ['the version', [...LINE, '--version']],
    ['-v', [...LINE, '-v']],
    ['a missing flag', LINE.slice(2)],
    ['an empty required value', [...LINE, '--role-arn=']],
    ['a conflict', [...LINE, '--system-store-name', 'MY']],
    ['a selector', [...LINE, '--cert-selector', 'Key=x509Subject,Value=CN=a']],
    ['a conflict as the helper has it', ['--compat', ...LINE, '--cert-selector', 'Key=x509Subject,Value=CN=a']],
    ['a stray argument', [...LINE, 'x']],
    ['an unknown flag', [...LINE, '--x']],
    ['a flag of another command', [...LINE, '--force']],
  ])('is not one with %s', (_what, args) => {
    expect(parseOrdinary(['credential-process', ...args], false)).toBeUndefined();
  });

  it.each([[[]], [['x']], [['serve']], [['__proto__']], [['constructor']]])('is not %j', (tokens) => {
    expect(parseOrdinary(tokens, false)).toBeUndefined();
  });

  it.each(['--with-proxy=false', '--pkcs8-password=', '--reuse-pin=0'])('may hold %s, which has no effect', (flag) => {
    expect(parseOrdinary(['credential-process', ...LINE, flag], false)).toBeDefined();
  });

  it.each([
    ['--no-tpm-key-password'],
    ['--tpm-key-password', 'x'],
    ['--no-tpm-key-password', '--reuse-pin'],
    ['--reuse-pin'],
  ])('as aws_signing_helper may hold flags for another kind of key: %s %s', (...flags) => {
    expect(parseOrdinary(['credential-process', ...LINE, ...flags.filter(Boolean)], true)).toBeDefined();
  });

  it('holds no flag with a blank in front, whatever the name', () => {
    for (const compat of [false, true])
      expect(parseOrdinary(['credential-process', ...LINE, ' --region', 'eu-west-1'], compat)).toBeUndefined();
  });

  it('has no command behind -- as aws_signing_helper', () => {
    const line = ['--', 'version'];
    expect([parseOrdinary(line, false)?.command, parseOrdinary(line, true)]).toEqual(['version', undefined]);
  });

  it('as aws_signing_helper may hold stray arguments', () => {
    const line = ['credential-process', ...LINE, '--debug', 'false'];
    expect(parseOrdinary(line, true)).toMatchObject({ flags: { debug: true }, args: ['false'] });
  });
});
