/** Which certificate is meant, which several commands take. */
// Tests: test/cli/selector.test.ts
import type { CertificateChoice } from '../identity/choice.ts';
import type { FlagValues } from './flag-values.ts';

/** Undefined where nothing says that there is a choice. */
export function certificateChoice(
  flags: FlagValues<'certificate' | 'cert-selector' | 'use-latest-expiring-certificate'>,
): CertificateChoice | undefined {
  const { 'cert-selector': selector, 'use-latest-expiring-certificate': latest } = flags;
  return selector === undefined && latest !== true ? undefined : { selector, latest };
}
