import { X509Certificate, createPublicKey, verify } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readContents } from '../../../src/identity/contents.ts';
import { readMaterialFile } from '../../../src/identity/material.ts';
import {
  listPkcs11Certificates,
  loadPkcs11Identity,
  loadPkcs11SigningKey,
} from '../../../src/identity/pkcs11/index.ts';
import type { Pkcs11Deps, Pkcs11Spec } from '../../../src/identity/pkcs11/index.ts';
import { openssl, pkiPath } from '../../support/pki.ts';
import { refusal } from '../../support/refusal.ts';
import { HELPER, P11_KIT_PROXY, PIN, SOFTHSM_MODULE, SoftHsm, hasSoftHsm } from '../../support/softhsm.ts';

const message = Buffer.from('a message');
const KEYS = [
  { pki: 'rsa-2048', id: '01', label: 'rsa-2048' },
  { pki: 'rsa-3072', id: '02', label: 'rsa-3072' },
  { pki: 'ec-p256', id: '03', label: 'p256' },
  { pki: 'ec-p384', id: '04', label: 'p384' },
  { pki: 'ec-p521', id: '05', label: 'p521' },
] as const;

describe.skipIf(!hasSoftHsm())('keys in SoftHSM2', () => {
  let hsm: SoftHsm;

  beforeAll(async () => {
    hsm = new SoftHsm();
    await hsm.token('main');
    await hsm.token('twin');
    await hsm.token('twin');
    await hsm.token('other', '5678');
    await hsm.key('other', { pki: 'serial-20-bytes', id: '01', label: 'elsewhere' }, '5678');
    for (const pair of KEYS) await hsm.pair('main', pair);
    await hsm.certificate('main', pkiPath('intermediate.pem'), 'ca', '40');
    await hsm.certificate('main', pkiPath('root.pem'), 'ca-root', '41');
    await hsm.key('main', { pki: 'serial-1', id: '06', label: 'always', alwaysAuthenticate: true });
    await hsm.certificate('main', pkiPath('serial-1.crt.pem'), 'always', '06');
    await hsm.key('main', { pki: 'serial-80', id: '00ff0000', label: 'Schlüssel ☂' });
    await hsm.certificate('main', pkiPath('serial-80.crt.pem'), 'Zertifikat ☂', '00ff0000');
    await hsm.key('main', { pki: 'serial-20-bytes', id: '08', label: 'hidden' });
    await hsm.privateCertificate('main', pkiPath('serial-20-bytes.crt.pem'), 'hidden', '08');
    await hsm.key('main', { pki: 'rsa-4096', id: '09', label: 'key-only' });
    const edwards = ['--keypairgen', '--key-type', 'EC:edwards25519', '--label', 'edwards', '--id', '0e'];
    await hsm.tool(['--token-label', 'main', '--login', '--pin', PIN, ...edwards]);
    process.env['SOFTHSM2_CONF'] = hsm.env['SOFTHSM2_CONF'];
  }, 60_000);
  afterAll(() => hsm.remove());

  describe.each([
    ['with the module itself', SOFTHSM_MODULE],
    ['through p11-kit-proxy by name', P11_KIT_PROXY],
    ['through p11-kit-proxy by default', undefined],
  ] as const)('%s', (_name, library) => {
    const load = (spec: Pkcs11Spec, deps: Pkcs11Deps = {}) =>
      loadPkcs11Identity({ library, ...spec }, { env: hsm.env, helperPath: HELPER, askPin: nobody, ...deps });

    it.each(KEYS)('$pki signs what verifies with its certificate, with every digest', async ({ pki, label }) => {
      const identity = await load({ certificate: `pkcs11:token=main;object=${label}?pin-value=${PIN}` });
      try {
        const certificate = new X509Certificate(readFileSync(pkiPath(`${pki}.crt.pem`)));
        expect(Buffer.from(identity.certificate)).toEqual(certificate.raw);
        expect(identity.serialNumber).toBe(BigInt(`0x${certificate.serialNumber}`).toString());
        for (const digest of ['SHA256', 'SHA384', 'SHA512'] as const) {
          const signature = await identity.signer.sign(message, digest);
          expect(verify(digest, message, certificate.publicKey, signature)).toBe(true);
        }
      } finally {
        await identity.close();
        await identity.close();
      }
    });

    it('the chain is made of the certificates in the token, without the root', async () => {
      const identity = await load({ certificate: `pkcs11:token=main;object=p256?pin-value=${PIN}` });
      await identity.close();
      expect(identity.chain.map((der) => Buffer.from(der))).toEqual([rawOf('intermediate.pem')]);
    });

    it('signatures that are asked for at once are made one after the other', async () => {
      const identity = await load({ certificate: `pkcs11:token=main;object=p256?pin-value=${PIN}` });
      const signatures = await Promise.all(Array.from({ length: 8 }, () => identity.signer.sign(message)));
      await identity.close();
      expect(new Set(signatures.map((signature) => Buffer.from(signature).toString('hex'))).size).toBe(8);
    });

    it('a certificate that needs a login is found after one, where one token matches', async () => {
      const identity = await load({ certificate: `pkcs11:token=main;object=hidden?pin-value=${PIN}` });
      await identity.signer.sign(message);
      await identity.close();
      expect(Buffer.from(identity.certificate)).toEqual(rawOf('serial-20-bytes.crt.pem'));
    });

    it('a key with another label is found by the id of the certificate, zero bytes and all', async () => {
      const identity = await load({ certificate: `pkcs11:token=main;object=Zertifikat%20%E2%98%82?pin-value=${PIN}` });
      await identity.signer.sign(message);
      await identity.close();
      const byId = await load({ certificate: `pkcs11:token=main;id=%00%FF%00%00?pin-value=${PIN}` });
      await byId.close();
      expect(byId.certificate).toEqual(identity.certificate);
    });

    it('a key that wants the PIN at each signature gets it with reusePin', async () => {
      const identity = await load({ certificate: `pkcs11:token=main;object=always?pin-value=${PIN}`, reusePin: true });
      const certificate = new X509Certificate(readFileSync(pkiPath('serial-1.crt.pem')));
      for (let index = 0; index < 3; index += 1) {
        expect(verify('SHA256', message, certificate.publicKey, await identity.signer.sign(message))).toBe(true);
      }
      await identity.close();
    });

    it('a key that wants the PIN at each signature asks a person for it without reusePin', async () => {
      const asked: string[] = [];
      const askPin = async (question: string) => {
        asked.push(question);
        return Buffer.from(PIN);
      };
      const identity = await load({ certificate: `pkcs11:token=main;object=always?pin-value=${PIN}` }, { askPin });
      for (let index = 0; index < 2; index += 1) await identity.signer.sign(message);
      await identity.close();
      expect(asked).toEqual(Array.from({ length: 2 }, () => 'PIN for a signature with the token "main"'));
    });

    it('a key that wants the PIN at each signature is refused without reusePin and without a person', async () => {
      const identity = await load({ certificate: `pkcs11:token=main;object=always?pin-value=${PIN}` });
      const error = await refusal(() => identity.signer.sign(message));
      await identity.close();
      expect(error).toMatchObject({ code: 'ERR_PIN_REQUIRED', hint: expect.stringContaining('--reuse-pin') });
    });

    it('a certificate from a file is joined with the key in the token', async () => {
      const identity = await load({
        certificate: pkiPath('rsa-4096.crt.pem'),
        privateKey: `pkcs11:token=main;object=key-only?pin-value=${PIN}`,
        intermediates: pkiPath('rsa-4096.chain.pem'),
      });
      await identity.signer.sign(message);
      await identity.close();
      expect(identity.chain.map((der) => Buffer.from(der))).toEqual([rawOf('intermediate.pem')]);
    });

    it('the file of a certificate may have its chain in front, and what does not belong is named', async () => {
      const files = ['intermediate.pem', 'rsa-4096.crt.pem', 'ml-dsa-intermediate.pem'].map((name) => pkiPath(name));
      const certificate = join(hsm.directory, 'reversed.pem');
      writeFileSync(certificate, Buffer.concat(files.map((file) => readFileSync(file))));
      const warnings: string[] = [];
      const identity = await load(
        { certificate, privateKey: `pkcs11:token=main;object=key-only?pin-value=${PIN}` },
        { warnOfFiles: ({ code }) => warnings.push(code) },
      );
      await identity.signer.sign(message);
      await identity.close();
      expect(identity.certificate).toEqual(new Uint8Array(rawOf('rsa-4096.crt.pem')));
      expect(identity.chain.map((der) => Buffer.from(der))).toEqual([rawOf('intermediate.pem')]);
      expect(warnings).toEqual(['WARN_CHAIN_UNRELATED']);
    });

    it('of all keys in the token, that of the certificate is taken', async () => {
      const identity = await load({
        certificate: pkiPath('ec-p384.crt.pem'),
        privateKey: `pkcs11:token=main?pin-value=${PIN}`,
      });
      await identity.signer.sign(message);
      await identity.close();
      expect(identity.signer.keyType).toBe('EC');
    });

    it('a key by itself shows its public key', async () => {
      for (const { pki, label } of [KEYS[0], KEYS[4]]) {
        const key = await loadPkcs11SigningKey(
          `pkcs11:token=main;object=${label}?pin-value=${PIN}`,
          { library },
          { env: hsm.env, helperPath: HELPER, askPin: nobody },
        );
        const signature = await key.signer.sign(message);
        await key.close();
        const expected = new X509Certificate(readFileSync(pkiPath(`${pki}.crt.pem`))).publicKey;
        expect(Buffer.from(key.publicKey)).toEqual(expected.export({ type: 'spki', format: 'der' }));
        const shown = createPublicKey({ key: Buffer.from(key.publicKey), format: 'der', type: 'spki' });
        expect(verify('SHA256', message, shown, signature)).toBe(true);
      }
    });

    it('every certificate is listed with a URI that finds it and nothing else', async () => {
      const deps = { env: hsm.env, helperPath: HELPER, askPin: nobody } as const;
      const listed = await listPkcs11Certificates('pkcs11:', { library }, deps);
      // Through the proxy, the system's trust store may be listed too.
      const ours = listed.filter(({ uri }) => uri.includes('manufacturer=SoftHSM'));
      expect(ours).toHaveLength(9);
      for (const { uri, certificate } of ours) {
        const again = await listPkcs11Certificates(uri, { library }, deps);
        expect(again).toEqual([{ uri, certificate }]);
      }
    });
  });

  describe('refuses', () => {
    it('a token that is not there, naming those that are', async () => {
      const error = await refused(hsm, { certificate: 'pkcs11:token=nowhere' });
      expect(error).toMatchObject({ code: 'ERR_TOKEN_NOT_FOUND', hint: expect.stringContaining('token=main') });
    });

    it('a token in no slot at all', async () => {
      const error = await refused(hsm, {}, { env: { ...hsm.env, SOFTHSM2_CONF: '/nonexistent' }, helperPath: HELPER });
      expect(error.code).toMatch(/ERR_PKCS11_FAILED|ERR_TOKEN_NOT_FOUND/);
      const proxied = await refused(
        hsm,
        { library: P11_KIT_PROXY },
        { env: { ...hsm.env, SOFTHSM2_CONF: '/nonexistent' }, helperPath: HELPER },
      );
      expect(proxied.code).toBe('ERR_TOKEN_NOT_FOUND');
    });

    it('a certificate that is not there', async () => {
      const error = await refused(hsm, { certificate: `pkcs11:token=main;object=nothing?pin-value=${PIN}` });
      expect(error).toMatchObject({
        code: 'ERR_OBJECT_NOT_FOUND',
        hint: expect.stringContaining('read-certificate-data'),
      });
    });

    it('two certificates, listing a full URI of each', async () => {
      const error = await refused(hsm, { certificate: `pkcs11:token=main;type=cert?pin-value=${PIN}` });
      expect(error.code).toBe('ERR_OBJECT_AMBIGUOUS');
      expect(error.hint).toContain('object=p256;type=cert');
      expect(error.hint).toContain('id=%03');
    });

    it('a key whose token has a twin, before any login', async () => {
      const error = await refused(hsm, {
        certificate: pkiPath('ec-p256.crt.pem'),
        privateKey: `pkcs11:token=twin?pin-value=${PIN}`,
      });
      expect(error.code).toBe('ERR_TOKEN_AMBIGUOUS');
      expect(error.hint?.match(/serial=\w+/g)).toHaveLength(2);
    });

    it('a certificate that may be in two tokens that need a login', async () => {
      const error = await refused(hsm, { certificate: `pkcs11:token=twin?pin-value=${PIN}` });
      expect(error).toMatchObject({ code: 'ERR_OBJECT_NOT_FOUND', hint: expect.stringContaining('name one token') });
    });

    it("a key that is not the certificate's", async () => {
      const error = await refused(hsm, {
        certificate: pkiPath('ec-p256.crt.pem'),
        privateKey: `pkcs11:token=main;object=p384?pin-value=${PIN}`,
      });
      expect(error).toMatchObject({
        code: 'ERR_KEY_MISMATCH',
        hint: expect.stringContaining('object=p384;type=private'),
      });
    });

    it('a key or a certificate of a type that cannot be used', async () => {
      const privateKey = `pkcs11:token=main;object=edwards?pin-value=${PIN}`;
      const other = await refused(hsm, { certificate: pkiPath('ec-p256.crt.pem'), privateKey });
      expect(other).toMatchObject({
        code: 'ERR_KEY_UNSUPPORTED',
        hint: expect.stringContaining('object=edwards') as string,
      });
      const alone = await refusal(() =>
        loadPkcs11SigningKey(privateKey, { library: SOFTHSM_MODULE }, { env: hsm.env }),
      );
      expect(alone.code).toBe('ERR_KEY_UNSUPPORTED');
      const certificate = join(hsm.directory, 'ed25519.pem');
      const files = ['-keyout', join(hsm.directory, 'ed25519.key'), '-out', certificate];
      openssl(['req', '-x509', '-newkey', 'ed25519', '-nodes', '-subj', '/CN=ed25519', ...files]);
      expect((await refused(hsm, { certificate, privateKey })).code).toBe('ERR_KEY_UNSUPPORTED');
    });

    it('a module that is not there', async () => {
      expect((await refused(hsm, { library: '/nonexistent/module.so' })).code).toBe('ERR_PKCS11_MODULE_NOT_FOUND');
      expect((await refused(hsm, { library: 'no-such-module.so' })).code).toBe('ERR_PKCS11_MODULE_NOT_FOUND');
      expect((await refused(hsm, { library: undefined, certificate: 'pkcs11:?module-name=no-such-module' })).code).toBe(
        'ERR_PKCS11_MODULE_NOT_FOUND',
      );
    });

    it('a library that is not PKCS#11, and a file that is not a library', async () => {
      const library = await refused(hsm, { library: 'libz.so.1' });
      expect(library).toMatchObject({
        code: 'ERR_PKCS11_MODULE_INVALID',
        message: expect.stringContaining('C_GetFunctionList'),
      });
      expect((await refused(hsm, { library: '/etc/passwd' })).code).toBe('ERR_PKCS11_MODULE_INVALID');
    });

    it('an empty PIN, without presenting it', async () => {
      expect((await refused(hsm, { certificate: 'pkcs11:token=main;object=p256?pin-value=' })).code).toBe(
        'ERR_PIN_EMPTY',
      );
      const env = { ...hsm.env, ROLES_ANYWHERE_PKCS11_PIN: '' };
      expect((await refused(hsm, { certificate: 'pkcs11:token=main;object=p256' }, { env })).code).toBe(
        'ERR_PIN_EMPTY',
      );
    });

    it('a token that wants a PIN when there is none', async () => {
      const error = await refused(hsm, { certificate: 'pkcs11:token=main;object=p256' });
      expect(error).toMatchObject({
        code: 'ERR_PIN_REQUIRED',
        hint: expect.stringContaining('ROLES_ANYWHERE_PKCS11_PIN'),
      });
    });
  });

  it('a module is found by the path and by the name in the URI', async () => {
    for (const query of [
      `module-path=${SOFTHSM_MODULE}`,
      'module-name=softhsm2',
      'module-path=/usr/lib/softhsm&module-name=softhsm2',
    ]) {
      const certificate = `pkcs11:token=main;object=p256?pin-value=${PIN}&${query}`;
      const identity = await loadPkcs11Identity({ certificate }, { env: hsm.env });
      expect(Buffer.from(identity.certificate)).toEqual(rawOf('ec-p256.crt.pem'));
      await identity.close();
    }
  });

  it('a certificate and a key in two tokens each get their own PIN', async () => {
    const identity = await loadPkcs11Identity(
      {
        certificate: `pkcs11:token=main;object=hidden?pin-value=${PIN}`,
        privateKey: 'pkcs11:token=other;object=elsewhere?pin-value=5678',
        library: SOFTHSM_MODULE,
      },
      { env: hsm.env },
    );
    const { publicKey } = new X509Certificate(identity.certificate);
    expect(verify('SHA256', message, publicKey, await identity.signer.sign(message))).toBe(true);
    await identity.close();
  });

  it('a module stays loaded while it is in use, whatever is collected meanwhile', async () => {
    setFlagsFromString('--expose-gc');
    const collect: unknown = runInNewContext('gc');
    if (typeof collect !== 'function') throw new Error('this Node has no gc()');
    const identity = await loadPkcs11Identity(
      { certificate: `pkcs11:token=main;object=p256?pin-value=${PIN}`, library: SOFTHSM_MODULE },
      { env: hsm.env },
    );
    for (let round = 0; round < 5; round += 1) {
      collect();
      await new Promise((resolve) => setImmediate(resolve));
      expect((await identity.signer.sign(message)).length).toBeGreaterThan(60);
    }
    await identity.close();
  });

  it('a certificate in a token is joined with a key in a file', async () => {
    const spec = { certificate: 'pkcs11:token=main;object=p256', library: SOFTHSM_MODULE };
    const deps = { env: hsm.env, askPin: nobody } as const;
    const identity = await loadPkcs11Identity({ ...spec, privateKey: pkiPath('ec-p256.key.pem') }, deps);
    const { publicKey } = new X509Certificate(identity.certificate);
    expect(verify('SHA256', message, publicKey, await identity.signer.sign(message))).toBe(true);
    await identity.close();
    const other = await refusal(() => loadPkcs11Identity({ ...spec, privateKey: pkiPath('ec-p384.key.pem') }, deps));
    expect(other.code).toBe('ERR_KEY_MISMATCH');
  });

  it('each file is opened once: standard input cannot be read again', async () => {
    const opened: string[] = [];
    const identity = await loadPkcs11Identity(
      {
        certificate: pkiPath('rsa-4096.crt.pem'),
        privateKey: `pkcs11:token=main;object=key-only?pin-value=${PIN}`,
        library: SOFTHSM_MODULE,
      },
      {
        env: hsm.env,
        open: async (flag, value) => {
          opened.push(flag);
          return readContents(readMaterialFile(flag, value));
        },
      },
    );
    await identity.close();
    expect(opened).toEqual(['--certificate']);
  });

  it('slot-id=0 is slot 0, and not any slot', async () => {
    const settings = { library: SOFTHSM_MODULE };
    const [listed] = await listPkcs11Certificates('pkcs11:token=main;object=p256', settings, {});
    expect(listed).toBeDefined();
    const error = await refusal(() => listPkcs11Certificates('pkcs11:token=main;slot-id=0', settings, {}));
    expect(error.code).toBe('ERR_TOKEN_NOT_FOUND');
  });

  it('a token that was taken out and put back is found again', async () => {
    const identity = await loadPkcs11Identity(
      { certificate: `pkcs11:token=main;object=p256?pin-value=${PIN}`, library: SOFTHSM_MODULE },
      { env: hsm.env, helperPath: HELPER, backoffMs: 1 },
    );
    const away = join(hsm.directory, 'away');
    await identity.signer.sign(message);
    renameSync(hsm.tokens, away);
    mkdirSync(hsm.tokens);
    const error = await refusal(() => identity.signer.sign(message));
    rmdirSync(hsm.tokens);
    renameSync(away, hsm.tokens);
    const signature = await identity.signer.sign(message);
    await identity.close();
    expect(error.code).toBe('ERR_TOKEN_NOT_FOUND');
    expect(signature.length).toBeGreaterThan(60);
  });

  it('a PIN file is read, and missed when it is not there', async () => {
    const pinFile = join(hsm.directory, 'pin');
    writeFileSync(pinFile, `${PIN}\n`);
    const identity = await loadPkcs11Identity(
      { certificate: 'pkcs11:token=main;object=p256', library: SOFTHSM_MODULE, pinFile },
      { env: hsm.env, helperPath: HELPER },
    );
    await identity.signer.sign(message);
    await identity.close();
    rmSync(pinFile);
    const error = await refusal(() =>
      loadPkcs11Identity(
        { certificate: 'pkcs11:token=main;object=p256', library: SOFTHSM_MODULE, pinFile },
        { env: hsm.env },
      ),
    );
    expect(error.code).toBe('ERR_PIN_SOURCE');
  });
});

async function nobody(): Promise<undefined> {
  return undefined;
}

function rawOf(name: string): Buffer {
  return new X509Certificate(readFileSync(pkiPath(name))).raw;
}

/** What loading an identity in this process is refused with. */
function refused(hsm: SoftHsm, spec: Partial<Pkcs11Spec>, deps: Pkcs11Deps = {}) {
  const certificate = `pkcs11:token=main;object=p256?pin-value=${PIN}`;
  return refusal(() =>
    loadPkcs11Identity({ certificate, library: SOFTHSM_MODULE, ...spec }, { env: hsm.env, askPin: nobody, ...deps }),
  );
}
