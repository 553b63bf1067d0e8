import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { runCli } from '../support/cli.ts';
import type { CliResult } from '../support/cli.ts';
import { requireModule, requireTool } from '../support/tools.ts';
import { startTestEmulator } from '../support/vending.ts';
import { ask } from '../server/support/server.ts';
import { identityFlags, spawnCommand } from './serve-process.ts';
import { ShortSessions } from './short-sessions.ts';

let emulator: Emulator;
let dir: string;

beforeAll(async () => {
  emulator = await startTestEmulator();
});
afterAll(() => emulator.close());
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ra-exec-server-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** The flags of an identity that asks at `url`. */
function flagsAt(url: string): string[] {
  return identityFlags(emulator).map((flag) => (flag === emulator.url ? url : flag));
}

function exec(
  url: string,
  command: readonly string[],
  env: Record<string, string> = {},
  flags: string[] = [],
): Promise<CliResult> {
  return runCli(['exec', '--server', ...flagsAt(url), ...flags, '--', ...command], { env });
}

const LIFE_MS = 6000;

/** The emulator's own sessions, of which it is said that they end in seconds: real clients use them at its STS. */
async function shortened(): Promise<{ url: string; count: () => number; close: () => Promise<void> }> {
  let count = 0;
  const relay: Server = createServer((request, response) => {
    count += 1;
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      void (async () => {
        const headers = Object.fromEntries(
          Object.entries(request.headers).filter(
            ([name]) => !/^(?:connection|content-length|transfer-encoding)$/.test(name),
          ),
        );
        const [status, text] = await forward(request.url ?? '', headers, Buffer.concat(parts));
        const end = `${new Date(Date.now() + LIFE_MS).toISOString().slice(0, 19)}Z`;
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(text.replaceAll(/("expiration":\s*)"[^"]*"/g, `$1"${end}"`));
      })();
    });
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(relay.address() as AddressInfo).port}`,
    count: () => count,
    close: async () => {
      relay.closeAllConnections();
      await new Promise((resolve) => relay.close(resolve));
    },
  };
}

/** Sends a request on with the Host header that was signed. */
async function forward(
  path: string,
  headers: Record<string, string | string[] | undefined>,
  body: Buffer,
): Promise<[number, string]> {
  const { request } = await import('node:http');
  return await new Promise((resolve, reject) => {
    const sent = request(`${emulator.url}${path}`, { method: 'POST', headers }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => (text += part));
      answer.on('end', () => resolve([answer.statusCode ?? 0, text]));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** The key id of one of {@link ShortSessions}. */
function id(index: number): string {
  return `ASIA${String(index).padStart(16, '0')}`;
}

describe('exec --server', () => {
  it('gives the child an endpoint and no credentials, which ends with it', async () => {
    const child = `
      const { AWS_CONTAINER_CREDENTIALS_FULL_URI: url, AWS_CONTAINER_AUTHORIZATION_TOKEN: token } = process.env;
      const ask = async (headers) => { const answer = await fetch(url, { headers }); return [answer.status, await answer.json()]; };
      (async () => {
        const [status, set] = await ask({ authorization: token });
        const refused = await ask({});
        console.log(JSON.stringify({ env: process.env, status, set, refused: refused[0] }));
      })();`;
    const env = {
      AWS_ACCESS_KEY_ID: 'AKIAOLD',
      AWS_SECRET_ACCESS_KEY: 'old',
      AWS_PROFILE: 'old',
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: '/old',
    };
    const { status, stdout, stderr } = await exec(emulator.url, [process.execPath, '-e', child], env);
    expect([status, stderr]).toEqual([0, '']);
    const seen = JSON.parse(stdout) as {
      env: Record<string, string>;
      status: number;
      set: Record<string, string>;
      refused: number;
    };
    expect(
      Object.keys(seen.env)
        .filter((name) => name.startsWith('AWS_'))
        .toSorted(),
    ).toEqual([
      'AWS_CONTAINER_AUTHORIZATION_TOKEN',
      'AWS_CONTAINER_CREDENTIALS_FULL_URI',
      'AWS_DEFAULT_REGION',
      'AWS_REGION',
    ]);
    expect([seen.status, seen.refused]).toEqual([200, 401]);
    expect(seen.set).toMatchObject({ AccessKeyId: expect.stringMatching(/^ASIA/), RoleArn: emulator.roleArns[0] });
    const { port } = new URL(seen.env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] ?? '');
    await expect(ask({ port: Number(port) }, 'GET', '/credentials', {})).rejects.toThrow('ECONNREFUSED');
  });

  it('keeps requests to the endpoint from a proxy', async () => {
    const print = [process.execPath, '-p', 'process.env.NO_PROXY + " " + process.env.no_proxy'];
    const { stdout } = await exec(emulator.url, print, { HTTPS_PROXY: 'http://127.0.0.1:1', no_proxy: 'a.example' }, [
      '--no-proxy',
    ]);
    const [one = '', other] = stdout.trim().split(' ');
    expect(one.split(',')).toEqual(expect.arrayContaining(['a.example', '127.0.0.1']));
    expect(other).toBe(one);
  });

  it.each([
    [
      'the credentials file',
      'AWS_SHARED_CREDENTIALS_FILE',
      '[default]\naws_access_key_id = AKIAWRONGWRONGWRONG1\naws_secret_access_key = w\n',
    ],
    ['the config file', 'AWS_CONFIG_FILE', '[default]\ncredential_process = echo wrong\n'],
    [
      'a file of two sections for it',
      'AWS_CONFIG_FILE',
      '[default]\nregion = a\n[default]\ncredential_process = echo wrong\n',
    ],
  ])('keeps a real SDK from the default profile of %s', async (_, variable, text) => {
    const path = join(dir, 'profiles');
    writeFileSync(path, text);
    const whoAmI = [process.execPath, join(import.meta.dirname, 'who-am-i.mjs'), emulator.url];
    const { status, stdout, stderr } = await exec(emulator.url, whoAmI, { [variable]: path });
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: expect.stringContaining(':assumed-role/Workload/') as string,
    });
    expect(stderr).toMatch(/the profile default has credentials/);
  });

  it('lets the child see the files of profiles that lead nowhere else', async () => {
    const path = join(dir, 'profiles');
    writeFileSync(path, '[default]\nregion = eu-west-1\n[profile other]\ncredential_process = other\n');
    const { stdout, stderr } = await exec(emulator.url, ['printenv', 'AWS_CONFIG_FILE'], { AWS_CONFIG_FILE: path });
    expect({ stdout, stderr }).toEqual({ stdout: `${path}\n`, stderr: '' });
  });

  it('does not start the child when the first credentials do not come', async () => {
    const marker = join(dir, 'started');
    const refused = await exec(emulator.url, ['touch', marker], {}, [
      '--role-arn',
      'arn:aws:iam::123456789012:role/None',
    ]);
    expect(refused).toMatchObject({ status: 4, stdout: '' });
    const away = await exec('http://127.0.0.1:1', ['touch', marker], {}, ['--max-attempts', '1']);
    expect(away).toMatchObject({ status: 5, stdout: '' });
    expect(away.stderr.match(/^/gm)?.length).toBeLessThan(6);
  });

  it('passes signals and the status on, as without', async () => {
    const child = spawnCommand('exec', [
      '--server',
      ...flagsAt(emulator.url),
      '--',
      'bash',
      '-c',
      'trap "echo term; exit 9" TERM; echo ready; while :; do sleep 0.05; done',
    ]);
    await child.until('ready');
    child.kill('SIGTERM');
    expect(await child.exited).toBe(9);
  });

  it('a long child has valid credentials over an outage, new ones after it, and a quiet terminal', async () => {
    const service = new ShortSessions();
    await service.listen();
    // Asks all the time, as a provider of Terraform would, and says what it gets.
    const script = `
      const { AWS_CONTAINER_CREDENTIALS_FULL_URI: url, AWS_CONTAINER_AUTHORIZATION_TOKEN: token } = process.env;
      let last;
      setInterval(async () => {
        const answer = await fetch(url, { headers: { authorization: token } });
        const { AccessKeyId, Expiration } = await answer.json();
        const line = answer.status === 200 ? '200 ' + AccessKeyId + (Date.parse(Expiration) > Date.now() ? ' valid' : ' expired') : String(answer.status);
        if (line !== last) console.log(line);
        last = line;
      }, 50);`;
    const child = spawnCommand('exec', [
      '--server',
      ...flagsAt(service.url),
      '--refresh-before',
      '3',
      '--',
      process.execPath,
      '-e',
      script,
    ]);
    try {
      await child.until(`200 ${id(1)} valid`);
      expect(child.log()).toBe('');
      await service.answer('away');
      await child.until('no new credentials');
      await service.answer('well');
      const next = service.ends.size;
      await child.until(`200 ${id(next)} valid`);
      child.kill('SIGTERM');
      expect(await child.exited).toBe(143);
      // The outage may outlast a session of five seconds on a busy machine; then it is 503, and never an old set.
      expect(child.lines()).not.toContain('expired');
      expect(
        child
          .lines()
          .split('\n')
          .filter((line) => line.startsWith('200')).length,
      ).toBeGreaterThan(2);
    } finally {
      child.kill('SIGKILL');
      await service.close();
    }
  });

  it.runIf(requireTool('/usr/bin/aws'))(
    'the AWS CLI inside works across the end of a session',
    async () => {
      const service = await shortened();
      try {
        const call = `/usr/bin/aws --endpoint-url ${emulator.url} sts get-caller-identity --query Account --output text`;
        const script = `for turn in 1 2 3 4; do ${call} || exit 1; sleep 2; done`;
        const { status, stdout, stderr } = await exec(service.url, ['sh', '-c', script], {}, ['--refresh-before', '3']);
        expect([status, stdout, stderr]).toEqual([0, '123456789012\n'.repeat(4), '']);
        expect(service.count()).toBeGreaterThan(1);
      } finally {
        await service.close();
      }
    },
    120_000,
  );

  it.runIf(requireModule('boto3'))(
    'one session of boto3 inside renews across the end of its credentials',
    async () => {
      const service = await shortened();
      try {
        const program = join(dir, 'long.py');
        writeFileSync(
          program,
          [
            'import boto3, sys, time',
            'session = boto3.Session()',
            "sts = session.client('sts', endpoint_url=sys.argv[1])",
            'for turn in range(5):',
            "    assert sts.get_caller_identity()['Account'] == '123456789012'",
            '    print(session.get_credentials().get_frozen_credentials().access_key, flush=True)',
            '    time.sleep(2)',
            '',
          ].join('\n'),
        );
        const command = ['/usr/bin/python3', program, emulator.url];
        const { status, stdout } = await exec(service.url, command, {}, ['--refresh-before', '3']);
        expect([status, stdout.trim().split('\n').length]).toEqual([0, 5]);
        expect(new Set(stdout.trim().split('\n')).size).toBeGreaterThan(1);
      } finally {
        await service.close();
      }
    },
    120_000,
  );
});
