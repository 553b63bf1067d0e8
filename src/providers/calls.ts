/** One call each, for programs whose types nobody checks: the operations with the providers' defaults and checks. */
import { checkArnsAgree, isRegion, parseArn } from '../aws/arn.ts';
import { assumeRole as askForRole } from '../aws/assume-role.ts';
import type { AssumeRoleRequest } from '../aws/assume-role.ts';
import type { Connection } from '../aws/connection.ts';
import { createSession as askForSession } from '../aws/create-session.ts';
import type { CreateSessionRequest } from '../aws/create-session.ts';
import { parseEndpoint } from '../aws/endpoints.ts';
import type { Endpoints, EndpointVariant } from '../aws/endpoints.ts';
import { checkDuration, checkSessionName } from '../aws/session-limits.ts';
import { signinUrl as askForSigninUrl } from '../aws/signin-url.ts';
import type { SigninUrlRequest } from '../aws/signin-url.ts';
import type { AssumedRole } from '../aws/sts.ts';
import { assumeRoleWithWebIdentity as askByToken } from '../aws/web-identity.ts';
import type { WebIdentityRequest, WebIdentityRole } from '../aws/web-identity.ts';
import type { SessionCredentials } from '../credentials/credentials.ts';
import { directTransport } from '../http/direct.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import {
  checkLists,
  refuseUnknown,
  requireFunction,
  requireGiven,
  requireMethod,
  requireOptions,
  requireRecord,
  taken,
} from './given.ts';

/** How one call reaches AWS. What is left out has a provider's default. */
export interface CallConnection extends Partial<Omit<Connection, 'endpoints'>> {
  /** In place of the standard endpoints. Plain http only to this machine, unless `allowHttp` is true. */
  readonly endpoints?: CallEndpoints | undefined;
}

/** Endpoints, as text too. */
export interface CallEndpoints extends EndpointVariant, Pick<Endpoints, 'allowHttp'> {
  readonly rolesanywhere?: string | URL | undefined;
  readonly sts?: string | URL | undefined;
  readonly signin?: string | URL | undefined;
}

const CONNECTION: Readonly<Record<keyof CallConnection, true>> = {
  transport: true,
  tls: true,
  endpoints: true,
  retry: true,
  clock: true,
  userAgent: true,
  log: true,
  signal: true,
  onStage: true,
  monotonic: true,
  random: true,
  sleep: true,
  onRetry: true,
  onClockOffset: true,
  budget: true,
};
const ENDPOINTS: Readonly<Record<keyof CallEndpoints, true>> = {
  rolesanywhere: true,
  sts: true,
  signin: true,
  allowHttp: true,
  useFips: true,
  useDualStack: true,
};
const SESSION: Readonly<Record<keyof CreateSessionRequest, true>> = {
  identity: true,
  trustAnchorArn: true,
  profileArn: true,
  roleArn: true,
  region: true,
  durationSeconds: true,
  roleSessionName: true,
};
const ROLE: Readonly<Record<keyof AssumeRoleRequest, true>> = {
  credentials: true,
  region: true,
  tokenCode: true,
  roleArn: true,
  roleSessionName: true,
  durationSeconds: true,
  policy: true,
  policyArns: true,
  externalId: true,
  serialNumber: true,
  sourceIdentity: true,
  tags: true,
  transitiveTagKeys: true,
  providedContexts: true,
};
const WEB_IDENTITY: Readonly<Record<keyof WebIdentityRequest, true>> = {
  region: true,
  token: true,
  roleArn: true,
  roleSessionName: true,
  durationSeconds: true,
  policy: true,
  policyArns: true,
  providerId: true,
};
const SIGNIN: Readonly<Record<keyof SigninUrlRequest, true>> = {
  credentials: true,
  partition: true,
  destination: true,
  region: true,
  sessionDuration: true,
  issuer: true,
};

/** What a call takes in place of a region that follows from an ARN. */
export type CreateSessionCall = Omit<CreateSessionRequest, 'region'> & {
  /** Default: that of the trust anchor. */
  readonly region?: string | undefined;
};

/**
 * Exchanges an identity for temporary credentials, once, with up to three attempts.
 *
 * @param connection default: directly, to the standard endpoints
 * @throws RolesAnywhereError of class `usage` before anything is sent; the service's refusal, an unusable answer, or what
 * kept it from answering
 */
