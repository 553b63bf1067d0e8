/** A selector among the certificates of a token. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CertificateChoice } from '../../../src/identity/choice.ts';
import { listPkcs11Certificates, loadPkcs11Identity } from '../../../src/identity/pkcs11/index.ts';
import { PKI, runCli } from '../../support/cli.ts';
import { pkiPath } from '../../support/pki.ts';
import { refusal } from '../../support/refusal.ts';
import { HELPER, PIN, SOFTHSM_MODULE, SoftHsm, hasSoftHsm } from '../../support/softhsm.ts';
import { verifyWithCertificate } from '../../support/verify.ts';

const MESSAGE = Buffer.from('to be signed');
const NAMES = ['rsa-2048', 'ec-p256'] as const;
const serialOf = (name: string): string => new X509Certificate(readFileSync(pkiPath(`${name}.crt.pem`))).serialNumber;

describe.skipIf(!hasSoftHsm())('a selector in SoftHSM2', () => {
  let hsm: SoftHsm;
  beforeAll(async () => {
    hsm = new SoftHsm();
    await hsm.token('one');
    for (const [index, pki] of NAMES.entries()) await hsm.pair('one', { pki, label: pki, id: `0${index + 1}` });
    await hsm.certificate('one', pkiPath('intermediate.pem'), 'ca', '40');
    await hsm.key('one', { pki: 'serial-1', id: '08', label: 'hidden' });
    await hsm.privateCertificate('one', pkiPath('serial-1.crt.pem'), 'hidden', '08');
  }, 60_000);
  afterAll(() => hsm.remove());

  const settings = { library: SOFTHSM_MODULE };
  const deps = () => ({ env: hsm.env, helperPath: HELPER, askPin: async () => undefined });
  const certificate = `pkcs11:token=one?pin-value=${PIN}`;
  const load = async (choice: CertificateChoice, more: { certificate?: string; privateKey?: string } = {}) => {
    const identity = await loadPkcs11Identity({ certificate, choice, ...settings, ...more }, deps());
    try {
      const signature = await identity.signer.sign(MESSAGE);
      expect(verifyWithCertificate(identity.certificate, MESSAGE, signature)).toBe(true);
      return BigInt(identity.serialNumber).toString(16).toUpperCase();
    } finally {
      await identity.close();
    }
  };

  it.each([...NAMES, 'serial-1'])('%s is found, with its key and after a login where that is needed', async (name) => {
    const serial = serialOf(name);
    expect(await load({ selector: `Key=x509Serial,Value=${serial}` })).toBe(
      BigInt(`0x${serial}`).toString(16).toUpperCase(),
    );
  });

  it('several are refused with their URIs, or the last to expire is taken', async () => {
    const selector = 'Key=x509Issuer,Value=O=Roles Anywhere development';
    const { code, hint } = await refusal(() => load({ selector }));
    expect(code).toBe('ERR_CERTIFICATE_AMBIGUOUS');
    for (const name of NAMES) expect(hint).toContain(`object=${name}`);
    expect(hint).not.toContain('object=ca;');
    await load({ selector, latest: true });
  });

  it('none is refused', async () => {
    expect(await refusal(() => load({ selector: 'Key=x509Serial,Value=77' }))).toMatchObject({
      code: 'ERR_CERTIFICATE_NOT_FOUND',
    });
  });

  it('chooses in a file too, whose key is in the token', async () => {
    const serial = serialOf('ec-p256');
    const choice = { selector: `Key=x509Serial,Value=${serial}` };
    const more = { certificate: pkiPath('ec-p256.chain.pem'), privateKey: certificate };
    await expect(load(choice, { ...more, certificate: pkiPath('rsa-2048.crt.pem') })).rejects.toMatchObject({
      code: 'ERR_CERTIFICATE_NOT_FOUND',
    });
    await load(choice, { ...more, certificate: pkiPath('ec-p256.crt.pem') });
  });

  it('lists what matches', async () => {
    const choice = { selector: `Key=x509Serial,Value=${serialOf('ec-p256')}` };
    const listed = await listPkcs11Certificates('pkcs11:token=one', { ...settings, choice }, deps());
    expect(listed.map(({ uri }) => uri)).toEqual([expect.stringContaining('object=ec-p256')]);
    const line = [
      '--pkcs11-lib',
      SOFTHSM_MODULE,
      '--certificate',
      'pkcs11:token=one',
      '--cert-selector',
      choice.selector,
    ];
    const { stdout } = await runCli(['read-certificate-data', ...line], { env: { ...hsm.env } });
    expect(JSON.parse(stdout)).toMatchObject({
      keyType: 'EC',
      certificateData: new X509Certificate(readFileSync(`${PKI}ec-p256.crt.pem`)).raw.toString('base64'),
    });
  });
});
