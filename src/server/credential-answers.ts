/**
 * The three answers that hold credentials, each as its endpoint has it.
 * Tests: test/server/container-routes.test.ts and imds-routes.test.ts
 */
import type { SessionCredentials } from '../credentials/credentials.ts';
import { formatExpiration } from '../credentials/expiration.ts';
import { jsonAnswer, textAnswer } from './answer.ts';
import type { Answer } from './answer.ts';
import type { ServedRole } from './served-role.ts';

/** Makes an answer of a role's credentials. */
export type CredentialAnswer = (role: ServedRole, credentials: SessionCredentials) => Answer;

/** The answer of the container credentials endpoint of ECS and EKS. */
export const containerAnswer: CredentialAnswer = (role, credentials) =>
  jsonAnswer(200, {
    AccessKeyId: credentials.accessKeyId,
    SecretAccessKey: credentials.secretAccessKey,
    Token: credentials.sessionToken,
    Expiration: formatExpiration(credentials.expiration),
    AccountId: credentials.accountId ?? accountOf(role.roleArn),
    RoleArn: role.roleArn,
  });

/** The answer of EC2's `security-credentials`, which is text/plain there too. */
export const imdsAnswer: CredentialAnswer = (role, credentials) =>
  textAnswer(200, JSON.stringify(imdsBody(role, credentials), null, 1));

/** The answer of `security-credentials-extended`: the same with `AccountId`, which newer SDKs use. */
export const extendedImdsAnswer: CredentialAnswer = (role, credentials) => {
  const accountId = credentials.accountId ?? accountOf(role.roleArn);
  return textAnswer(200, JSON.stringify({ ...imdsBody(role, credentials), AccountId: accountId }, null, 1));
};

/** The twelve digits of an ARN's account. */
export function accountOf(arn: string): string {
  return arn.split(':')[4] ?? '';
}

function imdsBody(role: ServedRole, credentials: SessionCredentials): Record<string, string> {
  return {
    Code: 'Success',
    LastUpdated: formatExpiration(role.provider.status().refreshedAt ?? new Date()),
    Type: 'AWS-HMAC',
    AccessKeyId: credentials.accessKeyId,
    SecretAccessKey: credentials.secretAccessKey,
    Token: credentials.sessionToken,
    Expiration: formatExpiration(credentials.expiration),
  };
}
