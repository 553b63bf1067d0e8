import { stripVTControlCharacters } from 'node:util';
import {
  array,
  assert,
  asyncProperty,
  boolean,
  constantFrom,
  infiniteStream,
  nat,
  oneof,
  record,
  string,
  tuple,
} from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { EXIT_STATUS, RolesAnywhereError } from '../../src/platform/errors.ts';
import type { ErrorCode } from '../../src/platform/errors.ts';
import { COMMANDS, FLAGS, HOP, STORE_CONFLICTS, flagRow, flagsOf, isCommand, isFlag } from '../../src/options/flags.ts';
import type { FlagName } from '../../src/options/flags.ts';
import { COMMAND_HELP, EXIT_STATUS_HELP } from '../../src/options/command-help.ts';
import { FLAG_HELP } from '../../src/options/help.ts';
import { parseOrdinary, scan } from '../../src/options/pflag.ts';
import { parseAny } from '../../src/options/any-line.ts';
import type { LineOptions, Outcome } from '../../src/options/any-line.ts';
import { PROFILE_ARN, ROLE_ARN } from '../support/arns.ts';

const parse = (tokens: readonly string[], compat = false): Promise<Outcome> =>
  parseAny(tokens, { program: 'roles-anywhere', compat, columns: 100 });

const LINE = ['--certificate', 'c', '--role-arn', 'r', '--profile-arn', 'p', '--trust-anchor-arn', 't'];

const ARN = 'arn:aws:rolesanywhere:us-east-1:123456789012:profile/22222222-2222-2222-2222-222222222222';

async function flagsFor(...more: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  const outcome = await parse(['credential-process', ...LINE, ...more]);
  if (outcome.kind !== 'run') throw new Error(`came to ${outcome.kind}`);
  return outcome.parsed.flags;
}

/** A value that a flag takes. */
function valueOf(name: FlagName): string {
  if (name === 'cert-selector') return 'Key=x509Serial,Value=0A';
  return flagRow(name).kind === 'boolean' ? 'true' : 'x';
}

async function errorFor(tokens: readonly string[], compat = false): Promise<RolesAnywhereError> {
  const error: unknown = await parse(tokens, compat).then(
    (outcome) => new Error(`came to ${outcome.kind}`),
    (reason: unknown) => reason,
  );
  if (!(error instanceof RolesAnywhereError)) throw error;
  return error;
}

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('in place of aws_signing_helper', () => {
  it.each([[[]], [['--debug']], [['--', 'credential-process']], [['--help=false']]])(
    '%j asks for help',
    async (tokens) => {
      expect(await parse(tokens, true)).toMatchObject({
        kind: 'help',
        text: expect.stringContaining('usage: ') as string,
      });
    },
  );

  it.each([
    ['0xE10', '3600'],
    ['0o7020', '3600'],
    ['0b111000010000', '3600'],
    ['3_600', '3600'],
    ['03600', '1920, which aws_signing_helper takes it for, or --session-duration 3600'],
    ['-0x10', '-16'],
  ])('says how to write the number %s in decimal', async (value, decimal) => {
    expect(await errorFor(['credential-process', ...LINE, '--session-duration', value], true)).toMatchObject({
      code: 'ERR_FLAG_VALUE',
      hint: `write --session-duration ${decimal}`,
    });
  });

  it.each([true, false])('refuses what a backslash with a blank behind it makes of a flag: %s', async (compat) => {
    const line = ['credential-process', ...LINE, ' --region=secret', 'eu-west-1'];
    expect(await errorFor(line, compat)).toMatchObject({
      code: 'ERR_USAGE',
      message: 'blanks in front of --region make it an argument',
      hint: expect.stringContaining('backslash') as string,
    });
  });
});

