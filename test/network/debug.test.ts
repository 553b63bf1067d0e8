/** What `--debug`, `--log-format` and a terminal show of the built program's network. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { cacheHome } from '../support/cache.ts';
import { PROGRAM, runCli } from '../support/cli.ts';
import { scriptedServer } from '../support/scripted-server.ts';
import type { Answer } from '../support/scripted-server.ts';
import { runOnTerminal } from '../support/terminal.ts';
import { requireTool } from '../support/tools.ts';
import { startTestEmulator } from '../support/vending.ts';
import { credentialsIn, line } from './support.ts';

let emulator: Emulator;
beforeAll(async () => {
  emulator = await startTestEmulator();
});
afterAll(() => emulator.close());

/** Nothing of the secrets in an answer, not even their ends. */
function expectNoSecret(text: string, secrets: readonly unknown[]): void {
  for (const secret of secrets.map(String)) {
    expect(secret.length).toBeGreaterThan(8);
    expect(text).not.toContain(secret);
    expect(text).not.toContain(secret.slice(-8));
    expect(text).not.toContain(secret.slice(0, 8));
  }
}

describe('--debug', () => {
  it('shows the exchange without its secrets', async () => {
    const { status, stdout, stderr } = await runCli(line(emulator, emulator.url, ['--debug']));
    expect(status).toBe(0);
    const shown = [
      /debug: canonical request:\n {2}POST\n {2}\/sessions\n {2}profileArn=arn%3Aaws/,
      /debug: string to sign:\n {2}AWS4-X509-ECDSA-SHA256\n {2}\d{8}T\d{6}Z/,
      /debug: request: POST http:\/\/127\.0\.0\.1:\d+\/sessions\?profileArn=/,
      /x-amz-x509: MII/,
      /authorization: AWS4-X509-ECDSA-SHA256 Credential=\d+\/\d{8}\/us-east-1\/rolesanywhere\/aws4_request, SignedHeaders=[a-z0-9;-]+, Signature=<redacted>\n/,
      /debug: response: 201\n/,
      /"secretAccessKey":"<redacted>","sessionToken":"<redacted>"/,
      /debug: timings: TCP to 127\.0\.0\.1 port \d+ [\d.]+ ms, first byte [\d.]+ ms, the whole answer [\d.]+ ms; [\d.]+ ms in all/,
    ];
    for (const pattern of shown) expect(stderr).toMatch(pattern);
    const { SecretAccessKey, SessionToken, AccessKeyId } = credentialsIn(stdout);
    expectNoSecret(stderr, [SecretAccessKey, SessionToken]);
    expect(stderr).toContain(`"accessKeyId":"<redacted>${String(AccessKeyId).slice(-4)}"`);
    expect(stderr).not.toContain(String(AccessKeyId));
  });

  const SECRET = 'hush/Hush+HUSH0815hush';
  const answers: [string, Answer][] = [
    [
      'cut off',
      (response) => response.writeHead(201).end(`{"credentialSet":[{"credentials":{"secretAccessKey":"${SECRET}`),
    ],
    ['of another form', (response) => response.writeHead(201).end(`secretAccessKey=${SECRET}`)],
    ['of XML', (response) => response.writeHead(200).end(`<R><SessionToken>${SECRET}</SessionToken></R>`)],
    ['a refusal', (response) => response.writeHead(403).end(`{"message":"no","sessionToken":"${SECRET}"}`)],
    ['a failure', (response) => response.writeHead(500).end(`oops: token=${SECRET}`)],
    ['a page', (response) => response.writeHead(403).end(`<!doctype html><input name=password value="x">`)],
  ];
  it.each(answers)('keeps the secrets of an answer that is %s', async (_which, answer) => {
    const server = await scriptedServer(answer);
    const { status, stderr } = await runCli(line(emulator, server.url, ['--debug', '--max-attempts', '1']));
    await server.close();
    expect(status).toBeGreaterThan(3);
    expect(stderr).toContain('debug: response: ');
    expectNoSecret(stderr, [SECRET]);
  });

  it('tells of each attempt and the wait after it', async () => {
    const server = await scriptedServer((response) => response.writeHead(500, { 'retry-after': '0' }).end());
    const { stderr } = await runCli(line(emulator, server.url, ['--debug', '--max-attempts', '2']));
    await server.close();
    expect(server.requests).toHaveLength(2);
    expect(stderr).toMatch(/debug: attempt failed: CreateSession failed: .*; next in \d+ ms/);
  });
});

