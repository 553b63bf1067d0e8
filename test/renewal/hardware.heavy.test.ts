/** Keys in SoftHSM and in swtpm, which sign the requests for their next certificates: by step-ca, and over EST. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { certificatePem, generateKeys, privateKeyPem } from '../../certs-dev/authority.ts';
import { readCertificate } from '../../src/x509/certificate.ts';
import { readPem } from '../../src/x509/pem.ts';
import { type CliResult, runCli } from '../support/cli.ts';
import { GO_INSTALL_TIMEOUT_MS } from '../support/go-program.ts';
import { PIN, SOFTHSM_MODULE, SoftHsm, hasSoftHsm } from '../support/softhsm.ts';
import { Simulator, hasSimulator } from '../support/tpm/simulator.ts';
import { type TestCa, makeCa } from './support/ca.ts';
import { type EstServer, PASSWORD, startEst } from './support/est-server.ts';
import { type StepCa, findStep, startStepCa } from './support/step.ts';

const programs = await findStep();
const serialOf = ({ status, stdout, stderr }: CliResult): string => {
  if (status !== 0) throw new Error(stderr);
  return (JSON.parse(stdout) as { serialNumber: string }).serialNumber;
};

describe.skipIf(programs === undefined)('a key in hardware', () => {
  let ca: StepCa;
  let testCa: TestCa;
  let est: EstServer;

  beforeAll(async () => {
    if (programs !== undefined) ca = await startStepCa(programs);
    testCa = await makeCa();
    est = await startEst(testCa);
    est.basic = true;
  }, GO_INSTALL_TIMEOUT_MS);

  afterAll(async () => {
    await ca.close();
    await est.close();
  });

  /** Enrols and renews, twice each, by step-ca and over EST. */
  async function through(
    folder: string,
    key: readonly string[],
    env: Record<string, string>,
    inPlace?: (file: string) => Promise<readonly string[]>,
  ): Promise<void> {
    const root = join(folder, 'est-root.pem');
    const token = join(folder, 'token');
    writeFileSync(root, certificatePem(testCa.root.certificate));
    const issuers = [
      {
        name: 'step',
        flags: ['--renew-from', `step-ca:${ca.url}`, '--renew-ca', ca.root],
        first: await ca.token('web'),
      },
      { name: 'est', flags: ['--renew-from', `est:${est.origin}`, '--renew-ca', root], first: PASSWORD },
    ];
    for (const { name, flags, first } of issuers) {
      writeFileSync(token, first, { mode: 0o600 });
      const file = join(folder, `${name}.crt`);
      const line = ['renew', ...flags, '--renew-token-file', token];
      const enrol = ['--enroll', '--subject', 'CN=web', '--san', 'dns:web'];
      const enrolled = serialOf(await runCli([...line, '--certificate', file, ...key, ...enrol], { env }));
      est.current = undefined;
      const where = inPlace === undefined ? ['--certificate', file] : await inPlace(file);
      const serials = new Set([enrolled]);
      // In hardware, the leaf is alone.
      const chain = inPlace === undefined ? [] : ['--intermediates', `${file}.chain`];
      for (let round = 0; round < 2; round++)
        serials.add(serialOf(await runCli([...line, ...where, ...chain, ...key, '--force'], { env })));
      expect(serials.size).toBe(3);
      // The last one is there, and the key is its own.
      const signed = await runCli(['sign-string', ...where, ...key], { env });
      expect([signed.status, signed.stderr]).toEqual([0, '']);
      const refused = await runCli([...line, ...where, ...chain, ...key, '--force', '--new-key'], { env });
      expect(refused.stderr).toContain('--new-key');
      expect(refused.status).toBe(2);
    }
  }

  describe.skipIf(!hasSoftHsm())('of SoftHSM', () => {
    let hsm: SoftHsm;
    let key: string[];
    let env: Record<string, string>;

    beforeAll(async () => {
      hsm = new SoftHsm();
      await hsm.token('main');
      const file = join(hsm.directory, 'key.pem');
      writeFileSync(file, privateKeyPem(await generateKeys('ec-p256')));
      await hsm.importKey('main', file, 'web', '01');
      // The public part, which the request needs.
      rmSync(file);
      key = ['--private-key', 'pkcs11:token=main;object=web', '--pkcs11-lib', SOFTHSM_MODULE];
      const pin = join(hsm.directory, 'pin');
      writeFileSync(pin, PIN, { mode: 0o600 });
      key.push('--pkcs11-pin-file', pin);
      env = hsm.env;
    });
    afterAll(() => hsm.remove());

    it('keeps its certificate in a file', { timeout: 120_000 }, async () => {
      await through(hsm.directory, key, env);
      expect(await hsm.tool(['--token-label', 'main', '--list-objects', '--type', 'cert'])).toBe('');
    });

    it('has its certificate in the token, which is replaced there', { timeout: 120_000 }, async () => {
      let round = 0;
      await through(hsm.directory.concat('/tokens/..'), key, env, async (file) => {
        const leaf = apart(file);
        const label = `renewed-${++round}`;
        const only = `${file}.leaf`;
        writeFileSync(only, pemOf(leaf));
        await hsm.certificate('main', only, label, `1${round}`);
        rmSync(file);
        return ['--certificate', `pkcs11:token=main;object=${label}`];
      });
      const objects = await hsm.tool(['--token-label', 'main', '--list-objects', '--type', 'cert']);
      expect(objects.match(/label: +renewed-1\n/g)).toHaveLength(1);
      expect(objects.match(/label: +renewed-2\n/g)).toHaveLength(1);
    });
  });

  describe.skipIf(!hasSimulator())('of swtpm', () => {
    let tpm: Simulator;

    beforeAll(async () => {
      tpm = await new Simulator('tcp').start();
      await tpm.tool(
        'openssl',
        'genpkey',
        '-provider',
        'tpm2',
        '-algorithm',
        'EC',
        '-pkeyopt',
        'group:P-256',
        '-out',
        'tpm.key',
      );
      await tpm.flush();
    });
    afterAll(async () => await tpm.remove());

    const key = (): string[] => ['--private-key', join(tpm.directory, 'tpm.key'), '--no-tpm-key-password'];

    it('keeps its certificate in a file', { timeout: 120_000 }, async () => {
      await through(tpm.directory, key(), tpm.env);
      expect(await tpm.leftovers()).toEqual([]);
      for (const name of ['step.crt', 'est.crt']) rmSync(join(tpm.directory, name));
    });

    it('has its certificate in an NV index, which is written anew', { timeout: 120_000 }, async () => {
      const index = '0x1c00042';
      let last = '';
      await through(tpm.directory, key(), tpm.env, async (file) => {
        const der = join(tpm.directory, 'leaf.der');
        writeFileSync(der, apart(file));
        if (last === '')
          await tpm.tool('tpm2_nvdefine', index, '-s', '1500', '-a', 'ownerread|ownerwrite|authread|authwrite');
        await tpm.tool('tpm2_nvwrite', index, '-i', der);
        last = der;
        return ['--certificate', `nv:${index}`];
      });
      const written = await runCli(['read-certificate-data', '--certificate', `nv:${index}`], { env: tpm.env });
      const { certificateData } = JSON.parse(written.stdout) as { certificateData: string };
      const before = readCertificate(new Uint8Array(readFileSync(last)), 'the one before');
      const now = readCertificate(Buffer.from(certificateData, 'base64'), 'the one there');
      expect(now.serialNumber).not.toBe(before.serialNumber);
      expect(Buffer.from(now.publicKey)).toEqual(Buffer.from(before.publicKey));
      expect(await tpm.leftovers()).toEqual([]);
    });
  });
});

/** The leaf of a file, whose chain goes to a file of its own. */
function apart(file: string): Uint8Array {
  const [leaf, ...chain] = readPem(readFileSync(file), 'the file');
  writeFileSync(`${file}.chain`, chain.map(({ der }) => pemOf(der)).join(''));
  return leaf?.der ?? new Uint8Array();
}

function pemOf(der: Uint8Array): string {
  const lines = Buffer.from(der).toString('base64').replaceAll(/.{64}/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}
