import { describe, expect, it } from 'vitest';
import type { LogFormat } from '../../src/platform/log.ts';
import { report, type ReportOptions } from '../../src/platform/report.ts';
import { RolesAnywhereError } from '../../src/platform/errors.ts';
import { parseArn } from '../../src/aws/arn.ts';
import { materialFile } from '../../src/identity/material.ts';
import { accessError } from '../../src/platform/files.ts';
import { serviceError } from '../../src/aws/service-error.ts';

const ROLE = 'arn:aws:iam::123456789012:role/R';

function told(error: unknown, options: Partial<ReportOptions> = {}): string {
  let text = '';
  report(error, {
    program: 'roles-anywhere',
    argv: [],
    env: {},
    stderrIsTerminal: () => false,
    write: (more) => (text += more),
    ...options,
  });
  return text;
}

describe('what is told of a refusal', () => {
  it('names the code, the status and the request id of the service once each', () => {
    const headers = { 'x-amzn-requestid': 'request-1', 'x-amzn-errortype': 'AccessDeniedException' };
    const text = told(serviceError('CreateSession', { status: 403, headers, body: '{"message":"no"}' }));
    for (const fact of ['AccessDeniedException', 'status 403', 'request id request-1'])
      expect(text.split(fact)).toHaveLength(2);
    expect(text).not.toContain('service:');
  });

  it('adds what the message leaves out', () => {
    const details = { status: 201, requestId: 'request-1' };
    expect(
      told(new RolesAnywhereError('ERR_CREDENTIALS_EMPTY', 'the service handed out no credentials', details)),
    ).toBe(
      [
        'roles-anywhere: error: the service handed out no credentials [ERR_CREDENTIALS_EMPTY]',
        'service: status 201, request id request-1\n',
      ].join('\n'),
    );
  });
});

