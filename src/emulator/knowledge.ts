/**
 * What is known of AWS where the emulator had to decide: the table of
 * docs/emulator.md, which `npm run docs` writes. The values are those that the
 * code uses.
 */
import { DATE_WINDOW_MS as STS_WINDOW_MS } from './callers/authenticate.ts';
import { MAX_ANCHOR_CRLS } from './certificates/anchors.ts';
import { PACKED_LIMIT_BYTES, TAG_OVERHEAD_BYTES } from './policy/packed-size.ts';
import { MAX_PAGE_SIZE, PAGE_SIZE } from './services/control/resources.ts';
import { MAX_TAGS } from './services/control/tags.ts';
import { MESSAGES, type Message } from './services/create-session/messages.ts';
import { DATE_WINDOW_MS } from './services/create-session/signature.ts';
import { DEFAULT_RATES } from './services/throttle.ts';

/**
 * `known`: AWS says so, or was seen to do so. `chosen`: AWS must do something
 * of the kind, and says nothing of what. `unknown`: AWS may do otherwise, and
 * a test that depends on it shows nothing.
 */
export type State = 'known' | 'chosen' | 'unknown';

export interface Fact {
  readonly about: string;
  readonly state: State;
  /** What the emulator does. */
  readonly here: string;
  readonly source: string;
}

const GUIDE = 'IAM Roles Anywhere User Guide';
const IAM = 'IAM User Guide';
const GO_SDK = 'AWS SDK for Go, service/rolesanywhere v1.34.0';
const NONE = 'none';

