import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  deviceVariables,
  isEntryName,
  lineOf,
  mayUseCache,
  parseLine,
  withoutPin,
} from '../../../src/credentials/cache/line.ts';
import { FLAGS } from '../../../src/options/flags.ts';
import type { FlagRow } from '../../../src/options/flags.ts';
import { bootOf, stampOf } from '../../../src/credentials/cache/safe-file.ts';

const SECRET = 'a-secret-word';

describe('the text of a line', () => {
  const secrets = Object.entries<FlagRow>(FLAGS).flatMap(([name, { secret }]) => (secret === true ? [name] : []));

  it('is tried with every flag whose value is a secret', () => {
    expect(secrets).toEqual(expect.arrayContaining(['pkcs8-password', 'tpm-key-password', 'mfa-token', 'proxy']));
  });

  it.each(secrets)('holds no value of --%s, on the line or in the environment', (flag) => {
    const variable = `ROLES_ANYWHERE_${flag.toUpperCase().replaceAll('-', '_')}`;
    for (const [tokens, env] of [
      [[`--${flag}`, SECRET], {}],
      [[`--${flag}=${SECRET}`], {}],
      [[], { [variable]: SECRET }],
    ] as const) {
      const line = lineOf('program', ['credential-process', ...tokens, '--cache'], env);
      expect(line.text).not.toContain(SECRET);
      expect(line.text).toContain('--cache');
    }
  });

  const valueless = Object.entries<FlagRow>(FLAGS).flatMap(([name, { kind }]) => (kind === 'boolean' ? [name] : []));

  it.each(valueless)('holds what stands behind --%s, which takes no value, unless that is a secret', (flag) => {
    const [one, other] = ['a', 'b'].map((role) => lineOf('program', [`--${flag}`, `--role-arn=${role}`], {}));
    expect(one?.text).not.toBe(other?.text);
    expect(lineOf('program', [`--${flag}`, '--pkcs12-password', SECRET], {}).text).not.toContain(SECRET);
  });

  it.each(secrets)('is another one with another flag behind a value that is the word --%s', (flag) => {
    const [one, other] = ['a', 'b'].map((role) =>
      lineOf('program', ['--role-session-name', `--${flag}`, `--role-arn=${role}`], {}),
    );
    expect(one?.text).not.toBe(other?.text);
    expect(lineOf('program', [`--${flag}`, `--${SECRET}`], {}).text).not.toContain(SECRET);
  });

  it('holds no PIN, and no credentials of the environment', () => {
    const env = {
      ROLES_ANYWHERE_PKCS11_PIN: SECRET,
      AWS_SECRET_ACCESS_KEY: SECRET,
      AWS_SESSION_TOKEN: SECRET,
      ROLES_ANYWHERE_CERTIFICATE: `pkcs11:token=a?pin-value=${SECRET}`,
      OTHER: SECRET,
      // Of names that nothing here knows.
      AWS_BEARER_TOKEN_BEDROCK: SECRET,
      AWS_SECRET_KEY: SECRET,
      ROLES_ANYWHERE_KEY_PEM: SECRET,
    };
    const tokens = ['--private-key', `pkcs11:object=b?PIN-VALUE=${SECRET}&module-name=x`];
    expect(lineOf('program', tokens, env).text).not.toContain(SECRET);
    expect(withoutPin(`pkcs11:a?pin-value%3D${SECRET}`)).toBe('pkcs11:a?pin-value');
  });

  it.each<[string, string[], Record<string, string>]>([
    ['another word', ['--role-arn', 'b'], {}],
    ['words cut elsewhere', ['--role-arn a'], {}],
    ['another variable of this program', ['--role-arn', 'a'], { ROLES_ANYWHERE_REGION: 'x' }],
    ['another variable of AWS', ['--role-arn', 'a'], { AWS_PROFILE: 'x' }],
    ['a variable of another value', ['--role-arn', 'a'], { AWS_REGION: 'y' }],
    ['another home', ['--role-arn', 'a'], { HOME: '/x' }],
    ['another home of Windows', ['--role-arn', 'a'], { USERPROFILE: '/x' }],
  ])('is another one with %s', (_, tokens, env) => {
    const one = lineOf('program', ['--role-arn', 'a'], 'AWS_REGION' in env ? { AWS_REGION: 'x' } : {});
    const other = lineOf('program', tokens, env);
    expect(other.text).not.toBe(one.text);
    expect(other.name).not.toBe(one.name);
  });

  it.each([
    ['behind a PIN in the path', 'pkcs11:token=t;pin-value=1234;object=a', 'pkcs11:token=t;pin-value=1234;object=b'],
    [
      'behind a PIN in the query',
      'pkcs11:object=a?pin-value=1234&module-path=/a',
      'pkcs11:object=a?pin-value=1234&module-path=/b',
    ],
    ['behind a PIN, in the query', 'pkcs11:pin-value=1234?module-path=/a', 'pkcs11:pin-value=1234?module-path=/b'],
    ['behind the word', 'pkcs11:token=pin-value;object=a?pin-value=1', 'pkcs11:token=pin-value;object=b?pin-value=1'],
  ])('is another one for a URI that differs %s', (_, one, other) => {
    expect(lineOf('program', ['--certificate', one], {}).text).not.toBe(
      lineOf('program', ['--certificate', other], {}).text,
    );
    for (const uri of [one, other]) expect(withoutPin(uri)).not.toContain('1234');
    expect(withoutPin(one)).not.toMatch(/pin-value=/);
  });

  it.each([
    ['role', ['--role-arn', 'arn:aws:iam::111122223333:role/pin-value-a']],
    ['role behind =', ['--role-arn=arn:aws:iam::111122223333:role/pin-value-a']],
    ['session name', ['--role-session-name', 'pin-value=a']],
    ['file', ['--certificate', '/pin-value/a']],
    ['object of a token', ['--certificate', 'pkcs11:token=t;object=pin-value-a']],
    ['object behind = and before a PIN', ['--certificate=pkcs11:object=pin-value=a?pin-value=1']],
  ])('is another one for another %s with the words for a PIN in it', (_, tokens) => {
    const others = tokens.map((token) => token.replace(/a(?=$|\?)/, 'b'));
    expect(others).not.toEqual(tokens);
    expect(lineOf('program', others, {}).text).not.toBe(lineOf('program', tokens, {}).text);
    const [one, other] = [tokens, others].map((list) => lineOf('program', [], { AWS_X: list.at(-1) }).text);
    expect(one).not.toBe(other);
  });

  it.each([
    'TPM_DEVICE',
    'TPM2TOOLS_TCTI',
    'SOFTHSM2_CONF',
    'TPM2_PKCS11_STORE',
    'OPENSC_CONF',
    'CS_PKCS11_R2_CFG',
    'CS_PKCS11_R3_CFG',
  ])('is another one with another device by %s', (name) => {
    const [one, other] = ['/a', '/b'].map((value) => lineOf('program', ['--cache'], { [name]: value }));
    expect(one?.text).not.toBe(other?.text);
  });

  it('is another one with every variable that the documentation names for a module', () => {
    const text = readFileSync(new URL('../../../docs/identities.md', import.meta.url), 'utf8');
    const table = text.slice(text.indexOf('### HSMs and clouds'), text.indexOf('### When it does not work'));
    const names = [...table.matchAll(/`((?=[A-Z]\w*[a-z]\w*Path|[A-Z\d]+_)\w+)(\*)?[=`]/g)].map(
      ([, name = '', more]) => `${name}${more === undefined ? '' : 'X'}`,
    );
    expect(names).toEqual(expect.arrayContaining(['KMS_PKCS11_CONFIG', 'ChrystokiConfigurationPath', 'NFAST_X']));
    expect(names.length).toBeGreaterThan(7);
    const unheeded = [...names, 'XDG_CONFIG_HOME'].filter((name) => {
      const [one, other] = ['/a', '/b'].map((value) => lineOf('program', ['--cache'], { [name]: value }));
      return one?.text === other?.text;
    });
    expect(unheeded).toEqual([]);
  });

  it('is the same with variables of others', () => {
    const one = lineOf('program', ['--cache'], { HOME: '/h' });
    expect(lineOf('program', ['--cache'], { PATH: '/x', HOME: '/h', AWS_SESSION_TOKEN: 'x' })).toEqual(one);
  });
});

