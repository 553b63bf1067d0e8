import type { FlagValues, FlagsOf } from '../../src/options/flag-values.ts';
import type { CommandName } from '../../src/options/flags.ts';
import { complete } from '../../src/options/pflag.ts';

/** The flags that a command gets when these are on its line: with the table's defaults. */
export function flagsFor<C extends CommandName>(command: C, given: FlagValues): FlagsOf<C> {
  return complete(command, given, [], false).flags as FlagsOf<C>;
}