describe('the grammar on any line', () => {
  it('--no-verify-ssl is a flag, not the negation of an unknown one', async () => {
    expect(await flagsFor('--no-verify-ssl')).toMatchObject({ 'no-verify-ssl': true });
  });

  it('--no-tpm-key-password does not set --tpm-key-password', async () => {
    expect(await flagsFor('--no-tpm-key-password')).toMatchObject({ 'no-tpm-key-password': true });
    expect(await flagsFor('--no-tpm-key-password')).not.toHaveProperty('tpm-key-password');
    expect(await flagsFor('--no-tpm-key-password=false')).not.toHaveProperty('tpm-key-password');
  });

  it('--certificate - has the value -', async () => {
    expect(await flagsFor('--certificate', '-')).toMatchObject({ certificate: '-' });
  });

  it.each(['-abc', '--', '--debug', '-h', '--help', '-5', '--x=y'])(
    '%s is a value after --private-key',
    async (value) => {
      const flags = await flagsFor('--private-key', value);
      expect(flags).toMatchObject({ 'private-key': value });
      expect(flags).not.toHaveProperty('debug');
    },
  );

  it.each([`'x'`, `"x"`, 'true', 'false', '007', '1e3', '0x10', 'a b', 'a\nb', 'a=b', 'a.b', 'é𝕏'])(
    'the value %j stays as it is',
    async (value) => {
      for (const form of [['--private-key', value], [`--private-key=${value}`]]) {
        expect(await flagsFor(...form)).toMatchObject({ 'private-key': value });
      }
    },
  );

  it.each(['LANG', 'LC_ALL'])('help and messages do not follow %s', async (name) => {
    vi.stubEnv(name, 'de_DE.UTF-8');
    const help = await parse(['--help']);
    expect(help).toMatchObject({ text: expect.stringContaining('\nCommands:\n') as string });
    expect((await errorFor(['credential-process', '--certificate'])).message).toContain('needs a value');
  });

  it.each(['__proto__', 'constructor', 'toString', '_', '$0', '__proto__.x'])('--%s is unknown', async (name) => {
    for (const form of [[`--${name}`, 'x'], [`--${name}=x`]]) {
      expect(await errorFor(['credential-process', ...LINE, ...form])).toMatchObject({
        code: 'ERR_UNKNOWN_FLAG',
        message: `unknown flag --${name}`,
      });
    }
    expect(Object.hasOwn(Object.prototype, 'x')).toBe(false);
  });

  it('the last of several values wins', async () => {
    expect(await flagsFor('--region', 'a', '--region=b')).toMatchObject({ region: 'b' });
    expect(await flagsFor('--debug', '--debug=false')).toMatchObject({ debug: false });
  });

  it('each repeat of a list adds a value, also just one', async () => {
    for (const values of [['a'], ['a', '-b', ''], ['1', 'true', 'a']]) {
      const tokens = ['emulator', ...values.flatMap((value) => ['--trust-anchor', value])];
      const given = values.filter((value) => value !== '');
      expect(await parse(tokens)).toMatchObject({ parsed: { flags: { 'trust-anchor': given, port: 9912 } } });
      expect(parseOrdinary(tokens, false)?.flags['trust-anchor']).toEqual(given);
    }
  });

  it.each(HOP.filter((flag) => flag !== 'assume-role-duration'))(
    '--%s must not be empty, as a variable that is not set would make it',
    async (flag) => {
      const role = flag === 'assume-role-arn' ? [] : ['--assume-role-arn', 'arn:aws:iam::123456789012:role/R'];
      const line = ['assume-role', ...role];
      for (const value of [[`--${flag}=`], [`--${flag}`, '']]) {
        expect(await errorFor([...line, ...value])).toMatchObject({ code: 'ERR_FLAG_VALUE', flag: `--${flag}` });
        expect(parseOrdinary([...line, ...value], false)).toBeUndefined();
      }
    },
  );

  it('a flag with an empty value counts as not given', async () => {
    const flags = await flagsFor('--private-key', '', '--intermediates=');
    expect(flags).not.toHaveProperty('private-key');
    expect(flags).not.toHaveProperty('intermediates');
    // Two flags exclude each other all the same, as in pflag.
    const selected = await parse(['sign-string', '--private-key', 'k', '--format', 'text', '--cert-selector=']).catch(
      String,
    );
    expect(selected).toContain('--private-key and --cert-selector exclude each other');
    expect(await errorFor(['emulator', '--trust-anchor='])).toMatchObject({ code: 'ERR_FLAG_REQUIRED' });
  });

  it.each(['1', 't', 'T', 'TRUE', 'True'])('--debug=%s is true', async (word) => {
    expect(await flagsFor(`--debug=${word}`)).toMatchObject({ debug: true });
  });

  it('--debug takes no separate value', async () => {
    expect(await errorFor(['credential-process', ...LINE, '--debug', 'false'])).toMatchObject({
      code: 'ERR_USAGE',
      hint: expect.stringContaining('--debug=false') as string,
    });
  });

  it.each([
    // A list of YAML has each of these as one word.
    ['--pkcs12-password hidden', '--pkcs12-password... ', '--pkcs12-password and its value are one word'],
    ['--pkcs12-password:hidden', '--pkcs12-password... ', '--pkcs12-password and its value are one word'],
    ['--pkcs12-pasword hidden', '--pkcs12-pasword... ', 'did you mean --pkcs12-password'],
    ['-phidden', '-p... ', '--help'],
    ['-pkcs12-password hidden', '-pkcs12-password... ', 'flags have two dashes: --pkcs12-password'],
  ])('what follows the name in %j is not shown: it may be a password', async (token, shown, hint) => {
    const error = await errorFor(['credential-process', ...LINE, token]);
    expect(error).toMatchObject({ code: 'ERR_UNKNOWN_FLAG', hint: expect.stringContaining(hint) as string });
    expect(`${error.message} `).toContain(shown);
    expect(`${error.message} ${error.hint}`).not.toContain('hidden');
  });

  it.each(['-certificate', '--privateKey', '--private_key', '--certificate.x', '--cert'])(
    '%s is no spelling of a flag',
    async (token) => {
      expect(await errorFor(['credential-process', ...LINE, token, 'x'])).toMatchObject({ code: 'ERR_UNKNOWN_FLAG' });
    },
  );
});