/** The two hashes of a line's name, by numbers of any size. */
function hashes(text: string): string {
  const octets = Buffer.concat([Buffer.from(text), Buffer.alloc(3)]);
  const whole = octets.subarray(0, octets.length - (octets.length % 4));
  let [one, other] = [0x811c9dc5n, 0x9e3779b9n];
  for (let at = 0; at < whole.length; at += 4) {
    const word = BigInt(whole.readUInt32LE(at));
    one = ((one ^ word) * 0x01000193n) & 0xffff_ffffn;
    other = (((other ^ word) * 0x85ebca6bn) & 0xffff_ffffn) ^ (other >> 13n);
  }
  return [one, other].map((hash) => hash.toString(16).padStart(8, '0')).join('');
}

describe('the name of a line', () => {
  it('is made of two hashes of its text, with all their digits', () => {
    const lines = Array.from({ length: 300 }, (_, count) => lineOf('program', ['x'.repeat(count % 7), `${count}`], {}));
    expect(lines.map(({ name }) => name)).toEqual(lines.map(({ text }) => `line-1-${hashes(text)}`));
    // Some begin with a zero.
    expect(lines.some(({ name }) => name.startsWith('line-1-0'))).toBe(true);
  });
});

function textWith(env: Record<string, string | undefined>): string {
  return lineOf('program', ['--cache'], env).text;
}

