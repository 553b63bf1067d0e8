/** The least trust policy of a role for one certificate: IAM Roles Anywhere User Guide, "Trust model" and "Mapping". */
// Tests: test/commands/trust-policy.test.ts, test/doctor/broken.heavy.test.ts
import type { Certificate } from './certificate.ts';
import { sessionAttributes } from './session-attributes.ts';
import type { SessionTag } from './session-attributes.ts';

/** What the service must be let to do in a role: to name the session, its tags and its source. */
const ACTIONS = ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'];

/**
 * The session tags that tell the certificate from others: those of its subject and its alternative names. Their
 * characters, which STS limits, are of no meaning in a policy, so that none has to be escaped.
 *
 * @returns the tags, and those that the service leaves out
 */
export function tellingTags(certificate: Certificate): {
  readonly tags: readonly SessionTag[];
  readonly leftOut: readonly SessionTag[];
} {
  const own = sessionAttributes(certificate).tags.filter(
    ({ key, value }) => !key.startsWith('x509Issuer/') && value !== '',
  );
  return {
    tags: own.filter(({ problem }) => problem === undefined),
    leftOut: own.filter(({ problem }) => problem !== undefined),
  };
}

/** A policy document, with the ARN of the trust anchor as it is given: in some languages it is an expression. */
export interface TrustPolicy<Arn> {
  readonly [name: string]: string | readonly Statement<Arn>[];
}

interface Statement<Arn> {
  readonly [name: string]:
    | string
    | readonly string[]
    | { readonly [name: string]: string | { readonly [name: string]: string | Arn } };
}

/** The policy. Without tags it lets in whatever certificate the trust anchor does. */
export function trustPolicy<Arn>(tags: readonly SessionTag[], trustAnchorArn: Arn): TrustPolicy<Arn> {
  const ofCertificate = Object.fromEntries(tags.map(({ key, value }) => [`aws:PrincipalTag/${key}`, value]));
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: { Service: 'rolesanywhere.amazonaws.com' },
        Action: ACTIONS,
        Condition: {
          ArnEquals: { 'aws:SourceArn': trustAnchorArn },
          ...(tags.length > 0 && { StringEquals: ofCertificate }),
        },
      },
    ],
  };
}
