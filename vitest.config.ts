import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

const { version } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8')) as { version: string };

export default defineConfig({
  define: { PACKAGE_VERSION: JSON.stringify(version) },
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    // Most tests wait for programs that they start, so that one worker would leave half of a small machine idle.
    maxWorkers: Math.max(2, Math.floor(availableParallelism() / 2)),
    globalSetup: ['test/global-setup.ts'],
  },
});