describe('errors', () => {
  const cases: [string, string[], ErrorCode, RegExp, RegExp][] = [
    [
      'unknown flag',
      ['credential-process', '--certificat', 'x'],
      'ERR_UNKNOWN_FLAG',
      /--certificat$/,
      /--certificate$/,
    ],
    ['camel case', ['credential-process', '--roleArn', 'x'], 'ERR_UNKNOWN_FLAG', /--roleArn$/, /--role-arn$/],
    ['nothing near', ['credential-process', '--zzz', 'x'], 'ERR_UNKNOWN_FLAG', /--zzz$/, /--help$/],
    [
      'one dash',
      ['credential-process', '-certificate=x'],
      'ERR_UNKNOWN_FLAG',
      /-certificate=\.\.\. /,
      /--certificate$/,
    ],
    ['a flag of another command', ['version', '--force'], 'ERR_UNKNOWN_FLAG', /version does not take --force/, /./],
    [
      'unknown command',
      ['credentials-process', '--x'],
      'ERR_UNKNOWN_COMMAND',
      /"credentials-process"/,
      /credential-process$/,
    ],
    ['help about an unknown command', ['help', 'lnk'], 'ERR_UNKNOWN_COMMAND', /"lnk"/, /link$/],
    [
      'update',
      ['update', '--once'],
      'ERR_FLAG_REQUIRED',
      /missing flags: --certificate or --cert-selector, --trust-anchor-arn/,
      /update --help/,
    ],
    ['flags without a command', ['--debug'], 'ERR_USAGE', /no command/, /--help/],
    ['a value cut off', ['credential-process', '--region'], 'ERR_FLAG_VALUE', /--region needs a value/, /./],
    ['a word for a number', ['credential-process', '--session-duration', '1h'], 'ERR_FLAG_VALUE', /"1h"/, /decimal/],
    [
      'a word for a boolean',
      ['credential-process', '--debug=yes'],
      'ERR_FLAG_VALUE',
      /--debug.*"yes"/,
      /--debug=false/,
    ],
    ['not a choice', ['sign-string', '--digest', 'md5'], 'ERR_FLAG_VALUE', /"md5"/, /SHA256, SHA384, SHA512/],
    [
      'a choice of another command',
      ['read-certificate-data', '--certificate', 'c', '--format', 'bin'],
      'ERR_FLAG_VALUE',
      /--format does not take "bin"/,
      /it takes json, text$/,
    ],
    ['a choice in other letters', ['sign-string', '--digest', 'sha256'], 'ERR_FLAG_VALUE', /"sha256"/, /SHA256$/],
    [
      'what is missing, together',
      ['credential-process', '--profile-arn', 'p'],
      'ERR_FLAG_REQUIRED',
      /: --certificate or --cert-selector, --trust-anchor-arn, --role-arn$/,
      /./,
    ],
    [
      'what serve misses',
      ['serve'],
      'ERR_FLAG_REQUIRED',
      /: --certificate or --cert-selector, --trust-anchor-arn, --profile-arn, --role-arn or --role$/,
      /./,
    ],
    [
      'but not what roles may have',
      ['serve', '--role', 'a=arn'],
      'ERR_FLAG_REQUIRED',
      /: --certificate or --cert-selector$/,
      /./,
    ],
    ['one of two', ['sign-string'], 'ERR_FLAG_REQUIRED', /: --private-key or --certificate or --cert-selector$/, /./],
    ['a stray argument', ['link', 'a', 'b'], 'ERR_USAGE', /"b"/, /quote/],
    [
      'a bad selector',
      ['credential-process', '--cert-selector', 'x'],
      'ERR_SELECTOR',
      /--cert-selector/,
      /x509Subject/,
    ],
    [
      "a selector's file that is not there",
      ['read-certificate-data', '--cert-selector', 'file:///none.json'],
      'ERR_SELECTOR',
      /--cert-selector/,
      /./,
    ],
  ];

  it.each(cases)('%s: %j', async (_what, tokens, code, message, hint) => {
    const error = await errorFor(tokens);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.hint).toMatch(hint);
  });

  it.each([
    [['credential-process', '--role-arn', '--profile-arn', ARN]],
    [['credential-process', '--role-arn', `--profile-arn=${ARN}`]],
    [['update', '--role-arn', '--profile-arn', ARN, '--once']],
  ])('names the flag that took another for its value: %j', async (tokens) => {
    const error = await errorFor(tokens);
    expect(error).toMatchObject({
      code: 'ERR_FLAG_VALUE',
      message: '--role-arn needs a value, and --profile-arn follows it',
      flag: '--role-arn',
    });
    expect(`${error.message} ${error.hint}`).not.toContain(ARN);
  });

  it('an unquoted password is not repeated', async () => {
    const { message, hint } = await errorFor(['credential-process', ...LINE, '--pkcs8-password', 'open', 'sesame']);
    expect(`${message} ${hint}`).not.toMatch(/open|sesame/);
  });

  // The pairs of aws_signing_helper 1.8.
  it.each([
    ['certificate', 'cert-selector'],
    ['certificate', 'system-store-name'],
    ['private-key', 'cert-selector'],
    ['private-key', 'system-store-name'],
    ['private-key', 'use-latest-expiring-certificate'],
    ['use-latest-expiring-certificate', 'intermediates'],
    ['use-latest-expiring-certificate', 'reuse-pin'],
    ['cert-selector', 'intermediates'],
    ['cert-selector', 'reuse-pin'],
    ['system-store-name', 'reuse-pin'],
    ['tpm-key-password', 'cert-selector'],
    ['tpm-key-password', 'reuse-pin'],
    ['no-tpm-key-password', 'cert-selector'],
    ['no-tpm-key-password', 'tpm-key-password'],
    ['pkcs8-password', 'tpm-key-password'],
  ])('--%s and --%s exclude each other, in any order and whatever their values', async (one, other) => {
    const forms = [one, other].map((name) => {
      if (!isFlag(name)) throw new Error(`${name} is not in the table`);
      if (flagRow(name).kind === 'boolean') return [`--${name}=false`];
      return [`--${name}`, name === 'cert-selector' ? 'Key=x509Serial,Value=0A' : ''];
    });
    for (const order of [forms, forms.toReversed()]) {
      for (const compat of [false, true]) {
        const { code, message } = await errorFor(['credential-process', ...order.flat()], compat);
        expect(code).toBe('ERR_FLAG_CONFLICT');
        expect(message).toBe(`--${one} and --${other} exclude each other`);
      }
    }
  });

  it.each(STORE_CONFLICTS)(
    'beside a certificate to choose from, --%s and --%s go together, but not under the name of the helper',
    async (one, other) => {
      const names = new Set<FlagName>(['certificate', 'role-arn', 'profile-arn', 'trust-anchor-arn', one, other]);
      const tokens = ['credential-process', ...[...names].map((name) => `--${name}=${valueOf(name)}`)];
      expect((await parse(tokens)).kind).toBe('run');
      expect(await errorFor(tokens, true)).toMatchObject({ code: 'ERR_FLAG_CONFLICT' });
    },
  );
});

