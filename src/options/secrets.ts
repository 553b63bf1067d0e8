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
