/** The options of keys in a TPM, which several commands take. */
// Tests: test/cli/tpm/commands.test.ts
import type { FlagValues } from './flag-values.ts';

/** Values of the flags of the same names, see options/help.ts. Passwords are in options/passwords.ts. */
export interface TpmOptions {
  readonly device?: string | undefined;
  readonly noKeyPassword: boolean;
  readonly policyPcr?: string | undefined;
  readonly passwordInClear: boolean;
}

type TpmFlags = FlagValues<'tpm-device' | 'no-tpm-key-password' | 'tpm-policy-pcr' | 'tpm-password-in-clear'>;

export function tpmOptions(flags: TpmFlags): TpmOptions {
  return {
    device: flags['tpm-device'],
    noKeyPassword: flags['no-tpm-key-password'] === true,
    policyPcr: flags['tpm-policy-pcr'],
    passwordInClear: flags['tpm-password-in-clear'] === true,
  };
}
