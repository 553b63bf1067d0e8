/**
 * The control plane of IAM Roles Anywhere: signed by a user's or a session's
 * credentials, allowed by their policies, checked by the service model.
 */
import type { Granted } from '../../wire/answer.ts';
import { authenticate } from '../../callers/authenticate.ts';
import { type Caller, callerKeys, commonKeys, notAuthorized, permissionProblem } from '../../callers/caller.ts';
import type { RequestContext } from '../context.ts';
import type { ReceivedRequest } from '../../wire/received.ts';
import { Refusal } from '../../wire/refusal.ts';
import type { Tag } from '../../state/records.ts';
import { CRLS } from './crls.ts';
import { matchOperation, sentInput } from './input.ts';
import { OPERATIONS, type Operation, type OperationName, readInput } from './model.ts';
import { operate } from './operations.ts';
import { PROFILES } from './profiles.ts';
import { type Call, arnOf } from './resources.ts';
import { SUBJECTS } from './subjects.ts';
import { findTagged } from './tags.ts';
import { TRUST_ANCHORS } from './trust-anchors.ts';

/** The error codes for wrong credentials in this protocol, by those of STS where they differ. */
const CODES: Readonly<Record<string, string>> = {
  MissingAuthenticationToken: 'MissingAuthenticationTokenException',
  IncompleteSignature: 'IncompleteSignatureException',
  InvalidClientTokenId: 'UnrecognizedClientException',
  SignatureDoesNotMatch: 'InvalidSignatureException',
  ExpiredToken: 'ExpiredTokenException',
};

/** @throws Refusal */
export function control(request: ReceivedRequest, context: RequestContext): Granted {
  const matched = matchOperation(request);
  if (matched === undefined) {
    const { method, path } = request;
    throw new Refusal(404, 'UnknownOperationException', 'Unknown operation', `there is no ${method} ${path}`);
  }
  const caller = identify(request, context);
  const call: Call = { caller, context, now: context.now().toISOString() };
  const { name } = matched;
  const input = readInput(name, sentInput(request, matched), context.onUnknownMember);
  authorize(name, input, call, request);
  const { body, done } = operate(name, input, call);
  const { status = 200 }: Operation = OPERATIONS[name];
  return {
    answer: { status, contentType: 'application/json', body: JSON.stringify(body) },
    reason: `${name} of ${caller.arn}: ${done}`,
  };
}

function identify(request: ReceivedRequest, context: RequestContext): Caller {
  try {
    return authenticate(request, 'rolesanywhere', context, context.region);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { status, code, message, reason, ...compared } = error.details;
    throw new Refusal(status, CODES[code] ?? code, message, reason, compared);
  }
}

/** The resources that operations are about, by the member that names them. An operation without one is about `*`. */
const RESOURCES = { trustAnchorId: TRUST_ANCHORS, profileId: PROFILES, crlId: CRLS, subjectId: SUBJECTS };

function authorize(name: OperationName, input: object, call: Call, request: ReceivedRequest): void {
  const { caller, context } = call;
  const members = new Map<string, unknown>(Object.entries(input));
  const named = Object.entries(RESOURCES).find(([member]) => members.has(member));
  const tagged = members.get('resourceArn');
  const resource =
    named === undefined
      ? typeof tagged === 'string'
        ? tagged
        : '*'
      : arnOf(named[1], String(members.get(named[0])), call);
  const keys = callerKeys(caller, context.now()).with({
    ...commonKeys(request, context),
    ...tagKeys(findTagged(context.state, resource)?.tags, 'aws:ResourceTag'),
    ...requestKeys(members),
  });
  const action = `rolesanywhere:${name}`;
  const problem = permissionProblem(caller, context.state, { action, resource, keys });
  if (problem !== undefined) throw notAuthorized(caller, action, resource, problem, 'AccessDeniedException');
}

function requestKeys(members: ReadonlyMap<string, unknown>): Record<string, string | readonly string[] | undefined> {
  const tags = asTags(members.get('tags'));
  const removed = members.get('tagKeys');
  const names = Array.isArray(removed) ? removed.map(String) : tags.map(({ key }) => key);
  return { ...tagKeys(tags, 'aws:RequestTag'), 'aws:TagKeys': names.length === 0 ? undefined : names };
}

/** The model has checked them by now. */
function asTags(value: unknown): Tag[] {
  const items: unknown[] = Array.isArray(value) ? value : [];
  return items.flatMap((item) =>
    typeof item === 'object' && item !== null && 'key' in item && 'value' in item
      ? [{ key: String(item.key), value: String(item.value) }]
      : [],
  );
}

function tagKeys(tags: readonly Tag[] = [], name: string): Record<string, string> {
  return Object.fromEntries(tags.map(({ key, value }) => [`${name}/${key}`, value]));
}
