/** Trust anchors, and when to be told that certificates end. */
// Tests: test/emulator/services/control/control.test.ts
import { randomUUID } from 'node:crypto';
import type { NotificationSetting, TrustAnchorRecord } from '../../state/records.ts';
import { anchorProblem } from '../../certificates/anchors.ts';
import type { InputOf } from './model.ts';
import {
  type Call,
  type Outcome,
  type Resource,
  aliasDetail,
  changed,
  checkTags,
  find,
  idOf,
  newAlias,
  previousAlias,
  resourceArn,
} from './resources.ts';
import { invalid } from './shapes.ts';

export const TRUST_ANCHORS: Resource<TrustAnchorRecord> & { readonly type: 'trust-anchor' } = {
  type: 'trust-anchor',
  get: (state, arn) => state.get('trustAnchors', arn),
  list: (state) => state.list('trustAnchors'),
  put: (state, record) => state.apply({ op: 'put', kind: 'trustAnchors', record }),
  detail: (anchor) => ({
    trustAnchorId: idOf(anchor),
    trustAnchorArn: anchor.arn,
    name: anchor.name,
    source: {
      sourceType: anchor.sourceType,
      sourceData:
        anchor.acmPcaArn === undefined ? { x509CertificateData: anchor.certificates } : { acmPcaArn: anchor.acmPcaArn },
    },
    enabled: anchor.enabled,
    createdAt: anchor.createdAt,
    updatedAt: anchor.updatedAt,
    notificationSettings: effectiveSettings(anchor),
    crlDpRevocationEnabled: anchor.crlDpRevocationEnabled ?? false,
    ...aliasDetail(TRUST_ANCHORS, anchor),
  }),
};

/** The settings of an anchor that has none of its own: User Guide, "Customize notification settings". */
const DEFAULT_SETTINGS: readonly NotificationSetting[] = [
  {
    enabled: true,
    event: 'CA_CERTIFICATE_EXPIRY',
    threshold: 45,
    channel: 'ALL',
    configuredBy: 'rolesanywhere.amazonaws.com',
  },
  {
    enabled: true,
    event: 'END_ENTITY_CERTIFICATE_EXPIRY',
    threshold: 45,
    channel: 'ALL',
    configuredBy: 'rolesanywhere.amazonaws.com',
  },
];

function effectiveSettings({ notificationSettings }: TrustAnchorRecord): NotificationSetting[] {
  return overlay(DEFAULT_SETTINGS, notificationSettings);
}

/** The settings of `later` in the place of those for the same event. There is one channel, `ALL`. */
function overlay(
  earlier: readonly NotificationSetting[],
  later: readonly NotificationSetting[],
): NotificationSetting[] {
  const events = new Set(later.map(({ event }) => event));
  return [...earlier.filter(({ event }) => !events.has(event)), ...later];
}

function customSettings(
  given: InputOf<'PutNotificationSettings'>['notificationSettings'],
  { caller }: Call,
): NotificationSetting[] {
  if (new Set(given.map(({ event }) => event)).size !== given.length)
    throw invalid('Notification settings must have different events');
  return given.map((setting) => {
    if (setting.enabled && setting.threshold === undefined)
      throw invalid('A threshold is required for an enabled notification setting');
    return { channel: 'ALL', ...setting, configuredBy: caller.account };
  });
}

/** @throws Refusal */
export function createTrustAnchor(input: InputOf<'CreateTrustAnchor'>, call: Call): Outcome {
  const { name, source, enabled = false, tags = [], notificationSettings = [] } = input;
  checkTags(tags);
  const anchor: TrustAnchorRecord = {
    arn: resourceArn(TRUST_ANCHORS.type, randomUUID(), call),
    name,
    aliasName: newAlias(TRUST_ANCHORS, input.aliasName, call),
    enabled,
    ...readSource(source),
    crlDpRevocationEnabled: input.crlDpRevocationEnabled,
    notificationSettings: customSettings(notificationSettings, call),
    tags,
    createdAt: call.now,
    updatedAt: call.now,
  };
  return kept(anchor, call, 'was created');
}

/** @throws Refusal */
export function updateTrustAnchor(input: InputOf<'UpdateTrustAnchor'>, call: Call): Outcome {
  const { trustAnchorId, name, source, crlDpRevocationEnabled, aliasName } = input;
  const before = find(TRUST_ANCHORS, trustAnchorId, call);
  const changes = { name, crlDpRevocationEnabled, ...(source && readSource(source)) };
  const after = { ...changed(before, changes, call), aliasName: newAlias(TRUST_ANCHORS, aliasName, call, before) };
  return kept(after, call, 'was changed', previousAlias(before, after));
}

/** @throws Refusal */
export function putNotificationSettings(input: InputOf<'PutNotificationSettings'>, call: Call): Outcome {
  const anchor = find(TRUST_ANCHORS, input.trustAnchorId, call);
  const settings = overlay(anchor.notificationSettings, customSettings(input.notificationSettings, call));
  return kept(changed(anchor, { notificationSettings: settings }, call), call, 'has other notification settings');
}

/** @throws Refusal */
export function resetNotificationSettings(input: InputOf<'ResetNotificationSettings'>, call: Call): Outcome {
  const anchor = find(TRUST_ANCHORS, input.trustAnchorId, call);
  const events = new Set(input.notificationSettingKeys.map(({ event }) => event));
  const rest = anchor.notificationSettings.filter(({ event }) => !events.has(event));
  return kept(changed(anchor, { notificationSettings: rest }, call), call, 'has default notification settings');
}

function kept(anchor: TrustAnchorRecord, { context }: Call, what: string, more: object = {}): Outcome {
  TRUST_ANCHORS.put(context.state, anchor);
  return { body: { trustAnchor: { ...TRUST_ANCHORS.detail(anchor), ...more } }, done: `${anchor.arn} ${what}` };
}

function readSource({
  sourceType,
  sourceData,
}: InputOf<'CreateTrustAnchor'>['source']): Pick<TrustAnchorRecord, 'sourceType' | 'certificates'> {
  if (sourceType === undefined || sourceData === undefined) throw invalid('sourceType and sourceData are required');
  if (sourceType !== 'CERTIFICATE_BUNDLE')
    throw invalid(
      `Trust anchors of type ${sourceType} are not supported`,
      'no private CA is emulated: only CERTIFICATE_BUNDLE is a source here',
    );
  const { x509CertificateData: certificates, acmPcaArn } = sourceData;
  if (certificates === undefined || acmPcaArn !== undefined)
    throw invalid('sourceData of a CERTIFICATE_BUNDLE is x509CertificateData alone');
  const result = anchorProblem(certificates);
  if ('subject' in result) return { sourceType, certificates };
  // The first of these is the service's own wording; of the others none is known.
  throw result.problem.endsWith('it is not a CA certificate')
    ? invalid('Incorrect basic constraints for CA certificate', `the source ${result.problem}`)
    : invalid(`The certificate bundle ${result.problem}`);
}
