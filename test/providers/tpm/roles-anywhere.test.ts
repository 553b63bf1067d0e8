// The option `tpm` of src/providers/material.ts.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Emulator } from '../../../src/emulator/emulator.ts';
import { fromRolesAnywhere } from '../../../src/index.ts';
import { refusalCode } from '../../support/refusal.ts';
import { type MadeKey, NV_INDEX, madeKeys } from '../../support/tpm/keys.ts';
import { keyNamed } from '../../support/tpm/open.ts';
import { Simulator, hasSimulator } from '../../support/tpm/simulator.ts';
import { startTestEmulator } from '../../support/vending.ts';

describe.skipIf(!hasSimulator())('fromRolesAnywhere with a key in a TPM', () => {
  let directory: string;
  let keys: readonly MadeKey[];
  let tpm: Simulator;
  let emulator: Emulator;
  let world: { trustAnchorArn: string; profileArn: string; roleArn: string; endpoint: string };
  beforeAll(async () => {
    ({ directory, keys } = await madeKeys());
    tpm = await new Simulator('tcp', directory).start();
    const certificates = readFileSync(join(directory, 'root.pem'), 'utf8');
    emulator = await startTestEmulator({ trustAnchors: [{ certificates }] });
    world = {
      trustAnchorArn: emulator.trustAnchorArns[0] ?? '',
      profileArn: emulator.profileArns[0] ?? '',
      roleArn: emulator.roleArns[0] ?? '',
      endpoint: emulator.url,
    };
  }, 240_000);
  afterAll(async () => {
    await emulator.close();
    await tpm.remove();
  });

  it('gets credentials by a handle with the certificate in the TPM too, and by a file with passwords', async () => {
    const { password: keyPassword, parentPassword, key, name } = keyNamed(keys, 'o-parentpw-p256-pw');
    const device = tpm.tcti;
    for (const identity of [
      { certificate: `nv:${NV_INDEX}`, privateKey: 'handle:0x81010002', tpm: { device, noKeyPassword: true } },
      {
        certificate: join(directory, `${name}.pem`),
        privateKey: readFileSync(join(directory, key)),
        tpm: { device, keyPassword, parentPassword },
      },
      {
        certificate: join(directory, 'h-ecc-policy.pem'),
        privateKey: 'handle:0x81010035',
        tpm: { device, policyPcr: 'sha256:0' },
      },
    ])
      expect((await fromRolesAnywhere({ ...world, ...identity })()).accessKeyId).toMatch(/^ASIA/);
    expect(await tpm.leftovers()).toEqual([]);
  });

  it('asks nobody at the terminal', async () => {
    const options = {
      certificate: join(directory, 'h-ecc256.pem'),
      privateKey: 'handle:0x81010002',
      tpm: { device: tpm.tcti },
    };
    expect(await refusalCode(() => fromRolesAnywhere({ ...world, ...options })())).toBe('ERR_PASSWORD_REQUIRED');
  });
});
