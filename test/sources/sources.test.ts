import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HttpTransport } from '../../src/http/http.ts';
import { RolesAnywhereError } from '../../src/platform/errors.ts';
import { localCredentials } from '../../src/sources/index.ts';
import type { SourceKind } from '../../src/sources/index.ts';
import { refusal } from '../support/refusal.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'sources-'));
  mkdirSync(join(home, '.aws'));
});
afterEach(() => rmSync(home, { recursive: true }));

function write(file: string, text: string): void {
  writeFileSync(join(home, '.aws', file), text);
}

/** Nothing answers. */
const silence: HttpTransport = () => Promise.reject(new RolesAnywhereError('ERR_TIMEOUT', 'x'));

/** An endpoint with an answer for each `METHOD URL`; and the headers it was sent. */
function endpoint(answers: Readonly<Record<string, string>>) {
  const seen: Record<string, string>[] = [];
  const transport: HttpTransport = ({ method, url, headers }) => {
    seen.push({ ...headers });
    const body = answers[`${method} ${url.href}`];
    return Promise.resolve({ status: body === undefined ? 404 : 200, headers: {}, body: body ?? '' });
  };
  return { transport, seen };
}

function find(kind?: SourceKind, env: Record<string, string> = {}, transport = silence, profile?: string) {
  return localCredentials(kind, { env: { HOME: home, PATH: '/usr/bin:/bin', ...env }, transport, profile });
}

const JSON_CREDENTIALS =
  '{"AccessKeyId":"ASIAJ","SecretAccessKey":"s","Token":"t","Expiration":"2999-01-01T00:00:00Z"}';
const FROM_JSON = {
  accessKeyId: 'ASIAJ',
  secretAccessKey: 's',
  sessionToken: 't',
  expiration: new Date('2999-01-01T00:00:00Z'),
};

describe('the environment', () => {
  it('gives a key, with its token if it has one', async () => {
    const key = { AWS_ACCESS_KEY_ID: 'AKIA', AWS_SECRET_ACCESS_KEY: 's' };
    expect(await find('env', key)).toEqual({ accessKeyId: 'AKIA', secretAccessKey: 's', sessionToken: undefined });
    expect(await find('env', { ...key, AWS_SESSION_TOKEN: 't' })).toMatchObject({ sessionToken: 't' });
  });

  it.each([[{}], [{ AWS_SECRET_ACCESS_KEY: '' }]])('says that half of a key is missing: %j', async (more) => {
    const error = await refusal(() => find('env', { AWS_ACCESS_KEY_ID: 'AKIA', ...more }));
    expect(error.code).toBe('ERR_SOURCE_CREDENTIALS');
    expect(error.message).toContain('AWS_SECRET_ACCESS_KEY is not');
  });
});

describe('a profile', () => {
  it('is read from the credentials file, then from the configuration file', async () => {
    write(
      'credentials',
      '# mine\r\n[default]\r\naws_access_key_id = AKIA1\r\naws_secret_access_key=s1=\r\n[b]\naws_access_key_id=AKIA2\naws_secret_access_key=s2\naws_session_token=t2\n',
    );
    write(
      'config',
      '[default]\nregion=x\n[profile "c d"]\naws_access_key_id = AKIA3\naws_secret_access_key = s3\ns3 =\n  aws_access_key_id = no\n',
    );
    expect(await find('profile')).toEqual({ accessKeyId: 'AKIA1', secretAccessKey: 's1=' });
    expect(await find('profile', { AWS_PROFILE: 'b' })).toEqual({
      accessKeyId: 'AKIA2',
      secretAccessKey: 's2',
      sessionToken: 't2',
    });
    expect(await find('profile', { AWS_PROFILE: 'b' }, silence, 'c d')).toEqual({
      accessKeyId: 'AKIA3',
      secretAccessKey: 's3',
    });
  });

  it('may name a process', async () => {
    const script = join(home, 'my process');
    writeFileSync(script, `#!/bin/sh\necho '${JSON_CREDENTIALS.replace('Token', 'SessionToken')}'\n`);
    chmodSync(script, 0o755);
    write('config', `[profile p]\ncredential_process = "${script}" --x\n`);
    expect(await find('profile', {}, silence, 'p')).toEqual(FROM_JSON);
  });

  it.each([
    ['is not there', '[profile other]\n', /is in no file/],
    ['is for SSO', '[profile p]\nsso_session = x\n', /neither an access key nor/],
    [
      'has a process that fails',
      '[profile p]\ncredential_process = echo VERYSECRET; exit 3\n',
      /credential_process failed/,
    ],
    [
      'has a process that prints no credentials',
      '[profile p]\ncredential_process = echo VERYSECRET\n',
      /gave no credentials/,
    ],
  ])('that %s is an error, which shows nothing of what was printed', async (_, config, message) => {
    write('config', config);
    const error = await refusal(() => find('profile', {}, silence, 'p'));
    expect(error.code).toBe('ERR_SOURCE_CREDENTIALS');
    expect(error.message).toMatch(message);
    expect(`${error.message} ${error.hint}`).not.toContain('VERYSECRET');
  });

  it('that is in no file is told with the files, and what is like it', async () => {
    write('config', '[profile production]\naws_access_key_id = AKIA\naws_secret_access_key = s\n');
    const { hint } = await refusal(() => find('profile', {}, silence, 'prodution'));
    const [credentials, config] = ['credentials', 'config'].map((name) => join(home, '.aws', name));
    expect(hint).toBe(
      `did you mean production? looked in ${credentials} for [prodution] and in ${config} for [profile prodution]`,
    );
    expect((await refusal(() => find('profile', {}, silence, 'x y'))).hint).toBe(
      `looked in ${credentials} for [x y] and in ${config} for [profile "x y"]`,
    );
  });
});

