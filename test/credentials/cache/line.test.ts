import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { lineOf, mayUseCache, parseLine, withoutPin } from '../../../src/credentials/cache/line.ts';
import { FLAGS } from '../../../src/options/flags.ts';
import type { FlagRow } from '../../../src/options/flags.ts';

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

  it.each(['TPM_DEVICE', 'TPM2TOOLS_TCTI', 'SOFTHSM2_CONF', 'TPM2_PKCS11_STORE'])(
    'is another one with another device by %s',
    (name) => {
      const [one, other] = ['/a', '/b'].map((value) => lineOf('program', ['--cache'], { [name]: value }));
      expect(one?.text).not.toBe(other?.text);
    },
  );

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
  });

  it.each<[string, object]>([
    ['text, though its name is the same', { text: 'program\0--other' }],
    ['directory', { directory: '/there' }],
    ['config file', { config: ['/dev/null', '1 2 3 4'] }],
    ['config file, which was not there', { config: [import.meta.filename] }],
    ['version', { version: 2 }],
    ['entry, by a path that leads away', { entry: '../../etc/passwd' }],
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
    [['credential-process', '--certificate', 'x'], { AWS_PROFILE: 'x' }, false],
    [['cache', 'list'], {}, false],
  ])('%j %j: %s', (tokens, env, may) => {
    expect(mayUseCache(tokens, env)).toBe(may);
  });
});
