/** The operations, each with the function that performs it. */
// Tests: test/emulator/services/control/clients.test.ts
import type { Kind } from '../../state/records.ts';
import { CRLS, importCrl, updateCrl } from './crls.ts';
import type { InputOf, OperationName } from './model.ts';
import { PROFILES, createProfile, deleteAttributeMapping, putAttributeMapping, updateProfile } from './profiles.ts';
import { type Call, type Outcome, type Resource, changed, find, page } from './resources.ts';
import { SUBJECTS, subjectSummary } from './subjects.ts';
import { listTags, tagResource, untagResource } from './tags.ts';
import {
  TRUST_ANCHORS,
  createTrustAnchor,
  putNotificationSettings,
  resetNotificationSettings,
  updateTrustAnchor,
} from './trust-anchors.ts';

type Operations = { readonly [O in OperationName]: (input: InputOf<O>, call: Call) => Outcome };

const OPERATE: Operations = {
  CreateTrustAnchor: createTrustAnchor,
  GetTrustAnchor: ({ trustAnchorId }, call) => get(TRUST_ANCHORS, 'trustAnchor', trustAnchorId, call),
  ListTrustAnchors: (input, call) => list('trustAnchors', TRUST_ANCHORS, input, call),
  UpdateTrustAnchor: updateTrustAnchor,
  DeleteTrustAnchor: ({ trustAnchorId }, call) =>
    remove('trustAnchors', TRUST_ANCHORS, 'trustAnchor', trustAnchorId, call),
  EnableTrustAnchor: ({ trustAnchorId }, call) => enable(TRUST_ANCHORS, 'trustAnchor', trustAnchorId, call, true),
  DisableTrustAnchor: ({ trustAnchorId }, call) => enable(TRUST_ANCHORS, 'trustAnchor', trustAnchorId, call, false),
  PutNotificationSettings: putNotificationSettings,
  ResetNotificationSettings: resetNotificationSettings,

  CreateProfile: createProfile,
  GetProfile: ({ profileId }, call) => get(PROFILES, 'profile', profileId, call),
  ListProfiles: (input, call) => list('profiles', PROFILES, input, call),
  UpdateProfile: updateProfile,
  DeleteProfile: ({ profileId }, call) => remove('profiles', PROFILES, 'profile', profileId, call),
  EnableProfile: ({ profileId }, call) => enable(PROFILES, 'profile', profileId, call, true),
  DisableProfile: ({ profileId }, call) => enable(PROFILES, 'profile', profileId, call, false),
  PutAttributeMapping: putAttributeMapping,
  DeleteAttributeMapping: deleteAttributeMapping,

  ImportCrl: importCrl,
  GetCrl: ({ crlId }, call) => get(CRLS, 'crl', crlId, call),
  ListCrls: (input, call) => list('crls', CRLS, input, call),
  UpdateCrl: updateCrl,
  DeleteCrl: ({ crlId }, call) => remove('crls', CRLS, 'crl', crlId, call),
  EnableCrl: ({ crlId }, call) => enable(CRLS, 'crl', crlId, call, true),
  DisableCrl: ({ crlId }, call) => enable(CRLS, 'crl', crlId, call, false),

  GetSubject: ({ subjectId }, call) => get(SUBJECTS, 'subject', subjectId, call),
  ListSubjects: (input, call) => list('subjects', { ...SUBJECTS, detail: subjectSummary }, input, call),

  TagResource: tagResource,
  UntagResource: untagResource,
  ListTagsForResource: listTags,
};

/** @throws Refusal */
export function operate<O extends OperationName>(name: O, input: InputOf<O>, call: Call): Outcome {
  return OPERATE[name](input, call);
}

type RecordOf<R> = R extends Resource<infer T> ? T : never;
type Anything = RecordOf<typeof TRUST_ANCHORS> | RecordOf<typeof PROFILES> | RecordOf<typeof CRLS>;

function get<R extends Anything | RecordOf<typeof SUBJECTS>>(
  resource: Resource<R>,
  member: string,
  id: string,
  call: Call,
): Outcome {
  const record = find(resource, id, call);
  return { body: { [member]: resource.detail(record) }, done: record.arn };
}

function list<R extends Anything | RecordOf<typeof SUBJECTS>>(
  member: string,
  resource: Resource<R>,
  input: InputOf<'ListCrls'>,
  call: Call,
): Outcome {
  const { records, ...rest } = page(resource, input, call);
  return {
    body: { [member]: records.map((record) => resource.detail(record)), ...rest },
    done: `${records.length} ${member}${'nextToken' in rest ? ', and more to come' : ''}`,
  };
}

function enable<R extends Anything>(
  resource: Resource<R>,
  member: string,
  id: string,
  call: Call,
  enabled: boolean,
): Outcome {
  const record = { ...changed(find(resource, id, call), {}, call), enabled };
  resource.put(call.context.state, record);
  return {
    body: { [member]: resource.detail(record) },
    done: `${record.arn} was ${enabled ? 'enabled' : 'disabled'}`,
  };
}

function remove<R extends Anything>(
  kind: Kind,
  resource: Resource<R>,
  member: string,
  id: string,
  call: Call,
): Outcome {
  const record = find(resource, id, call);
  call.context.state.apply({ op: 'delete', kind, arn: record.arn });
  return { body: { [member]: resource.detail(record) }, done: `${record.arn} was deleted` };
}
