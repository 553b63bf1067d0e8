import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { guessShell, SHELLS } from '../../src/output/shell-lines.ts';
import { exportLines, originOf } from '../../src/server/export-lines.ts';
import { requireTool } from '../support/tools.ts';

const options = {
  origin: 'http://127.0.0.1:9911',
  container: [
    { path: '/credentials', tokenFile: '/run/user/1000/roles-anywhere/serve-9911.token' },
    { path: '/role/Other', tokenFile: '/tmp/other' },
  ],
  imds: true,
};

describe.each(SHELLS)('for %s', (shell) => {
  it('the lines are these', () => {
    expect(exportLines(shell, options)).toMatchSnapshot();
  });
});

it('no line that is run ends with a slash, and the token is only shown when asked', () => {
  const lines = exportLines('sh', options);
  expect(lines.split('\n').filter((line) => !line.startsWith('#') && line.endsWith('/'))).toEqual([]);
  expect(lines).not.toContain('AWS_CONTAINER_AUTHORIZATION_TOKEN=');
  const shown = exportLines('sh', { ...options, container: [{ path: '/credentials', token: 'abc' }], imds: false });
  expect(shown).toBe(
    '# container credentials\n' +
      'export AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:9911/credentials\n' +
      'export AWS_CONTAINER_AUTHORIZATION_TOKEN=abc\n',
  );
});

const awkward = '/tmp/it\'s a $HOME `dir` \\ "quoted" %PATH% [x]*';

it.runIf(requireTool('sh'))('sh reads any path back as it was', () => {
  const lines = exportLines('sh', { ...options, container: [{ path: '/credentials', tokenFile: awkward }] });
  const script = `${lines}printf %s "$AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"`;
  expect(execFileSync('sh', ['-c', script], { env: {}, encoding: 'utf8' })).toBe(awkward);
});

function tokenLine(shell: (typeof SHELLS)[number]): string | undefined {
  const container = [{ path: '/', tokenFile: String.raw`/a'b\c d` }];
  return exportLines(shell, { origin: 'x', container, imds: false }).split('\n')[2];
}

it('each shell has its own quotes for what it would read otherwise', () => {
  expect(SHELLS.map((shell) => tokenLine(shell))).toEqual([
    String.raw`export AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE='/a'\''b\c d'`,
    String.raw`set -gx AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE '/a\'b\\c d'`,
    String.raw`$env:AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE = '/a''b\c d'`,
    String.raw`set "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=/a'b\c d"`,
  ]);
});

it.each([
  [{ SHELL: '/usr/bin/fish' }, 'linux', 'fish'],
  [{ SHELL: '/bin/zsh' }, 'darwin', 'sh'],
  [{}, 'linux', 'sh'],
  [{ PSModulePath: 'x' }, 'win32', 'powershell'],
  [{}, 'win32', 'cmd'],
])('the shell of %o on %s is guessed as %s', (env, platform, shell) => {
  expect(guessShell(env, platform)).toBe(shell);
});

it.each([
  ['127.0.0.1', false, undefined, 'http://127.0.0.1:1'],
  ['::1', false, undefined, 'http://[::1]:1'],
  ['0.0.0.0', true, 'node.internal', 'https://node.internal:1'],
  ['::', true, 'node.internal:8443', 'https://node.internal:8443'],
  ['::', true, undefined, 'https://[::]:1'],
  ['127.0.0.1', true, 'node.internal', 'https://127.0.0.1:1'],
])('clients reach %s (TLS: %s, name: %s) at %s', (address, tls, name, origin) => {
  expect(originOf({ address, port: 1 }, tls, name)).toBe(origin);
});

it.each(SHELLS)('no line of a role that is left commented takes effect, whatever its file is called (%s)', (shell) => {
  const container = [
    { path: '/credentials', tokenFile: '/t' },
    { path: '/role/B', tokenFile: '/run/a\nrm -rf x\r\ntoken' },
  ];
  const lines = exportLines(shell, { origin: 'http://127.0.0.1:1', container, imds: false });
  const comment = shell === 'cmd' ? 'rem' : '#';
  for (const line of lines.split('\n').slice(3, -1)) expect(line.startsWith(comment)).toBe(true);
});

it('a relative path is printed whole, and over TLS there is no line for IMDS', () => {
  const lines = exportLines('sh', {
    origin: 'https://localhost:9911',
    container: [{ path: '/credentials', tokenFile: 'tk' }],
    imds: true,
  });
  expect(lines).toContain(`_TOKEN_FILE=${join(process.cwd(), 'tk')}\n`);
  expect(lines).not.toContain('AWS_EC2_METADATA_SERVICE_ENDPOINT');
});

function proxyLines(noProxy: string, origin = options.origin): string[] {
  const lines = exportLines('sh', { ...options, origin, noProxy }).split('\n');
  return lines.filter((line) => /no_proxy/i.test(line));
}

describe('where there is a proxy', () => {
  const own = '127.0.0.1,localhost,::1,169.254.169.254,169.254.170.2,169.254.170.23';

  it('the lines keep these requests from it', () => {
    expect(proxyLines('')).toEqual([`export NO_PROXY=${own}`, `export no_proxy=${own}`]);
  });

  it('what was said before stays, and nothing is said twice', () => {
    expect(proxyLines('.corp.example, localhost ,10.0.0.0/8')[0]).toBe(
      'export NO_PROXY=.corp.example,localhost,10.0.0.0/8,127.0.0.1,::1,169.254.169.254,169.254.170.2,169.254.170.23',
    );
    expect(proxyLines('*')).toEqual([]);
  });

  it('the name that clients call is among them', () => {
    expect(proxyLines('', 'https://node.internal:9911')[0]).toBe(`export NO_PROXY=${own},node.internal`);
    expect(proxyLines('', 'http://[fd00:ec2::23]:9911')[0]).toBe(`export NO_PROXY=${own},fd00:ec2::23`);
  });

  it('each shell sets what its programs read', () => {
    const set = SHELLS.map((shell) =>
      exportLines(shell, { ...options, noProxy: '' })
        .split('\n')
        .filter((line) => /no_proxy/i.test(line)),
    );
    expect(set.map((found) => found.length)).toEqual([2, 2, 1, 1]);
    expect(set[3]).toEqual([`set "NO_PROXY=${own}"`]);
  });
});
