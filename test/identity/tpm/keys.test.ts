// Of src/identity/tpm/index.ts, key.ts and signer.ts.
import { X509Certificate, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openHandle, openKeyFile } from '../../../src/identity/tpm/index.ts';
import type { PrivateKey } from '../../../src/identity/private-key.ts';
import { readCertificate } from '../../../src/x509/certificate.ts';
import { type MadeKey, derOf, madeKeys } from '../../support/tpm/keys.ts';
import { Simulator, hasSimulator } from '../../support/tpm/simulator.ts';

describe.skipIf(!hasSimulator())('keys in a TPM', () => {
  let directory: string;
  let keys: readonly MadeKey[];
  let tpm: Simulator;
  beforeAll(async () => {
    ({ directory, keys } = await madeKeys());
    tpm = await new Simulator('unix', directory).start();
  }, 240_000);
  afterAll(() => tpm.remove());

  it('x', async () => {
    for (const { name, key, password, parentPassword, silent } of keys) {
      const settings = {
        device: tpm.socket,
        noKeyPassword: silent,
        passwords: {
          key: password === undefined ? undefined : { password, from: 'x' },
          parent: parentPassword === undefined ? undefined : { password: parentPassword, from: 'y' },
        },
      };
      const deps = { env: tpm.env };
      try {
        const k: PrivateKey = key.startsWith('handle:')
          ? await openHandle(key, '--private-key', settings, deps)
          : openKeyFile(derOf(readFileSync(join(directory, key), 'utf8')), key, settings, deps);
        const pem = readFileSync(join(directory, `${name}.pem`));
        const s = await k.signer.sign(Buffer.from('hi'));
        console.log(name, verify('SHA256', Buffer.from('hi'), new X509Certificate(pem).publicKey, s), k.belongsTo(readCertificate(new X509Certificate(pem).raw, 'x')));
      } catch (e) {
        console.log(name, String(e));
      }
    }
    expect(keys.length).toBe(1);
  });
});
