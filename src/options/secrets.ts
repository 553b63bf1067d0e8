/** The variables of this program that hold secrets: nothing that it starts is to have them. */
// Tests: test/clients/update.test.ts, test/clients/exec.test.ts
import { FLAGS, flagRow, isFlag } from './flags.ts';
import { variableOf } from './config/sources.ts';

/** Their names. */
export function secretVariables(): string[] {
  return [
    'ROLES_ANYWHERE_PKCS11_PIN',
    ...Object.keys(FLAGS)
      .filter(isFlag)
      .filter((flag) => flagRow(flag).secret === true)
      .flatMap((flag) => variableOf(flag) ?? []),
  ];
}

/** An environment without them, for a program that is started. Windows does not tell small letters of names from capitals. */
export function withoutSecrets(env: Readonly<Record<string, string | undefined>>): Record<string, string | undefined> {
  const secrets = new Set(secretVariables());
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !secrets.has(process.platform === 'win32' ? name.toUpperCase() : name)),
  );
}
