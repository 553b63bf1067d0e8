/** The part of EC2's instance metadata service (version 2 only) that SDKs use to find credentials and a region. */

import { formatExpiration } from '../credentials/expiration.ts';
import { errorAnswer, jsonAnswer, textAnswer } from './answer.ts';
import type { Answer } from './answer.ts';
import { accountOf, extendedImdsAnswer, imdsAnswer } from './credential-answers.ts';
import { READ, VERSIONED_TOKEN } from './router.ts';
import type { Route, RouteRequest } from './router.ts';
import type { ServedRole } from './served-role.ts';
import { MAX_TTL_SECONDS } from './session-tokens.ts';
import type { SessionTokens } from './session-tokens.ts';
import { createVend } from './vend.ts';
import type { Vend, VendOptions } from './vend.ts';

const TTL_HEADER = 'X-Aws-Ec2-Metadata-Token-Ttl-Seconds';
const META = '/latest/meta-data';

/** The answer to `instance-id`, where nothing could be true: an id without `i-` is nobody's instance. */
const INSTANCE_ID = 'roles-anywhere';

const BAD_TTL = errorAnswer(400, 'BadRequest', `${TTL_HEADER} must be 1 to ${MAX_TTL_SECONDS}`);
const NO_TOKEN = errorAnswer(401, 'Unauthorized', 'no token was sent: only IMDSv2 is spoken here');
const BAD_TOKEN = errorAnswer(401, 'Unauthorized', 'the token is not valid or has expired');
// As EC2 does.
const VERSIONED = errorAnswer(403, 'Forbidden', 'tokens are given at /latest/api/token only');

export interface ImdsOptions {
  /** The roles that IMDS gives. The first one is listed. */
  readonly roles: readonly ServedRole[];
  readonly tokens: SessionTokens;
  readonly vending: VendOptions;
  /** Life of a token for which no time was asked, in seconds. Default: it is refused, as on EC2. */
  readonly tokenTtlSeconds?: number | undefined;
}

/** The routes, by path. */
export function imdsRoutes({ roles, tokens, vending, tokenTtlSeconds }: ImdsOptions): Map<string, Route> {
  const routes = new Map<string, Route>();
  routes.set('/latest/api/token', tokenRoute(tokens, tokenTtlSeconds));
  routes.set(VERSIONED_TOKEN, { label: 'imds-token', methods: ['PUT'], handle: () => VERSIONED });

  const add = (path: string, label: string, handle: Route['handle']): void => {
    routes.set(path, { label, methods: READ, handle: (request) => checkToken(tokens, request) ?? handle(request) });
  };
  const [listed] = roles;
  if (listed === undefined) return routes;

  const list = textAnswer(200, listed.name);
  add(`${META}/iam/security-credentials`, 'imds-roles', () => list);
  add(`${META}/iam/security-credentials-extended`, 'imds-roles', () => list);
  for (const role of roles) {
    const addRole = (folder: string, vend: Vend): void =>
      add(`${META}/iam/${folder}/${role.name}`, 'imds-credentials', ({ socket, method }) => vend(socket, method));
    addRole('security-credentials', createVend(role, imdsAnswer, vending));
    addRole('security-credentials-extended', createVend(role, extendedImdsAnswer, vending));
  }

  add(`${META}/iam/info`, 'imds-other', () => info(listed));
  const instanceId = textAnswer(200, INSTANCE_ID);
  add(`${META}/instance-id`, 'imds-other', () => instanceId);
  const region = textAnswer(200, listed.region);
  add(`${META}/placement/region`, 'imds-other', () => region);
  // There is no zone. SDKs cut the last letter off to get the region.
  const zone = textAnswer(200, `${listed.region}a`);
  add(`${META}/placement/availability-zone`, 'imds-other', () => zone);
  const document = textAnswer(
    200,
    JSON.stringify({ accountId: accountOf(listed.roleArn), region: listed.region }, null, 1),
  );
  add('/latest/dynamic/instance-identity/document', 'imds-other', () => document);
  return routes;
}

function tokenRoute(tokens: SessionTokens, byDefault: number | undefined): Route {
  return {
    label: 'imds-token',
    methods: ['PUT'],
    handle({ head }) {
      const ttl = head.ttl || byDefault?.toString();
      if (ttl === undefined || !/^[1-9]\d{0,4}$/.test(ttl) || Number(ttl) > MAX_TTL_SECONDS) return BAD_TTL;
      // Go and Rust read the lifetime from the answer.
      return textAnswer(200, tokens.issue(Number(ttl)), [TTL_HEADER, ttl]);
    },
  };
}

function checkToken(tokens: SessionTokens, { head }: RouteRequest): Answer | undefined {
  if (head.token === undefined) return NO_TOKEN;
  return tokens.accepts(head.token) ? undefined : BAD_TOKEN;
}

/** The answer to `iam/info`. There is no instance profile: the ARN is the role's, and no id is made up. */
function info(role: ServedRole): Answer {
  const { refreshedAt } = role.provider.status();
  return jsonAnswer(200, {
    Code: 'Success',
    LastUpdated: refreshedAt && formatExpiration(refreshedAt),
    InstanceProfileArn: role.roleArn,
  });
}
