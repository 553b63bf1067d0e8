import { readFileSync } from 'node:fs';
import { startEmulator, type Emulator, type EmulatorOptions } from '../../src/emulator/emulator.ts';
import { PKI } from './cli.ts';

/** An emulator that trusts the development PKI. */
export function startTestEmulator(options: Partial<EmulatorOptions> = {}): Promise<Emulator> {
  return startEmulator({ trustAnchors: [{ certificates: readFileSync(`${PKI}root.pem`, 'utf8') }], ...options });
}

/** The flags that name an emulator's world. */
export function worldFlags(emulator: Emulator): string[] {
  const flags = {
    'trust-anchor-arn': emulator.trustAnchorArns[0],
    'profile-arn': emulator.profileArns[0],
    'role-arn': emulator.roleArns[0],
    endpoint: emulator.url,
  };
  return Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value ?? '']);
}