async function textOf(tokens: readonly string[]): Promise<string> {
  const outcome = await parse(tokens);
  if (outcome.kind !== 'help') throw new Error(`came to ${outcome.kind}`);
  return outcome.text;
}

/** The text of help on a line, as terminals show it. */
async function shownOn(terminals: LineOptions['terminals'], tokens: readonly string[], env = {}): Promise<string> {
  const outcome = await parseAny(tokens, { program: 'roles-anywhere', compat: false, terminals, env });
  return 'text' in outcome ? outcome.text : outcome.kind;
}

describe('help', () => {
  it.each(Object.keys(COMMANDS).filter(isCommand))(
    'of %s has every flag, its examples and the exit statuses',
    async (name) => {
      const text = await textOf([name, '--help']);
      for (const flag of flagsOf(name)) expect(text).toMatch(new RegExp(String.raw`^  --${flag}[ \[]`, 'm'));
      const { examples } = COMMAND_HELP[name];
      const lines = examples.map(
        (example) => `  # ${example.text}\n  roles-anywhere ${example.line.join(' \\\n    ')}\n`,
      );
      expect(text).toContain(`Examples:\n${lines.join('\n')}`);
      expect(text).toContain('Exit status:');
      expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
    },
  );

  it('names the choices that a command has of a flag', async () => {
    expect(await textOf(['read-certificate-data', '--help'])).toContain('(json, text; default json)');
    expect(await textOf(['sign-string', '--help'])).toContain('(json, text, bin; default json)');
  });

  it('of the program has every command', async () => {
    const text = await textOf(['--help']);
    for (const name of Object.keys(COMMANDS)) expect(text).toContain(`  roles-anywhere ${name} `);
  });

  it('comes for help, -h, and beside anything that is otherwise wrong', async () => {
    const text = await textOf(['link', '--help']);
    for (const tokens of [
      ['help', 'link'],
      ['link', '-h'],
      ['-h', 'link', 'a', 'b'],
      ['link', '--help', '--bogus'],
    ]) {
      expect(await textOf(tokens)).toBe(text);
    }
    expect(await textOf(['help'])).toBe(await textOf(['-h']));
  });

  it('has colour on a terminal alone, and without it the same text', async () => {
    const plain = await shownOn(undefined, ['link', '--help']);
    const shown = await shownOn({ stdout: true, stderr: false }, ['link', '--help']);
    expect(shown).toContain('\u001b[1mExamples:\u001b[0m');
    expect(shown).toContain('\u001b[36m--force\u001b[0m');
    expect(stripVTControlCharacters(shown)).toBe(plain);
    expect(plain).toBe(stripVTControlCharacters(plain));
    expect(await shownOn({ stdout: true, stderr: true }, ['link', '--help'], { NO_COLOR: '1' })).toBe(plain);
    expect(await shownOn({ stdout: false, stderr: true }, ['link', '--help'])).toBe(plain);
    // Help for want of a command goes to standard error.
    expect(await shownOn({ stdout: false, stderr: true }, [])).toContain('\u001b[1mCommands:\u001b[0m');
    expect(await shownOn({ stdout: true, stderr: false }, [])).toBe(await shownOn(undefined, ['--help']));
  });

  it('does not come for --help=false', async () => {
    expect(await parse(['version', '--help=false'])).toMatchObject({ kind: 'run' });
  });

  it('comes as usage when there is nothing on the line', async () => {
    expect(await parse([])).toEqual({ kind: 'usage', text: await textOf(['--help']) });
  });

  it('has words for every flag, and a value for all but booleans', () => {
    const names = Object.keys(FLAGS).filter(isFlag);
    expect(Object.keys(FLAG_HELP).toSorted()).toEqual(names.toSorted());
    const without = names.filter((name) => FLAG_HELP[name].value === undefined);
    expect(without).toEqual(names.filter((name) => flagRow(name).kind === 'boolean'));
  });

  it('has every exit status', () => {
    expect(EXIT_STATUS_HELP.map(([status]) => status)).toEqual([0, ...Object.values(EXIT_STATUS)]);
  });
});

