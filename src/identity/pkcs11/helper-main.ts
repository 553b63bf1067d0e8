/** The entry of the helper program, in the package as `roles-anywhere/pkcs11-helper`. */
// Tests: test/identity/pkcs11/bridge.test.ts
import { runHelper } from './helper.ts';

runHelper();
