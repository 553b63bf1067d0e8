import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The suites run the built program and read the development PKI: `npm test` makes both first (scripts/test.mjs). */
export default function setup(): void {
  for (const path of ['../dist/cli.cjs', '../certs-dev/out/root.pem']) {
    const file = fileURLToPath(new URL(path, import.meta.url));
    if (!existsSync(file))
      throw new Error(
        `${file} is missing: run \`npm run build && npm run certs\`, or the whole suite with \`npm test\``,
      );
  }
}
