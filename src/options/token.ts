/** What commands take for keys in PKCS#11 tokens. */
import type { FlagValues } from '../commands/command.ts';

/** Values of the flags of the same names, see options/help.ts. */
export interface TokenOptions {
  readonly library?: string;
  readonly pinFile?: string;
  readonly reusePin: boolean;
  readonly allowPinCommand: boolean;
  readonly allowLowPinCount: boolean;
}

/** A flag with an empty value counts as not given. */
export function tokenOptions(flags: FlagValues): TokenOptions {
  const library = flags['pkcs11-lib'];
  const pinFile = flags['pkcs11-pin-file'];
  return {
    ...(typeof library === 'string' && library !== '' ? { library } : {}),
    ...(typeof pinFile === 'string' && pinFile !== '' ? { pinFile } : {}),
    reusePin: flags['reuse-pin'] === true,
    allowPinCommand: flags['pkcs11-allow-pin-command'] === true,
    allowLowPinCount: flags['pkcs11-allow-low-pin-count'] === true,
  };
}
