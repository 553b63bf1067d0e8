/** `web-identity --web-identity-token spiffe:`: a JWT-SVID of the Workload API becomes a role's credentials, by the built program. */
import { generateKeyPairSync, sign } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { type CliResult, runCli } from '../support/cli.ts';
import { startTestEmulator } from '../support/vending.ts';
import {
  type Question,
  type WorkloadApi,
  complete,
  jwtAnswer,
  refuse,
  startWorkloadApi,
} from '../support/workload-api.ts';

const ISSUER = 'https://oidc.spire.test';
const PROVIDER = 'oidc.spire.test';
const ROLE = 'arn:aws:iam::123456789012:role/Federated';
const WORKLOAD = 'spiffe://example.org/billing';
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

/** A JWT-SVID (SPIFFE, "JWT-SVID", section 3). */
function svid(sub: string, aud: string, seconds = 300): string {
  const now = Math.floor(Date.now() / 1000);
  const parts = [
    { alg: 'ES256', typ: 'JWT', kid: '1' },
    { iss: ISSUER, sub, aud, iat: now, exp: now + seconds },
  ].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'));
  const signed = parts.join('.');
  const signature = sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${signature.toString('base64url')}`;
}

describe('web-identity --web-identity-token spiffe:', () => {
  let emulator: Emulator;
  let api: WorkloadApi | undefined;
  beforeAll(async () => {
    emulator = await startTestEmulator({
      roles: [
        {
          arn: ROLE,
          trustPolicy: {
            Version: '2012-10-17',
            Statement: [
              {
                Effect: 'Allow',
                Action: 'sts:AssumeRoleWithWebIdentity',
                Principal: { Federated: `arn:aws:iam::123456789012:oidc-provider/${PROVIDER}` },
                Condition: {
                  StringEquals: { [`${PROVIDER}:aud`]: 'sts.amazonaws.com', [`${PROVIDER}:sub`]: WORKLOAD },
                },
              },
            ],
          },
        },
      ],
      oidcProviders: [
        {
          url: ISSUER,
          clientIds: ['sts.amazonaws.com'],
          jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: '1', alg: 'ES256', use: 'sig' }] },
        },
      ],
    });
  });
  afterAll(() => emulator.close());
  afterEach(async () => {
    await api?.close();
    api = undefined;
  });

  /** Runs the program beside an agent. */
  async function assume(answer: (question: Question) => void, reference = ''): Promise<CliResult> {
    api = await startWorkloadApi(answer);
    return await runCli(
      [
        ['web-identity', '--region', 'us-east-1', '--sts-endpoint', emulator.url, '--role-arn', ROLE],
        ['--web-identity-token', `spiffe:?audience=sts.amazonaws.com${reference}`],
      ].flat(),
      { env: { SPIFFE_ENDPOINT_SOCKET: api.address } },
    );
  }

  it('asks for a token with that audience, and names the session after the workload', async () => {
    const { status, stdout, stderr } = await assume((question) =>
      complete(question, jwtAnswer({ id: WORKLOAD, token: svid(WORKLOAD, 'sts.amazonaws.com') })),
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ Version: 1, AccountId: '123456789012' });
    expect(api?.questions).toHaveLength(1);
    expect(emulator.verdicts.at(-1)).toMatchObject({
      status: 200,
      reason: expect.stringContaining('assumed-role/Federated/example.org-billing'),
    });
  });

  it('says what STS says of a token for another audience, and shows nothing of the token', async () => {
    const token = svid(WORKLOAD, 'somebody-else');
    const { status, stdout, stderr } = await assume((question) =>
      complete(question, jwtAnswer({ id: WORKLOAD, token })),
    );
    expect({ status, stdout }).toEqual({ status: 4, stdout: '' });
    expect(stderr).toContain('InvalidIdentityToken');
    for (const part of token.split('.')) expect(stderr).not.toContain(part);
  });

  it('ends with a clear error when the agent knows no such workload', async () => {
    const { status, stdout, stderr } = await assume((question) => refuse(question, 7, 'no identity issued'));
    expect(status).not.toBe(0);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/\[ERR_SPIFFE/);
  });
});
