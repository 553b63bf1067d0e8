/**
 * The operations of IAM Roles Anywhere's control plane, after the service
 * model `rolesanywhere` 2018-05-10 as botocore 1.43.11 ships it
 * (https://docs.aws.amazon.com/rolesanywhere/latest/APIReference/Welcome.html),
 * and after the AWS SDK for Go, service/rolesanywhere v1.34.0, for what is
 * newer: aliases and CRL distribution points.
 */
// Tests: test/emulator/services/control/clients.test.ts
import type { OnUnknownMember } from '../context.ts';
import { type StructureShape, type ValueOf, readShape } from './shapes.ts';

const STRING = { type: 'string' } as const;
const BOOLEAN = { type: 'boolean' } as const;
const INTEGER = { type: 'integer' } as const;
/** Up to 2026-11-13 the id alone; since then an ARN as well. No pattern of it is published. */
const ID_OR_ARN = {
  type: 'string',
  min: 1,
  max: 1011,
  pattern: '.*[a-f0-9]{8}-([a-z0-9]{4}-){3}[a-z0-9]{12}.*|arn:aws(-[^:]+)?:rolesanywhere:.*',
} as const;
const UUID = {
  type: 'string',
  min: 36,
  max: 36,
  pattern: '.*[a-f0-9]{8}-([a-z0-9]{4}-){3}[a-z0-9]{12}.*',
} as const;
const NAME = { type: 'string', min: 1, max: 255, pattern: '[ a-zA-Z0-9\\-_]*' } as const;
/** May be empty, which means that there is none. What else it must be is in state/aliases.ts. */
const ALIAS_NAME = STRING;
const RESOURCE_ARN = { type: 'string', min: 1, max: 1011 } as const;
const ROLE_ARNS = {
  type: 'list',
  max: 250,
  member: { type: 'string', min: 1, max: 1011, pattern: 'arn:aws(-[^:]+)?:iam(:.*){2}(:role.*)' },
} as const;
const POLICY_ARNS = { type: 'list', max: 50, member: { type: 'string', min: 1, max: 200 } } as const;
const DURATION = { type: 'integer', min: 900, max: 43_200 } as const;

const TAG_CHARACTERS = '[ a-zA-Z0-9_.:/=+@\\-]*';
const TAG_KEY = { type: 'string', min: 1, max: 128, pattern: TAG_CHARACTERS, sensitive: true } as const;
const TAG_VALUE = { type: 'string', min: 0, max: 256, pattern: TAG_CHARACTERS, sensitive: true } as const;
const TAGS = {
  type: 'list',
  max: 200,
  member: { type: 'structure', members: { key: TAG_KEY, value: TAG_VALUE }, required: ['key', 'value'] },
} as const;

const SOURCE = {
  type: 'structure',
  members: {
    sourceType: { type: 'string', enum: ['AWS_ACM_PCA', 'CERTIFICATE_BUNDLE', 'SELF_SIGNED_REPOSITORY'] },
    sourceData: {
      type: 'structure',
      members: { x509CertificateData: { type: 'string', min: 1, max: 16_000 }, acmPcaArn: STRING },
    },
  },
} as const;

const EVENT = { type: 'string', enum: ['CA_CERTIFICATE_EXPIRY', 'END_ENTITY_CERTIFICATE_EXPIRY'] } as const;
const CHANNEL = { type: 'string', enum: ['ALL'] } as const;
const NOTIFICATION_SETTINGS = {
  type: 'list',
  max: 50,
  member: {
    type: 'structure',
    members: { enabled: BOOLEAN, event: EVENT, threshold: { type: 'integer', min: 1, max: 360 }, channel: CHANNEL },
    required: ['enabled', 'event'],
  },
} as const;
const NOTIFICATION_KEYS = {
  type: 'list',
  max: 50,
  member: { type: 'structure', members: { event: EVENT, channel: CHANNEL }, required: ['event'] },
} as const;

const FIELD = { type: 'string', enum: ['x509Subject', 'x509Issuer', 'x509SAN'] } as const;
const MAPPING_RULES = {
  type: 'list',
  member: {
    type: 'structure',
    members: { specifier: { type: 'string', min: 0, max: 60 } },
    required: ['specifier'],
  },
} as const;

const PEM_CRL = { type: 'blob', min: 1, max: 300_000 } as const;