export async function createSession(
  request: CreateSessionCall,
  connection: CallConnection = {},
): Promise<SessionCredentials> {
  request = requestOf(request, SESSION);
  const { trustAnchorArn, profileArn, roleArn, durationSeconds, roleSessionName } = request;
  for (const name of ['trustAnchorArn', 'profileArn', 'roleArn'] as const) requireGiven(name, request[name]);
  requireMethod('identity.signer', request.identity?.signer, 'sign');
  const anchor = parseArn('trust-anchor', trustAnchorArn, 'trustAnchorArn');
  checkArnsAgree(anchor, parseArn('profile', profileArn, 'profileArn'), parseArn('role', roleArn, 'roleArn'));
  checkDuration(durationSeconds, 'durationSeconds');
  checkSessionName(roleSessionName, 'roleSessionName');
  const { region = anchor.region } = request;
  return await askForSession({ ...request, region: checkedRegion(region) }, connectionOf(connection));
}

/** Assumes a role, once. As {@link createSession} otherwise. */
export async function assumeRole(request: AssumeRoleRequest, connection: CallConnection = {}): Promise<AssumedRole> {
  request = requestOf(request, ROLE);
  const { roleArn, credentials, policyArns, transitiveTagKeys, providedContexts, tags, tokenCode } = request;
  requireGiven('roleArn', roleArn);
  checkAccessKey(credentials);
  checkLists({ policyArns, transitiveTagKeys, providedContexts });
  if (tags !== undefined) requireRecord('tags', tags);
  if (tokenCode !== undefined) requireFunction('tokenCode', tokenCode);
  return await askForRole({ ...request, region: checkedRegion(request.region) }, connectionOf(connection));
}

/** Assumes a role with a token, once. As {@link createSession} otherwise. */
export async function assumeRoleWithWebIdentity(
  request: WebIdentityRequest,
  connection: CallConnection = {},
): Promise<WebIdentityRole> {
  request = requestOf(request, WEB_IDENTITY);
  requireGiven('roleArn', request.roleArn);
  requireFunction('token', request.token);
  checkLists({ policyArns: request.policyArns });
  return await askByToken({ ...request, region: checkedRegion(request.region) }, connectionOf(connection));
}

/** Makes a URL that signs a browser in to the AWS console. As {@link createSession} otherwise. */
export async function signinUrl(request: SigninUrlRequest, connection: CallConnection = {}): Promise<string> {
  request = requestOf(request, SIGNIN);
  checkAccessKey(request.credentials);
  for (const name of ['partition', 'destination', 'region', 'issuer'] as const)
    if (request[name] !== undefined) requireGiven(name, request[name]);
  return await askForSigninUrl(request, connectionOf(connection));
}

function requestOf<T extends object>(given: T, known: Readonly<Record<string, true>>): T {
  requireOptions(given, 'the request');
  refuseUnknown(given, known, 'the request');
  return taken(given, known);
}

function connectionOf(given: CallConnection): Connection {
  requireOptions(given, 'the connection');
  refuseUnknown(given, CONNECTION, 'the connection');
  const connection = taken(given, CONNECTION);
  const { transport = directTransport, endpoints, tls, retry, clock, signal } = connection;
  requireFunction('transport', transport);
  for (const [name, value] of Object.entries({ endpoints, tls, retry }))
    if (value !== undefined) requireOptions(value, name);
  if (clock !== undefined) requireMethod('clock', clock, 'now');
  if (signal !== undefined) requireMethod('signal', signal, 'addEventListener');
  return { ...connection, transport, endpoints: endpoints && endpointsOf(endpoints) };
}

function endpointsOf(given: CallEndpoints): Endpoints {
  refuseUnknown(given, ENDPOINTS, 'endpoints');
  const read = (name: 'rolesanywhere' | 'sts' | 'signin'): URL | undefined => {
    const value = given[name];
    return value === undefined ? undefined : parseEndpoint(value, `endpoints.${name}`, given.allowHttp);
  };
  return { ...given, rolesanywhere: read('rolesanywhere'), sts: read('sts'), signin: read('signin') };
}

function checkedRegion(region: unknown): string {
  requireGiven('region', region);
  if (typeof region === 'string' && isRegion(region)) return region;
  throw new RolesAnywhereError('ERR_REGION', `region is not a region: ${JSON.stringify(region)}`);
}

function checkAccessKey(credentials: unknown): void {
  requireOptions(credentials, 'credentials');
  for (const name of ['accessKeyId', 'secretAccessKey'])
    requireGiven(`credentials.${name}`, Reflect.get(Object(credentials), name));
}
