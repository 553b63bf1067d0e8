/** The development PKI that `npm run certs` makes, and what openssl says about it. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Path of a file of the development PKI. */
export function pkiPath(name: string): string {
  return fileURLToPath(new URL(`../../certs-dev/out/${name}`, import.meta.url));
}

export function pkiText(name: string): string {
  return readFileSync(pkiPath(name), 'utf8');
}

/** Runs openssl with a clean environment and gives its standard output. */
export function openssl(args: readonly string[], input?: Uint8Array | string): Buffer {
  return execFileSync('openssl', args, {
    env: { PATH: process.env['PATH'] ?? '' },
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(input !== undefined && { input }),
  });
}
