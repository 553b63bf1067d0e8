// Tests: test/commands/version.test.ts
// Put in by the build (scripts/build.mjs) and by vitest.config.ts, from package.json.
declare const PACKAGE_VERSION: string;

/** This program's version, as in package.json. */
export const VERSION: string = PACKAGE_VERSION;