describe('ordinary lines and any lines', () => {
  const flagName = oneof(
    { weight: 12, arbitrary: constantFrom(...Object.keys(FLAGS)) },
    { weight: 1, arbitrary: constantFrom('__proto__', 'constructor', 'no-debug', 'verify-ssl', 'Region', 'h', '') },
  );
  const value = oneof(
    {
      weight: 6,
      arbitrary: constantFrom('a', 'json', 'bin', 'SHA384', '900', '/x y', 'Key=x509Serial,Value=0A', 'true'),
    },
    {
      weight: 2,
      arbitrary: constantFrom('', '-', '--', '-5', '-h', '--help', '--debug', '"x"', `'x'`, 'a=b', '0x1'),
    },
    { weight: 1, arbitrary: string({ unit: 'grapheme' }) },
  );
  const word = constantFrom('true', 'false', '1', '0', 'T', 'F', 'yes', '');
  const piece = oneof(
    {
      weight: 5,
      arbitrary: tuple(
        flagName.map((name) => `--${name}`),
        value,
      ),
    },
    { weight: 3, arbitrary: tuple(flagName, oneof(value, word)).map(([name, text]) => [`--${name}=${text}`]) },
    { weight: 3, arbitrary: constantFrom('debug', 'no-verify-ssl', 'compat', 'force').map((name) => [`--${name}`]) },
    {
      weight: 1,
      arbitrary: oneof(
        flagName.map((name) => `-${name}`),
        flagName.map((name) => `--${name}`),
        value,
      ).map((t) => [t]),
    },
  );
  const command = oneof(
    { weight: 9, arbitrary: constantFrom(...Object.keys(COMMANDS)) },
    { weight: 1, arbitrary: constantFrom('serve', 'help', '__proto__', 'x', '') },
  );
  const required = new Map<string, readonly (readonly string[])[]>([
    [
      'credential-process',
      [
        ['--certificate', 'c', '--role-arn=r'],
        ['--profile-arn', '-p', '--trust-anchor-arn', 't'],
      ],
    ],
    ['read-certificate-data', [['--certificate', '-']]],
    ['sign-string', [['--private-key=k']]],
    ['emulator', [['--trust-anchor', 'f']]],
  ]);
  const line = record({
    command,
    pieces: array(piece, { maxLength: 4 }),
    complete: boolean(),
    seeds: infiniteStream(nat({ max: 99 })),
  }).map(({ command: name, pieces, complete, seeds }) => {
    const mixed: (readonly string[])[] = [];
    for (const part of [...pieces, ...(complete ? (required.get(name) ?? []) : []), [name]]) {
      mixed.splice(seeds.next().value % (mixed.length + 1), 0, part);
    }
    return mixed.flat();
  });

  it.each([
    ['read-certificate-data', 'json', true],
    ['read-certificate-data', 'text', true],
    ['read-certificate-data', 'bin', false],
    ['sign-string', 'bin', true],
    ['sign-string', 'xml', false],
  ])('agree that %s takes --format %s: %s', async (name, format, taken) => {
    const tokens = [name, '--certificate', 'c', '--format', format];
    const full = await parse(tokens).catch(() => undefined);
    expect(full?.kind === 'run' ? full.parsed.flags['format'] : undefined).toBe(taken ? format : undefined);
    expect(parseOrdinary(tokens, false)?.flags['format']).toBe(taken ? format : undefined);
  });

  it('take the same lines, with the same values', async () => {
    let taken = 0;
    await assert(
      asyncProperty(line, boolean(), async (tokens, compat) => {
        const small = parseOrdinary(tokens, compat);
        const full = await parse(tokens, compat).catch((error: unknown) => {
          if (error instanceof RolesAnywhereError && error.code !== 'ERR_INTERNAL') return undefined;
          throw error;
        });
        if (full?.kind === 'run') taken++;
        // A selector has a grammar of its own, which any-line.ts alone looks at.
        const isOrdinary = !scan(tokens).flags.some(([flag]) => flag === 'cert-selector');
        expect(small).toEqual(full?.kind === 'run' && isOrdinary ? full.parsed : undefined);
      }),
      { numRuns: 2000 },
    );
    // Else the property would say little.
    expect(taken).toBeGreaterThan(100);
  }, 120_000);
});

