/** The standalone executable's entry: the command line, or the PKCS#11 helper that it starts of itself. */
// Tests: test/standalone/surroundings.heavy.test.ts
import { begin } from '../begin.ts';
import { HELPER_COMMAND } from './helper-command.ts';

if (process.argv[2] === HELPER_COMMAND) void import('../identity/pkcs11/helper-main.ts');
else begin();
