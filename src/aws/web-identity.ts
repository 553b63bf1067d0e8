/** AssumeRoleWithWebIdentity: from an identity provider's token to credentials. The request is not signed. */
import { RolesAnywhereError } from '../platform/errors.ts';
import type { AssumedRole } from './assume-role.ts';
import { checkWebIdentity } from './sts-input.ts';
import type { WebIdentityInput } from './sts-input.ts';
import { aboutSession, roleSessionParameters, single } from './sts-parameters.ts';
import { vendFromSts } from './sts.ts';
import type { StsConnection } from './sts-connection.ts';
import { textAt } from './xml.ts';

/** One AssumeRoleWithWebIdentity. */
export interface WebIdentityOptions extends WebIdentityInput, StsConnection {
  /** Gives the token, once for each attempt: 4 to 20000 characters. */
  readonly token: () => Promise<string>;
}

/** A session, and who STS understood the token to be of. */
export interface WebIdentityRole extends AssumedRole {
  /** The token's subject. */
  readonly subject?: string;
  /** The token's issuer. */
  readonly provider?: string;
  readonly audience?: string;
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
export async function assumeRoleWithWebIdentity(options: WebIdentityOptions): Promise<WebIdentityRole> {
  const { roleArn, providerId, policy } = options;
  checkWebIdentity(options);
  const known = [...roleSessionParameters(options, (options.now ?? Date.now)()), ...single('ProviderId', providerId)];
  const { credentials, result } = await vendFromSts(
    {
      action: 'AssumeRoleWithWebIdentity',
      partition: roleArn.split(':')[1] ?? '',
      parameters: async () => [...known, ['WebIdentityToken', checkToken(await options.token())]],
      facts: { roleArn, policy },
    },
    options,
  );
  const subject = printable(textAt(result, 'SubjectFromWebIdentityToken'));
  const provider = printable(textAt(result, 'Provider'));
  const audience = printable(textAt(result, 'Audience'));
  return {
    ...credentials,
    ...aboutSession(result),
    ...(subject === undefined ? {} : { subject }),
    ...(provider === undefined ? {} : { provider }),
    ...(audience === undefined ? {} : { audience }),
  };
}

/** Its claims are STS's to judge. */
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
