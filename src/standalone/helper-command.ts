// Tests: test/standalone/bare-root.heavy.test.ts
/** By which the executable is its own PKCS#11 helper. Not for people: it ends at once where no parent speaks to it. */
export const HELPER_COMMAND = 'pkcs11-helper';
