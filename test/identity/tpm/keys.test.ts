// Of src/identity/tpm/index.ts, key.ts, commands.ts and signer.ts.
import { type KeyObject, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PrivateKey } from '../../../src/identity/private-key.ts';
import { type TpmDeps, openHandle, openKeyFile } from '../../../src/identity/tpm/index.ts';
import { readCertificate } from '../../../src/x509/certificate.ts';
import { refusal, refusalCode } from '../../support/refusal.ts';
import { type MadeKey, derOf, keyFileDer, madeKeys } from '../../support/tpm/keys.ts';
import { keyNamed, openMade, verifies } from '../../support/tpm/open.ts';
import { Simulator, hasSimulator } from '../../support/tpm/simulator.ts';

/** Keys that make no signature that the service takes, and how each is refused. */
const REFUSED: Readonly<Record<string, string>> = {
  'h-rsa-decrypt': 'ERR_TPM_KEY_NOT_SIGNING',
  'h-rsa-pss': 'ERR_TPM_SCHEME',
  'h-rsa-sha384': 'ERR_TPM_SCHEME',
  'h-ecc-policy': 'ERR_TPM_POLICY_REQUIRED',
};

const certificate = (directory: string, name: string) =>
  readCertificate(derOf(readFileSync(join(directory, `${name}.pem`), 'utf8')), name);

