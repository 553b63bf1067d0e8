/** Which certificate is meant, which several commands take. */
// Tests: test/cli/selector.test.ts
import type { CertificateChoice } from '../identity/choice.ts';
import type { StoreSettings } from '../identity/os-store/store.ts';
import type { FlagValues } from './flag-values.ts';

/** Where the store of the system is looked for; undefined where a certificate is named. */
export function storeSettings(
  flags: FlagValues<'certificate' | 'system-store-name' | 'system-store-location' | 'system-store-interactive'>,
): StoreSettings | undefined {
  if (flags.certificate !== undefined) return undefined;
  return {
    storeName: flags['system-store-name'],
    storeLocation: flags['system-store-location'],
    interactive: flags['system-store-interactive'] === true,
  };
}

/** Undefined where nothing says that there is a choice. */
export function certificateChoice(
  flags: FlagValues<'certificate' | 'cert-selector' | 'use-latest-expiring-certificate'>,
): CertificateChoice | undefined {
  const { 'cert-selector': selector, 'use-latest-expiring-certificate': latest } = flags;
  return selector === undefined && latest !== true ? undefined : { selector, latest };
}
