// Put in by the build (scripts/build.mjs) and by vitest.config.ts, from package.json.
declare const __VERSION__: string;

/** This program's version, as in package.json. */
export const VERSION: string = __VERSION__;