describe.skipIf(!hasSimulator())('keys in a TPM', () => {
  let directory: string;
  let keys: readonly MadeKey[];
  let tpm: Simulator;
  beforeAll(async () => {
    ({ directory, keys } = await madeKeys());
    tpm = await new Simulator('tcp', directory).start();
  }, 240_000);
  afterAll(() => tpm.remove());

  const open = (name: string, options?: Parameters<typeof openMade>[3]): Promise<PrivateKey> =>
    openMade(tpm, directory, keyNamed(keys, name), options);

  it.each(['unix', 'tcp'] as const)(
    'sign by a %s socket, each as its certificate says, or are refused by a reason of their own',
    async (kind) => {
      const other = await new Simulator(kind, directory).start();
      const outcomes: Record<string, unknown> = {};
      try {
        for (const key of keys) {
          const message = randomBytes(100);
          outcomes[key.name] = await openMade(other, directory, key)
            .then((opened) => opened.signer.sign(message))
            .then(
              (signature) => verifies(directory, key, message, signature),
              (error: { code?: string }) => error.code,
            );
        }
        expect(outcomes).toEqual(Object.fromEntries(keys.map(({ name }) => [name, REFUSED[name] ?? true])));
        expect(keys.length).toBeGreaterThanOrEqual(48);
        expect(await other.leftovers()).toEqual([]);
      } finally {
        await other.remove();
      }
    },
    120_000,
  );

  it('know their certificate, whatever form it is in, before the TPM signs anything', async () => {
    for (const name of ['h-rsa2048', 'h-ecc521', 'o-owner-p384']) {
      const key = await open(name);
      expect([
        name,
        key.belongsTo(certificate(directory, name)),
        key.belongsTo(certificate(directory, 'h-ecc256')),
      ]).toEqual([name, true, false]);
    }
  });

  it('sign with the other digests where the key leaves them the choice', async () => {
    const key = await open('h-ecc384');
    const message = randomBytes(2000);
    const { verify, X509Certificate } = await import('node:crypto');
    const { publicKey } = new X509Certificate(readFileSync(join(directory, 'h-ecc384.pem')));
    for (const digest of ['SHA384', 'SHA512'] as const)
      expect(verify(digest, message, publicKey, await key.signer.sign(message, digest))).toBe(true);
  });

  it('that are restricted sign what the TPM can hash in one piece, and nothing that looks like its own', async () => {
    const key = await open('h-ecc-restricted');
    const message = randomBytes(1024);
    expect(verifies(directory, keyNamed(keys, 'h-ecc-restricted'), message, await key.signer.sign(message))).toBe(true);
    expect(await refusalCode(() => key.signer.sign(randomBytes(1025)))).toBe('ERR_TPM_RESTRICTED');
    expect(await refusalCode(() => key.signer.sign(Buffer.from('ff544347aa', 'hex')))).toBe('ERR_TPM_RESTRICTED');
  });

  it.each([
    ['owner', '0x40000001', 'o'],
    ['null', '0x40000007', 'n'],
    ['endorsement', '0x4000000B', 'e'],
    ['platform', '0x4000000C', 'p'],
  ])('are loaded under a primary of the %s hierarchy', async (_name, parent, short) => {
    const attributes = 'restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda';
    await tpm.tool('tpm2_createprimary', '-Q', '-C', short, '-G', 'ecc256:aes128cfb', '-a', attributes, '-c', 'p.ctx');
    await tpm.flush();
    await tpm.tool('tpm2_create', '-Q', '-C', 'p.ctx', '-G', 'ecc256', '-u', 'k.pub', '-r', 'k.priv');
    await tpm.flush();
    const [publicPart, privatePart] = ['k.pub', 'k.priv'].map((name) => readFileSync(join(tpm.directory, name)));
    const der = keyFileDer({
      emptyAuth: true,
      parent: Number(parent),
      publicPart: publicPart ?? Buffer.alloc(0),
      privatePart: privatePart ?? Buffer.alloc(0),
    });
    const key = openKeyFile(der, 'k.key', { device: tpm.tcti }, { env: tpm.env });
    const { verify, createPublicKey } = await import('node:crypto');
    const publicKey = createPublicKey(await tpm.tool('tpm2_print', '-t', 'TPM2B_PUBLIC', '-f', 'pem', 'k.pub'));
    const signature = await key.signer.sign(Buffer.from('message'));
    expect(verify('SHA256', Buffer.from('message'), publicKey, signature)).toBe(true);
    expect(await tpm.leftovers()).toEqual([]);
  });

  it('that are loaded by another program sign by their transient handle, and stay', async () => {
    await tpm.tool(
      'tpm2_createprimary',
      '-Q',
      '-C',
      'o',
      '-G',
      'ecc256',
      '-a',
      'sign|noda|fixedtpm|fixedparent|sensitivedataorigin|userwithauth',
      '-c',
      't.ctx',
    );
    const key = await openHandle('handle:80000000', '--private-key', { device: tpm.tcti }, { env: tpm.env });
    await key.signer.sign(Buffer.from('message'));
    expect(await tpm.leftovers()).toEqual(['0x80000000']);
    await tpm.flush();
    expect(await refusal(() => key.signer.sign(Buffer.from('message')))).toMatchObject({
      code: 'ERR_TPM_HANDLE_NOT_LOADED',
      hint: expect.stringContaining('tpm2_evictcontrol') as string,
    });
  });

  it('that were replaced at their handle get no password', async () => {
    const tpm2 = await new Simulator('tcp', directory).start();
    try {
      const key = await openMade(tpm2, directory, keyNamed(keys, 'h-ecc256-pw'));
      const wrongOnes = async () =>
        /LOCKOUT_COUNTER: (\S+)/.exec(await tpm2.tool('tpm2_getcap', 'properties-variable'))?.[1];
      const before = await wrongOnes();
      await tpm2.tool('tpm2_evictcontrol', '-Q', '-C', 'o', '-c', '0x81010012');
      await tpm2.tool(
        'tpm2_createprimary',
        '-Q',
        '-C',
        'o',
        '-G',
        'ecc256',
        '-a',
        'sign|fixedtpm|fixedparent|sensitivedataorigin|userwithauth',
        '-p',
        'x',
        '-c',
        'n.ctx',
      );
      await tpm2.tool('tpm2_evictcontrol', '-Q', '-C', 'o', '-c', 'n.ctx', '0x81010012');
      await tpm2.flush();
      expect(await refusalCode(() => key.signer.sign(Buffer.from('message')))).toBe('ERR_KEY_MISMATCH');
      expect(await wrongOnes()).toBe(before);
    } finally {
      await tpm2.remove();
    }
  });

  it.each([
    ['handle:0x81019999', 'ERR_TPM_KEY_NOT_FOUND'],
    ['handle:0x80000001', 'ERR_TPM_HANDLE_NOT_LOADED'],
    ['handle:0x01500001', 'ERR_TPM_HANDLE_KIND'],
    ['handle:0x00000000', 'ERR_TPM_HANDLE_KIND'],
    ['handle:0x40000001', 'ERR_TPM_HANDLE_KIND'],
    ['handle:0x02000000', 'ERR_TPM_HANDLE_KIND'],
    ['handle:0x8101', 'ERR_TPM_HANDLE_KIND'],
    ['handle:', 'ERR_TPM_HANDLE'],
    ['handle:0x', 'ERR_TPM_HANDLE'],
    ['handle:0x810100011', 'ERR_TPM_HANDLE'],
    ['handle:key', 'ERR_TPM_HANDLE'],
  ])('by the handle %s are refused with %s', async (value, code) => {
    expect(await refusalCode(() => openHandle(value, '--private-key', { device: tpm.tcti }, { env: tpm.env }))).toBe(
      code,
    );
  });

  it('by a handle are found with and without 0x, in either case', async () => {
    for (const value of ['handle:81010002', 'handle:0X81010002'])
      expect((await openHandle(value, '--private-key', { device: tpm.tcti }, { env: tpm.env })).signer.keyType).toBe(
        'EC',
      );
  });

  it('of another TPM, or changed, are not loaded', async () => {
    const stranger = await new Simulator('tcp').start();
    try {
      const made = keyNamed(keys, 'o-owner-p256');
      expect(
        await refusalCode(async () => (await openMade(stranger, directory, made)).signer.sign(randomBytes(1))),
      ).toBe('ERR_TPM_KEY_NOT_LOADABLE');
      const under = keyNamed(keys, 'o-parent-p256');
      const { code, message } = await refusal(async () =>
        (await openMade(stranger, directory, under)).signer.sign(randomBytes(1)),
      );
      expect([code, message]).toEqual(['ERR_TPM_PARENT_NOT_FOUND', expect.stringContaining('0x81000001')]);
      expect(await stranger.leftovers()).toEqual([]);
    } finally {
      await stranger.remove();
    }
    const der = derOf(readFileSync(join(directory, 'o-owner-p256.key'), 'utf8'));
    der[der.length - 20] = (der[der.length - 20] ?? 0) ^ 1;
    const changed = openKeyFile(der, 'k.key', { device: tpm.tcti }, { env: tpm.env });
    expect(await refusalCode(() => changed.signer.sign(randomBytes(1)))).toBe('ERR_TPM_KEY_NOT_LOADABLE');
    expect(await tpm.leftovers()).toEqual([]);
  });

  it('sign many messages at once, one after the other', async () => {
    const key = await open('o-owner-p256-pw');
    const messages = Array.from({ length: 20 }, () => randomBytes(50));
    const signatures = await Promise.all(messages.map((message) => key.signer.sign(message)));
    const made = keyNamed(keys, 'o-owner-p256-pw');
    expect(
      signatures.every((signature, index) => verifies(directory, made, messages[index] ?? Buffer.alloc(0), signature)),
    ).toBe(true);
  });

  it('sign nothing once they are closed', async () => {
    const key = await open('h-ecc256-noda');
    key.forget();
    key.forget();
    expect(await refusalCode(() => key.signer.sign(randomBytes(1)))).toBe('ERR_SIGN');
  });

  it('bound to PCRs sign while these have their values, and not afterwards', async () => {
    const bound = await new Simulator('tcp', directory).start();
    try {
      const made = keyNamed(keys, 'h-ecc-policy');
      const key = await openMade(bound, directory, made, { policyPcr: 'sha256:0' });
      const message = randomBytes(10);
      expect(verifies(directory, made, message, await key.signer.sign(message))).toBe(true);
      const other = await openMade(bound, directory, made, { policyPcr: 'sha256:0,7' });
      expect(await refusalCode(() => other.signer.sign(message))).toBe('ERR_TPM_POLICY_FAILED');
      await bound.tool('tpm2_pcrextend', `0:sha256=${'ab'.repeat(32)}`);
      expect(await refusalCode(() => key.signer.sign(message))).toBe('ERR_TPM_POLICY_FAILED');
      expect(await bound.leftovers()).toEqual([]);
    } finally {
      await bound.remove();
    }
  });

  it('with a policy in their file need no flag, in both forms of it, and also their password where it says so', async () => {
    const bound = await new Simulator('tcp', directory).start();
    try {
      const run = (...args: string[]) => bound.tool(args[0] ?? '', ...args.slice(1));
      await run('tpm2_startauthsession', '-S', 's.ctx');
      await run('tpm2_policypcr', '-Q', '-S', 's.ctx', '-l', 'sha256:0,7', '-L', 'pcr.policy');
      await run('tpm2_policyauthvalue', '-Q', '-S', 's.ctx', '-L', 'both.policy');
      await run('tpm2_flushcontext', 's.ctx');
      await run('tpm2_pcrread', '-Q', '-o', 'pcrs', 'sha256:0,7');
      const { createHash, createPublicKey, verify } = await import('node:crypto');
      const digest = createHash('sha256')
        .update(readFileSync(join(bound.directory, 'pcrs')))
        .digest();
      const selection = Buffer.from('00000001000b03810000', 'hex');
      const asCommand = Buffer.concat([Buffer.from([0, 32]), digest, selection]);
      const asDigested = Buffer.concat([selection, digest]);
      const attributes = 'sign|fixedtpm|fixedparent|sensitivedataorigin';
      let last: { publicKey: KeyObject; deps: TpmDeps } | undefined;
      for (const [policyFile, password, steps] of [
        ['pcr.policy', undefined, [{ command: 0x17f, parameters: asCommand }]],
        ['pcr.policy', undefined, [{ command: 0x17f, parameters: asDigested }]],
        [
          'both.policy',
          'secret',
          [
            { command: 0x17f, parameters: asDigested },
            { command: 0x16b, parameters: Buffer.alloc(0) },
          ],
        ],
      ] as const) {
        const own = password === undefined ? [] : ['-p', password];
        await run(
          'tpm2_create',
          '-Q',
          '-C',
          '0x81000001',
          '-G',
          'ecc256',
          '-a',
          attributes,
          '-L',
          policyFile,
          ...own,
          '-u',
          'k.pub',
          '-r',
          'k.priv',
        );
        await bound.flush();
        const der = keyFileDer({
          emptyAuth: password === undefined,
          policy: [...steps],
          parent: 0x81000001,
          publicPart: readFileSync(join(bound.directory, 'k.pub')),
          privatePart: readFileSync(join(bound.directory, 'k.priv')),
        });
        const settings = { device: bound.tcti };
        const given = password === undefined ? undefined : { password, from: 'x' };
        const deps = { env: bound.env, ask: async () => undefined, passwords: { 'tpm-key': given } };
        const key = openKeyFile(der, 'k.key', settings, deps);
        const publicKey = createPublicKey(await run('tpm2_print', '-t', 'TPM2B_PUBLIC', '-f', 'pem', 'k.pub'));
        expect(verify('SHA256', Buffer.from('m'), publicKey, await key.signer.sign(Buffer.from('m')))).toBe(true);
        if (password !== undefined) last = { publicKey, deps };
      }
      // Of the last of them: the flag finds out for itself that the password is wanted too.
      const made = {
        parent: 0x81000001,
        publicPart: readFileSync(join(bound.directory, 'k.pub')),
        privatePart: readFileSync(join(bound.directory, 'k.priv')),
      };
      if (last === undefined) throw new Error('no key with a password');
      const { publicKey, deps } = last;
      const settings = { device: bound.tcti, policyPcr: 'sha256:0,7' };
      const flagged = openKeyFile(keyFileDer(made), 'k.key', settings, deps);
      expect(verify('SHA256', Buffer.from('m'), publicKey, await flagged.signer.sign(Buffer.from('m')))).toBe(true);
      const passwords = { 'tpm-key': { password: 'wrong', from: 'x' } };
      const wrong = openKeyFile(keyFileDer(made), 'k.key', settings, { ...deps, passwords });
      expect(await refusalCode(() => wrong.signer.sign(Buffer.from('m')))).toBe('ERR_TPM_KEY_PASSWORD');
      const unsupported = keyFileDer({
        policy: [{ command: 0x160, parameters: Buffer.alloc(0) }],
        parent: 0x81000001,
        publicPart: readFileSync(join(bound.directory, 'k.pub')),
        privatePart: readFileSync(join(bound.directory, 'k.priv')),
      });
      const key = openKeyFile(unsupported, 'k.key', { device: bound.tcti }, { env: bound.env });
      expect(await refusalCode(() => key.signer.sign(Buffer.from('m')))).toBe('ERR_TPM_POLICY_UNSUPPORTED');
      expect(await bound.leftovers()).toEqual([]);
    } finally {
      await bound.remove();
    }
  }, 60_000);

  it('of the null hierarchy end with the TPM they were made in', async () => {
    const brief = await new Simulator('tcp', directory).start();
    try {
      const attributes = 'restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda';
      await brief.tool(
        'tpm2_createprimary',
        '-Q',
        '-C',
        'n',
        '-G',
        'ecc256:aes128cfb',
        '-a',
        attributes,
        '-c',
        'p.ctx',
      );
      await brief.flush();
      await brief.tool('tpm2_create', '-Q', '-C', 'p.ctx', '-G', 'ecc256', '-u', 'k.pub', '-r', 'k.priv');
      await brief.flush();
      const der = keyFileDer({
        emptyAuth: true,
        parent: 0x40000007,
        publicPart: readFileSync(join(brief.directory, 'k.pub')),
        privatePart: readFileSync(join(brief.directory, 'k.priv')),
      });
      writeFileSync(join(brief.directory, 'k.der'), der);
      const key = openKeyFile(der, 'k.key', { device: brief.tcti }, { env: brief.env });
      await key.signer.sign(Buffer.from('m'));
      await brief.stop();
      await brief.start();
      expect(await refusalCode(() => key.signer.sign(Buffer.from('m')))).toBe('ERR_TPM_KEY_NOT_LOADABLE');
    } finally {
      await brief.remove();
    }
  });
});
