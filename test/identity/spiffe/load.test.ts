import { generateKeyPairSync, verify } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { loadCertificates, loadIdentity, loadSigningKey } from '../../../src/identity/load.ts';
import { readCertificate } from '../../../src/x509/certificate.ts';
import { publicKeyObject } from './support.ts';
import { type WorkloadApi, begin, makeTrustDomain, startWorkloadApi, x509Answer } from '../../support/workload-api.ts';

let api: WorkloadApi | undefined;
afterEach(async () => {
  await api?.close();
  api = undefined;
});

const domain = await makeTrustDomain();
const web = await domain.issue({ hint: 'web' });
const batch = await domain.issue({ id: 'spiffe://example.org/batch', hint: 'batch' });

async function serving(message = x509Answer(web, batch)): Promise<string> {
  api = await startWorkloadApi((question) => begin(question, message));
  return `spiffe:${api.address}`;
}

describe('an identity of a Workload API', () => {
  it('is the first that it gives, with its chain and its key', async () => {
    const identity = await loadIdentity({ certificate: await serving() });
    expect(identity.serialNumber).toBe(web.serialNumber);
    expect(identity.chain.map((der) => Buffer.from(der))).toEqual(web.certificates.slice(1));
    const signature = await identity.signer.sign(Buffer.from('message'));
    const { publicKey } = readCertificate(identity.certificate, 'it');
    expect(verify('sha256', Buffer.from('message'), publicKeyObject(publicKey), signature)).toBe(true);
    await identity.close();
  });

  it.each([
    ['id=spiffe://example.org/batch', batch],
    ['hint=batch', batch],
    ['id=spiffe://example.org/web&hint=web', web],
  ])('is the one that %s names', async (query, { serialNumber }) => {
    const identity = await loadIdentity({ certificate: `${await serving()}?${query}` });
    expect(identity.serialNumber).toBe(serialNumber);
  });

  it('is refused when there is no such one, with those that there are', async () => {
    await expect(
      loadIdentity({ certificate: `${await serving()}?id=spiffe://example.org/web&hint=batch` }),
    ).rejects.toMatchObject({
      code: 'ERR_SPIFFE_ID',
      message: expect.stringContaining('does not give this process spiffe://example.org/web with hint "batch"'),
      hint: 'it gives spiffe://example.org/web (hint "web"), spiffe://example.org/batch (hint "batch")',
    });
  });

  it('is found by SPIFFE_ENDPOINT_SOCKET', async () => {
    await serving();
    const env = { SPIFFE_ENDPOINT_SOCKET: api?.address };
    const [leaf, ...others] = await loadCertificates('spiffe:', { env });
    expect(leaf.serialNumber).toBe(web.serialNumber);
    expect(others).toHaveLength(1);
    await expect(loadIdentity({ certificate: 'spiffe:' }, { env: {} })).rejects.toMatchObject({
      code: 'ERR_SPIFFE_ADDRESS',
    });
  });

  it('goes through the checks of every identity', async () => {
    const past = { notBefore: new Date(Date.now() - 7_200_000), notAfter: new Date(Date.now() - 3_600_000) };
    const certificate = await serving(x509Answer(await domain.issue(past)));
    await expect(loadIdentity({ certificate })).rejects.toMatchObject({
      code: 'ERR_CERTIFICATE_EXPIRED',
      message: expect.stringContaining(certificate),
    });
  });

  it('needs its own key', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const key = privateKey.export({ type: 'pkcs8', format: 'der' });
    await expect(loadIdentity({ certificate: await serving(x509Answer({ ...web, key })) })).rejects.toMatchObject({
      code: 'ERR_KEY_MISMATCH',
    });
    await api?.close();
    const garbage = Buffer.from([0x30, 3, 1, 1, 0]);
    await expect(
      loadIdentity({ certificate: await serving(x509Answer({ ...web, key: garbage })) }),
    ).rejects.toMatchObject({ code: 'ERR_KEY_MALFORMED' });
  });

  it('takes no private key beside it, and stands for nothing else', async () => {
    const certificate = await serving();
    for (const privateKey of ['key.pem', certificate, 'handle:0x81000001', 'pkcs11:token=a'])
      await expect(loadIdentity({ certificate, privateKey })).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' });
    await expect(loadIdentity({ certificate, intermediates: certificate })).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
    });
    await expect(loadSigningKey(certificate)).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED',
      hint: expect.stringContaining('--certificate spiffe:'),
    });
  });
});
