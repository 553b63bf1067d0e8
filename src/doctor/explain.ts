/** What a refusal of the service may be about, with the values of this set-up: what to compare, and with which command. */
// Tests: test/doctor/broken.heavy.test.ts
import { parseArn } from '../aws/arn.ts';
import type { RolesAnywhereError } from '../platform/errors.ts';
import type { Certificate } from '../x509/certificate.ts';
import { tellingTags, trustPolicy } from '../x509/trust-policy.ts';
import { issuerText } from './chain.ts';

/** What was asked, and with which certificate. */
export interface Request {
  readonly trustAnchorArn: string;
  readonly profileArn: string;
  readonly roleArn: string;
  readonly region: string;
  readonly roleSessionName?: string | undefined;
  readonly leaf: Certificate | undefined;
  /** The issuer of the last certificate that was sent. */
  readonly last: Certificate | undefined;
}

/** Lines that go with the refusal of CreateSession. */
export function explainRefusal({ message }: RolesAnywhereError, request: Request): string[] {
  const { trustAnchorArn, profileArn, roleArn, region, leaf, last, roleSessionName } = request;
  const anchor = parseArn('trust-anchor', trustAnchorArn, '--trust-anchor-arn');
  const profile = parseArn('profile', profileArn, '--profile-arn');
  const showProfile = `aws rolesanywhere get-profile --profile-id ${profile.id} --region ${region}`;
  const showAnchor = `aws rolesanywhere get-trust-anchor --trust-anchor-id ${anchor.id} --region ${region}`;
  if (/untrusted signing certificate/i.test(message))
    return [
      last === undefined
        ? 'compare what is sent with the certificates of the trust anchor:'
        : `what is sent ends at the issuer ${issuerText(last)}: the trust anchor must hold that certificate`,
      showAnchor,
      'with its PEM in a file, doctor --trust-anchor FILE says what is missing',
    ];
  if (/set roleSessionName/i.test(message))
    return [
      `the session name ${roleSessionName ?? ''} was sent, which this profile must accept (acceptRoleSessionName):`,
      showProfile,
    ];
  const policy = trustPolicy(leaf === undefined ? [] : tellingTags(leaf).tags, trustAnchorArn);
  if (/unable to assume role/i.test(message))
    return [
      `1. the profile must list ${roleArn} and be enabled:`,
      `   ${showProfile}`,
      '2. the trust policy of the role must allow this certificate; one that does:',
      ...JSON.stringify(policy, undefined, 2)
        .split('\n')
        .map((line) => `   ${line}`),
      '3. no service control policy may stand against it, and a policy that was just changed takes a moment to count',
    ];
  return [
    'trust anchor and profile must be enabled, and the certificate must be in no revocation list:',
    showAnchor,
    showProfile,
    `aws rolesanywhere list-crls --region ${region}`,
  ];
}
