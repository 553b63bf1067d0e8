/** Callers of the emulator's STS: the AWS SDK with credentials that were vended, or with a user's own. */
import { type AssumeRoleCommandInput, AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import type { Emulator } from '../../../src/emulator/emulator.ts';
import { type Draft, draft, send, signed } from './signed-request.ts';
import { type Client, NOW } from './world.ts';

export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

/** The long-term credentials of the built-in world. */
export const ADMIN: Credentials = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};

/** A session that a certificate is good for. */
export async function vend(
  emulator: Emulator,
  client: Client,
  { now = NOW, change = () => undefined }: { now?: Date; change?: (request: Draft) => unknown } = {},
): Promise<Required<Credentials>> {
  const request = draft(client, emulator.url, { now });
  change(request);
  const reply = await send(emulator.url, signed(request, client));
  if (reply.status !== 201) throw new Error(`${reply.status} ${reply.body}: ${emulator.verdicts.at(-1)?.reason}`);
  const { credentialSet } = JSON.parse(reply.body) as { credentialSet: [{ credentials: Required<Credentials> }] };
  const { accessKeyId, secretAccessKey, sessionToken } = credentialSet[0].credentials;
  return { accessKeyId, secretAccessKey, sessionToken };
}

/** The AWS SDK's client of STS, at the emulator's time. */
export function stsClient(emulator: Emulator, credentials: Credentials, now = NOW): STSClient {
  return new STSClient({
    endpoint: emulator.url,
    region: 'us-east-1',
    credentials,
    maxAttempts: 1,
    systemClockOffset: now.getTime() - Date.now(),
  });
}

/** AssumeRole, with the session named `hop` unless it says otherwise. */
export async function assume(
  emulator: Emulator,
  credentials: Credentials,
  input: Partial<AssumeRoleCommandInput> & { RoleArn: string },
  now = NOW,
): Promise<Required<Credentials> & { sourceIdentity: string | undefined; arn: string | undefined; expiration: Date }> {
  const command = new AssumeRoleCommand({ RoleSessionName: 'hop', ...input });
  const answer = await stsClient(emulator, credentials, now).send(command);
  const { AccessKeyId = '', SecretAccessKey = '', SessionToken = '', Expiration = NOW } = answer.Credentials ?? {};
  return {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    sessionToken: SessionToken,
    expiration: Expiration,
    sourceIdentity: answer.SourceIdentity,
    arn: answer.AssumedRoleUser?.Arn,
  };
}

/** What a refused call says, and what the emulator's log says of it. */
export async function refusalOf(
  emulator: Emulator,
  call: Promise<unknown>,
): Promise<{ code: string; message: string; reason: string | undefined; status: number | undefined }> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason as Error & { $metadata?: { httpStatusCode?: number } },
  );
  if (error === undefined) throw new Error(`it was granted: ${emulator.verdicts.at(-1)?.reason}`);
  const verdict = emulator.verdicts.at(-1);
  return {
    code: error.name,
    message: error.message,
    reason: verdict?.reason,
    status: error.$metadata?.httpStatusCode,
  };
}

/** A trust policy of one statement. */
export function trusting(principal: unknown, condition: object = {}, action: unknown = ALL_ACTIONS): object {
  return {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: principal, Action: action, Condition: condition }],
  };
}

export const ALL_ACTIONS = ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'];
