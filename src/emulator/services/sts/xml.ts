/** Answers of STS. */
// Tests: test/emulator/services/sts/sts.test.ts
import type { Answer } from '../../wire/answer.ts';
import { type Elements, queryAnswer, queryError } from '../../wire/query.ts';
import type { RefusalDetails } from '../../wire/refusal.ts';
import { type Credentials, isoSeconds } from '../../callers/sessions.ts';

export const STS_VERSION = '2011-06-15';
const NAMESPACE = `https://sts.amazonaws.com/doc/${STS_VERSION}/`;

/** The answer of an operation with the elements of its result. */
export function stsAnswer(operation: string, result: Elements, requestId: string): Answer {
  return queryAnswer(NAMESPACE, operation, result, requestId);
}

export function credentialElements({ accessKeyId, secretAccessKey, sessionToken, expiration }: Credentials): Elements {
  return {
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    SessionToken: sessionToken,
    Expiration: isoSeconds(expiration),
  };
}

export function stsError(details: RefusalDetails, requestId: string): Answer {
  return queryError(NAMESPACE, details, requestId);
}