/** What is known, chosen and unknown, by service. */
export const FACTS: readonly Fact[] = [
  ...Object.values(MESSAGES).map(messageFact),
  {
    about: 'CreateSession: clock',
    state: 'chosen',
    here: `a request may be ${DATE_WINDOW_MS / 60_000} minutes off`,
    source: `${NONE}; ${IAM} on SigV4 in general`,
  },
  {
    about: 'CreateSession: quotas',
    state: 'known',
    here: `with --throttle ${DEFAULT_RATES.account} requests a second for an account`,
    source: `${GUIDE}, "Quotas"`,
  },
  {
    about: 'CreateSession: quota of a certificate',
    state: 'chosen',
    here: `with --throttle ${DEFAULT_RATES.certificate} requests a second`,
    source: `${GUIDE}, "Quotas", says that there is one and not which`,
  },
  {
    about: 'CreateSession: source identity',
    state: 'known',
    here: 'CN=NAME; NAME alone above 61 characters; ID= and the serial number without a common name',
    source: `${GUIDE}, "Trust model"`,
  },
  {
    about: 'CreateSession: a common name that STS takes for no source identity',
    state: 'unknown',
    here: 'refused: above 64 characters, and with other characters than A-Z a-z 0-9 _ + = , . @ - (a space is one)',
    source:
      'STS API Reference, "AssumeRole", SourceIdentity; https://github.com/aws/rolesanywhere-credential-helper/issues/188',
  },
  {
    about: 'CreateSession: accounts',
    state: 'known',
    here: 'a profile has roles of its own account alone',
    source: 'https://github.com/aws/rolesanywhere-credential-helper/pull/63',
  },
  {
    about: 'CreateSession: a profile of another account than the trust anchor',
    state: 'chosen',
    here: 'refused',
    source: NONE,
  },
  {
    about: 'CreateSession: requireInstanceProperties',
    state: 'known',
    here: 'of no effect',
    source: 'API Reference, "CreateProfile": unused',
  },
  {
    about: 'Certificates: keys',
    state: 'unknown',
    here: 'RSA of any length, P-256, P-384, P-521, ML-DSA; extended key usage is not looked at',
    source: `${GUIDE}, "Trust model", has no limits`,
  },
  {
    about: 'Certificates: name constraints',
    state: 'chosen',
    here: 'RFC 5280, those of the trust anchor included, as OpenSSL has it',
    source: 'RFC 5280, section 4.2.1.10',
  },
  {
    about: 'Certificates: certificate policies',
    state: 'unknown',
    here: 'not evaluated, and not refused when they are critical',
    source: NONE,
  },
  {
    about: 'Revocation: imported CRLs',
    state: 'known',
    here: `${MAX_ANCHOR_CRLS} for a trust anchor`,
    source: `${GUIDE}, "Revocation" and "Quotas"`,
  },
  {
    about: 'Revocation: an imported CRL that should have been replaced',
    state: 'unknown',
    here: 'still counts',
    source: NONE,
  },
  {
    about: 'Revocation: CRL distribution points that give no usable list',
    state: 'unknown',
    here: 'refused; lists are fetched from the loopback alone, and none is kept',
    source: `${GO_SDK}, crlDpRevocationEnabled, says nothing of it`,
  },
  {
    about: 'Control plane: operations and inputs',
    state: 'known',
    here: 'all 30, with their limits and patterns',
    source: 'service model 2018-05-10 as botocore 1.43.11 has it',
  },
  {
    about: 'Control plane: aliases',
    state: 'known',
    here: 'names, uniqueness, and where an alias ARN is taken; in policies it names nothing',
    source: GO_SDK,
  },
  {
    about: 'Control plane: an ARN of another account or region in place of an id',
    state: 'chosen',
    here: 'ResourceNotFoundException',
    source: `${GO_SDK} says that it must not be`,
  },
  {
    about: 'Control plane: roles of another account in a profile',
    state: 'chosen',
    here: 'AccessDeniedException, "Cross-account pass role is not allowed.", which other services say',
    source: 'https://github.com/awsdocs/iam-user-guide/pull/228',
  },
  {
    about: 'Control plane: pages',
    state: 'chosen',
    here: `${PAGE_SIZE} resources without pageSize, ${MAX_PAGE_SIZE} at most`,
    source: NONE,
  },
  {
    about: 'Control plane: tags of a resource',
    state: 'chosen',
    here: `${MAX_TAGS} at most`,
    source: 'the service model has it as the limit of a request',
  },
  {
    about: 'Control plane: what is made without `enabled`',
    state: 'chosen',
    here: 'disabled',
    source: NONE,
  },
  {
    about: 'Control plane: messages beyond those of the model',
    state: 'chosen',
    here: 'but for "Incorrect basic constraints for CA certificate", which is known',
    source: 'reports of users',
  },
  {
    about: 'STS: clock',
    state: 'known',
    here: `a request may be ${STS_WINDOW_MS / 60_000} minutes off, a presigned one too, whatever its X-Amz-Expires`,
    source: "STS's own refusals; aws-iam-authenticator, pkg/token",
  },
  {
    about: 'STS: packed size of tags',
    state: 'known',
    here: `bytes of keys and values and ${TAG_OVERHEAD_BYTES} for each tag, of ${PACKED_LIMIT_BYTES}: two measurements fit to the percent`,
    source:
      "https://github.com/aws-actions/configure-aws-credentials/issues/1898; a CloudTrail event of AWS's EKS workshop",
  },
  {
    about: 'STS: packed size of policies',
    state: 'chosen',
    here: 'deflated; one measurement fits to some ten percent',
    source: 'a policy of 736 characters with three tags took about 82 %',
  },
  {
    about: 'STS: MFA',
    state: 'known',
    here: 'a device is of a user, and the session of a role has none; a code is good once',
    source: `${IAM}, "Secure API access with MFA"`,
  },
  {
    about: 'Policies: ARNs in Resource',
    state: 'known',
    here: 'may end early and have wildcards beyond a colon; session policies must have them whole',
    source: `${IAM}, "IAM ARNs" and "Resource"`,
  },
  {
    about: 'Policies: a session policy of a profile that is malformed',
    state: 'chosen',
    here: 'is found out when it is used',
    source: NONE,
  },
  {
    about: 'Sign-in: SessionDuration with the credentials of CreateSession',
    state: 'unknown',
    here: 'taken, since they are no chain',
    source: 'AWS\'s knowledge centre, "Invalid credentials parameter", of chains',
  },
];

function messageFact({ text, source }: Message): Fact {
  return {
    about: 'CreateSession: message',
    state: source === undefined ? 'chosen' : 'known',
    here: `"${text.replace(/^\. /, '... ').trim()}"`,
    source: source ?? NONE,
  };
}

/** The table in Markdown. */
export function knowledgeTable(): string {
  const rows = FACTS.map(({ about, state, here, source }) => `| ${about} | ${state} | ${here} | ${source} |`);
  return ['| About | | The emulator | Source |', '| --- | --- | --- | --- |', ...rows, ''].join('\n');
}
