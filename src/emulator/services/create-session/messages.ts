/**
 * The messages with which CreateSession refuses. Those with a source are the
 * service's own; of the others none is known, and these were chosen.
 */
// Tests: test/emulator/knowledge.test.ts

/** Issues of AWS's own client, where users quote what the service told them. */
const ISSUES = 'https://github.com/aws/rolesanywhere-credential-helper/issues';

export interface Message {
  readonly text: string;
  /** Where the service was seen to say it; undefined when it was not. */
  readonly source?: string | undefined;
}

export const MESSAGES = {
  invalidSignature: { text: 'Invalid signature', source: `${ISSUES}/128` },
  insufficientCertificate: { text: 'Untrusted certificate. Insufficient certificate', source: 'reports of users' },
  untrustedIssuer: { text: 'Untrusted signing certificate', source: `${ISSUES}/108` },
  cannotAssume: { text: 'Unable to assume role for ARN', source: `${ISSUES}/77` },
  unmapped: { text: '. Some attributes failed to be mapped into session tags. ', source: `${ISSUES}/77` },
  sessionName: { text: 'Not authorized to set roleSessionName.', source: `${ISSUES}/19` },
  duration: {
    text: '. The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
    source: 'User Guide, "CreateSession"; reports of users',
  },
  rate: { text: 'Rate exceeded' },
  notFound: { text: 'Resource not found: ARN' },
  accounts: { text: 'Trust anchor and profile must be in the same account' },
  anchorDisabled: { text: 'Trust anchor is disabled' },
  profileDisabled: { text: 'Profile is disabled' },
  revoked: { text: 'Certificate revoked' },
  revocationUnknown: { text: 'Unable to determine the revocation status of the certificate' },
} as const satisfies Readonly<Record<string, Message>>;
