/** The parts that the operations on all kinds of resources share. */
// Tests: test/emulator/services/control/control.test.ts
import type { Caller } from '../../callers/caller.ts';
import type { EmulatorContext } from '../context.ts';
import { Refusal } from '../../wire/refusal.ts';
import { type AliasedType, aliasArn, aliasProblem, findByArn } from '../../state/aliases.ts';
import type { Tag } from '../../state/records.ts';
import type { State } from '../../state/state.ts';
import { invalid } from './shapes.ts';

/** A request that was found to be allowed. */
export interface Call {
  readonly caller: Caller;
  readonly context: EmulatorContext;
  /** The time by the emulator's clock, ISO 8601. */
  readonly now: string;
}

/** The outcome of a request: the body of the answer, and words for the log. */
export interface Outcome {
  readonly body: object;
  readonly done: string;
}

/** The members that every record of these kinds has. */
interface Kept {
  readonly arn: string;
  readonly createdAt: string;
  readonly tags: readonly Tag[];
  readonly aliasName?: string | undefined;
}

/** One kind of thing, and how the state and the answers hold it. */
export interface Resource<R extends Kept> {
  /** As in its ARN. */
  readonly type: 'trust-anchor' | 'profile' | 'crl' | 'subject';
  get(state: State, arn: string): R | undefined;
  list(state: State): readonly R[];
  put(state: State, record: R): void;
  /** The record in the form of the service model. */
  detail(record: R): object;
}

/** The ARN of a thing of the caller's account. */
export function resourceArn(type: string, id: string, { caller, context }: Pick<Call, 'caller' | 'context'>): string {
  return `arn:${caller.partition}:rolesanywhere:${context.region}:${caller.account}:${type}/${id}`;
}

/** The last part of an ARN. */
export function idOf({ arn }: Kept): string {
  return arn.slice(arn.lastIndexOf('/') + 1);
}

/** The ARN with the id of what an id, an ARN or an alias ARN names, whether it is there or not. */
export function arnOf(resource: Pick<Resource<Kept>, 'type' | 'list'>, named: string, call: Call): string {
  const { type } = resource;
  if (!named.startsWith('arn:')) return resourceArn(type, named, call);
  return type === 'subject' ? named : (findByArn(resource.list(call.context.state), type, named)?.arn ?? named);
}

/**
 * What an id, an ARN or an alias ARN names.
 *
 * @throws Refusal ResourceNotFoundException, also for what is of another type, account or region
 */
export function find<R extends Kept>(resource: Resource<R>, named: string, call: Call): R {
  const arn = arnOf(resource, named, call);
  const isOwn = arn.startsWith(resourceArn(resource.type, '', call));
  const record = isOwn ? resource.get(call.context.state, arn) : undefined;
  if (record === undefined) throw notFound(arn);
  return record;
}

/** A resource that can have an alias. */
type AliasedResource<R extends Kept> = Resource<R> & { readonly type: AliasedType };

/**
 * The alias that a resource has after a request.
 *
 * @param given the request's: undefined keeps the one that there is, an empty one takes it away
 * @param before the resource, which a request to create has not
 * @throws Refusal ValidationException for one that cannot be, or that another resource of the type has
 */
export function newAlias<R extends Kept>(
  resource: AliasedResource<R>,
  given: string | undefined,
  call: Call,
  before?: R,
): string | undefined {
  if (given === undefined) return before?.aliasName;
  if (given === '') return undefined;
  const problem = aliasProblem(given);
  if (problem !== undefined) throw invalid(problem);
  const prefix = resourceArn(resource.type, '', call);
  const others = resource.list(call.context.state).filter(({ arn }) => arn.startsWith(prefix) && arn !== before?.arn);
  if (others.some(({ aliasName }) => aliasName === given)) throw invalid(`The alias name ${given} is already in use`);
  return given;
}

/** The members that tell of a resource's alias; undefined ones are not sent. */
export function aliasDetail(
  { type }: { readonly type: AliasedType },
  record: Kept,
): { readonly aliasName: string | undefined; readonly aliasArn: string | undefined } {
  return { aliasName: record.aliasName, aliasArn: aliasArn(record, type) };
}

/** The alias that an update took away or changed, for its answer alone. */
export function previousAlias(before: Kept, after: Kept): { readonly previousAliasName: string | undefined } {
  return { previousAliasName: before.aliasName === after.aliasName ? undefined : before.aliasName };
}

export function notFound(arn: string): Refusal {
  return new Refusal(404, 'ResourceNotFoundException', `Resource not found: ${arn}`, `there is no ${arn}`);
}

/** A record with changes, of which those that are undefined are none. */
export function changed<R extends Kept & { readonly updatedAt: string }>(
  record: R,
  changes: { readonly [N in keyof R]?: R[N] | undefined },
  { now }: Call,
): R {
  const given = Object.entries(changes).filter(([, value]) => value !== undefined);
  return { ...record, ...Object.fromEntries(given), updatedAt: now };
}

/**
 * Refuses keys that come twice or are AWS's own.
 *
 * @throws Refusal ValidationException
 */
export function checkTags(tags: readonly Tag[] = []): void {
  if (new Set(tags.map(({ key }) => key)).size !== tags.length) throw invalid('Tag keys must be unique');
  if (tags.some(({ key }) => key.toLowerCase().startsWith('aws:')))
    throw invalid('Tag keys must not begin with aws:, which is reserved');
}

/** The size of a page when a request does not give one. */
export const PAGE_SIZE = 50;
export const MAX_PAGE_SIZE = 1000;

/**
 * One page of a kind, oldest first. A token says after which thing the next
 * page begins, so that what is made or deleted meanwhile neither repeats nor
 * hides another.
 *
 * @throws Refusal ValidationException
 */
export function page<R extends Kept>(
  resource: Pick<Resource<R>, 'type' | 'list'>,
  {
    nextToken,
    pageSize = PAGE_SIZE,
  }: { readonly nextToken?: string | undefined; readonly pageSize?: number | undefined },
  { caller, context }: Call,
): { readonly records: readonly R[]; readonly nextToken?: string | undefined } {
  if (pageSize < 1) throw invalid('pageSize must be at least 1');
  const purpose = `page of ${resource.type}s of ${caller.account}`;
  const after = nextToken === undefined ? '' : readToken(context.tokens.unseal(purpose, nextToken));
  const size = Math.min(pageSize, MAX_PAGE_SIZE);
  const prefix = resourceArn(resource.type, '', { caller, context });
  const rest = resource
    .list(context.state)
    .filter((record) => record.arn.startsWith(prefix) && positionOf(record) > after)
    .toSorted((a, b) => (positionOf(a) < positionOf(b) ? -1 : 1));
  const records = rest.slice(0, size);
  const last = records.at(-1);
  return last === undefined || rest.length === records.length
    ? { records }
    : { records, nextToken: context.tokens.seal(purpose, { after: positionOf(last) }) };
}

function positionOf({ createdAt, arn }: Kept): string {
  return `${createdAt} ${arn}`;
}

function readToken(value: unknown): string {
  if (typeof value === 'object' && value !== null && 'after' in value && typeof value.after === 'string')
    return value.after;
  throw invalid('Invalid nextToken', 'nextToken is not one that was given out for this list');
}
