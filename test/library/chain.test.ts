import { ListBucketsCommand, S3Client } from '@aws-sdk/client-s3';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../src/emulator/emulator.ts';
import { fromAssumeRole, fromRolesAnywhere, serveContainerCredentials } from '../../src/index.ts';
import type { CredentialsFunction } from '../../src/index.ts';
import { EXTERNAL_ID, FIRST, GUARDED, MFA, SECOND, USER, mfaCode, startChainEmulator } from '../support/chain-world.ts';
import { PKI, runCli } from '../support/cli.ts';

let emulator: Emulator;
let base: CredentialsFunction;
beforeAll(async () => {
  emulator = await startChainEmulator();
  base = fromRolesAnywhere({
    trustAnchorArn: emulator.trustAnchorArns[0] ?? '',
    profileArn: emulator.profileArns[0] ?? '',
    roleArn: emulator.roleArns[0] ?? '',
    endpoint: emulator.url,
    certificate: `${PKI}ec-p256.crt.pem`,
    privateKey: `${PKI}ec-p256.key.pem`,
    intermediates: `${PKI}intermediate.pem`,
  });
});
afterAll(async () => {
  base.close();
  await emulator.close();
});

describe('a chain of providers', () => {
  it('goes from a certificate over two hops, with a tag that comes along', async () => {
    const place = { region: 'us-east-1', endpoint: emulator.url };
    const first = fromAssumeRole({
      ...place,
      source: base,
      roleArn: FIRST,
      externalId: EXTERNAL_ID,
      tags: { Team: 'blue' },
      transitiveTagKeys: ['Team'],
    });
    const credentials = fromAssumeRole({
      ...place,
      source: first,
      roleArn: SECOND,
      roleSessionName: 'night-shift',
    });
    const sts = new STSClient({ ...place, credentials });
    const s3 = new S3Client({ ...place, credentials, forcePathStyle: true });
    const { Arn } = await sts.send(new GetCallerIdentityCommand({}));
    expect(Arn).toBe('arn:aws:sts::123456789012:assumed-role/Second/night-shift');
    // The role's permissions ask for the tag, and for a source identity.
    expect((await s3.send(new ListBucketsCommand({}))).Buckets).toHaveLength(1);
    sts.destroy();
    s3.destroy();
  });

  it('goes from a user to a role that asks for MFA', async () => {
    const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = USER;
    const credentials = fromAssumeRole({
      region: 'us-east-1',
      endpoint: emulator.url,
      source: () => Promise.resolve({ accessKeyId, secretAccessKey }),
      roleArn: GUARDED,
      serialNumber: MFA.library.serialNumber,
      tokenProvider: () => Promise.resolve(mfaCode('library')),
    });
    expect(await credentials()).toMatchObject({ accessKeyId: expect.stringMatching(/^ASIA/) as string });
    credentials.close();
  });

  it('is served to other processes with a token of its own', async () => {
    const endpoint = await serveContainerCredentials({ credentials: base, roleArn: emulator.roleArns[0] ?? '' });
    try {
      expect((await fetch(endpoint.url)).status).toBeGreaterThanOrEqual(400);
      // Another program starts from it.
      const { status, stdout, stderr } = await runCli(
        ['assume-role', '--source', 'container', '--region', 'us-east-1', '--sts-endpoint', emulator.url].concat(
          '--assume-role-arn',
          `${FIRST},external-id=${EXTERNAL_ID}`,
        ),
        { env: { ...endpoint.environment } },
      );
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(JSON.parse(stdout)).toMatchObject({ Version: 1 });
    } finally {
      await endpoint.close();
    }
  });
});
