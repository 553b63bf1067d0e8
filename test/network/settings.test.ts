/** Each setting of docs/configuration.md's table against each request that a command can make, by the built program. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { fromAssumeRole } from '../../src/index.ts';
import { spawnServe } from '../clients/serve-process.ts';
import { makeAuthority } from '../http/support/pki.ts';
import type { Authority } from '../http/support/pki.ts';
import { PKI, runCli } from '../support/cli.ts';
import type { CliResult } from '../support/cli.ts';
import { startConnectProxy } from '../support/connect-proxy.ts';
import type { ConnectProxy } from '../support/connect-proxy.ts';
import { scriptedServer } from '../support/scripted-server.ts';

const REQUESTS = [
  'CreateSession',
  'AssumeRole',
  'AssumeRoleWithWebIdentity',
  'sign-in',
  'container endpoint',
  'IMDS',
] as const;
type Request = (typeof REQUESTS)[number];

const ACCOUNT = '123456789012';
const KEY = { AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE', AWS_SECRET_ACCESS_KEY: 'secret', AWS_SESSION_TOKEN: 'token' };

let dir: string;
let authority: Authority;
let ca: string;
let token: string;
/** Refuses every tunnel, and so shows where a request would have gone. */
let proxy: ConnectProxy;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ra-settings-'));
  authority = await makeAuthority('Service');
  ca = join(dir, 'ca.pem');
  writeFileSync(ca, authority.root);
  token = join(dir, 'token');
  writeFileSync(token, 'a.web.identity');
  proxy = await startConnectProxy({ refusal: 'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n' });
});
afterAll(async () => {
  await proxy.close();
  rmSync(dir, { recursive: true });
});

/** A command whose first request is this one, and the flag or variable that says where it goes. */
function command(
  request: Request,
  {
    region = 'us-east-1',
    partition = 'aws',
    at,
  }: { region?: string; partition?: string; at?: string | undefined } = {},
): { args: string[]; env: Record<string, string> } {
  const role = `arn:${partition}:iam::${ACCOUNT}:role/Second`;
  const endpoint = (flag: string): string[] => (at === undefined ? [] : [flag, at]);
  const assume = ['assume-role', '--assume-role-arn', role, '--region', region];
  switch (request) {
    case 'CreateSession': {
      const arn = `arn:${partition}:rolesanywhere:${region}:${ACCOUNT}`;
      return {
        args: [
          'credential-process',
          '--certificate',
          `${PKI}ec-p256.crt.pem`,
          '--private-key',
          `${PKI}ec-p256.key.pem`,
          '--trust-anchor-arn',
          `${arn}:trust-anchor/11111111-1111-1111-1111-111111111111`,
          '--profile-arn',
          `${arn}:profile/22222222-2222-2222-2222-222222222222`,
          '--role-arn',
          `arn:${partition}:iam::${ACCOUNT}:role/First`,
          ...endpoint('--endpoint'),
        ],
        env: {},
      };
    }
    case 'AssumeRole':
      return { args: [...assume, '--source', 'env', ...endpoint('--sts-endpoint')], env: KEY };
    case 'AssumeRoleWithWebIdentity':
      return {
        args: [
          'web-identity',
          '--role-arn',
          role,
          '--web-identity-token-file',
          token,
          '--region',
          region,
          ...endpoint('--sts-endpoint'),
        ],
        env: {},
      };
    case 'sign-in':
      return { args: ['console', '--source', 'env', '--region', region, ...endpoint('--signin-endpoint')], env: KEY };
    case 'container endpoint':
      return {
        args: [...assume, '--source', 'container'],
        env: { AWS_CONTAINER_CREDENTIALS_FULL_URI: `${at ?? 'http://127.0.0.1:1'}/creds` },
      };
    case 'IMDS':
      return {
        args: [...assume, '--source', 'imds'],
        env: { AWS_EC2_METADATA_SERVICE_ENDPOINT: at ?? 'http://127.0.0.1:1' },
      };
  }
  throw new Error('no such request');
}

interface Setting {
  readonly flags?: readonly string[];
  readonly env?: Record<string, string>;
  /** The config file. */
  readonly config?: string;
}