describe('a left-over variable with an endpoint', () => {
  const refused = new RolesAnywhereError('ERR_ACCESS_DENIED', 'CreateSession was refused: no (status 403)');
  const unreachable = new RolesAnywhereError('ERR_CONNECT', 'cannot connect to localhost:4566: refused');
  const env = { AWS_ENDPOINT_URL: 'http://localhost:4566' };

  it.each([
    ['a refusal', refused],
    ['an error of the network', unreachable],
  ])('is named by %s', (_, error) => {
    expect(told(error, { env })).toContain(`${error.message}; the endpoint is from AWS_ENDPOINT_URL [${error.code}]`);
  });

  it.each<[string, RolesAnywhereError, Partial<ReportOptions>]>([
    ['where the line gives the endpoint', refused, { env, argv: ['--endpoint', 'x', '--sts-endpoint=x'] }],
    ['where it is to be ignored', refused, { env: { ...env, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true' } }],
    ['where another host failed', new RolesAnywhereError('ERR_DNS', 'no such host: proxy.test'), { env }],
    ['for an error before the request', new RolesAnywhereError('ERR_ARN', 'not an ARN'), { env }],
  ])('is not named %s', (_, error, options) => {
    expect(told(error, options)).not.toContain('AWS_ENDPOINT_URL');
  });
});

describe('a left-over variable with a proxy', () => {
  const refused = new RolesAnywhereError('ERR_CONNECT', 'the proxy proxy.test:3128 refused the connection');
  const other = new RolesAnywhereError('ERR_CONNECT', 'service.test refused the connection');

  it.each([
    ['HTTPS_PROXY', 'http://alice:secret@proxy.test:3128/'],
    ['https_proxy', 'proxy.test:3128'],
    ['http_proxy', 'socks5h://proxy.test:3128'],
  ])('is named: %s', (name, value) => {
    const text = told(refused, { env: { [name]: value } });
    expect(text).toContain(`refused the connection; the proxy is from ${name} [ERR_CONNECT]`);
    expect(text).not.toContain('secret');
  });

  it.each<[string, RolesAnywhereError, Partial<ReportOptions>]>([
    ['where the line gives the proxy', refused, { argv: ['--proxy=proxy.test:3128'] }],
    ['where another proxy failed', refused, { env: { HTTPS_PROXY: 'http://proxy.test:31' } }],
    ['where the service failed', other, {}],
  ])('is not named %s', (_, error, options) => {
    expect(told(error, { env: { HTTPS_PROXY: 'proxy.test:3128' }, ...options })).not.toContain('is from');
  });
});

describe('advice on a value', () => {
  const cases: [string, RolesAnywhereError, RegExp][] = [
    [
      'with a variable that no shell has expanded',
      accessError(materialFile('--certificate', '$HOME/cert.pem'), new Error('no')),
      /^hint: check who owns/m,
    ],
    ...['$HOME/cert.pem', '${HOME}/cert.pem'].map((path): [string, RolesAnywhereError, RegExp] => [
      `with the variable of ${path}`,
      accessError(materialFile('--certificate', path), Object.assign(new Error('no'), { code: 'ENOENT' })),
      /^hint: variables such as \$HOME are not expanded here/m,
    ]),
    [
      'with quotes around a path',
      accessError(materialFile('--certificate', '"/x y"'), Object.assign(new Error('no'), { code: 'ENOENT' })),
      /^hint: the quotes are part of the value/m,
    ],
    [
      'with nothing of the kind',
      accessError(materialFile('--certificate', '/x y'), Object.assign(new Error('no'), { code: 'ENOENT' })),
      /^hint: check the path given with --certificate/m,
    ],
    ['with quotes around an ARN', thrownBy(() => parseArn('role', `"${ROLE}"`, '--role-arn')), /the quotes are part/],
    [
      'with a variable for an ARN',
      thrownBy(() => parseArn('role', '$ROLE_ARN', '--role-arn')),
      /are not expanded here/,
    ],
    ['with another ARN', thrownBy(() => parseArn('role', 'x', '--role-arn')), /^hint: it looks like arn:/m],
    ...['us-gov-west-1-fips', 'fips-us-gov-west-1'].map((region): [string, RolesAnywhereError, RegExp] => [
      `with the region ${region}`,
      new RolesAnywhereError('ERR_REGION', `--region is not a region: "${region}"`),
      /give --region us-gov-west-1 and --use-fips$/m,
    ]),
    [
      'with a region of FIPS in a host that does not exist',
      new RolesAnywhereError('ERR_DNS', 'sts.us-east-1-fips.amazonaws.com does not exist'),
      /give --region us-east-1 and --use-fips$/m,
    ],
  ];

  it.each(cases)('%s is what helps', (_, error, hint) => {
    expect(told(error)).toMatch(hint);
  });

  it('is none on FIPS where the host is the FIPS endpoint', () => {
    const error = new RolesAnywhereError('ERR_DNS', 'sts-fips.us-east-1.amazonaws.com does not exist');
    expect(told(error)).not.toContain('hint');
  });
});

function thrownBy(run: () => unknown): RolesAnywhereError {
  try {
    run();
  } catch (error) {
    if (error instanceof RolesAnywhereError) return error;
  }
  throw new Error('no error');
}

const argv = (...tokens: string[]): readonly string[] => ['node', 'roles-anywhere', ...tokens];

it('says which flag an error is about, in JSON', () => {
  const error = new RolesAnywhereError('ERR_ARN', '--role-arn is not the ARN of a role', { flag: '--role-arn' });
  expect(JSON.parse(told(error, { style: { level: 'info', format: 'json' } }))).toMatchObject({ flag: '--role-arn' });
});

const inForm = (format: LogFormat): Partial<ReportOptions> => ({ style: { level: 'info', format } });

describe('the form of an error', () => {
  const error = new RolesAnywhereError('ERR_USAGE', 'no', { hint: 'do' });

  it.each<[string, Partial<ReportOptions>]>([
    ['as the rest of standard error', { ...inForm('json'), argv: argv('version', '--log-format=text') }],
    ['of a line of serve that was not understood', { argv: argv('--debug', 'serve', '--unheard-of') }],
    ['as the line asks', { argv: argv('version', '--log-format', 'json') }],
    ['as the environment asks', { argv: argv('version', '--x'), env: { ROLES_ANYWHERE_LOG_FORMAT: 'json' } }],
  ])('is JSON %s', (_, options) => {
    expect(JSON.parse(told(error, options))).toEqual({
      time: expect.any(String) as string,
      level: 'error',
      message: 'no',
      code: 'ERR_USAGE',
      hint: 'do',
    });
  });

  it.each<[string, Partial<ReportOptions>]>([
    [
      'of serve on a terminal',
      { argv: argv('serve', '--unheard-of'), stderrIsTerminal: () => true, env: { NO_COLOR: '1' } },
    ],
    ['where the log is', { ...inForm('text'), argv: argv('serve') }],
    ['where the words are plain', { ...inForm('plain'), argv: argv('serve') }],
    ['of a line with text asked for', { argv: argv('serve', '--log-format=text', '--unheard-of') }],
    ['of other commands', { argv: argv('version', '--role-arn', 'serve') }],
  ])('is text %s', (_, options) => {
    expect(told(error, options)).toBe('roles-anywhere: error: no [ERR_USAGE]\nhint: do\n');
  });

  it('sets off on a terminal what is an error and what is advice, and nothing that is quoted', () => {
    const quoting = new RolesAnywhereError('ERR_USAGE', 'unexpected argument "x: error: hint: \u001b[31m"', {
      hint: 'do',
    });
    expect(told(quoting, { stderrIsTerminal: () => true })).toBe(
      [
        'roles-anywhere: \u001b[1;31merror:\u001b[0m unexpected argument "x: error: hint:  [31m" [ERR_USAGE]',
        '\u001b[1mhint:\u001b[0m do\n',
      ].join('\n'),
    );
  });
});

describe('a private key in the wrong place', () => {
  const body = 'MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg\nV3P63W9NTpSRyWYkBH2SGb+iBoChRANCAARQ';
  const key = `-----BEGIN EC PRIVATE KEY-----\n${body}\n-----END EC PRIVATE KEY-----`;
  it.each([
    ['as it is', `--ca-bundle: ${key} cannot be read`, ' cannot be read'],
    ['in JSON', `--role-arn is not the ARN of a role: ${JSON.stringify(key)}`, '"'],
    ['in JSON, cut', `--role-arn is not the ARN of a role: ${JSON.stringify(key.slice(0, 80))}`, ''],
    ['in one line', `--region is not a region: ${key.replaceAll('\n', ' ')}!`, '!'],
  ])('is not shown, %s', (_, message, rest) => {
    const error = new RolesAnywhereError('ERR_REGION', message, { hint: message });
    for (const text of [error.message, error.hint, told(error)]) {
      expect(text).not.toMatch(/MIGH|V3P6/);
      expect(text).toContain(`PRIVATE KEY-----<redacted>${rest}`);
    }
  });
});

describe('an error of Node', () => {
  it('is a defect', () => {
    expect(told(new TypeError('x is not a function'))).toBe(
      [
        'roles-anywhere: error: unexpected error: this is a defect [ERR_INTERNAL]',
        'hint: run it again with --debug to see where it happened\n',
      ].join('\n'),
    );
  });

  it('about a working directory that was removed says so', () => {
    const gone = Object.assign(new Error('ENOENT: no such file or directory, uv_cwd'), { syscall: 'uv_cwd' });
    expect(told(gone)).toContain('the working directory is gone, in which a relative path starts [ERR_FILE_NOT_FOUND]');
  });

  it.each([
    [{ resource: '/home/a/.aws/config' }, ' of /home/a/.aws/config'],
    [{}, ''],
  ])('about what Node’s permission model forbids says so: %j', (more, where) => {
    const message = 'Access to this API has been restricted';
    const forbidden = { code: 'ERR_ACCESS_DENIED', permission: 'FileSystemRead', ...more };
    expect(told(Object.assign(new Error(message), forbidden))).toContain(
      `Node's permission model forbids FileSystemRead${where} [ERR_FILE_UNREADABLE]`,
    );
  });

  it.each<[string, (cause: Error) => unknown]>([
    ['as it is', (cause) => cause],
    ['in an error of ours that nobody foresaw', (cause) => new RolesAnywhereError('ERR_INTERNAL', 'odd', { cause })],
  ])('about too many open files says so: %s', (_what, wrap) => {
    const cause = Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE', syscall: 'open' });
    const text = told(wrap(cause));
    expect(text).toContain('error: too many files are open [ERR_FILE_UNREADABLE]');
    expect(text).toContain('ulimit -n');
  });
});
