/** The library that the emulator reads and makes certificates with, after what it needs to have been loaded before it. */
// Tests: test/emulator/services/create-session/create-session.test.ts
import 'reflect-metadata';

export * as x509 from '@peculiar/x509';
