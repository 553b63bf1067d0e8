import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { runProgram } from '../support/cli.ts';
import type { CliResult } from '../support/cli.ts';
import { requireModule, requireTool } from '../support/tools.ts';
import { startTestEmulator } from '../support/vending.ts';
import { identityFlags, runLines, startServe } from './serve-process.ts';
import type { ServeProcess } from './serve-process.ts';

const WHO_AM_I = fileURLToPath(new URL('who-am-i.mjs', import.meta.url));
const WHO_AM_I_PY = fileURLToPath(new URL('who-am-i.py', import.meta.url));
const HAS_AWS = requireTool('/usr/bin/aws');
const HAS_CURL = requireTool('curl');
/** Debian's python3-botocore, which has no command of its own. */
const HAS_BOTOCORE = requireModule('botocore');

let emulator: Emulator;
let serve: ServeProcess;
/** What the printed lines set, and the part of it that each endpoint needs. */
let printed: Record<string, string>;
let container: Record<string, string>;
let imds: Record<string, string>;

beforeAll(async () => {
  emulator = await startTestEmulator();
  serve = await startServe([...identityFlags(emulator), '--port', '0', '--print-token']);
  printed = runLines(serve.lines());
  const of = (prefix: string): Record<string, string> =>
    Object.fromEntries(Object.entries(printed).filter(([name]) => name.startsWith(prefix)));
  container = of('AWS_CONTAINER_');
  imds = of('AWS_EC2_');
});
afterAll(async () => {
  serve.kill('SIGTERM');
  await serve.exited;
  await emulator.close();
});

const ARN = /arn:aws:sts::123456789012:assumed-role\/Workload\//;

it('the printed lines set these, and no endpoint ends with a slash', () => {
  const port = /:(\d+)$/.exec(printed['AWS_EC2_METADATA_SERVICE_ENDPOINT'] ?? '')?.[1] ?? '';
  expect(printed).toEqual({
    AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://127.0.0.1:${port}/credentials`,
    AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: `${serve.runtimeDir}/roles-anywhere/serve-${port}.token`,
    AWS_CONTAINER_AUTHORIZATION_TOKEN: expect.stringMatching(/^[\w-]{43}$/) as string,
    AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://127.0.0.1:${port}`,
  });
});

function runJs(env: Record<string, string>): Promise<CliResult> {
  return runProgram(process.execPath, [WHO_AM_I, emulator.url], { env: { ...env, AWS_REGION: 'us-east-1' } });
}

function runAws(env: Record<string, string>): Promise<CliResult> {
  const args = ['--endpoint-url', emulator.url, '--region', 'us-east-1', 'sts', 'get-caller-identity'];
  return runProgram('/usr/bin/aws', args, { env });
}

describe('the AWS SDK for JavaScript', () => {
  it('finds the container endpoint, with the token file', async () => {
    const { AWS_CONTAINER_AUTHORIZATION_TOKEN: _token, ...withFile } = container;
    const { status, stdout, stderr } = await runJs(withFile);
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(stdout).toMatch(ARN);
  });

  it('finds the instance metadata', async () => {
    const { status, stdout, stderr } = await runJs(imds);
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(stdout).toMatch(ARN);
  });
});

describe.runIf(HAS_BOTOCORE)("Debian's botocore", () => {
  it.each(['container', 'imds'])('finds the endpoint: %s', async (which) => {
    const env = which === 'container' ? container : imds;
    const { status, stdout, stderr } = await runProgram('/usr/bin/python3', [WHO_AM_I_PY, emulator.url], { env });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(ARN);
  });
});

describe.runIf(HAS_AWS)("Debian's AWS CLI", () => {
  it('finds the container endpoint, with the token', async () => {
    const { status, stdout, stderr } = await runAws(container);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(ARN);
  });

  // This one puts nothing between the endpoint and the path.
  it('finds the instance metadata, with a slash at the end of the endpoint', async () => {
    const endpoint = `${imds['AWS_EC2_METADATA_SERVICE_ENDPOINT']}/`;
    const { status, stdout, stderr } = await runAws({ AWS_EC2_METADATA_SERVICE_ENDPOINT: endpoint });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(ARN);
  });
});

it.runIf(HAS_CURL)('curl gets the same, over IPv6 too', async () => {
  const port = new URL(container['AWS_CONTAINER_CREDENTIALS_FULL_URI'] ?? '').port;
  const token = `Authorization: ${container['AWS_CONTAINER_AUTHORIZATION_TOKEN']}`;
  for (const host of ['127.0.0.1', 'localhost', '[::1]']) {
    const { status, stdout } = await runProgram('curl', ['-sSf', '-H', token, `http://${host}:${port}/credentials`]);
    expect({ host, status }).toEqual({ host, status: 0 });
    expect(JSON.parse(stdout)).toMatchObject({ RoleArn: emulator.roleArns[0] });
  }
});

it('whatever they all did, CreateSession was called once', () => {
  expect(emulator.verdicts.filter(({ path }) => path.startsWith('/sessions'))).toHaveLength(1);
});

// Another server, which calls for itself.
describe.runIf(HAS_BOTOCORE)('where there is a proxy', () => {
  it('the lines keep botocore from sending it what IMDS is asked', async () => {
    const asked: string[] = [];
    const proxy = createServer(({ url = '' }, response) => {
      asked.push(url);
      response.writeHead(502).end();
    });
    await once(proxy.listen(0, '127.0.0.1'), 'listening');
    const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    // The emulator is asked over http.
    const behind = await startServe([...identityFlags(emulator), '--port', '0'], { env: { HTTPS_PROXY: url } });
    const { NO_PROXY = '', no_proxy = '', ...lines } = runLines(behind.lines());
    expect({ NO_PROXY, no_proxy }).toEqual({
      NO_PROXY: no_proxy,
      no_proxy: expect.stringContaining('127.0.0.1,') as string,
    });
    const endpoint = lines['AWS_EC2_METADATA_SERVICE_ENDPOINT'] ?? '';
    const ask = (env: Record<string, string>): Promise<CliResult> =>
      runProgram('/usr/bin/python3', [WHO_AM_I_PY, emulator.url], {
        env: { AWS_EC2_METADATA_SERVICE_ENDPOINT: endpoint, HTTP_PROXY: url, ...env },
      });
    expect((await ask({ NO_PROXY, no_proxy })).stdout).toMatch(ARN);
    expect(asked).toEqual([]);
    // What they are printed for.
    expect((await ask({})).status).not.toBe(0);
    expect(asked).toContain(`${endpoint}/latest/api/token`);
    behind.kill('SIGTERM');
    await behind.exited;
    proxy.close();
  });
});
