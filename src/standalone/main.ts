/** The standalone executable's entry: the command line, or the PKCS#11 helper that it starts of itself. */
// Tests: test/standalone/surroundings.heavy.test.ts
import { begin } from '../begin.ts';
import { HELPER_COMMAND } from './helper-command.ts';
import { compileAsUsual } from './runtime.ts';

const [, , first = ''] = process.argv;
// The build has told the engine to compile late, since a one-shot is over before machine code of it would pay.
if (first !== 'credential-process' && first !== 'version') compileAsUsual();
if (first === HELPER_COMMAND) void import('../identity/pkcs11/helper-main.ts');
else begin();
