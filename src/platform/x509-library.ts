/** The library that certificates and requests are made with, after what it needs to have been loaded before it. */
// Tests: test/emulator/services/create-session/create-session.test.ts, test/renewal/csr.test.ts
import 'reflect-metadata';

export * as x509 from '@peculiar/x509';