describe('--log-format json', () => {
  it('makes each line an object, also of debugging', async () => {
    const { status, stderr } = await runCli(
      line(emulator, emulator.url, ['--debug', '--log-format', 'json', '--no-verify-ssl']),
    );
    expect(status).toBe(0);
    const lines = stderr
      .trimEnd()
      .split('\n')
      .map((text) => JSON.parse(text) as { level: string; message: string; text?: string[] });
    expect(new Set(lines.map(({ level }) => level))).toEqual(new Set(['debug', 'warn']));
    expect(lines.find(({ message }) => message === 'canonical request:')?.text?.slice(0, 2)).toEqual([
      'POST',
      '/sessions',
    ]);
  });

  it.each([[['--log-format', 'json']], [['--log-format=json', '--unheard-of']]])(
    'makes an error one, also of a line that is not understood: %j',
    async (flags) => {
      const { status, stderr } = await runCli(['credential-process', ...flags]);
      expect(status).toBe(2);
      expect(JSON.parse(stderr)).toMatchObject({
        level: 'error',
        code: expect.stringMatching(/^ERR_/),
        message: expect.any(String),
      });
    },
  );
});

describe('limits', () => {
  it.each([
    ['--max-attempts', '0'],
    ['--connect-timeout', '0'],
    ['--timeout', '99999'],
  ])('%s %s is out of range', async (flag, value) => {
    const { status, stderr } = await runCli(line(emulator, emulator.url, [flag, value]));
    expect({ status, stderr }).toMatchObject({ status: 2, stderr: expect.stringContaining(`${flag} is out of range`) });
  });

  it('--timeout bounds all attempts together', async () => {
    const server = await scriptedServer(() => undefined);
    const { status, stderr } = await runCli(line(emulator, server.url, ['--timeout', '1']));
    await server.close();
    expect({ status, stderr }).toMatchObject({ status: 5, stderr: expect.stringContaining('ERR_TIMEOUT') });
    expect(server.requests).toHaveLength(1);
  });
});

describe.skipIf(!requireTool('python3'))('on a terminal', () => {
  it('a wait of more than a second is named', async () => {
    const server = await scriptedServer((response) => setTimeout(() => response.writeHead(403).end(), 1500));
    const { stdout } = await runOnTerminal([...PROGRAM, ...line(emulator, server.url)], []);
    await server.close();
    expect(stdout).toContain(`waiting for ${new URL(server.url).host} to answer (1 s)\n`);
  });

  it('a longer one is named again, with its time, whatever the command', async () => {
    const server = await scriptedServer((response) => setTimeout(() => response.writeHead(403).end(), 5500));
    const args = ['whoami', '--source', 'env', '--region', 'us-east-1', '--sts-endpoint', server.url];
    const { stdout } = await runOnTerminal([...PROGRAM, ...args], [], {
      AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
      AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    });
    await server.close();
    const said = [...stdout.matchAll(/waiting for \S+ to answer \((\d+) s\)/g)].map(([, seconds]) => seconds);
    expect(said).toEqual(['1', '5']);
  });

  it('a command that gives an MFA code is waited for by name', async () => {
    const device = 'arn:aws:iam::123456789012:mfa/ada';
    const hop = ['--assume-role-arn', 'arn:aws:iam::123456789012:role/Next', '--mfa-serial', device];
    const slow = ['--mfa-command', 'sleep 1.5; exit 1', '--region', 'us-east-1', '--sts-endpoint', emulator.url];
    const { stdout } = await runOnTerminal([...PROGRAM, 'assume-role', '--source', 'env', ...hop, ...slow], [], {
      AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
      AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    });
    expect(stdout).toContain('waiting for the code of --mfa-command (1 s)\n');
    expect(stdout).toContain('[ERR_MFA_CODE]');
  });

  it('another process that renews the kept credentials is waited for by name', async () => {
    const home = cacheHome();
    const server = await scriptedServer((response) => setTimeout(() => response.writeHead(403).end(), 4000));
    try {
      const words = line(emulator, server.url, ['--cache', '--max-attempts', '1']);
      const first = runCli(words, { env: home.env });
      while (server.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
      const { stdout } = await runOnTerminal([...PROGRAM, ...words], [], home.env);
      expect(stdout).toContain('waiting for another process to get the same credentials (1 s)\n');
      expect((await first).stderr).not.toContain('waiting for');
    } finally {
      await server.close();
      home.remove();
    }
  });

  it('a shorter one is not, and elsewhere none is', async () => {
    const { stdout } = await runOnTerminal([...PROGRAM, ...line(emulator, emulator.url)], []);
    expect(stdout).not.toContain('waiting for');
    const server = await scriptedServer((response) => setTimeout(() => response.writeHead(403).end(), 1500));
    const { stderr } = await runCli(line(emulator, server.url));
    await server.close();
    expect(stderr).not.toContain('waiting for');
  });
});
