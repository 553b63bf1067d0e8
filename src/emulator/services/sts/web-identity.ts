/**
 * AssumeRoleWithWebIdentity: STS API Reference; IAM User Guide, "Available
 * keys for AWS OIDC federation" and "Pass session tags in AWS STS". Tokens are
 * verified against the keys that the world gives for their issuer.
 */
import type { JWTPayload } from 'jose';
import type { Granted } from '../../wire/answer.ts';
import { type Assumption, actionsOf, trustDecision } from '../../policy/assume.ts';
import { tagKeys } from '../../policy/tags.ts';
import { commonKeys } from '../../callers/caller.ts';
import type { RequestContext } from '../context.ts';
import { ContextKeys } from '../../policy/keys.ts';
import { Refusal } from '../../wire/refusal.ts';
import { expiryOf, isoSeconds } from '../../callers/sessions.ts';
import type { OidcProviderRecord } from '../../state/records.ts';
import {
  type RequestedTags,
  type StsParameters,
  checkTags,
  duration,
  invalid,
  optional,
  refused,
  required,
  sessionPolicies,
} from './parameters.ts';
import { checkDuration, checkPolicies, issue } from './session.ts';
import { stsAnswer } from './xml.ts';

const ACTION = 'sts:AssumeRoleWithWebIdentity';
const DEFAULT_SECONDS = 3600;
const MAX_SECONDS = 43_200;
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512'];
const CLAIMS = 'https://aws.amazon.com/';

/** @throws Refusal */
export async function assumeRoleWithWebIdentity(parameters: StsParameters, context: RequestContext): Promise<Granted> {
  const roleArn = required(parameters, 'RoleArn');
  const sessionName = required(parameters, 'RoleSessionName');
  const token = required(parameters, 'WebIdentityToken');
  if (optional(parameters, 'ProviderId') !== undefined)
    throw refused('InvalidIdentityToken', 'Provider is not supported', 'ProviderId is for OAuth 2.0, not for OIDC');
  const seconds = duration(parameters, DEFAULT_SECONDS, MAX_SECONDS);
  const account = roleArn.split(':')[4] ?? '';
  const policies = sessionPolicies(parameters, account);
  const now = context.now();
  const { provider, payload } = await verifyToken(token, account, context);
  const role = context.state.get('roles', roleArn);
  if (role === undefined) throw unauthorized(`there is no role ${roleArn}`);
  const { tags, transitiveTagKeys } = tagsOf(payload);
  const sourceIdentity = identityOf(payload);
  const assumption: Assumption = {
    role,
    action: ACTION,
    principal: { type: 'Federated', arn: provider.arn },
    keys: new ContextKeys({
      ...commonKeys(context.request, context),
      'aws:FederatedProvider': provider.arn,
      'aws:PrincipalType': 'FederatedUser',
      'sts:RoleSessionName': sessionName,
      'sts:SourceIdentity': sourceIdentity,
      ...claimKeys(provider, payload),
      ...tagKeys(tags, transitiveTagKeys),
    }),
    tagged: Object.keys(tags).length > 0,
    identified: sourceIdentity !== undefined,
  };
  for (const action of actionsOf(assumption)) {
    const { effect, reason } = trustDecision(assumption, action);
    if (effect !== 'allow') throw unauthorized(`the trust policy of ${roleArn}: ${reason}`, action);
  }
  checkDuration(seconds, role, false);
  checkPolicies(policies);
  const { elements, credentials, arn } = issue(
    role,
    {
      principalArn: roleArn,
      sessionName,
      issuedAt: now.getTime(),
      expiresAt: expiryOf(now, seconds),
      sourceIdentity,
      tags,
      transitiveTagKeys,
      ...policies,
      federatedProvider: provider.arn,
    },
    context,
  );
  const result = {
    SubjectFromWebIdentityToken: payload.sub,
    Audience: audienceOf(payload),
    Provider: provider.arn,
    ...elements,
  };
  return {
    answer: stsAnswer('AssumeRoleWithWebIdentity', result, context.requestId),
    reason: `"${payload.sub}" of ${provider.url} became ${arn} until ${isoSeconds(credentials.expiration)}`,
  };
}

interface Verified {
  readonly provider: OidcProviderRecord;
  readonly payload: JWTPayload;
}

