/** What is odd about an identity and yet no reason to refuse it, as values. */
// Tests: test/identity/checks.test.ts
import type { Certificate } from '../x509/certificate.ts';
import type { CertificateRule } from '../x509/rules.ts';

export type WarningCode =
  | 'WARN_CERTIFICATE_EXPIRES_SOON'
  | 'WARN_CHAIN_EMPTY'
  | 'WARN_CHAIN_VALIDITY'
  | 'WARN_CHAIN_CERTIFICATE'
  | 'WARN_CHAIN_UNRELATED'
  | 'WARN_KEY_READABLE'
  | 'WARN_KEY_SHORT'
  | 'WARN_SEVERAL_PAIRS';

export interface IdentityWarning {
  /** Stable, for callers to compare. That of an error where checks are skipped that would have refused. */
  readonly code: WarningCode | CertificateRule;
  /** For people: lower case, without a full stop, and never a secret. */
  readonly message: string;
}

export type Warn = (warning: IdentityWarning) => void;

/** Something to say about one certificate. The words are in verdicts.ts, which is loaded when there is anything. */
export interface Finding {
  readonly code:
    | CertificateRule
    | Exclude<WarningCode, 'WARN_CHAIN_EMPTY' | 'WARN_CHAIN_UNRELATED' | 'WARN_KEY_READABLE' | 'WARN_SEVERAL_PAIRS'>;
  readonly certificate: Certificate;
}