async function run(
  request: Request,
  { flags = [], env = {}, config }: Setting,
  where: Parameters<typeof command>[1] = {},
): Promise<CliResult> {
  const file = join(dir, 'config');
  if (config !== undefined) writeFileSync(file, config);
  const { args, env: own } = command(request, where);
  const files = config === undefined ? {} : { AWS_CONFIG_FILE: file };
  return await runCli([...args, ...flags], { env: { ...own, ...files, ...env } });
}

/** The hosts that a request asked the proxy for. */
async function hosts(request: Request, setting: Setting, where?: Parameters<typeof command>[1]): Promise<string[]> {
  const before = proxy.targets.length;
  const flags = [...(setting.flags ?? []), '--proxy', `http://127.0.0.1:${proxy.port}`, '--max-attempts', '1'];
  const { status, stderr } = await run(request, { ...setting, flags }, where);
  const asked = proxy.targets.slice(before);
  return asked.length > 0 ? asked : [`status ${status}: ${stderr.split('\n', 1)[0]}`];
}

/** The forms that a setting has. */
function forms(flag: string, variable: string, key: string, value: string): readonly (readonly [string, Setting])[] {
  return [
    [`--${flag}`, { flags: [`--${flag}=${value}`] }],
    [variable, { env: { [variable]: value } }],
    [`${key} in [default]`, { config: `[default]\n${key} = ${value}\n` }],
    [`${key} of AWS_PROFILE`, { config: `[default]\n[profile p]\n${key} = ${value}\n`, env: { AWS_PROFILE: 'p' } }],
  ];
}

const FIPS = forms('use-fips', 'AWS_USE_FIPS_ENDPOINT', 'use_fips_endpoint', 'true');
const DUAL_STACK = forms('use-dualstack', 'AWS_USE_DUALSTACK_ENDPOINT', 'use_dualstack_endpoint', 'true');
const ATTEMPTS = forms('max-attempts', 'AWS_MAX_ATTEMPTS', 'max_attempts', '2');

/** How many requests reach a service that fails. */
async function attempts(request: Request, setting: Setting): Promise<{ requests: number; status: number }> {
  const server = await scriptedServer((response) => response.writeHead(503).end('{"message":"busy"}'));
  try {
    const { status } = await run(request, setting, { at: server.url });
    return { requests: server.requests.length, status };
  } finally {
    await server.close();
  }
}

