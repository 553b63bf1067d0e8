/**
 * Records what real clients send to the two endpoints, and compares it with
 * what test/server/recorded/ has, which is replayed on every machine. With
 * ROLES_ANYWHERE_RECORD=1 the recordings are written anew.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { runProgram } from '../support/cli.ts';
import { requireModule, requireTool } from '../support/tools.ts';
import { startServer, TOKEN } from '../server/support/server.ts';
import type { TestServer } from '../server/support/server.ts';

const RECORDED = fileURLToPath(new URL('../server/recorded/', import.meta.url));
const WHO_AM_I = fileURLToPath(new URL('who-am-i.mjs', import.meta.url));
const WHO_AM_I_PY = fileURLToPath(new URL('who-am-i.py', import.meta.url));
/** Debian's python3-botocore, which has no command of its own. */
const HAS_BOTOCORE = requireModule('botocore');
const HAS_AWS = requireTool('/usr/bin/aws');

/** Passes on to a server and keeps what clients say. */
async function startTap() {
  let target = 0;
  let said = '';
  const tap = createServer((client) => {
    const upstream = connect(target, '127.0.0.1');
    client.on('data', (chunk) => (said += chunk.toString('latin1')));
    client.on('error', () => upstream.destroy());
    upstream.on('error', () => client.destroy());
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve) => tap.listen(0, '127.0.0.1', resolve));
  return {
    port: (tap.address() as AddressInfo).port,
    to: (port: number) => (target = port),
    said: () => said,
    close: () => new Promise((resolve) => tap.close(resolve)),
  };
}

/** Everything that differs from run to run, or from version to version without a meaning, made the same. */
function normalise(said: string, port: number): string {
  return said
    .replaceAll(`127.0.0.1:${port}`, '127.0.0.1:PORT')
    .replaceAll(TOKEN, 'AUTHORIZATION')
    .replaceAll(/^(x-aws-ec2-metadata-token: ).*$/gim, '$1TOKEN')
    .replaceAll(/^(user-agent: ).*$/gim, '$1CLIENT')
    .replaceAll('\r\n', '\n');
}

let server: TestServer | undefined;
afterEach(() => server?.close(0));

const CLIENTS: [string, boolean, 'container' | 'imds', string, string[]][] = [
  ['aws-cli-container', HAS_AWS, 'container', '/usr/bin/aws', ['sts', 'get-caller-identity']],
  ['aws-cli-imds', HAS_AWS, 'imds', '/usr/bin/aws', ['sts', 'get-caller-identity']],
  ['botocore-container', HAS_BOTOCORE, 'container', '/usr/bin/python3', [WHO_AM_I_PY]],
  ['botocore-imds', HAS_BOTOCORE, 'imds', '/usr/bin/python3', [WHO_AM_I_PY]],
  ['aws-sdk-js-container', true, 'container', process.execPath, [WHO_AM_I]],
  ['aws-sdk-js-imds', true, 'imds', process.execPath, [WHO_AM_I]],
];

it.each(CLIENTS)('what %s sends is what was recorded', async (name, isThere, endpoint, file, args) => {
  if (!isThere) return;
  const tap = await startTap();
  server = await startServer({ allowedHosts: [`127.0.0.1:${tap.port}`] });
  tap.to(server.port);
  const origin = `http://127.0.0.1:${tap.port}`;
  // STS is not there: only how the client gets its credentials matters.
  const nowhere = 'http://127.0.0.1:9';
  const env: Record<string, string> = {
    AWS_REGION: 'us-east-1',
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_MAX_ATTEMPTS: '1',
    ...(endpoint === 'container'
      ? { AWS_CONTAINER_CREDENTIALS_FULL_URI: `${origin}/credentials`, AWS_CONTAINER_AUTHORIZATION_TOKEN: TOKEN }
      : { AWS_EC2_METADATA_SERVICE_ENDPOINT: name.startsWith('aws-cli') ? `${origin}/` : origin }),
  };
  await runProgram(file, [...args, ...(file.endsWith('/aws') ? ['--endpoint-url', nowhere] : [nowhere])], { env });
  await tap.close();
  const said = normalise(tap.said(), tap.port);
  const path = `${RECORDED}${name}.txt`;
  if (process.env['ROLES_ANYWHERE_RECORD'] === '1') {
    mkdirSync(RECORDED, { recursive: true });
    writeFileSync(path, said);
  }
  expect(requestLines(said)).toEqual(requestLines(readFileSync(path, 'utf8')));
});

/** The lines that decide how the server answers: versions of a client differ in others. */
function requestLines(said: string): string[] {
  return said.split('\n').filter((line) => /^(?:[A-Z]+ \/|authorization:|x-aws-ec2-metadata-token)/i.test(line));
}
