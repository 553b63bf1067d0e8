/** The entry of the helper program, in the package as `roles-anywhere/pkcs11-helper`. */
import { runHelper } from './helper.ts';

runHelper();
