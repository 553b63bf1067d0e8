// Of src/identity/tpm/nv.ts, with a TPM.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readNvIndex } from '../../../src/identity/tpm/index.ts';
import { refusalCode } from '../../support/refusal.ts';
import { NV_INDEX, derOf, madeKeys } from '../../support/tpm/keys.ts';
import { Simulator, hasSimulator } from '../../support/tpm/simulator.ts';

describe.skipIf(!hasSimulator())('a certificate in an NV index', () => {
  let directory: string;
  let tpm: Simulator;
  beforeAll(async () => {
    ({ directory } = await madeKeys());
    tpm = await new Simulator('tcp', directory).start();
  }, 240_000);
  afterAll(() => tpm.remove());

  const read = (index: string, more: Parameters<typeof readNvIndex>[3] = {}) =>
    readNvIndex(
      `nv:${index}`,
      '--certificate',
      { device: tpm.tcti },
      { env: tpm.env, ask: async () => undefined, ...more },
    );
  const define = async (index: string, attributes: string, content: Uint8Array, ...more: string[]): Promise<void> => {
    writeFileSync(join(tpm.directory, 'content'), content);
    await tpm.tool('tpm2_nvdefine', '-Q', index, '-C', 'o', '-s', String(content.length), '-a', attributes, ...more);
    await tpm.tool('tpm2_nvwrite', '-Q', index, '-C', 'o', '-i', 'content');
  };

  it('is cut to its own length, and read in pieces where it is larger than one', async () => {
    const der = derOf(readFileSync(join(directory, 'h-ecc256.pem'), 'utf8'));
    expect(Buffer.from(await read(NV_INDEX)).equals(der)).toBe(true);
    // A chain in PEM is left as it is.
    const pem = Buffer.from(
      ['h-ecc256', 'h-rsa2048'].map((name) => readFileSync(join(directory, `${name}.pem`), 'utf8')).join(''),
    );
    expect(pem.length).toBeGreaterThan(1024);
    await define('0x1500010', 'ownerread|ownerwrite', pem);
    expect(Buffer.from(await read('1500010')).equals(pem)).toBe(true);
  });

  it.each([
    ['0x1500020', 'ownerwrite|authread|no_da'],
    ['0x1500021', 'ownerwrite|authread'],
    ['0x1500022', 'ownerwrite|ownerread|authread|no_da'],
    ['0x1500023', 'ownerwrite|ownerread'],
  ])('%s with %s is read', async (index, attributes) => {
    await define(index, attributes, Buffer.from('3003020101', 'hex'));
    expect(Buffer.from(await read(index)).toString('hex')).toBe('3003020101');
  });

  it('that has a password is a person’s to open', async () => {
    await define('0x1500030', 'ownerwrite|authread|no_da', Buffer.from('3003020101', 'hex'), '-p', 'secret');
    expect(await refusalCode(() => read('0x1500030'))).toBe('ERR_PASSWORD_REQUIRED');
    const typed = await read('0x1500030', { ask: async () => new Uint8Array(Buffer.from('secret')) });
    expect(Buffer.from(typed).toString('hex')).toBe('3003020101');
    expect(await tpm.leftovers()).toEqual([]);
  });

  it('that only the owner’s password opens is read with it, without showing it', async () => {
    await define('0x1500040', 'ownerwrite|ownerread', Buffer.from('3003020101', 'hex'));
    await tpm.tool('tpm2_changeauth', '-Q', '-c', 'owner', 'owner-password');
    try {
      expect(await refusalCode(() => read('0x1500040'))).toBe('ERR_PASSWORD_REQUIRED');
      const passwords = { 'tpm-hierarchy': { password: 'owner-password', from: 'the test' } };
      expect(Buffer.from(await read('0x1500040', { passwords })).toString('hex')).toBe('3003020101');
      const wrong = { 'tpm-hierarchy': { password: 'wrong', from: 'the test' } };
      expect(await refusalCode(() => read('0x1500040', { passwords: wrong }))).toBe('ERR_TPM_HIERARCHY_PASSWORD');
      // Where the index opens by itself, the owner's password is not needed.
      expect((await read(NV_INDEX)).length).toBeGreaterThan(100);
    } finally {
      await tpm.tool('tpm2_changeauth', '-Q', '-c', 'owner', '-p', 'owner-password');
    }
  });

  it('that is not there, was never written, or may not be read says so', async () => {
    expect(await refusalCode(() => read('0x1600000'))).toBe('ERR_TPM_NV_NOT_FOUND');
    await tpm.tool('tpm2_nvdefine', '-Q', '0x1500050', '-C', 'o', '-s', '8', '-a', 'ownerread|ownerwrite');
    expect(await refusalCode(() => read('0x1500050'))).toBe('ERR_TPM_NV_EMPTY');
    await define('0x1500051', 'ownerwrite|policyread', Buffer.alloc(8)).catch(() => undefined);
    expect(await refusalCode(() => read('0x1500051'))).toBe('ERR_TPM_NV_ACCESS');
    await define('0x1500052', 'ownerread|ownerwrite|read_stclear', Buffer.alloc(8));
    await tpm.tool('tpm2_nvreadlock', '-Q', '0x1500052', '-C', 'o');
    expect(await refusalCode(() => read('0x1500052'))).toBe('ERR_TPM_NV_ACCESS');
    expect(await refusalCode(() => read('81000001'))).toBe('ERR_TPM_HANDLE_KIND');
    expect(await refusalCode(() => read('x'))).toBe('ERR_TPM_HANDLE');
  });
});