async function verifyToken(token: string, account: string, { state, ...context }: RequestContext): Promise<Verified> {
  const jose = await import('jose');
  const now = context.now();
  let issuer: string | undefined;
  try {
    issuer = jose.decodeJwt(token).iss;
  } catch {
    throw invalidToken(
      'The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)',
    );
  }
  const provider = state.list('oidcProviders').find(({ arn, url }) => url === issuer && arn.split(':')[4] === account);
  if (provider === undefined)
    throw invalidToken(
      `No OpenIDConnect provider found in your account for ${issuer}`,
      `account ${account} has no OIDC provider for the issuer "${issuer}"`,
    );
  try {
    const keys = jose.createLocalJWKSet(JSON.parse(provider.jwks));
    const { payload } = await jose.jwtVerify(token, keys, {
      algorithms: ALGORITHMS,
      currentDate: now,
      requiredClaims: ['sub', 'aud', 'exp', 'iat'],
    });
    const audience = audienceOf(payload);
    if (audience === undefined || !provider.clientIds.includes(audience))
      throw invalidToken('Incorrect token audience', `the audience "${audience}" is not one of ${provider.url}`);
    return { provider, payload };
  } catch (error) {
    if (error instanceof Refusal) throw error;
    if (error instanceof jose.errors.JWTExpired)
      throw refused(
        'ExpiredTokenException',
        `Token expired: current date/time ${Math.floor(now.getTime() / 1000)} must be before the expiration date/time ${error.payload.exp}`,
        `the token expired at ${isoSeconds(new Date((error.payload.exp ?? 0) * 1000))}`,
      );
    const reason = error instanceof Error ? error.message : String(error);
    if (error instanceof jose.errors.JWKSNoMatchingKey)
      throw invalidToken(
        "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements",
        `none of the keys of ${provider.url} is that of the token: ${reason}`,
      );
    throw invalidToken('Invalid token', `the token does not verify: ${reason}`);
  }
}

/** The audience that counts: `azp`, when a token has it. */
function audienceOf({ azp, aud }: JWTPayload): string | undefined {
  if (typeof azp === 'string') return azp;
  return typeof aud === 'string' ? aud : aud?.[0];
}

/** Keys named after the provider: `HOST/PATH:aud`, `oaud`, `sub` and `amr`. */
function claimKeys(
  { url }: OidcProviderRecord,
  payload: JWTPayload,
): Record<string, string | readonly string[] | undefined> {
  const prefix = url.replace('https://', '');
  const { sub, aud, azp, amr } = payload;
  return {
    [`${prefix}:aud`]: audienceOf(payload),
    [`${prefix}:oaud`]: azp === undefined ? undefined : typeof aud === 'string' ? aud : aud?.[0],
    [`${prefix}:sub`]: sub,
    [`${prefix}:amr`]: Array.isArray(amr) ? amr.map(String) : undefined,
  };
}

/** The claim `https://aws.amazon.com/tags`, or the flattened form of it. */
function tagsOf(payload: JWTPayload): RequestedTags {
  const nested = payload[`${CLAIMS}tags`];
  const { principal_tags: tags, transitive_tag_keys: transitive }: Record<string, unknown> = isObject(nested)
    ? nested
    : {
        principal_tags: unflatten(payload, `${CLAIMS}tags/principal_tags/`),
        transitive_tag_keys: payload[`${CLAIMS}tags/transitive_tag_keys`],
      };
  const entries = Object.entries(isObject(tags) ? tags : {}).map(([key, value]): [string, string] => {
    const first: unknown = Array.isArray(value) && value.length === 1 ? value[0] : value;
    if (typeof first !== 'string') throw invalid(`tags.${key}`, undefined, 'a tag of a token has one value');
    return [key, first];
  });
  return checkTags(entries, Array.isArray(transitive) ? transitive.map(String) : []);
}

function unflatten(payload: JWTPayload, prefix: string): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(payload).flatMap(([name, value]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [],
    ),
  );
}

function identityOf(payload: JWTPayload): string | undefined {
  const value = payload[`${CLAIMS}source_identity`];
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || !/^(?!aws:)[\w+=,.@-]{2,64}$/i.test(value))
    throw invalid('sourceIdentity', undefined, 'Member must satisfy regular expression pattern: [\\w+=,.@-]*');
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalidToken(message: string, reason = message): Refusal {
  return refused('InvalidIdentityToken', message, reason);
}

function unauthorized(reason: string, action = ACTION): Refusal {
  return refused('AccessDenied', `Not authorized to perform ${action}`, reason, 403);
}
