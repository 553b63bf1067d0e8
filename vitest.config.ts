import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { configDefaults, defineConfig } from 'vitest/config';

const { version } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8')) as { version: string };

/** Suites that need a tool of their own, or minutes: `npm run test:all` runs these, `npm test` all others. */
const HEAVY = [
  'test/peer/**',
  'test/clients/matrix/**',
  'test/clients/go-*/**',
  'test/**/tpm/**',
  'test/identity/containers/programs.test.ts',
  'test/identity/pkcs11/{cli,faults,one-shot,softhsm}.test.ts',
  // Every form of identity and every setting, by the built program; test/identity and test/network/* go into each kind once.
  'test/cli/identities.test.ts',
  'test/network/settings.test.ts',
  // Of what is published; .ci/run runs that on each Node.
  'test/package/tarball.test.ts',
  'test/**/*.heavy.test.ts',
];

/** scripts/test.mjs says which: `quick`, `heavy`, or `long` (the heavy ones with their full figures). Default: every suite. */
const suite = process.env['ROLES_ANYWHERE_SUITE'];
const heavy = suite === 'heavy' || suite === 'long';

export default defineConfig({
  define: { PACKAGE_VERSION: JSON.stringify(version) },
  test: {
    include: heavy ? HEAVY.map((glob) => glob.replace(/\*\*$/, '**/*.test.ts')) : ['test/**/*.test.ts'],
    exclude: suite === 'quick' ? [...configDefaults.exclude, ...HEAVY] : configDefaults.exclude,
    testTimeout: 30_000,
    // Set-ups start programs and make tokens: on a loaded machine that takes as long as a test.
    hookTimeout: 60_000,
    // Most tests wait for programs that they start, so that one worker would leave half of a small machine idle.
    maxWorkers: Math.max(2, Math.floor(availableParallelism() / 2)),
    // What failed is said whole: where only the message is kept, a shortened one helps nobody.
    chaiConfig: { truncateThreshold: 1000 },
    globalSetup: ['test/global-setup.ts'],
  },
});
