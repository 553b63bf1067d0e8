/** What opening a private key may need, whatever kind of key it is. */
// Tests: test/identity/load.test.ts
import type { PasswordDeps } from './containers/password.ts';
import type { TpmDeps, TpmSettings } from './tpm/index.ts';

export interface KeyDeps extends PasswordDeps {
  /** For keys in a TPM; what it leaves out is taken from the rest. */
  tpm?: (TpmSettings & TpmDeps) | undefined;
}