describe('the variables of a line', () => {
  it.each(['ACCESS_KEY_ID', 'SECRET_ACCESS_KEY', 'SESSION_TOKEN', 'SECURITY_TOKEN', 'CREDENTIAL_EXPIRATION'])(
    'do not count where they are of credentials: AWS_%s',
    (name) => {
      expect(textWith({ [`AWS_${name}`]: 'x' })).toBe(textWith({}));
    },
  );

  it.each(['HOME', 'USERPROFILE', 'XDG_RUNTIME_DIR', 'XDG_CACHE_HOME', 'aws_region', 'Roles_Anywhere_Region'])(
    'count, whatever their case: %s',
    (name) => {
      expect(textWith({ [name]: '/a' })).not.toBe(textWith({ [name]: '/b' }));
      expect(textWith({ [name]: '/a' })).not.toBe(textWith({}));
    },
  );

  it.each(['PKCS8_PASSWORD', 'PKCS11_PIN', 'MFA_TOKEN', 'PROXY', 'X_PROXY'])(
    'count by their name alone where they are secrets: %s',
    (end) => {
      const name = `ROLES_ANYWHERE_${end}`;
      expect(textWith({ [name]: 'a' })).toBe(textWith({ [name]: 'b' }));
      expect(textWith({ [name]: 'a' })).toBe(`program\0--cache\0${name}=`);
    },
  );

  it('count by the hash of what they hold, in the order of their names, the empty ones too', () => {
    expect(textWith({ HOME: '/h', AWS_B: undefined, AWS_A: '' })).toBe(
      `program\0--cache\0AWS_A=${hashes('')}\0AWS_B=${hashes('')}\0HOME=${hashes('/h')}`,
    );
  });

  it('that choose a device are told with what they hold, in the order of their names', () => {
    const env = {
      XDG_CONFIG_HOME: '/c',
      PATH: '/p',
      ChrystokiConfigurationPath: '/d',
      NFAST_HOME: '/n',
      CKNFAST_X: '1',
    };
    expect(deviceVariables(env)).toEqual([
      'CKNFAST_X=1',
      'ChrystokiConfigurationPath=/d',
      'NFAST_HOME=/n',
      'XDG_CONFIG_HOME=/c',
    ]);
    expect(deviceVariables({ X_NFAST_: '1', X_CKNFAST_: '1' })).toEqual([]);
  });
});

describe('the words of a line', () => {
  it.each<[string[], string]>([
    [['--a', 'b'], '--a\0b'],
    [['--proxy', 'b', 'c'], '--proxy\0\0c'],
    [['--proxy=b', 'c'], '--proxy\0c'],
    [['--no-tpm-key-password', 'b'], '--no-tpm-key-password\0b'],
    [['x-password', 'b'], 'x-password\0b'],
    [['--password-file', 'b'], '--password-file\0b'],
    [['--proxy', '--proxy', 'b'], `--proxy\0${hashes('--proxy')}\0b`],
    [['--proxy', 'a--', 'b'], '--proxy\0\0b'],
    [['=--proxy', 'b'], '=--proxy\0b'],
    [['--certificate=PKCS11:pin-value=1;a'], '--certificate=PKCS11:pin-value;a'],
  ])('are %j: %j', (tokens, text) => {
    expect(lineOf('program', tokens, {}).text).toBe(`program\0${text}`);
  });
});

describe('a text without its PIN', () => {
  it.each([
    ['pin-value=1', 'pin-value=1'],
    ['pkcs11:', 'pkcs11:'],
    ['pkcs11:pin-value=1', 'pkcs11:pin-value'],
    ['pkcs11:a=b;pin-value=1;c=d?pin-value=2&e=f', 'pkcs11:a=b;pin-value;c=d?pin-value&e=f'],
    ['pkcs11:a?x=1?pin-value=2&pin-value=3', 'pkcs11:a?x=1?pin-value=2&pin-value'],
    ['pkcs11:a=1&pin-value=2', 'pkcs11:a=1&pin-value=2'],
    ['pkcs11:x-PIN-VALUE-y=1', 'pkcs11:x-PIN-VALUE'],
    ['pkcs11:pin-value-pin-value=1', 'pkcs11:pin-value'],
    ['pkcs11:=pin-value-a', 'pkcs11:=pin-value-a'],
    ['--a=pkcs11:pin-value=1', '--a=pkcs11:pin-value'],
    ['--a=b=pkcs11:pin-value=1', '--a=b=pkcs11:pin-value=1'],
    ['a=pkcs11:pin-value=1', 'a=pkcs11:pin-value=1'],
    ['a--=pkcs11:pin-value=1', 'a--=pkcs11:pin-value=1'],
  ])('%s is %s', (text, expected) => {
    expect(withoutPin(text)).toBe(expected);
  });
});

