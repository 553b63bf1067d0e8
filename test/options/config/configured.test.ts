import { array, assert, constantFrom, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printConfig } from '../../../src/commands/print-config.ts';
import { RolesAnywhereError } from '../../../src/platform/errors.ts';
import type { ErrorCode } from '../../../src/platform/errors.ts';
import { explain, parseConfigured } from '../../../src/options/config/configured.ts';
import type { Configured } from '../../../src/options/config/configured.ts';
import { ConfigFile } from '../../../src/options/config/file.ts';
import { keyOf, variableOf } from '../../../src/options/config/sources.ts';
import { joinWords, splitWords } from '../../../src/options/config/words.ts';
import {
  COMMANDS,
  CONFLICTS,
  FLAGS,
  choicesOf,
  flagRow,
  isCommand,
  isFlag,
  takesFlag,
} from '../../../src/options/flags.ts';
import type { CommandName, FlagName } from '../../../src/options/flags.ts';

interface World {
  /** Of profile p, and whatever follows it. */
  readonly profile?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly exposed?: boolean;
}

function read(
  tokens: readonly string[],
  { profile, env = {}, exposed = false }: World = {},
  choose = profile !== undefined,
): Configured {
  const configured = parseConfigured([...tokens, ...(choose ? ['--config-profile', 'p'] : [])], {
    program: 'roles-anywhere',
    compat: false,
    env: { AWS_CONFIG_FILE: '/config', ...env },
    readConfig: (path) => ({ path, text: `[profile p]\n${profile}\n`, exposed }),
  });
  if (configured === undefined) throw new Error('not an answer for the small parser');
  return configured;
}

function errorOf(run: () => unknown): RolesAnywhereError {
  try {
    run();
  } catch (error) {
    if (error instanceof RolesAnywhereError) return error;
    throw error;
  }
  throw new Error('no error');
}

/** A line that asks to be shown, so that nothing need be complete. */
const line = (command: string, ...flags: string[]): string[] => [command, '--print-config=json', ...flags];
const shown = (configured: Configured): Record<string, unknown> =>
  JSON.parse(printConfig(configured)) as Record<string, unknown>;

const OUTSIDE = Object.keys(FLAGS)
  .filter(isFlag)
  .filter((flag) => keyOf(flag) !== undefined);
const commandFor = (flag: FlagName): CommandName =>
  Object.keys(COMMANDS)
    .filter(isCommand)
    .find((name) => name !== 'completion' && takesFlag(name, flag)) ?? 'version';

const commandOfBoth = (pair: readonly FlagName[]): CommandName | undefined =>
  Object.keys(COMMANDS)
    .filter(isCommand)
    .find((name) => pair.every((flag) => takesFlag(name, flag)));

/** Three values of a flag that differ, as text. A boolean has two. */
function examples(flag: FlagName): [string, string, string] {
  const [first, second = first] = choicesOf(flag, commandFor(flag)) ?? [];
  if (first !== undefined && second !== undefined) return [first, second, first];
  const { kind } = flagRow(flag);
  if (kind === 'boolean') return ['true', 'false', 'true'];
  return kind === 'integer' ? ['901', '902', '903'] : ['one', 'two', 'three'];
}

/** The value of a flag, or the code of the error. */
function result(flag: FlagName, tokens: readonly string[], world: World): unknown {
  try {
    return read([...line(commandFor(flag)), ...tokens], world).parsed.flags[flag] ?? null;
  } catch (error) {
    if (error instanceof RolesAnywhereError) return error.code;
    // Faults of a command line go to the full parser.
    if (error instanceof Error && error.message.startsWith('not an answer')) return 'ERR_FLAG_VALUE';
    throw error;
  }
}

const meaning = (flag: FlagName, text: string): unknown => {
  const { kind } = flagRow(flag);
  if (kind === 'list') return [text];
  return kind === 'boolean' ? text === 'true' : kind === 'integer' ? Number(text) : text;
};

