import type { Emulator } from '../../src/emulator/emulator.ts';
import { startEmulator } from '../../src/emulator/emulator.ts';
import { readFileSync } from 'node:fs';
import type { ServerIdentity } from '../http/support/pki.ts';
import { PKI } from '../support/cli.ts';

/** An emulator that trusts the development PKI, over TLS too. */
export function startTlsEmulator(tls: ServerIdentity): Promise<Emulator> {
  return startEmulator({ trustAnchors: [{ certificates: readFileSync(`${PKI}root.pem`, 'utf8') }], tls });
}

/** `credential-process` with an identity of the development PKI and an emulator's world. */
export function line(emulator: Emulator, endpoint: string, more: readonly string[] = []): string[] {
  const flags = {
    certificate: `${PKI}ec-p256.crt.pem`,
    'private-key': `${PKI}ec-p256.key.pem`,
    intermediates: `${PKI}intermediate.pem`,
    'trust-anchor-arn': emulator.trustAnchorArns[0] ?? '',
    'profile-arn': emulator.profileArns[0] ?? '',
    'role-arn': emulator.roleArns[0] ?? '',
    endpoint,
  };
  return ['credential-process', ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]), ...more];
}

/** The keys of an answer, when it is what SDKs read. */
export function credentialsIn(stdout: string): Record<string, unknown> {
  return JSON.parse(stdout) as Record<string, unknown>;
}