/** The code that a request to a server whose root is known or not ends with. */
async function codeOverTls(request: Request, setting: Setting): Promise<string | undefined> {
  const server = createServer(await authority.issue(['127.0.0.1']), (incoming, response) => {
    incoming.resume();
    response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const at = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { stderr } = await run(request, setting, { at });
    return /ERR_\w+/.exec(stderr)?.[0];
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/** The rows of the table: each cell by the request that it is about. */
const TABLE = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8')
  .split('\n')
  .flatMap((line) => {
    const cells = line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
    const flags = [...(cells[0] ?? '').matchAll(/`--([a-z-]+)`/g)].map(([, flag]) => flag ?? '');
    return cells.length === REQUESTS.length + 1 && flags.length > 0
      ? [{ flags, holds: REQUESTS.filter((_, index) => cells[index + 1]?.startsWith('yes') === true) }]
      : [];
  });
function requestsOf(flag: string): readonly Request[] {
  const row = TABLE.find(({ flags }) => flags.includes(flag));
  if (row === undefined) throw new Error(`--${flag} is not in the table`);
  return row.holds;
}
const SERVICES = ['CreateSession', 'AssumeRole', 'AssumeRoleWithWebIdentity'] as const;

describe('the table of settings', () => {
  it('has a row for every flag about the network that can be for several requests', () => {
    expect(TABLE.flatMap(({ flags }) => flags).toSorted()).toEqual(
      [
        'allow-http',
        'ca-bundle',
        'ca-store',
        'connect-timeout',
        'max-attempts',
        'no-verify-ssl',
        'proxy',
        'timeout',
        'tls-min-version',
        'use-dualstack',
        'use-fips',
        'with-proxy',
      ].toSorted(),
    );
  });
});

describe.each(FIPS)('FIPS by %s', (_form, setting) => {
  it.each(requestsOf('use-fips').filter((request) => request !== 'sign-in'))('holds for %s', async (request) => {
    const name = request === 'CreateSession' ? 'rolesanywhere' : 'sts';
    expect(await hosts(request, setting)).toEqual([`${name}-fips.us-east-1.amazonaws.com:443`]);
  });
  it('is an error where there is no such host', async () => {
    expect(await hosts('AssumeRole', setting, { region: 'eu-west-1' })).toEqual([
      expect.stringMatching(/^status 2: .*no FIPS endpoint of sts in eu-west-1/),
    ]);
    expect(await hosts('sign-in', setting)).toEqual([expect.stringMatching(/^status 2: .*no FIPS endpoint of signin/)]);
  });
  it('is what GovCloud has anyway', async () => {
    const where = { region: 'us-gov-west-1', partition: 'aws-us-gov' };
    expect(await hosts('AssumeRole', setting, where)).toEqual(['sts.us-gov-west-1.amazonaws.com:443']);
    expect(await hosts('sign-in', setting, where)).toEqual(['signin-fips.amazonaws-us-gov.com:443']);
  });
});

describe.each(DUAL_STACK)('dual-stack by %s', (_form, setting) => {
  it.each(requestsOf('use-dualstack'))('holds for %s', async (request) => {
    const name = request === 'CreateSession' ? 'rolesanywhere' : 'sts';
    expect(await hosts(request, setting)).toEqual([`${name}.us-east-1.api.aws:443`]);
  });
});

describe('a switch that is neither on nor off', () => {
  it.each(SERVICES)('is refused before %s', async (request) => {
    for (const setting of [
      { env: { AWS_USE_FIPS_ENDPOINT: 'maybe' } },
      { config: '[default]\nuse_fips_endpoint = maybe\n' },
    ])
      expect(await hosts(request, setting)).toEqual([expect.stringMatching(/^status 2: .*is true or false/)]);
  });
});

describe('what goes on running', () => {
  it('serve asks the FIPS host', async () => {
    const before = proxy.targets.length;
    const [, ...flags] = command('CreateSession').args;
    const server = spawnServe(
      [...flags, '--port', '0', '--proxy', `http://127.0.0.1:${proxy.port}`, '--max-attempts', '1'],
      { env: { AWS_USE_FIPS_ENDPOINT: 'true' } },
    );
    await server.until('no new credentials');
    server.kill('SIGTERM');
    await server.exited;
    expect(new Set(proxy.targets.slice(before))).toEqual(new Set(['rolesanywhere-fips.us-east-1.amazonaws.com:443']));
  });

  it.each<[string, Partial<Parameters<typeof fromAssumeRole>[0]>, Record<string, string>, string]>([
    ['useFips', { useFips: true }, {}, 'sts-fips.us-east-1.amazonaws.com'],
    ['useDualStack', { useDualStack: true }, {}, 'sts.us-east-1.api.aws'],
    ['the variable', {}, { AWS_USE_FIPS_ENDPOINT: 'true' }, 'sts-fips.us-east-1.amazonaws.com'],
    ['the option over it', { useFips: false }, { AWS_USE_FIPS_ENDPOINT: 'true' }, 'sts.us-east-1.amazonaws.com'],
  ])('the library asks where %s says', async (_by, options, env, host) => {
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
    const asked: string[] = [];
    const provider = fromAssumeRole({
      source: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'secret' },
      roleArn: `arn:aws:iam::${ACCOUNT}:role/Second`,
      region: 'us-east-1',
      transport: ({ url }) => {
        asked.push(url.host);
        return Promise.resolve({ status: 403, headers: {}, body: '' });
      },
      ...options,
    });
    await expect(provider()).rejects.toMatchObject({ code: 'ERR_ACCESS_DENIED' });
    expect(asked).toEqual([host]);
    vi.unstubAllEnvs();
  });

  it('the library refuses what cannot be, at once', () => {
    const options = {
      source: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'secret' },
      roleArn: `arn:aws:iam::${ACCOUNT}:role/Second`,
      region: 'us-east-1',
    };
    const refused = expect.objectContaining({ code: 'ERR_ENDPOINT' }) as Error;
    expect(() => fromAssumeRole({ ...options, useFips: true, endpoint: 'https://sts.test' })).toThrow(refused);
    vi.stubEnv('AWS_USE_FIPS_ENDPOINT', 'maybe');
    expect(() => fromAssumeRole(options)).toThrow(refused);
    vi.unstubAllEnvs();
  });
});

describe('a proxy', () => {
  it.each(requestsOf('proxy'))('holds for %s', async (request) => {
    expect(await hosts(request, {})).toEqual([expect.stringMatching(/:443$/)]);
  });
});

describe.each(ATTEMPTS)('the number of attempts by %s', (_form, setting) => {
  it.each(requestsOf('max-attempts'))('holds for %s', async (request) => {
    expect(await attempts(request, setting)).toEqual({ requests: 2, status: 5 });
  });
});

describe('trust', () => {
  it.each(requestsOf('ca-bundle'))('holds for %s', async (request) => {
    expect(await codeOverTls(request, {})).toBe('ERR_TLS_AUTHORITY');
    for (const setting of [
      { flags: ['--ca-bundle', ca] },
      { env: { AWS_CA_BUNDLE: ca } },
      { config: `[default]\nca_bundle = ${ca}\n` },
      { flags: ['--no-verify-ssl', '--log-level', 'error'] },
    ])
      expect(await codeOverTls(request, setting)).not.toMatch(/ERR_TLS|undefined/);
  });
});

describe('the time for all attempts', () => {
  it.each(requestsOf('timeout'))('bounds %s', async (request) => {
    const server = await scriptedServer(() => undefined);
    try {
      const { status, stderr } = await run(request, { flags: ['--timeout', '1'] }, { at: server.url });
      // Off EC2 nothing answers where IMDS would be, so silence means that there is none.
      const code = request === 'IMDS' ? 'ERR_SOURCE_CREDENTIALS' : 'ERR_TIMEOUT';
      expect({ status, stderr }).toMatchObject({ stderr: expect.stringContaining(code) as string });
    } finally {
      await server.close();
    }
  });
});

describe('what can only be refused', () => {
  const hop = ['--assume-role-arn', `arn:aws:iam::${ACCOUNT}:role/Second`];

  it('a source identity that is not the one of the certificate, before anything is sent', async () => {
    expect(await hosts('CreateSession', { flags: [...hop, '--source-identity', 'Alice'] })).toEqual([
      expect.stringMatching(/^status 2: .*--source-identity is Alice, and the session of the certificate has /),
    ]);
    const { stderr } = await run('CreateSession', { flags: [...hop, '--source-identity', 'Alice'] });
    const own = /certificate has (\S+)/.exec(stderr)?.[1] ?? '';
    expect(await hosts('CreateSession', { flags: [...hop, '--source-identity', own] })).toEqual([
      'rolesanywhere.us-east-1.amazonaws.com:443',
    ]);
  });

  it('a hop of another partition, before anything is sent', async () => {
    const flags = ['--assume-role-arn', `arn:aws-cn:iam::${ACCOUNT}:role/Second`];
    expect(await hosts('CreateSession', { flags })).toEqual([expect.stringMatching(/^status 2: .*partition aws/)]);
  });

  it.each(['POLICY', 'POLICY_ARN', 'EXTERNAL_ID', 'SOURCE_IDENTITY', 'TAG', 'ASSUME_ROLE_ARN'])(
    'an empty ROLES_ANYWHERE_%s, which would allow more',
    async (name) => {
      const flags = name === 'ASSUME_ROLE_ARN' ? [] : hop;
      expect(await hosts('CreateSession', { flags, env: { [`ROLES_ANYWHERE_${name}`]: '' } })).toEqual([
        expect.stringMatching(new RegExp(`^status 2: .*\\(ROLES_ANYWHERE_${name}\\) is empty`)),
      ]);
    },
  );

  it.each([
    ['a policy in UTF-16', Buffer.from('\ufeff{}', 'utf16le'), /byte order mark of UTF-16/],
    ['no policy behind the byte order mark of UTF-8', Buffer.from('\ufeff{}'), /has no Statement/],
  ])('%s', async (_what, bytes, message) => {
    const path = join(dir, 'policy.json');
    writeFileSync(path, bytes);
    const { status, stderr } = await run('CreateSession', { flags: [...hop, '--policy', `file://${path}`] });
    expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringMatching(message) as string });
  });

  it.each([
    ['retry_mode = bogus', {}, /retry_mode is standard, adaptive or legacy/],
    ['max_attempts = 0', {}, /max_attempts is 1 to 100/],
    ['', { AWS_RETRY_MODE: 'bogus' }, /AWS_RETRY_MODE is standard/],
    ['', { AWS_MAX_ATTEMPTS: 'many' }, /AWS_MAX_ATTEMPTS is 1 to 100/],
  ])('%s %j', async (line, env, message) => {
    const { status, stderr } = await run('AssumeRole', { config: `[default]\n${line}\n`, env });
    expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringMatching(message) as string });
  });
});

