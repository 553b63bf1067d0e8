/** `assume-role --cache` and `web-identity --cache` as the credential_process of those who ask at every call: how many roles are assumed. */
import { generateKeyPairSync, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { EXTERNAL_ID, FIRST, USER } from '../support/chain-world.ts';
import { COMMAND_LINE, runProgram } from '../support/cli.ts';
import { requireModule, requireTool } from '../support/tools.ts';
import { startTestEmulator } from '../support/vending.ts';
import { type AwsHome, awsHome } from './config-file.ts';

const AWS = '/usr/bin/aws';
const WHO_AM_I = fileURLToPath(new URL('who-am-i.mjs', import.meta.url));
const CALLS = 10;
const PROCESSES = 5;

/** Makes calls with one client, whose credentials are stale for boto3 as soon as they come where they last 900 seconds. */
const MANY_CALLS = `
import sys, boto3
client = boto3.client("sts", region_name="us-east-1", endpoint_url=sys.argv[1])
print({client.get_caller_identity()["Arn"].split("/")[1] for _ in range(int(sys.argv[2]))})
`;

const ISSUER = 'https://idp.example.com/tenant';
const FEDERATED = 'arn:aws:iam::123456789012:role/Federated';
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

/** The trust policy that allows one thing. */
function allow(Action: string, Principal: Record<string, string>, Condition: Record<string, Record<string, string>>) {
  return { Version: '2012-10-17' as const, Statement: [{ Effect: 'Allow' as const, Action, Principal, Condition }] };
}

let emulator: Emulator;
const homes: AwsHome[] = [];
beforeEach(async () => {
  emulator = await startTestEmulator({
    roles: [
      {
        arn: FIRST,
        trustPolicy: allow(
          'sts:AssumeRole',
          { AWS: 'arn:aws:iam::123456789012:root' },
          { StringEquals: { 'sts:ExternalId': EXTERNAL_ID } },
        ),
      },
      {
        arn: FEDERATED,
        trustPolicy: allow(
          'sts:AssumeRoleWithWebIdentity',
          { Federated: 'arn:aws:iam::123456789012:oidc-provider/idp.example.com/tenant' },
          { StringEquals: { 'idp.example.com/tenant:aud': 'sts.amazonaws.com' } },
        ),
      },
    ],
    oidcProviders: [
      {
        url: ISSUER,
        clientIds: ['sts.amazonaws.com'],
        jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: '1', alg: 'RS256', use: 'sig' }] },
      },
    ],
  });
});
afterEach(async () => {
  for (const home of homes.splice(0)) home.remove();
  await emulator.close();
});

/** A token of the provider. */
function token(): string {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: ISSUER, sub: 'pod-7', aud: 'sts.amazonaws.com', iat: now, exp: now + 3600 };
  const parts = [{ alg: 'RS256', typ: 'JWT', kid: '1' }, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  );
  return `${parts.join('.')}.${sign('sha256', Buffer.from(parts.join('.')), privateKey).toString('base64url')}`;
}

const COMMANDS = ['assume-role', 'web-identity'] as const;
type Command = (typeof COMMANDS)[number];

/** The environment of a caller whose sessions last this long. */
function caller(command: Command, seconds: number, cache = true): Record<string, string> {
  const home = awsHome((dir) => {
    const words = [command, '--region', 'us-east-1', '--sts-endpoint', emulator.url, ...(cache ? ['--cache'] : [])];
    if (command === 'assume-role') {
      writeFileSync(
        join(dir, 'credentials'),
        `[source]\naws_access_key_id = ${USER.AWS_ACCESS_KEY_ID}\naws_secret_access_key = ${USER.AWS_SECRET_ACCESS_KEY}\n`,
        { mode: 0o600 },
      );
      const hop = `${FIRST},external-id=${EXTERNAL_ID}`;
      words.push('--source-profile', 'source', '--assume-role-arn', hop, '--assume-role-duration', String(seconds));
    } else {
      writeFileSync(join(dir, 'token'), token(), { mode: 0o600 });
      words.push('--role-arn', FEDERATED, '--role-session-name', 'pod', '--session-duration', String(seconds));
      words.push('--web-identity-token-file', join(dir, 'token'));
    }
    return `${COMMAND_LINE} ${words.map((word) => `"${word}"`).join(' ')}`;
  });
  homes.push(home);
  return { ...home.env, XDG_RUNTIME_DIR: home.dir };
}

/** How many roles were assumed, beside the callers' own questions. */
function assumed(): number {
  return emulator.verdicts.filter(({ reason }) => !reason.includes('GetCallerIdentity')).length;
}

const CALLERS = [
  ...(requireModule('boto3') ? ['boto3'] : []),
  ...(requireTool(AWS) ? ['the AWS CLI'] : []),
  'the AWS SDK for JavaScript',
];

/** Runs a process of a caller. boto3 makes several calls in it. */
async function ask(name: string, env: Record<string, string>): Promise<string> {
  const line: readonly [string, string[]] =
    name === 'boto3'
      ? ['/usr/bin/python3', ['-c', MANY_CALLS, emulator.url, String(CALLS)]]
      : name === 'the AWS CLI'
        ? [AWS, ['--endpoint-url', emulator.url, 'sts', 'get-caller-identity', '--query', 'Arn', '--output', 'text']]
        : [process.execPath, ['--no-warnings', WHO_AM_I, emulator.url]];
  const { status, stdout, stderr } = await runProgram(...line, { env, timeout: 240_000 });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
}

describe.each(COMMANDS)('%s --cache', (command) => {
  const role = command === 'assume-role' ? 'First' : 'Federated';

  it.each(CALLERS.flatMap((name) => [900, 3600].map((seconds) => [name, seconds] as const)))(
    'assumes the role once for several processes of %s, and for one after them, with sessions of %i seconds',
    async (name, seconds) => {
      const env = caller(command, seconds);
      const all = await Promise.all(Array.from({ length: PROCESSES }, () => ask(name, env)));
      for (const stdout of [...all, await ask(name, env)]) expect(stdout).toContain(role);
      expect(assumed()).toBe(1);
    },
    500_000,
  );

  it.skipIf(!CALLERS.includes('boto3'))(
    'assumes it at every call of boto3 with sessions of 900 seconds, without the cache',
    async () => {
      expect(await ask('boto3', caller(command, 900, false))).toContain(role);
      expect(assumed()).toBeGreaterThanOrEqual(CALLS);
    },
    500_000,
  );
});
