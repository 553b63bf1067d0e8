/** Tags of trust anchors, profiles, CRLs and subjects. */
// Tests: test/emulator/services/control/control.test.ts
import { Refusal } from '../../wire/refusal.ts';
import type { Tag } from '../../state/records.ts';
import type { State } from '../../state/state.ts';
import { CRLS } from './crls.ts';
import type { InputOf } from './model.ts';
import { PROFILES } from './profiles.ts';
import { type Call, type Outcome, type Resource, checkTags, notFound } from './resources.ts';
import { SUBJECTS } from './subjects.ts';
import { TRUST_ANCHORS } from './trust-anchors.ts';

/** The model's limit of one request, taken for that of a resource too. */
export const MAX_TAGS = 200;

/** A thing's tags, and how to replace them. */
export interface Tagged {
  readonly tags: readonly Tag[];
  replace(tags: readonly Tag[]): void;
}

/** The resource with an ARN, of whatever kind. */
export function findTagged(state: State, arn: string): Tagged | undefined {
  const type = arn.split(':')[5]?.split('/')[0];
  if (type === TRUST_ANCHORS.type) return tagged(TRUST_ANCHORS, state, arn);
  if (type === PROFILES.type) return tagged(PROFILES, state, arn);
  if (type === CRLS.type) return tagged(CRLS, state, arn);
  return type === SUBJECTS.type ? tagged(SUBJECTS, state, arn) : undefined;
}

function tagged<R extends { readonly arn: string; readonly createdAt: string; readonly tags: readonly Tag[] }>(
  resource: Resource<R>,
  state: State,
  arn: string,
): Tagged | undefined {
  const record = resource.get(state, arn);
  return record && { tags: record.tags, replace: (tags) => resource.put(state, { ...record, tags }) };
}

/** @throws Refusal */
export function tagResource({ resourceArn, tags }: InputOf<'TagResource'>, call: Call): Outcome {
  const resource = own(resourceArn, call);
  checkTags(tags);
  const keys = new Set(tags.map(({ key }) => key));
  const all = [...resource.tags.filter(({ key }) => !keys.has(key)), ...tags];
  if (all.length > MAX_TAGS)
    throw new Refusal(
      400,
      'TooManyTagsException',
      `A resource can have ${MAX_TAGS} tags at most`,
      `${resourceArn} would have ${all.length} tags`,
    );
  resource.replace(all);
  return { body: {}, done: `${resourceArn} has ${all.length} tags` };
}

/** @throws Refusal */
export function untagResource({ resourceArn, tagKeys }: InputOf<'UntagResource'>, call: Call): Outcome {
  const resource = own(resourceArn, call);
  const rest = resource.tags.filter(({ key }) => !tagKeys.includes(key));
  resource.replace(rest);
  return { body: {}, done: `${resourceArn} has ${rest.length} tags` };
}

/** @throws Refusal */
export function listTags({ resourceArn }: InputOf<'ListTagsForResource'>, call: Call): Outcome {
  const { tags } = own(resourceArn, call);
  return { body: { tags }, done: `${tags.length} tags of ${resourceArn}` };
}

function own(arn: string, { caller, context }: Call): Tagged {
  const resource = arn.split(':')[4] === caller.account ? findTagged(context.state, arn) : undefined;
  if (resource === undefined) throw notFound(arn);
  return resource;
}
