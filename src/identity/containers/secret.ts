/** What is tried on a container, and how it says no. Of its own, so that asking for a password loads no cryptography. */
// Tests: test/identity/containers/password.test.ts

/** In UTF-8. Undefined: none, which PKCS#12 tells from an empty one. */
export type Password = Uint8Array | undefined;

/** The password is wrong, as far as can be told. It does not leave this folder. */
export class WrongPasswordError extends Error {}