const LIST = {
  type: 'structure',
  members: { nextToken: { type: 'string', min: 1, max: 10_000 }, pageSize: INTEGER },
} as const;
const LIST_QUERY = ['nextToken', 'pageSize'] as const;

const ofAnchor = { type: 'structure', members: { trustAnchorId: ID_OR_ARN }, required: ['trustAnchorId'] } as const;
const ofProfile = { type: 'structure', members: { profileId: ID_OR_ARN }, required: ['profileId'] } as const;
const ofCrl = { type: 'structure', members: { crlId: ID_OR_ARN }, required: ['crlId'] } as const;
const ofSubject = { type: 'structure', members: { subjectId: UUID }, required: ['subjectId'] } as const;

/** One operation: its place in HTTP, and its input. */
export interface Operation {
  readonly method: string;
  /** Members in braces are taken from there. */
  readonly path: string;
  /** Members that are taken from the query; all others come from the body. */
  readonly query?: readonly string[] | undefined;
  /** The HTTP status of a success; default 200. */
  readonly status?: number | undefined;
  readonly input: StructureShape;
}

export const OPERATIONS = {
  CreateTrustAnchor: {
    method: 'POST',
    path: '/trustanchors',
    status: 201,
    input: {
      type: 'structure',
      members: {
        name: NAME,
        source: SOURCE,
        enabled: BOOLEAN,
        tags: TAGS,
        notificationSettings: NOTIFICATION_SETTINGS,
        crlDpRevocationEnabled: BOOLEAN,
        aliasName: ALIAS_NAME,
      },
      required: ['name', 'source'],
    },
  },
  GetTrustAnchor: { method: 'GET', path: '/trustanchor/{trustAnchorId}', input: ofAnchor },
  ListTrustAnchors: { method: 'GET', path: '/trustanchors', query: LIST_QUERY, input: LIST },
  UpdateTrustAnchor: {
    method: 'PATCH',
    path: '/trustanchor/{trustAnchorId}',
    input: {
      type: 'structure',
      members: {
        trustAnchorId: ID_OR_ARN,
        name: NAME,
        source: SOURCE,
        crlDpRevocationEnabled: BOOLEAN,
        aliasName: ALIAS_NAME,
      },
      required: ['trustAnchorId'],
    },
  },
  DeleteTrustAnchor: { method: 'DELETE', path: '/trustanchor/{trustAnchorId}', input: ofAnchor },
  EnableTrustAnchor: { method: 'POST', path: '/trustanchor/{trustAnchorId}/enable', input: ofAnchor },
  DisableTrustAnchor: { method: 'POST', path: '/trustanchor/{trustAnchorId}/disable', input: ofAnchor },
  PutNotificationSettings: {
    method: 'PATCH',
    path: '/put-notifications-settings',
    input: {
      type: 'structure',
      members: { trustAnchorId: UUID, notificationSettings: NOTIFICATION_SETTINGS },
      required: ['trustAnchorId', 'notificationSettings'],
    },
  },
  ResetNotificationSettings: {
    method: 'PATCH',
    path: '/reset-notifications-settings',
    input: {
      type: 'structure',
      members: { trustAnchorId: UUID, notificationSettingKeys: NOTIFICATION_KEYS },
      required: ['trustAnchorId', 'notificationSettingKeys'],
    },
  },

  CreateProfile: {
    method: 'POST',
    path: '/profiles',
    status: 201,
    input: {
      type: 'structure',
      members: {
        name: NAME,
        requireInstanceProperties: BOOLEAN,
        sessionPolicy: STRING,
        roleArns: ROLE_ARNS,
        managedPolicyArns: POLICY_ARNS,
        durationSeconds: DURATION,
        enabled: BOOLEAN,
        tags: TAGS,
        acceptRoleSessionName: BOOLEAN,
        aliasName: ALIAS_NAME,
      },
      required: ['name', 'roleArns'],
    },
  },
  GetProfile: { method: 'GET', path: '/profile/{profileId}', input: ofProfile },
  ListProfiles: { method: 'GET', path: '/profiles', query: LIST_QUERY, input: LIST },
  UpdateProfile: {
    method: 'PATCH',
    path: '/profile/{profileId}',
    input: {
      type: 'structure',
      members: {
        profileId: ID_OR_ARN,
        name: NAME,
        sessionPolicy: { type: 'string', min: 1, max: 100_000 },
        roleArns: ROLE_ARNS,
        managedPolicyArns: POLICY_ARNS,
        durationSeconds: DURATION,
        acceptRoleSessionName: BOOLEAN,
        aliasName: ALIAS_NAME,
      },
      required: ['profileId'],
    },
  },
  DeleteProfile: { method: 'DELETE', path: '/profile/{profileId}', input: ofProfile },
  EnableProfile: { method: 'POST', path: '/profile/{profileId}/enable', input: ofProfile },
  DisableProfile: { method: 'POST', path: '/profile/{profileId}/disable', input: ofProfile },
  PutAttributeMapping: {
    method: 'PUT',
    path: '/profiles/{profileId}/mappings',
    input: {
      type: 'structure',
      members: { profileId: ID_OR_ARN, certificateField: FIELD, mappingRules: MAPPING_RULES },
      required: ['profileId', 'certificateField', 'mappingRules'],
    },
  },
  DeleteAttributeMapping: {
    method: 'DELETE',
    path: '/profiles/{profileId}/mappings',
    query: ['certificateField', 'specifiers'],
    input: {
      type: 'structure',
      members: { profileId: ID_OR_ARN, certificateField: FIELD, specifiers: { type: 'list', member: STRING } },
      required: ['profileId', 'certificateField'],
    },
  },

  ImportCrl: {
    method: 'POST',
    path: '/crls',
    status: 201,
    input: {
      type: 'structure',
      members: {
        name: NAME,
        crlData: PEM_CRL,
        enabled: BOOLEAN,
        aliasName: ALIAS_NAME,
        tags: TAGS,
        trustAnchorArn: {
          type: 'string',
          min: 1,
          max: 1011,
          pattern: 'arn:aws(-[^:]+)?:rolesanywhere(:.*){2}(:(alias/)?trust-anchor.*)',
        },
      },
      required: ['name', 'crlData', 'trustAnchorArn'],
    },
  },
  GetCrl: { method: 'GET', path: '/crl/{crlId}', input: ofCrl },
  ListCrls: { method: 'GET', path: '/crls', query: LIST_QUERY, input: LIST },
  UpdateCrl: {
    method: 'PATCH',
    path: '/crl/{crlId}',
    input: {
      type: 'structure',
      members: { crlId: ID_OR_ARN, name: NAME, crlData: PEM_CRL, aliasName: ALIAS_NAME },
      required: ['crlId'],
    },
  },
  DeleteCrl: { method: 'DELETE', path: '/crl/{crlId}', input: ofCrl },
  EnableCrl: { method: 'POST', path: '/crl/{crlId}/enable', input: ofCrl },
  DisableCrl: { method: 'POST', path: '/crl/{crlId}/disable', input: ofCrl },

  GetSubject: { method: 'GET', path: '/subject/{subjectId}', input: ofSubject },
  ListSubjects: { method: 'GET', path: '/subjects', query: LIST_QUERY, input: LIST },

  TagResource: {
    method: 'POST',
    path: '/TagResource',
    status: 201,
    input: {
      type: 'structure',
      members: { resourceArn: RESOURCE_ARN, tags: TAGS },
      required: ['resourceArn', 'tags'],
    },
  },
  UntagResource: {
    method: 'POST',
    path: '/UntagResource',
    input: {
      type: 'structure',
      members: { resourceArn: RESOURCE_ARN, tagKeys: { type: 'list', max: 200, member: TAG_KEY } },
      required: ['resourceArn', 'tagKeys'],
    },
  },
  ListTagsForResource: {
    method: 'GET',
    path: '/ListTagsForResource',
    query: ['resourceArn'],
    input: { type: 'structure', members: { resourceArn: RESOURCE_ARN }, required: ['resourceArn'] },
  },
} as const satisfies Readonly<Record<string, Operation>>;

export type OperationName = keyof typeof OPERATIONS;

/** The input of an operation, checked. */
export type InputOf<O extends OperationName> = ValueOf<(typeof OPERATIONS)[O]['input']>;

/**
 * Checks what was sent of an operation's input.
 *
 * @throws Refusal SerializationException, ValidationException
 */
export function readInput<O extends OperationName>(
  name: O,
  sent: Readonly<Record<string, unknown>>,
  onUnknownMember: OnUnknownMember,
): InputOf<O> {
  const value = readShape(OPERATIONS[name].input, sent, (member) => onUnknownMember(name, member));
  // The type is made of the shape that the value was checked against.
  return value as InputOf<O>; // oxlint-disable-line typescript/no-unsafe-type-assertion
}