/** What `--print-config` says of the settings here. */
const settingsOf = async (setting: Setting): Promise<unknown> => {
  const { status, stdout, stderr } = await run('AssumeRole', { ...setting, flags: ['--print-config=json'] });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const { settings, others } = JSON.parse(stdout) as Record<string, { flag?: string; name?: string; source: object }[]>;
  const found = settings?.filter(({ flag }) => /fips|dual|attempts|endpoint/.test(flag ?? ''));
  return [...(found ?? []), ...(others ?? [])];
};

describe('the profile that every AWS tool takes', () => {
  const CONFIG =
    '\ufeff[default]\nuse_fips_endpoint = true # since the audit\nmax_attempts = 7\nretry_mode = adaptive\ns3 =\n  use_dualstack_endpoint = true\n[default]\noutput = json\n[services s]\nsts =\n  endpoint_url = https://sts.test\n';
  it('is named as the origin of each of its values, and read past what other tools refuse', async () => {
    const source = { kind: 'profile', profile: 'default', file: join(dir, 'config') };
    expect(await settingsOf({ config: CONFIG })).toEqual([
      { flag: 'use-fips', value: true, source: { ...source, name: 'use_fips_endpoint', line: 2 } },
      { flag: 'max-attempts', value: 7, source: { ...source, name: 'max_attempts', line: 3 } },
      { name: 'retry_mode', value: 'adaptive', origin: { ...source, name: 'retry_mode', line: 4 } },
    ]);
  });

  it('may lack, or be left alone for another', async () => {
    expect(await settingsOf({ config: CONFIG, env: { AWS_PROFILE: 'missing' } })).toEqual([]);
    expect(
      await settingsOf({ config: `${CONFIG}[profile p]\nservices = s\n`, env: { AWS_PROFILE: 'p' } }),
    ).toMatchObject([{ flag: 'sts-endpoint', value: 'https://sts.test' }]);
  });

  it('gives no access key, and way to a flag and a variable', async () => {
    const key = '[default]\naws_access_key_id = AKIA\naws_secret_access_key = s\nuse_fips_endpoint = true\n';
    const where = 'rolesanywhere.us-east-1.amazonaws.com:443';
    expect(await hosts('CreateSession', { config: key, flags: ['--use-fips=false'] })).toEqual([where]);
    expect(await hosts('CreateSession', { config: key, env: { AWS_USE_FIPS_ENDPOINT: 'false' } })).toEqual([where]);
  });
});

