import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CAPTURE_VARIABLE, captured, leaksIn } from './support/capture.ts';

const PKI = fileURLToPath(new URL('../certs-dev/out/', import.meta.url));

/**
 * The suites run the built program and read the development PKI: `npm test` makes both first (scripts/test.mjs). When
 * the run is over, everything that programs said on standard error is searched for the secrets that were in play.
 */
export default function setup(): () => void {
  for (const path of ['../dist/cli.cjs', '../certs-dev/out/root.pem']) {
    const file = fileURLToPath(new URL(path, import.meta.url));
    if (!existsSync(file))
      throw new Error(
        `${file} is missing: run \`npm run build && npm run certs\`, or the whole suite with \`npm test\``,
      );
  }
  const directory = mkdtempSync(join(tmpdir(), 'ra-captured-'));
  process.env[CAPTURE_VARIABLE] = directory;
  return () => {
    const { output, secrets } = captured(directory);
    rmSync(directory, { recursive: true });
    const leaks = leaksIn(output, [...secrets, ...privateKeys()]);
    console.log(`searched ${output.length} characters of standard error for ${secrets.length} secrets`);
    if (leaks.length === 0) return;
    console.error(`secrets in what programs said:\n${leaks.join('\n---\n')}`);
    process.exitCode = 1;
    throw new Error(`${leaks.length} secrets leaked to standard error`);
  };
}

/** A line from the middle of each private key of the development PKI. */
function privateKeys(): string[] {
  return readdirSync(PKI)
    .filter((file) => file.endsWith('.key.pem'))
    .flatMap((file) => readFileSync(join(PKI, file), 'utf8').split('\n').slice(1, 3))
    .filter((line) => line.length === 64);
}