describe('what a shell, YAML or another tool of AWS would have taken', () => {
  it.each([
    ['--use-fips-endpoint', 'did you mean --use-fips'],
    ['--use-dualstack-endpoint', 'did you mean --use-dualstack'],
    ['--endpoint-url=https://x', 'did you mean --endpoint'],
  ])('%s leads to our flag', async (flag, hint) => {
    expect(await errorFor(['credential-process', ...LINE, flag])).toMatchObject({ code: 'ERR_UNKNOWN_FLAG', hint });
  });

  it('names no flag that the command does not take', async () => {
    expect((await errorFor(['read-certificate-data', '--use-fips-endpoint'])).hint).not.toContain('--use-fips');
  });

  it.each([
    [['assume-role', ROLE_ARN], `a value stands behind its flag: --assume-role-arn ${ROLE_ARN}`],
    [['credential-process', ROLE_ARN], `a value stands behind its flag: --role-arn ${ROLE_ARN}`],
    [['whoami', PROFILE_ARN], `a value stands behind its flag: --profile-arn ${PROFILE_ARN}`],
    [['init', '--remove', 'work'], 'a value stands behind its flag: --profile work'],
    [['doctor', 'work'], 'a value stands behind its flag: --profile work'],
    [['read-certificate-data', 'leaf.pem'], 'a value stands behind its flag: --certificate leaf.pem'],
    [['emulator', './root.pem'], 'a value stands behind its flag: --trust-anchor ./root.pem'],
    [['emulator', 'world.yaml'], 'a value stands behind its flag: --world world.yaml'],
    [['init', '--profile', 'a', 'work'], /^quote a value that holds spaces$/],
    [['assume-role', '--role-arn', ROLE_ARN], 'did you mean --assume-role-arn'],
    [
      ['assume-role', '--certificate', 'x'],
      /to start from a certificate, give --assume-role-arn to credential-process/,
    ],
  ])('%j gets the hint that it needs', async (line, hint) => {
    expect((await errorFor(line)).hint).toMatch(hint);
  });

  it.each([
    ['a backslash of a folded text that no shell reads', ['\\'], /folded text of YAML/],
    ['a backslash of a folded text that a shell reads', [' --region', 'x'], /folded text of YAML/],
    ['a second command', ['&&', 'aws', 'sts', 'get-caller-identity'], /second command/],
    ['a second command with flags of its own', [';', 'aws', 's3', 'ls', '--profile', 'x'], /second command/],
    ['a second command with flags of ours', ['&&', 'x', '--listen', '1'], /second command/],
    ['a pipe', ['|', 'jq', '-r', '.x'], /a pipe/],
    ['a redirection', ['2>/dev/null'], /a redirection/],
    ['a command of ours', ['serve'], /give serve a line of its own/],
    ['a value with a space', ['Files/key.pem'], /^quote a value that holds spaces$/],
    ['nothing at all', [''], /^quote a value that holds spaces$/],
  ])('%s gets the hint that it needs', async (_, more, hint) => {
    const error = await errorFor(['credential-process', ...LINE, ...more]);
    expect(error.code).toBe('ERR_USAGE');
    expect(error.hint).toMatch(hint);
  });
});