describe('the name of an entry', () => {
  const hex = '0123456789abcdef'.repeat(2);
  it.each([
    [`session-1-${hex}`, true],
    [`session-23-${hex}`, true],
    [`session--${hex}`, false],
    [`session-x-${hex}`, false],
    [`session-1-${hex}0`, false],
    [`session-1-${hex.slice(1)}`, false],
    [`session-1-${hex.slice(1)}g`, false],
    [`session-1-${hex}-`, false],
    [`line-1-${hex}`, false],
    ['session-1', false],
    ['session', false],
  ])('%s: %s', (name, is) => {
    expect(isEntryName(name)).toBe(is);
  });
});

describe('what is remembered of a line', () => {
  const line = lineOf('program', ['--cache'], {});
  const remembered = {
    version: 1,
    text: line.text,
    config: ['/nonexistent'],
    entry: `session-1-${'0'.repeat(32)}`,
    minRemainingMs: 1,
    accountId: true,
    lineFeed: true,
  };
  const read = (value: object): unknown => parseLine(JSON.stringify(value), line, () => '/here');

  it('counts for the same words, files and directory', () => {
    expect(read(remembered)).toEqual(remembered);
    expect(read({ ...remembered, directory: '/here' })).toBeDefined();
    const config = [import.meta.filename, stampOf(import.meta.filename)];
    expect(read({ ...remembered, config })).toEqual({ ...remembered, config });
  });

  it('counts on the machine whose device it names, until that starts again', () => {
    const boot = bootOf();
    expect(read({ ...remembered, boot })).toEqual({ ...remembered, boot });
    expect(read({ ...remembered, boot: 'another' })).toBeUndefined();
  });

  it('does not ask for the directory where none is remembered', () => {
    expect(
      parseLine(JSON.stringify(remembered), line, () => {
        throw new Error('asked');
      }),
    ).toEqual(remembered);
  });

  it.each(['', '[]', 'null', '{'])('is not read from %j', (text) => {
    expect(parseLine(text, line, () => '/here')).toBeUndefined();
  });

  it.each<[string, object]>([
    ['text, though its name is the same', { text: 'program\0--other' }],
    ['directory', { directory: '/there' }],
    ['config file', { config: ['/dev/null', '1 2 3 4'] }],
    ['config file, which was not there', { config: [import.meta.filename] }],
    ['version', { version: 2 }],
    ['entry, by a path that leads away', { entry: '../../etc/passwd' }],
    ['entry, which is no text', { entry: 1 }],
    ['config file, which is no list', { config: '/nonexistent' }],
    ['config file, which is like a list', { config: { 0: '/nonexistent' } }],
    ['config file, which is no path', { config: [1] }],
    ['lifetime, which is none', { minRemainingMs: 'x' }],
  ])('does not count with another %s', (_, change) => {
    expect(read({ ...remembered, ...change })).toBeUndefined();
  });
});

describe('a line that may use the cache', () => {
  it.each<[string[], Record<string, string>, boolean]>([
    [['credential-process', '--cache'], {}, true],
    [['credential-process', '--cache=true'], {}, true],
    [['credential-process', '--config-profile', 'x'], {}, true],
    [['credential-process'], { ROLES_ANYWHERE_CACHE: '1' }, true],
    [['credential-process'], { ROLES_ANYWHERE_CONFIG_PROFILE: 'x' }, true],
    [['credential-process'], { ROLES_ANYWHERE_CACHE: '', ROLES_ANYWHERE_CONFIG_PROFILE: '' }, false],
    [['credential-process', '--config-profile=x'], {}, true],
    [['credential-process', '--cached', 'x--cache'], {}, false],
    [['credential-process', '--certificate', 'x'], { AWS_PROFILE: 'x' }, false],
    [['cache', 'list'], {}, false],
  ])('%j %j: %s', (tokens, env, may) => {
    expect(mayUseCache(tokens, env)).toBe(may);
  });
});