describe.each(OUTSIDE)('--%s', (flag) => {
  const command = commandFor(flag);
  const [one, two, three] = examples(flag);
  const [variable, key] = [variableOf(flag) ?? '', keyOf(flag) ?? ''];
  const value = (configured: Configured): unknown => configured.parsed.flags[flag];

  it('counts from the command line before the environment before the profile', () => {
    const profile = `${key} = ${three}`;
    const env = { [variable]: two };
    expect(value(read(line(command), { profile }))).toEqual(meaning(flag, three));
    expect(value(read(line(command), { profile, env }))).toEqual(meaning(flag, two));
    const all = read(line(command, `--${flag}=${one}`), { profile, env });
    expect(value(all)).toEqual(meaning(flag, one));
    expect(all.unused).toMatchObject([
      { flag, by: flag, setting: { origin: { name: variable } } },
      { flag, by: flag, setting: { origin: { name: key, line: 2, file: '/config', profile: 'p' } } },
    ]);
  });

  it('says where its value is from, and shows it unless it is a secret', () => {
    const forms: [Configured, unknown][] = [
      [read(line(command, `--${flag}=${one}`)), { kind: 'command line' }],
      [read(line(command), { env: { [variable]: one } }), { kind: 'environment', name: variable }],
      [
        read(line(command), { profile: `${key} = ${one}` }),
        { kind: 'profile', name: key, profile: 'p', file: '/config', line: 2 },
      ],
    ];
    const secret = flagRow(flag).secret === true;
    for (const [configured, source] of forms) {
      const row = { flag, value: secret ? '<redacted>' : meaning(flag, one), source };
      expect(shown(configured)).toMatchObject({ settings: expect.arrayContaining([row]) as unknown });
      const text = printConfig({ ...configured, parsed: { ...configured.parsed, flags: { 'print-config': 'text' } } });
      expect(text).toMatch(new RegExp(`^--${flag} +${secret ? '<redacted>' : one}  \\(`, 'm'));
    }
  });

  it('shows no character of a secret that gave way either', () => {
    const secret = 'S3cr3t!';
    if (flagRow(flag).secret !== true) return;
    const configured = read(line(command, `--${flag}=x`), {
      profile: `${key} = ${secret}`,
      env: { [variable]: secret },
    });
    expect(printConfig(configured)).not.toContain(secret);
    expect(configured.unused.length).toBe(2);
  });

  it('is the same in quotes and without to nobody: they are part of the value', () => {
    const { kind } = flagRow(flag);
    const choices = choicesOf(flag, command);
    const text = `"${one}"`;
    const expected = kind === 'text' && choices === undefined ? text : kind === 'list' ? [one] : 'ERR_FLAG_VALUE';
    expect(result(flag, [], { env: { [variable]: text } })).toEqual(expected);
    expect(result(flag, [], { profile: `${key} = ${text}` })).toEqual(expected);
  });
});

