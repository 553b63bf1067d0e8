import { X509Certificate, verify } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Emulator } from '../../../src/emulator/emulator.ts';
import {
  listPkcs11Certificates,
  loadPkcs11Identity,
  loadPkcs11SigningKey,
} from '../../../src/identity/pkcs11/index.ts';
import type { Pkcs11Spec } from '../../../src/identity/pkcs11/index.ts';
import { runCli } from '../../support/cli.ts';
import { pkiPath } from '../../support/pki.ts';
import { KEYS, REAL_MODULES } from '../../support/real-modules.ts';
import type { RealModule } from '../../support/real-modules.ts';
import { refusalCode } from '../../support/refusal.ts';
import { HELPER } from '../../support/softhsm.ts';
import { startTestEmulator, worldFlags } from '../../support/vending.ts';

const message = Buffer.from('a message');
const nobody = async () => undefined;

for (const { name, isHere, make } of REAL_MODULES) {
  describe.skipIf(!isHere())(`keys in ${name}`, () => {
    let module: RealModule;
    let emulator: Emulator;
    beforeAll(async () => {
      module = await make();
      emulator = await startTestEmulator();
    }, 120_000);
    afterAll(async () => {
      await emulator.close();
      module.remove();
    });
    beforeEach(() =>
      rmSync(join(module.env['ROLES_ANYWHERE_STATE_DIR'] ?? '', 'pins'), { recursive: true, force: true }),
    );

    const uri = (key: string, pin = module.pin) =>
      `pkcs11:token=${encodeURIComponent(module.token)};object=${key}?pin-value=${encodeURIComponent(pin)}`;
    const deps = () => ({ env: module.env, helperPath: HELPER, askPin: nobody });
    const load = (spec: Pkcs11Spec) => loadPkcs11Identity({ library: module.library, ...spec }, deps());

    it.each(KEYS)('%s signs what verifies with its certificate, with every digest', async (key) => {
      const identity = await load({ certificate: uri(key) });
      expect(Buffer.from(identity.certificate)).toEqual(certificateOf(key).raw);
      for (const digest of ['SHA256', 'SHA384', 'SHA512'] as const)
        expect(verify(digest, message, certificateOf(key).publicKey, await identity.signer.sign(message, digest))).toBe(
          true,
        );
      expect(await identity.isCurrent?.()).toBe(true);
      expect(identity.chain).toHaveLength(module.hasChain ? 1 : 0);
      await identity.close();
    });

    it.each(KEYS)('%s is found without a label, by its certificate in a file', async (key) => {
      const token = `pkcs11:token=${encodeURIComponent(module.token)}?pin-value=${encodeURIComponent(module.pin)}`;
      const identity = await load({ certificate: pkiPath(`${key}.crt.pem`), privateKey: token });
      expect(verify('SHA256', message, certificateOf(key).publicKey, await identity.signer.sign(message))).toBe(true);
      await identity.close();
    });

    it.each(KEYS)('%s by itself shows its public key', async (key) => {
      const own = await loadPkcs11SigningKey(uri(key), { library: module.library }, deps());
      expect(Buffer.from(own.publicKey)).toEqual(certificateOf(key).publicKey.export({ type: 'spki', format: 'der' }));
      expect(verify('SHA256', message, certificateOf(key).publicKey, await own.signer.sign(message))).toBe(true);
      await own.close();
    });

    it('every certificate is listed with a URI that finds it and nothing else', async () => {
      const all = await listPkcs11Certificates('pkcs11:', { library: module.library }, deps());
      expect(all.length).toBeGreaterThanOrEqual(KEYS.length);
      for (const { uri: own, certificate } of all)
        expect(await listPkcs11Certificates(own, { library: module.library }, deps())).toEqual([
          { uri: own, certificate },
        ]);
    });

    it('signatures that are asked for at once are all good', async () => {
      const identity = await load({ certificate: uri('ec-p256') });
      const signatures = await Promise.all(Array.from({ length: 4 }, () => identity.signer.sign(message)));
      for (const signature of signatures)
        expect(verify('SHA256', message, certificateOf('ec-p256').publicKey, signature)).toBe(true);
      await identity.close();
    });

    it('a wrong PIN is refused, and not presented again; the right one is', async () => {
      const wrong = { certificate: uri('ec-p256', '9999999') };
      expect(await refusalCode(() => load(wrong))).toBe('ERR_PIN_INCORRECT');
      expect(await refusalCode(() => load(wrong))).toBe('ERR_PIN_WITHHELD');
      rmSync(join(module.env['ROLES_ANYWHERE_STATE_DIR'] ?? '', 'pins'), { recursive: true });
      await (await load({ certificate: uri('ec-p256') })).close();
    });

    it('what is not there is missed by name', async () => {
      expect(await refusalCode(() => load({ certificate: uri('nothing') }))).toBe('ERR_OBJECT_NOT_FOUND');
      expect(await refusalCode(() => load({ certificate: 'pkcs11:token=nowhere' }))).toBe('ERR_TOKEN_NOT_FOUND');
    });

    it.each(KEYS)('credential-process with %s has nothing on standard output but the credentials', async (key) => {
      const chain = ['--intermediates', pkiPath('intermediate.pem')];
      const token = ['--certificate', uri(key), '--pkcs11-lib', module.library];
      const { status, stdout, stderr } = await runCli(
        ['credential-process', ...worldFlags(emulator), ...token, ...chain],
        { env: module.env },
      );
      expect([status, stderr.includes('error')]).toEqual([0, false]);
      expect(JSON.parse(stdout)).toMatchObject({ Version: 1 });
    });
  });
}

function certificateOf(key: string): X509Certificate {
  return new X509Certificate(readFileSync(pkiPath(`${key}.crt.pem`)));
}