describe('a profile that the AWS CLI and the AWS SDK for JavaScript do not read alike', () => {
  const key = 'aws_access_key_id = AKIA\naws_secret_access_key = s';
  it.each([
    ['has a comment behind a value', `[b]\n${key} # mine\n`, 'ERR_CONFIG_KEY', /line 3: aws_secret_access_key holds #/],
    ['has a key in capitals', `[b]\n${key.toUpperCase()}\n`, 'ERR_CONFIG_KEY', /not in lower case/],
    ['is there twice', `[b]\n${key}\n[x]\n[b]\naws_session_token = t\n`, 'ERR_CONFIG_FILE', /line 5: \[b\] is there a/],
    ['has spaces in its header', `[ b ]\n${key}\n`, 'ERR_SOURCE_CREDENTIALS', /"b" is in no file/],
  ])('%s', async (_, credentials, code, message) => {
    write('credentials', credentials);
    const error = await refusal(() => find('profile', {}, silence, 'b'));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(`${error.message} ${error.hint}`).not.toContain('AKIA');
  });

  it('is read where there is a comment behind its header', async () => {
    write('credentials', `[b] # mine\n${key}\n`);
    expect(await find('profile', {}, silence, 'b')).toMatchObject({ accessKeyId: 'AKIA' });
  });

  it('is refused in the config file as well', async () => {
    write('config', `[profile b]\n${key} # mine\n`);
    expect((await refusal(() => find('profile', {}, silence, 'b'))).code).toBe('ERR_CONFIG_KEY');
  });
});

describe('the names of the files', () => {
  it('may begin with ~/, as in the configuration', async () => {
    write('mine', '[profile b]\naws_access_key_id = AKIA1\naws_secret_access_key = s\n');
    write('keys', '[c]\naws_access_key_id = AKIA2\naws_secret_access_key = s\n');
    const env = { AWS_CONFIG_FILE: '~/.aws/mine', AWS_SHARED_CREDENTIALS_FILE: '~/.aws/keys' };
    expect(await find('profile', env, silence, 'b')).toMatchObject({ accessKeyId: 'AKIA1' });
    expect(await find('profile', env, silence, 'c')).toMatchObject({ accessKeyId: 'AKIA2' });
  });
});

describe('a container', () => {
  it('has no pipe for a token file, which would be waited for', async () => {
    const pipe = join(home, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const env = {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://127.0.0.1:9911/credentials',
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: pipe,
    };
    const error = await refusal(() => find('container', env));
    expect([error.code, error.message]).toEqual([
      'ERR_SOURCE_CREDENTIALS',
      `the container's token file ${pipe} is a pipe and not a file`,
    ]);
  });

  it('is asked with its token, read from the file that wins', async () => {
    const tokenFile = join(home, 'token');
    writeFileSync(tokenFile, 'from-file');
    const { transport, seen } = endpoint({ 'GET http://127.0.0.1:9911/credentials': JSON_CREDENTIALS });
    const env = {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://127.0.0.1:9911/credentials',
      AWS_CONTAINER_AUTHORIZATION_TOKEN: 'from-variable',
    };
    expect(await find('container', env, transport)).toEqual(FROM_JSON);
    await find('container', { ...env, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: tokenFile }, transport);
    expect(seen.map(({ authorization }) => authorization)).toEqual(['from-variable', 'from-file']);
  });

  it('is of ECS where a relative address is given', async () => {
    const { transport } = endpoint({ 'GET http://169.254.170.2/v2/x': JSON_CREDENTIALS });
    expect(await find('container', { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/v2/x' }, transport)).toEqual(FROM_JSON);
  });

  it.each([
    ['is on another machine over plain http', { AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://example.com/' }],
    ['answers otherwise', { AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://127.0.0.1/none' }],
    [
      'has a token with a line end',
      { AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://127.0.0.1/', AWS_CONTAINER_AUTHORIZATION_TOKEN: 'a\n' },
    ],
  ])('that %s is an error', async (_, env) => {
    const error = await refusal(() => find('container', env, endpoint({}).transport));
    expect(error.code).toBe('ERR_SOURCE_CREDENTIALS');
  });

  it('that gives credentials with another status than 200 is an error, which shows nothing of them', async () => {
    const body = '"AccessKeyId":"ASIAJ","SecretAccessKey":"VERYSECRET"';
    const transport: HttpTransport = () => Promise.resolve({ status: 203, headers: {}, body });
    const env = { AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://127.0.0.1/' };
    const error = await refusal(() => find('container', env, transport));
    expect(error.message).toBe('the container credentials endpoint 127.0.0.1 gave no credentials (status 203)');
  });
});

/** A metadata service that repeats its token. */
const echoing: HttpTransport = ({ method }) =>
  Promise.resolve(
    method === 'PUT'
      ? { status: 200, headers: {}, body: 'VERYSECRET' }
      : { status: 403, headers: {}, body: 'the token VERYSECRET has ended' },
  );

describe('the instance metadata service', () => {
  const base = 'http://169.254.169.254/latest';

  it('that repeats its token in a refusal has it shown nowhere', async () => {
    const error = await refusal(() => find('imds', {}, echoing));
    expect(error.message).toBe(
      'the instance metadata service gave no name of a role (status 403): the token <redacted> has ended',
    );
  });

  it('is asked by its second version', async () => {
    const { transport, seen } = endpoint({
      [`PUT ${base}/api/token`]: 'token-1',
      [`GET ${base}/meta-data/iam/security-credentials/`]: 'my role\n',
      [`GET ${base}/meta-data/iam/security-credentials/my%20role`]: JSON_CREDENTIALS,
    });
    expect(await find('imds', {}, transport)).toEqual(FROM_JSON);
    expect(seen.slice(1).map((headers) => headers['x-aws-ec2-metadata-token'])).toEqual(['token-1', 'token-1']);
  });

  it('that says no is an error, and one that does not answer is none', async () => {
    expect((await refusal(() => find('imds', {}, endpoint({}).transport))).message).toContain('gave no token');
    expect((await refusal(() => find('imds'))).message).toContain('no instance metadata service answers');
  });

  it('is left alone where it is switched off', async () => {
    const { transport, seen } = endpoint({});
    await refusal(() => find('imds', { AWS_EC2_METADATA_DISABLED: 'TRUE' }, transport));
    expect(seen).toEqual([]);
  });
});

describe('no kind at all', () => {
  it('the first that is found is taken', async () => {
    write('credentials', '[default]\naws_access_key_id=AKIAP\naws_secret_access_key=s\n');
    expect(await find(undefined, { AWS_ACCESS_KEY_ID: 'AKIAE', AWS_SECRET_ACCESS_KEY: 's' })).toMatchObject({
      accessKeyId: 'AKIAE',
    });
    expect(await find()).toMatchObject({ accessKeyId: 'AKIAP' });
  });

  it('is an error when there is none', async () => {
    expect((await refusal(() => find())).message).toBe('there are no credentials to assume a role with');
  });
});

describe('a file that is none', () => {
  it('is refused at once when it is a pipe that nobody writes to', async () => {
    execFileSync('mkfifo', [join(home, '.aws', 'config')]);
    expect((await refusal(() => find('profile'))).code).toBe('ERR_SOURCE_CREDENTIALS');
  });

  it('is refused when it is larger than 1 MiB', async () => {
    write('credentials', '#'.repeat(1024 * 1024 + 1));
    expect((await refusal(() => find('profile'))).code).toBe('ERR_SOURCE_CREDENTIALS');
  });
});
