/**
 * The emulator's STS: the query protocol, version 2011-06-15. Codes and texts
 * are the service's where they are known (STS API Reference).
 */
import type { Granted } from '../../wire/answer.ts';
import { authenticate } from '../../callers/authenticate.ts';
import type { Caller } from '../../callers/caller.ts';
import type { RequestContext } from '../context.ts';
import { queryParameters } from '../../wire/query.ts';
import type { ReceivedRequest } from '../../wire/received.ts';
import { Refusal } from '../../wire/refusal.ts';
import { assumeRole } from './assume-role.ts';
import { getCallerIdentity, getSessionToken } from './caller-operations.ts';
import { type StsParameters, createParameters, unknownParameters } from './parameters.ts';
import { assumeRoleWithWebIdentity } from './web-identity.ts';
import { STS_VERSION } from './xml.ts';

/** Operations that are called with credentials. */
const OPERATIONS: ReadonlyMap<string, (parameters: StsParameters, caller: Caller, context: RequestContext) => Granted> =
  new Map([
    ['AssumeRole', assumeRole],
    ['GetCallerIdentity', (_, caller, context) => getCallerIdentity(caller, context)],
    ['GetSessionToken', getSessionToken],
  ]);

/** @throws Refusal */
export async function sts(request: ReceivedRequest, context: RequestContext): Promise<Granted> {
  const parameters = createParameters(queryParameters(request));
  const action = parameters.get('Action');
  if (action === undefined) throw badRequest('MissingAction', 'The request is missing an action.');
  for (const name of unknownParameters(parameters)) context.onUnknownMember(action, name);
  const version = parameters.get('Version');
  // The one operation here that needs no credentials: the token vouches for the caller.
  if (action === 'AssumeRoleWithWebIdentity' && version === STS_VERSION)
    return await assumeRoleWithWebIdentity(parameters, context);
  const caller = authenticate(request, 'sts', context);
  const operation = version === STS_VERSION ? OPERATIONS.get(action) : undefined;
  if (operation !== undefined) return operation(parameters, caller, context);
  const asked = version ?? 'NO_VERSION_SPECIFIED';
  throw badRequest('InvalidAction', `Could not find operation ${action} for version ${asked}`);
}

function badRequest(code: string, message: string): Refusal {
  return new Refusal(400, code, message, message);
}
