/** The options of keys in PKCS#11 tokens, which several commands take. */
// Tests: test/commands/read-certificate-data.test.ts
import type { FlagValues } from './flag-values.ts';

/** Values of the flags of the same names, see options/help.ts. */
export interface TokenOptions {
  readonly library?: string | undefined;
  readonly pinFile?: string | undefined;
  readonly reusePin: boolean;
  readonly allowPinCommand: boolean;
  readonly allowLowPinCount: boolean;
}

export type TokenFlags = FlagValues<
  'pkcs11-lib' | 'pkcs11-pin-file' | 'reuse-pin' | 'pkcs11-allow-pin-command' | 'pkcs11-allow-low-pin-count'
>;

export function tokenOptions(flags: TokenFlags): TokenOptions {
  return {
    library: flags['pkcs11-lib'],
    pinFile: flags['pkcs11-pin-file'],
    reusePin: flags['reuse-pin'] === true,
    allowPinCommand: flags['pkcs11-allow-pin-command'] === true,
    allowLowPinCount: flags['pkcs11-allow-low-pin-count'] === true,
  };
}
