/** Reading that ends at the first fault, or, of what is looked at for its faults, writes each down and goes on. */
// Tests: test/options/config/configured.test.ts
import { RolesAnywhereError } from '../../platform/errors.ts';

/** Reads one value. Undefined: it is wrong, which has been written down. */
export type Attempt = <T>(read: () => T) => T | undefined;

/** Lets the first fault end everything, as it does for all commands but `doctor`. */
export const strictly: Attempt = (read) => read();

/** Passes each fault on, and leaves out what has it. */
export function telling(tell: (fault: RolesAnywhereError) => void): Attempt {
  return (read) => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof RolesAnywhereError)) throw error;
      tell(error);
      return undefined;
    }
  };
}
