/** Against step-ca itself, v0.30.2, with `step` v0.21.0 beside it. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { loadIdentity } from '../../src/identity/load.ts';
import { readCertificate } from '../../src/x509/certificate.ts';
import { runCli } from '../support/cli.ts';
import { GO_INSTALL_TIMEOUT_MS } from '../support/go-program.ts';
import { type StepCa, findStep, startStepCa } from './support/step.ts';

const programs = await findStep();
const result = ({ stdout }: { stdout: string }): unknown => JSON.parse(stdout);

describe.skipIf(programs === undefined)('renewal by step-ca', () => {
  let ca: StepCa;
  let folder: string;
  let certificate: string;
  let key: string;

  beforeAll(async () => {
    if (programs !== undefined) ca = await startStepCa(programs);
  }, GO_INSTALL_TIMEOUT_MS);

  afterAll(async () => await ca.close());

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'ra-step-'));
    certificate = join(folder, 'web.crt');
    key = join(folder, 'web.key');
  });

  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const renew = async (...flags: string[]) =>
    await runCli([
      'renew',
      '--certificate',
      certificate,
      '--private-key',
      key,
      '--renew-from',
      `step-ca:${ca.url}`,
      ...flags,
    ]);
  const serial = async (): Promise<string> => (await loadIdentity({ certificate, privateKey: key })).serialNumber;

  it.each(['EC', 'RSA'])('renews a %s certificate that step made, and keeps its key', async (type) => {
    await ca.issue('web', { certificate, key }, '--kty', type, '--san', 'web.example', '--san', '10.0.0.1');
    const [before, old] = [await serial(), readFileSync(key, 'utf8')];
    const done = await renew('--renew-ca', ca.root, '--force');
    expect(done).toMatchObject({ status: 0 });
    expect(await serial()).not.toBe(before);
    expect(result(done)).toMatchObject({ renewed: true, newKey: false, serialNumber: await serial() });
    expect(readFileSync(key, 'utf8')).toBe(old);
    expect(await ca.step('certificate', 'verify', certificate, '--roots', ca.root)).toBe('');
  });

  it.each(['EC', 'RSA'])('gives a new %s key with --new-key', async (type) => {
    await ca.issue('web', { certificate, key }, '--kty', type);
    for (let round = 0; round < 2; round++) {
      const old = readFileSync(key, 'utf8');
      const done = await renew('--renew-ca', ca.root, '--force', '--new-key');
      expect(result(done)).toMatchObject({ renewed: true, newKey: true, serialNumber: await serial() });
      expect(readFileSync(key, 'utf8')).not.toBe(old);
      expect(readFileSync(`${key}.previous`, 'utf8')).toBe(old);
      expect(statSync(key).mode & 0o777).toBe(0o600);
    }
  });

  it('believes the CA by the fingerprint of its root, and no other', async () => {
    await ca.issue('web', { certificate, key });
    expect(await renew('--renew-ca-fingerprint', ca.fingerprint, '--force')).toMatchObject({ status: 0 });
    const before = await serial();
    const wrong = await renew('--renew-ca-fingerprint', 'ab'.repeat(32), '--force');
    expect(wrong.status).not.toBe(0);
    const none = await runCli(
      ['renew', '--force', '--certificate', certificate, '--private-key', key, '--renew-from', `step-ca:${ca.url}`],
      { env: { AWS_CA_BUNDLE: ca.root } },
    );
    expect(none.stderr).toContain('ERR_TLS_AUTHORITY');
    expect(none.stderr).toContain('--renew-ca');
    expect(await serial()).toBe(before);
  });

  it('does nothing until it is due', async () => {
    await ca.issue('web', { certificate, key });
    const before = await serial();
    expect(result(await renew('--renew-ca', ca.root))).toMatchObject({ renewed: false, serialNumber: before });
    expect(result(await renew('--renew-ca', ca.root, '--at', '99%'))).toMatchObject({ renewed: false });
    await ca.issue('web', { certificate, key }, '--not-after', '20s');
    expect(result(await renew('--renew-ca', ca.root, '--at', '10s'))).toMatchObject({ renewed: false });
    await sleep(12_000);
    expect(result(await renew('--renew-ca', ca.root, '--at', '10s'))).toMatchObject({ renewed: true });
  });

  it('gets the first certificate by a one-time token, for the names that the token is for', async () => {
    const token = join(folder, 'token');
    writeFileSync(token, `${await ca.token('web', '--san', 'web.example', '--san', '10.0.0.1')}\n`, { mode: 0o600 });
    const enrolled = await renew('--enroll', '--renew-token-file', token);
    expect(enrolled).toMatchObject({ status: 0 });
    expect(result(enrolled)).toMatchObject({ enrolled: true, serialNumber: await serial() });
    expect(statSync(key).mode & 0o777).toBe(0o600);
    const { certificate: der, chain } = await loadIdentity({ certificate, privateKey: key });
    expect(chain).toHaveLength(1);
    expect(readCertificate(der, 'the leaf').extensions.has('2.5.29.17')).toBe(true);
    // What is there is not enrolled again, whatever the token: it is good once.
    expect(result(await renew('--enroll', '--renew-token-file', token, '--renew-ca', ca.root))).toMatchObject({
      renewed: false,
    });
    expect(await renew('--renew-ca', ca.root, '--force')).toMatchObject({ status: 0 });
  });

  it('goes on with the key of an enrolment that was cut short, and says why the CA says no', async () => {
    const token = join(folder, 'token');
    writeFileSync(token, await ca.token('web'));
    const stale = readFileSync(token, 'utf8');
    expect(await renew('--enroll', '--renew-token-file', token)).toMatchObject({ status: 0 });
    rmSync(certificate);
    const old = readFileSync(key, 'utf8');
    const used = await renew('--enroll', '--renew-token-file', token);
    expect(used).toMatchObject({ status: 4 });
    expect(used.stderr).toContain('ERR_RENEWAL_REFUSED');
    expect(used.stderr).not.toContain(stale);
    expect(existsSync(certificate)).toBe(false);
    writeFileSync(token, await ca.token('web'));
    expect(await renew('--enroll', '--renew-token-file', token)).toMatchObject({ status: 0 });
    expect(readFileSync(key, 'utf8')).toBe(old);
  });

  it('keeps the old pair when the CA says no, or is away', async () => {
    await ca.issue('web', { certificate, key }, '--not-after', '2s');
    await sleep(3000);
    const before = [readFileSync(certificate, 'utf8'), readFileSync(key, 'utf8')];
    const expired = await renew('--renew-ca', ca.root, '--force');
    expect(expired.status).toBe(4);
    expect(expired.stderr).toContain('ERR_RENEWAL_REFUSED');
    await ca.stop();
    const gone = await renew('--renew-ca', ca.root, '--force');
    await ca.start();
    expect(gone.status).toBe(5);
    expect(gone.stderr).toContain('ERR_CONNECT');
    expect([readFileSync(certificate, 'utf8'), readFileSync(key, 'utf8')]).toEqual(before);
  });

  it('renews an expired certificate where the CA allows that', async () => {
    if (programs === undefined) return;
    const lenient = await startStepCa(programs, { afterExpiry: true });
    try {
      await lenient.issue('web', { certificate, key }, '--not-before=-5m', '--not-after=5m2s');
      await sleep(3000);
      const line = ['renew', '--certificate', certificate, '--private-key', key, '--renew-ca', lenient.root];
      const done = await runCli([...line, '--renew-from', `step-ca:${lenient.url}`]);
      expect(done).toMatchObject({ status: 0 });
      expect(result(done)).toMatchObject({ renewed: true });
    } finally {
      await lenient.close();
    }
  });
});
