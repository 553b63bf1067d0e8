// Tests: test/commands/version.test.ts
// Put in by the build (scripts/build.mjs) and by vitest.config.ts, from package.json.
declare const PACKAGE_VERSION: string;

/** This program's version, as in package.json. */
export const VERSION: string = PACKAGE_VERSION;

/** The version of AWS's helper whose command lines this program was compared with. */
export const HELPER_VERSION = '1.8.0';
