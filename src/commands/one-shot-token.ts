/** How a command that runs once reaches a token. */
// Tests: test/identity/pkcs11/cli.test.ts
import type { Pkcs11Deps, TokenSettings } from '../identity/pkcs11/index.ts';
import { tokenOptions } from '../options/token.ts';
import type { TokenFlags } from '../options/token.ts';
import type { Io } from './command.ts';

/**
 * What the module prints goes to standard error, unless only errors are wanted there. It sees the whole environment of
 * the AWS SDKs, which some clouds' modules are configured with.
 */
export function oneShotToken(flags: TokenFlags, { env, log, moduleOutput }: Io): TokenSettings & Pkcs11Deps {
  return {
    ...tokenOptions(flags),
    env,
    warn: log.warn,
    awsEnvironment: true,
    moduleOutput: log.level === 'error' ? undefined : moduleOutput,
  };
}
