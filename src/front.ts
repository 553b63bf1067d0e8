/** The first file of the npm package's program. The standalone executable begins in src/standalone/main.ts. */
// Tests: test/cli/cache.test.ts, test/package/hot-path.test.ts
import { begin } from './begin.ts';

begin();
