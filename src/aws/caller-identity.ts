/** GetCallerIdentity: whose credentials they are. Tests: test/cli/whoami.test.ts */
import type { AwsCredentials } from '../credentials/credentials.ts';
import type { Connection } from './connection.ts';
import { invalidAnswer } from './credential-answer.ts';
import { query } from './sts.ts';
import { readXml, textAt } from './xml.ts';

/** The caller, in the words of STS. */
export interface CallerIdentity {
  /** The unique id; of a role session `ROLE-ID:SESSION-NAME`. */
  readonly userId: string;
  /** Twelve digits. */
  readonly account: string;
  readonly arn: string;
}

/** Who asks, and where. */
export interface CallerIdentityRequest {
  readonly credentials: AwsCredentials;
  readonly region: string;
  readonly partition: string;
}

const ACTION = 'GetCallerIdentity';

/**
 * Asks STS whose credentials these are. No permission is needed for it.
 *
 * Source: STS API Reference, "GetCallerIdentity".
 *
 * @throws RolesAnywhereError the service's refusal, an unusable answer, or what kept it from answering
 */
export async function callerIdentity(
  { credentials, region, partition }: CallerIdentityRequest,
  connection: Connection,
): Promise<CallerIdentity> {
  return await query({ action: ACTION, partition, region, credentials, facts: {} }, connection, ({ status, body }) => {
    const root = readXml(body);
    const member = (name: string): string => {
      const text = root?.name === `${ACTION}Response` ? textAt(root, `${ACTION}Result`, name) : undefined;
      // Printed, perhaps on a terminal.
      if (text !== undefined && /^[\x21-\x7e]{1,2048}$/.test(text)) return text;
      const requestId = textAt(root, 'ResponseMetadata', 'RequestId');
      throw invalidAnswer({ operation: ACTION, service: 'STS', status, requestId }, `has no ${name} that could be one`);
    };
    return { userId: member('UserId'), account: member('Account'), arn: member('Arn') };
  });
}
