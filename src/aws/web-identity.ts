/** AssumeRoleWithWebIdentity: from an identity provider's token to credentials. The request is not signed. */
import { RolesAnywhereError } from '../platform/errors.ts';
import type { Connection } from './connection.ts';
import { checkWebIdentity } from './sts-input.ts';
import type { WebIdentityInput } from './sts-input.ts';
import { askSts, single } from './sts.ts';
import type { AssumedRole } from './sts.ts';
import { textAt } from './xml.ts';

/** One AssumeRoleWithWebIdentity. */
export interface WebIdentityRequest extends WebIdentityInput {
  /** The region in which STS is asked. */
  readonly region: string;
  /** Gives the token, once for each attempt: 4 to 20000 characters. */
  readonly token: () => Promise<string>;
}

/** A session, and who STS understood the token to be of. */
export interface WebIdentityRole extends AssumedRole {
  /** The token's subject. */
  readonly subject?: string | undefined;
  /** The token's issuer. */
  readonly provider?: string | undefined;
  readonly audience?: string | undefined;
}

const MIN_TOKEN = 4;
const MAX_TOKEN = 20_000;

/**
 * Assumes a role with a token, with up to three attempts.
 *
 * Source: STS API Reference, "AssumeRoleWithWebIdentity".
 *
 * @throws RolesAnywhereError of class `usage` before anything is sent; `ERR_WEB_IDENTITY_TOKEN`; the service's refusal,
 * an unusable answer, or what kept it from answering
 */
export async function assumeRoleWithWebIdentity(
  request: WebIdentityRequest,
  connection: Connection,
): Promise<WebIdentityRole> {
  const { region, providerId, token } = request;
  checkWebIdentity(request);
  const { session, result } = await askSts(
    {
      action: 'AssumeRoleWithWebIdentity',
      region,
      input: request,
      parameters: async () => [...single('ProviderId', providerId), ['WebIdentityToken', checkToken(await token())]],
    },
    connection,
  );
  return {
    ...session,
    subject: printable(textAt(result, 'SubjectFromWebIdentityToken')),
    provider: printable(textAt(result, 'Provider')),
    audience: printable(textAt(result, 'Audience')),
  };
}

/** Whether it is a token at all; its claims are for STS to judge. */
function checkToken(token: unknown): string {
  const isToken = typeof token === 'string' && token.length >= MIN_TOKEN && token.length <= MAX_TOKEN;
  if (isToken && /^[\x21-\x7e]+$/.test(token)) return token;
  throw new RolesAnywhereError('ERR_WEB_IDENTITY_TOKEN', 'what was given as web identity token is none', {
    hint: `a token is ${MIN_TOKEN} to ${MAX_TOKEN} visible ASCII characters without spaces`,
  });
}

function printable(text: string | undefined): string | undefined {
  return text !== undefined && /^[\x20-\x7e]{1,1000}$/.test(text) ? text : undefined;
}
