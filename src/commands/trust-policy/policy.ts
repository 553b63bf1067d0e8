/**
 * The least trust policy of a role for one certificate: IAM Roles Anywhere User Guide, "Trust model" and "Mapping".
 */
// Tests: test/commands/trust-policy.test.ts
import { RolesAnywhereError } from '../../platform/errors.ts';
import { subjectText } from '../../identity/verdicts.ts';
import type { Certificate } from '../../x509/certificate.ts';
import { type SessionTag, sessionAttributes } from '../../x509/session-attributes.ts';

/** What is known when the set-up runs, in the language of the set-up: how it names a trust anchor that it creates. */
export class Expression {
  readonly code: string;

  constructor(code: string) {
    this.code = code;
  }
}

/** A value that is written in several languages. */
export type Value = string | number | boolean | Expression | readonly Value[] | { readonly [name: string]: Value };

/** What the service must be let to do in a role: to name the session, its tags and its source. */
const ACTIONS = ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'];

/**
 * The session tags that tell the certificate from others: those of its subject and its alternative names. Their
 * characters, which STS limits, are of no meaning in a policy, so that none has to be escaped.
 *
 * @returns the tags, and those that the service leaves out
 * @throws RolesAnywhereError `ERR_CERTIFICATE_SUBJECT_EMPTY` when there are none: any certificate would do
 */
export function tellingTags(
  certificate: Certificate,
  source: string,
): { readonly tags: readonly SessionTag[]; readonly leftOut: readonly SessionTag[] } {
  const own = sessionAttributes(certificate).tags.filter(
    ({ key, value }) => !key.startsWith('x509Issuer/') && value !== '',
  );
  const tags = own.filter(({ problem }) => problem === undefined);
  const leftOut = own.filter(({ problem }) => problem !== undefined);
  if (tags.length > 0) return { tags, leftOut };
  throw new RolesAnywhereError(
    'ERR_CERTIFICATE_SUBJECT_EMPTY',
    `${source}: the certificate, ${subjectText(certificate)}, has no name that a trust policy can hold it to`,
    { hint: 'have it issued again with a common name, a DNS name or a URI, of letters, digits and _.:/=+-@' },
  );
}

/** The policy. */
export function trustPolicy(
  tags: readonly SessionTag[],
  trustAnchorArn: string | Expression,
): { readonly [name: string]: Value } {
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: { Service: 'rolesanywhere.amazonaws.com' },
        Action: ACTIONS,
        Condition: {
          ArnEquals: { 'aws:SourceArn': trustAnchorArn },
          StringEquals: Object.fromEntries(tags.map(({ key, value }) => [`aws:PrincipalTag/${key}`, value])),
        },
      },
    ],
  };
}