describe('a container endpoint that refuses', () => {
  it('is heard, once, with what it says', async () => {
    const server = await scriptedServer((response) =>
      response.writeHead(400).end('{"code":"InvalidTokenException","message":"no such pod"}'),
    );
    try {
      const { status, stderr } = await run('container endpoint', {}, { at: server.url });
      expect({ status, stderr, requests: server.requests.length }).toEqual({
        status: 3,
        stderr: expect.stringContaining('(status 400): InvalidTokenException: no such pod') as string,
        requests: 1,
      });
    } finally {
      await server.close();
    }
  });
});

describe('a source that is a process', () => {
  it('may read standard input and write to standard error', async () => {
    const json = '{"Version":1,"AccessKeyId":"AKIAX","SecretAccessKey":"s"}';
    const path = join(dir, 'credentials');
    writeFileSync(path, `[p]\ncredential_process = echo asking >&2; cat >/dev/null; echo '${json}'\n`);
    const before = proxy.targets.length;
    const { args } = command('AssumeRole');
    const flags = args.map((arg) => (arg === 'env' ? 'profile' : arg));
    const { stderr } = await runCli(
      [...flags, '--source-profile', 'p', '--proxy', `http://127.0.0.1:${proxy.port}`, '--max-attempts', '1'],
      { env: { AWS_SHARED_CREDENTIALS_FILE: path } },
    );
    expect(stderr).toMatch(/^asking\n/);
    expect(proxy.targets.slice(before)).toEqual(['sts.us-east-1.amazonaws.com:443']);
  });
});