describe('a flag, a variable and a key mean the same', () => {
  const texts = string({ unit: 'grapheme', minLength: 1, maxLength: 12 });
  const odd = constantFrom(
    '#',
    ' #',
    ';x',
    ' ;',
    '=',
    ':',
    '[a]',
    '%(x)s',
    '$HOME',
    '~',
    '\\',
    `'`,
    '"',
    'true',
    '900',
    '-',
    '--debug',
    '\ufeff',
  );
  const parts = array(texts, { minLength: 1, maxLength: 3 }).chain((words) =>
    array(odd, { maxLength: 2 }).map((more) => [...words, ...more].join('')),
  );

  it('whatever the text', () => {
    assert(
      property(constantFrom(...OUTSIDE.filter((flag) => flagRow(flag).kind !== 'list')), parts, (flag, text) => {
        // What a line of a config file cannot hold, and what both parsers cut off.
        if (/[\r\n\0]/.test(text) || /^[\s\p{C}]|[\s\p{C}]$/u.test(text)) return;
        const byFlag = result(flag, [`--${flag}=${text}`], {});
        expect(result(flag, [], { env: { [variableOf(flag) ?? '']: text } })).toEqual(byFlag);
        const byKey = result(flag, [], { profile: `${keyOf(flag)} = ${text}` });
        expect(byKey).toEqual(/(?:^|\s)[#;]/.test(text) ? 'ERR_CONFIG_KEY' : byFlag);
      }),
      { numRuns: 2000 },
    );
  });

  it('whatever the items of a list', () => {
    assert(
      property(
        constantFrom(...OUTSIDE.filter((flag) => flagRow(flag).kind === 'list')),
        array(parts, { minLength: 1, maxLength: 4 }),
        (flag, items) => {
          const text = joinWords(items);
          expect(splitWords(text)).toEqual(items);
          if (/[\r\n\0]/.test(text)) return;
          expect(
            result(
              flag,
              items.flatMap((item) => [`--${flag}`, item]),
              {},
            ),
          ).toEqual(items);
          expect(result(flag, [], { env: { [variableOf(flag) ?? '']: text } })).toEqual(items);
          const byKey = result(flag, [], { profile: `${keyOf(flag)} = ${text}` });
          expect(byKey).toEqual(/(?:^|\s)[#;]/.test(text) ? 'ERR_CONFIG_KEY' : items);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('flags that exclude each other', () => {
  it.each(CONFLICTS)('%s and %s conflict within a source, and the higher source displaces', (one, other) => {
    const name = commandOfBoth([one, other]);
    if (name === undefined) throw new Error('no command takes both');
    const [[a], [b]] = [examples(one), examples(other)];
    const both = { [variableOf(one) ?? '']: a, [variableOf(other) ?? '']: b };
    expect(errorOf(() => read(line(name), { env: both }))).toMatchObject({
      code: 'ERR_FLAG_CONFLICT',
      message: `--${one} (${variableOf(one)}) and --${other} (${variableOf(other)}) exclude each other`,
    });
    const profile = `${keyOf(one)} = ${a}\n${keyOf(other)} = ${b}`;
    expect(errorOf(() => read(line(name), { profile }))).toMatchObject({ code: 'ERR_FLAG_CONFLICT' });
    for (const [high, low, text] of [
      [one, other, b],
      [other, one, a],
    ] as const) {
      const higher = high === one ? a : b;
      const { parsed, unused } = read(line(name, `--${high}=${higher}`), { env: { [variableOf(low) ?? '']: text } });
      expect(parsed.flags[high]).toEqual(meaning(high, higher));
      expect(unused).toMatchObject([{ flag: low, by: high }]);
      const below = read(line(name), { env: { [variableOf(high) ?? '']: higher }, profile: `${keyOf(low)} = ${text}` });
      expect(below.unused).toMatchObject([{ flag: low, by: high }]);
    }
  });

  it('what is displaced displaces nothing itself, and what is empty displaces nothing', () => {
    const env = { ROLES_ANYWHERE_CERT_SELECTOR: 'x' };
    const { parsed, unused } = read(line('credential-process', '--certificate=c'), {
      env,
      profile: 'rolesanywhere_private_key = k',
    });
    expect(parsed.flags).toMatchObject({ certificate: 'c', 'private-key': 'k' });
    expect(unused).toMatchObject([{ flag: 'cert-selector', by: 'certificate' }]);
    expect(
      read(line('credential-process', '--cert-selector='), { profile: 'rolesanywhere_certificate = c' }).parsed.flags,
    ).toMatchObject({ certificate: 'c' });
  });
});

describe('a profile', () => {
  const faults: [string, string, ErrorCode, string, string][] = [
    [
      'an unknown key',
      'rolesanywhere_regoin = x',
      'ERR_CONFIG_KEY',
      '/config, line 2: unknown key rolesanywhere_regoin',
      'did you mean rolesanywhere_region',
    ],
    [
      'dashes in place of underscores',
      'rolesanywhere-trust-anchor-arn = x',
      'ERR_CONFIG_KEY',
      '/config, line 2: unknown key rolesanywhere-trust-anchor-arn',
      'did you mean rolesanywhere_trust_anchor_arn',
    ],
    [
      'an underscore too many',
      'roles_anywhere_certificate = x',
      'ERR_CONFIG_KEY',
      '/config, line 2: unknown key roles_anywhere_certificate',
      'did you mean rolesanywhere_certificate',
    ],
    [
      'a flag for command lines',
      'rolesanywhere_config_profile = p',
      'ERR_CONFIG_KEY',
      'line 2: --config-profile cannot be set in a profile',
      'command line',
    ],
    [
      'a comment behind a value',
      'rolesanywhere_region = x # y',
      'ERR_CONFIG_KEY',
      'line 2: rolesanywhere_region holds # or ; after a space',
      'a line of its own',
    ],
    [
      'a colon',
      'rolesanywhere_region: x',
      'ERR_CONFIG_KEY',
      'line 2: rolesanywhere_region is followed by :',
      'key = value',
    ],
    [
      'capitals',
      'RolesAnywhere_Region = x',
      'ERR_CONFIG_KEY',
      'line 2: rolesanywhere_region is not in lower case',
      'lower case',
    ],
    [
      'a continued value',
      'rolesanywhere_region = x\n  y',
      'ERR_CONFIG_KEY',
      'line 3: rolesanywhere_region goes on in an indented line',
      'one line',
    ],
    [
      'an indented key',
      'region = x\n  rolesanywhere_region = y',
      'ERR_CONFIG_KEY',
      'line 3: rolesanywhere_region is indented',
      'begin it',
    ],
    [
      'a key below a key',
      's3 =\n  rolesanywhere_region = y',
      'ERR_CONFIG_KEY',
      'line 3: rolesanywhere_region is indented, and so belongs to s3',
      'begin it',
    ],
    [
      'a default of all sections',
      'x = y\n[DEFAULT]\nrolesanywhere_region = z',
      'ERR_CONFIG_KEY',
      'line 4: rolesanywhere_region is read differently',
      'section',
    ],
    [
      'a key twice',
      'rolesanywhere_region = x\nrolesanywhere_region = x',
      'ERR_CONFIG_FILE',
      'line 3: rolesanywhere_region is there a second time',
      'line 2',
    ],
    [
      'a section twice',
      'a = b\n[profile p]',
      'ERR_CONFIG_FILE',
      'line 3: [profile p] is there a second time',
      'line 1',
    ],
    [
      'a line that lost its beginning twice',
      'process --pkcs12-password x = y\nprocess --pkcs12-password x = y',
      'ERR_CONFIG_FILE',
      'line 3: the key is there a second time',
      'line 2',
    ],
    [
      'what is no section twice',
      '[a --pin 1234]\n[a --pin 1234]',
      'ERR_CONFIG_FILE',
      'line 3: the section is there a second time',
      'line 2',
    ],
    [
      'two sections of a profile',
      'a = b\n[profile "p"]',
      'ERR_CONFIG_FILE',
      'line 3: a second section for profile p',
      'line 1',
    ],
    ['a stray line', 'what', 'ERR_CONFIG_FILE', 'line 2: neither a section nor key = value', 'correct'],
    [
      'a value that a flag does not take',
      'rolesanywhere_session_duration = 1h',
      'ERR_FLAG_VALUE',
      '--session-duration (rolesanywhere_session_duration in line 2 of /config, profile p) is not a whole number',
      'digits',
    ],
    [
      'a quote that does not end',
      'rolesanywhere_policy_arn = "a b',
      'ERR_FLAG_VALUE',
      'holds a quote that does not end',
      'quote those',
    ],
    [
      'a switch that is neither on nor off',
      'use_fips_endpoint = yes',
      'ERR_CONFIG_KEY',
      'line 2: use_fips_endpoint is true or false',
      'correct',
    ],
  ];
  it.each(faults)('is refused for %s', (_, profile, code, message, hint) => {
    const error = errorOf(() => read(line('credential-process'), { profile }));
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
    expect(error.hint).toContain(hint);
  });

  it('that is not there is an error, with the nearest', () => {
    const fault = (profile: string): RolesAnywhereError =>
      errorOf(() => read(line('credential-process', `--config-profile=${profile}`), { profile: 'a = b' }, false));
    expect(fault('team one')).toMatchObject({
      code: 'ERR_CONFIG_PROFILE',
      hint: 'its section begins with [profile "team one"]',
    });
    expect(fault('default')).toMatchObject({ hint: 'its section begins with [default]' });
    const file = new ConfigFile({ path: '/config', text: '[default]\n[profile production]\n[services x]\n[y]\n' });
    expect(errorOf(() => file.profile('prodction'))).toMatchObject({
      message: '/config has no profile "prodction"',
      hint: 'did you mean production',
    });
    expect(file.profiles()).toEqual(['default', 'production']);
  });

  it('leaves keys of flags that a command does not take to others', () => {
    expect(read(['version'], { profile: 'rolesanywhere_region = x\nrolesanywhere_port = what' }).parsed.flags).toEqual({
      'config-profile': 'p',
    });
  });

  it('is chosen by ROLES_ANYWHERE_CONFIG_PROFILE too, and never by AWS_PROFILE', () => {
    const profile = { text: '[profile p]\nrolesanywhere_region = x\n' };
    const world = (env: Record<string, string>): unknown =>
      parseConfigured(line('credential-process'), {
        program: 'r',
        compat: false,
        env,
        readConfig: (path) => ({ path, exposed: false, ...profile }),
      })?.parsed.flags['region'];
    expect(world({ ROLES_ANYWHERE_CONFIG_PROFILE: 'p' })).toBe('x');
    expect(world({ AWS_PROFILE: 'p' })).toBeUndefined();
  });

  it('with a secret that others can read warns, without showing it', () => {
    const profile = 'rolesanywhere_pkcs8_password = S3cr3t!';
    const { warnings } = read(line('credential-process'), { profile, exposed: true });
    expect(warnings).toEqual([expect.stringMatching(/^\/config holds rolesanywhere_pkcs8_password, .*chmod 600/)]);
    expect(read(line('credential-process'), { profile }).warnings).toEqual([]);
    expect(read(line('credential-process'), { profile: 'rolesanywhere_region = x', exposed: true }).warnings).toEqual(
      [],
    );
  });
});

const endpoint = (profile: string, env: Record<string, string> = {}): unknown =>
  read(line('credential-process'), { profile, env }).parsed.flags['endpoint'];

describe('what the SDKs have names of their own for', () => {
  const SERVICES = 'services = s\nendpoint_url = general\n[services s]\nrolesanywhere =\n  endpoint_url = special';

  it('is read from the profile, below its own key and below the environment', () => {
    expect(endpoint('endpoint_url = general')).toBe('general');
    expect(endpoint(SERVICES)).toBe('special');
    expect(endpoint(`rolesanywhere_endpoint = own\n${SERVICES}`)).toBe('own');
    // The command reads AWS's variables by itself: nothing may be in their way.
    expect(endpoint(`rolesanywhere_endpoint = own\n${SERVICES}`, { AWS_ENDPOINT_URL: 'variable' })).toBeUndefined();
    expect(endpoint(SERVICES, { AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true', AWS_ENDPOINT_URL: 'x' })).toBeUndefined();
    expect(endpoint(`ignore_configured_endpoint_urls = true\n${SERVICES}`)).toBeUndefined();
  });

  it('covers FIPS, dual-stack, STS and roots', () => {
    const profile =
      'use_fips_endpoint = true\nuse_dualstack_endpoint = FALSE\nca_bundle = roots.pem\nregion = eu-west-1\nservices = s\n[services s]\nsts =\n  endpoint_url = sts';
    const { flags } = read(line('credential-process'), { profile }).parsed;
    expect(flags).toMatchObject({
      'use-fips': true,
      'use-dualstack': false,
      'ca-bundle': 'roots.pem',
      'sts-endpoint': 'sts',
    });
    expect(flags).not.toHaveProperty('region');
  });

  it('is shown with its own name, and without passwords in URLs', () => {
    const configured = read(line('credential-process'), { env: { AWS_ENDPOINT_URL: 'https://me:S3cr3t!@host/' } });
    expect(shown(configured)['settings']).toContainEqual({
      flag: 'endpoint',
      value: 'https://host/',
      source: { kind: 'environment', name: 'AWS_ENDPOINT_URL' },
    });
  });

  it('a PIN in a URI is not shown', () => {
    const text = printConfig(read(line('sign-string', '--private-key=pkcs11:token=t?pin-value=12345&x=y')));
    expect(text).toContain('pkcs11:token=t?pin-value=<redacted>&x=y');
  });

  it('a PIN in a URI is not shown, also with a separator in it that a query may hold', () => {
    const text = printConfig(read(line('sign-string', '--private-key=pkcs11:token=t?pin-value=12;77,99')));
    expect(text).toContain('pin-value=<redacted>');
    expect(text).not.toMatch(/77|99/);
  });
});

describe('roles in profiles of their own', () => {
  const ROLES = `rolesanywhere_role = arn:aws:iam::1:role/A
rolesanywhere_role_profiles = app "data base"
[profile app]
rolesanywhere_role_arn = arn:aws:iam::1:role/App
rolesanywhere_session_duration = 900
[profile "data base"]
rolesanywhere_role_arn = arn:aws:iam::1:role/Db`;

  it('are items of --role, after those given there', () => {
    expect(read(line('serve'), { profile: ROLES }).parsed.flags['role']).toEqual([
      'arn:aws:iam::1:role/A',
      { name: 'app', head: 'arn:aws:iam::1:role/App', settings: [['session-duration', '900']] },
      { name: 'data base', head: 'arn:aws:iam::1:role/Db', settings: [] },
    ]);
  });

  it('are hops of --assume-role-arn, in order', () => {
    const profile = `rolesanywhere_assume_role_profiles = one two
[profile one]
rolesanywhere_assume_role_arn = arn:aws:iam::1:role/One
rolesanywhere_tag = a=b "c=d e"
[profile two]
rolesanywhere_assume_role_arn = arn:aws:iam::1:role/Two
rolesanywhere_external_id = x`;
    expect(read(line('credential-process'), { profile }).parsed.flags['assume-role-arn']).toEqual([
      {
        head: 'arn:aws:iam::1:role/One',
        settings: [
          ['tag', 'a=b'],
          ['tag', 'c=d e'],
        ],
      },
      { head: 'arn:aws:iam::1:role/Two', settings: [['external-id', 'x']] },
    ]);
  });

  it('keep a value whole that holds a comma and the name of a key', () => {
    const profile = `rolesanywhere_role_profiles = app
[profile app]
rolesanywhere_role_arn = arn:aws:iam::1:role/A
rolesanywhere_role_session_name = a,session-duration=1`;
    const configured = read(line('serve'), { profile });
    expect(configured.parsed.flags['role']).toEqual([
      { name: 'app', head: 'arn:aws:iam::1:role/A', settings: [['role-session-name', 'a,session-duration=1']] },
    ]);
    expect(printConfig(configured)).toContain('app=arn:aws:iam::1:role/A,role-session-name=a,session-duration=1');
  });

  it.each([
    ['rolesanywhere_certificate = c', /one role cannot have rolesanywhere_certificate for itself/],
    ['# no more', /names no role/],
  ])('cannot hold %s', (more, message) => {
    const arn = more.startsWith('#') ? '' : 'rolesanywhere_role_arn = arn:aws:iam::1:role/A\n';
    const profile = `rolesanywhere_role_profiles = app\n[profile app]\n${arn}${more}`;
    expect(errorOf(() => read(line('serve'), { profile }))).toMatchObject({
      code: 'ERR_CONFIG_KEY',
      message: expect.stringMatching(message) as string,
    });
  });
});

it.each([
  [{ env: { ROLES_ANYWHERE_NO_IMDS: 'yes' } }, 'ROLES_ANYWHERE_NO_IMDS'],
  [{ profile: 'rolesanywhere_no_imds = yes' }, 'rolesanywhere_no_imds'],
])('a switch that is neither on nor off is told the words for it: %o', (world, name) => {
  const { message, hint } = errorOf(() => read(line('serve'), world));
  expect([message, hint]).toEqual([expect.stringContaining(name), 'it takes true or false']);
});

it('a variable that is nearly one of a flag is warned of', () => {
  const env = {
    ROLES_ANYWHERE_REGOIN: 'x',
    ROLES_ANYWHERE_STATE_DIR: '/s',
    ROLES_ANYWHERE_PKCS11_PIN: '1',
    ROLES_ANYWHERE_ZZZ: '',
  };
  expect(read(line('version'), { env }).warnings).toEqual([
    'ROLES_ANYWHERE_REGOIN is the variable of no flag: did you mean ROLES_ANYWHERE_REGION',
  ]);
});

it('without --print-config a line must be complete, and what is missing is named', () => {
  expect(errorOf(() => read(['credential-process'], { profile: 'rolesanywhere_certificate = c' }))).toMatchObject({
    code: 'ERR_FLAG_REQUIRED',
    message: 'missing flags: --trust-anchor-arn, --profile-arn, --role-arn',
  });
});

describe('an error of the network or of the service', () => {
  const env = {
    ROLES_ANYWHERE_ROLE_ARN: 'r',
    ROLES_ANYWHERE_ENDPOINT: 'http://localhost:4566',
    ROLES_ANYWHERE_CA_BUNDLE: 'b',
    ROLES_ANYWHERE_TIMEOUT: '9',
  };
  const configured = read(line('credential-process', '--profile-arn', 'p'), {
    env,
    profile: 'rolesanywhere_trust_anchor_arn = t',
  });
  const told = (code: ErrorCode, flag?: string): unknown =>
    explain(new RolesAnywhereError(code, 'it failed', { flag, hint: 'do', status: 403 }), configured);

  it('says where what was asked with is from', () => {
    expect(told('ERR_ACCESS_DENIED')).toMatchObject({
      message:
        'it failed; asked with --endpoint (ROLES_ANYWHERE_ENDPOINT), --trust-anchor-arn (rolesanywhere_trust_anchor_arn in line 2 of /config, profile p), --role-arn (ROLES_ANYWHERE_ROLE_ARN)',
      hint: 'do',
      status: 403,
    });
    const network = 'it failed; asked with --endpoint (ROLES_ANYWHERE_ENDPOINT)';
    expect(told('ERR_CONNECT')).toMatchObject({ message: network });
    expect(told('ERR_TLS_AUTHORITY')).toMatchObject({
      message: `${network}, --ca-bundle (ROLES_ANYWHERE_CA_BUNDLE)`,
    });
    expect(told('ERR_TIMEOUT')).toMatchObject({ message: `${network}, --timeout (ROLES_ANYWHERE_TIMEOUT)` });
  });

  it('says no more than the origin of its flag where it names one, and nothing of other errors', () => {
    expect(told('ERR_CONNECT', '--endpoint')).toMatchObject({ message: 'it failed (ROLES_ANYWHERE_ENDPOINT)' });
    expect(told('ERR_INTERNAL')).toMatchObject({ message: 'it failed' });
  });

  it('says nothing of what the line gives', () => {
    const plain = read(line('credential-process', '--role-arn', 'r', '--endpoint', 'http://localhost:1'));
    const error = new RolesAnywhereError('ERR_ACCESS_DENIED', 'it failed');
    expect(explain(error, plain)).toBe(error);
  });
});

describe('unknown keys of a profile', () => {
  it('are all named at once, in the order of their lines, each with its own advice', () => {
    const profile = [
      'rolesanywhere_regoin = x',
      'rolesanywhere_certificate = c',
      'roles_anywhere_private_key = k',
      'rolesanywhere_use_fips_endpoint = true',
      'rolesanywhere_config_profile = q',
    ].join('\n');
    const error = errorOf(() => read(line('credential-process'), { profile }));
    expect(error.code).toBe('ERR_CONFIG_KEY');
    expect(error.message).toBe(
      '/config, line 2: unknown key rolesanywhere_regoin, line 4: unknown key roles_anywhere_private_key, line 5: unknown key rolesanywhere_use_fips_endpoint, line 6: --config-profile cannot be set in a profile: rolesanywhere_config_profile',
    );
    expect(error.hint).toBe(
      'rolesanywhere_regoin: did you mean rolesanywhere_region; roles_anywhere_private_key: did you mean rolesanywhere_private_key; rolesanywhere_use_fips_endpoint: did you mean rolesanywhere_use_fips; rolesanywhere_config_profile: give --config-profile on the command line',
    );
  });
});
