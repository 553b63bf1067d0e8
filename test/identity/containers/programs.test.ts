import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PASSWORD } from '../../../certs-dev/containers.ts';
import { loadCertificates, loadIdentity, loadSigningKey } from '../../../src/identity/load.ts';
import type { PasswordSources } from '../../../src/identity/passwords.ts';
import { cleanEnv } from '../../support/cli.ts';
import { openssl, pkiPath, pkiText } from '../../support/pki.ts';
import { refusal, refusalCode } from '../../support/refusal.ts';
import { requireTool } from '../../support/tools.ts';
import { verifyWithCertificate } from '../../support/verify.ts';

const MESSAGE = Buffer.from('to be signed');
const UNICODE = 'Grüße, 世界 🔑';
const derOf = (name: string): Buffer => new X509Certificate(pkiText(name)).raw;
const given = (password: string): PasswordSources =>
  password === '' ? {} : { pkcs12: { password, from: 'the test' }, pkcs8: { password, from: 'the test' } };

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'programs-'));
});
afterAll(() => {
  rmSync(dir, { recursive: true });
});

/** Loads a container that a program made, and signs with it. */
async function opened(path: string, password: string) {
  const identity = await loadIdentity(
    { certificate: path },
    { passwords: given(password), ask: async () => undefined },
  );
  const certificates = [identity.certificate, ...identity.chain].map((der) => Buffer.from(der));
  return {
    certificates,
    signed: verifyWithCertificate(identity.certificate, MESSAGE, await identity.signer.sign(MESSAGE)),
  };
}

/** What must come out: the certificates byte for byte, and a key that signs. */
function whole(kind: string) {
  return { certificates: [derOf(`${kind}.crt.pem`), derOf('intermediate.pem')], signed: true };
}

describe.skipIf(!requireTool('openssl'))('PKCS#12 of openssl', () => {
  const options: [string, string[]][] = [
    ['as it comes', []],
    ['-legacy', ['-legacy']],
    ['with a SHA-1 MAC', ['-macalg', 'sha1']],
    ['with a SHA-384 MAC', ['-macalg', 'sha384']],
    ['with a SHA-512 MAC', ['-macalg', 'sha512']],
    ['without a MAC', ['-nomac']],
    ['with nothing protected', ['-keypbe', 'NONE', '-certpbe', 'NONE', '-nomac']],
    ['with a MAC alone', ['-keypbe', 'NONE', '-certpbe', 'NONE']],
    ['with plain certificates', ['-certpbe', 'NONE']],
    ['with a plain key', ['-keypbe', 'NONE']],
    [
      'with 128 bits of RC2 and two-key triple DES',
      ['-legacy', '-certpbe', 'PBE-SHA1-RC2-128', '-keypbe', 'PBE-SHA1-2DES'],
    ],
    ['with RC2 for the key too', ['-legacy', '-keypbe', 'PBE-SHA1-RC2-40']],
    ['with another number of iterations', ['-iter', '1']],
  ];
  const passwords = [PASSWORD, '', UNICODE];
  it.each(options.flatMap(([name, more]) => passwords.map((password) => ({ name, more, password }))))(
    '$name, password "$password"',
    async ({ more, password }) => {
      const path = join(dir, 'openssl.p12');
      const files = ['-in', pkiPath('ec-p256.combined.pem'), '-certfile', pkiPath('intermediate.pem')];
      openssl(['pkcs12', '-export', ...files, '-out', path, '-passout', `pass:${password}`, ...more]);
      expect(await opened(path, password)).toEqual(whole('ec-p256'));
    },
  );

  it('with RC4 is refused by its name', async () => {
    const path = join(dir, 'rc4.p12');
    const files = ['-in', pkiPath('ec-p256.combined.pem'), '-out', path, '-passout', 'pass:x'];
    openssl(['pkcs12', '-export', ...files, '-legacy', '-certpbe', 'PBE-SHA1-RC4-128']);
    const error = await refusal(async () => await loadIdentity({ certificate: path }, { passwords: given('x') }));
    expect(error).toMatchObject({
      code: 'ERR_ENCRYPTION_UNSUPPORTED',
      message: expect.stringContaining('RC4-128') as string,
    });
  });

  it('gives the certificate of its key to who asks for no key', async () => {
    const path = join(dir, 'order.p12');
    // The leaf of the key is last in the file.
    const files = ['-inkey', pkiPath('ec-p256.key.pem'), '-in', pkiPath('ec-p256.crt.pem'), '-out', path];
    openssl(['pkcs12', '-export', ...files, '-certfile', pkiPath('root.pem'), '-passout', 'pass:x']);
    const [{ der }] = await loadCertificates(path, { passwords: given('x') });
    expect(Buffer.from(der)).toEqual(derOf('ec-p256.crt.pem'));
  });

  it('gives its key by itself, and its certificates to another key', async () => {
    const path = join(dir, 'parts.p12');
    openssl(['pkcs12', '-export', '-in', pkiPath('ec-p256.combined.pem'), '-out', path, '-passout', 'pass:x']);
    const { signer } = await loadSigningKey(path, { passwords: given('x') });
    expect(verifyWithCertificate(derOf('ec-p256.crt.pem'), MESSAGE, await signer.sign(MESSAGE))).toBe(true);
    const identity = await loadIdentity(
      { certificate: path, privateKey: pkiPath('ec-p256.sec1.pem'), intermediates: pkiPath('intermediate.pem') },
      { passwords: given('x') },
    );
    expect(identity.chain).toHaveLength(1);
    const mismatch = { certificate: path, privateKey: pkiPath('ec-p384.key.pem') };
    expect(
      await refusalCode(async () => await loadIdentity(mismatch, { passwords: given('x'), pause: async () => {} })),
    ).toBe('ERR_KEY_MISMATCH');
  });

  it('without a key is no identity by itself', async () => {
    const path = join(dir, 'no-key.p12');
    openssl(['pkcs12', '-export', '-nokeys', '-in', pkiPath('ec-p256.crt.pem'), '-out', path, '-passout', 'pass:x']);
    const load = async () => await loadIdentity({ certificate: path }, { passwords: given('x') });
    expect(await refusalCode(load)).toBe('ERR_KEY_MISSING');
    const withKey = { certificate: path, privateKey: pkiPath('ec-p256.key.pem') };
    expect((await loadIdentity(withKey, { passwords: given('x') })).signer.keyType).toBe('EC');
  });
});

describe.skipIf(!requireTool('openssl'))('encrypted keys that are refused by name', () => {
  it.each([
    ['PBE-MD5-DES', ['-v1', 'PBE-MD5-DES']],
    ['PBE-SHA1-RC2-40', ['-v1', 'PBE-SHA1-RC2-40']],
    ['PBES2 with RC2-CBC', ['-v2', 'rc2']],
    ['PBES2 with DES-CBC', ['-v2', 'des']],
  ])('%s', async (name, options) => {
    const path = join(dir, 'weak.pem');
    const providers = ['-provider', 'legacy', '-provider', 'default'];
    const files = ['-in', pkiPath('ec-p256.key.pem'), '-out', path, '-passout', 'pass:secret-word'];
    openssl(['pkcs8', '-topk8', ...files, ...options, ...providers]);
    const error = await refusal(async () => await loadSigningKey(path, { passwords: given('secret-word') }));
    expect(error.code).toBe('ERR_ENCRYPTION_UNSUPPORTED');
    expect(error.message).toContain(name);
  });
});

const certtool = (...args: string[]): Buffer =>
  execFileSync('certtool', args, {
    env: cleanEnv({ GNUTLS_FORCE_FIPS_MODE: '0' }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });

const makeByCerttool = (path: string, kind: string, ...more: string[]): void => {
  const files = ['--load-certificate', pkiPath(`${kind}.crt.pem`), '--load-privkey', pkiPath(`${kind}.key.pem`)];
  const ca = ['--load-ca-certificate', pkiPath('intermediate.pem')];
  certtool('--to-p12', '--p12-name', 'client', ...files, ...ca, '--outfile', path, ...more);
};

// certtool takes seconds of processor time for a file: on a busy machine, more than a test is given.
describe.skipIf(!requireTool('certtool'))('PKCS#12 of GnuTLS', { timeout: 180_000 }, () => {
  const ciphers = ['aes-128', '3des', '3des-pkcs12', 'rc2-40'];
  // 600,000 iterations each: one kind of key will do.
  const cases = ciphers.map((cipher) => ({ kind: 'ec-p384', cipher }));

  it.each(cases)('$kind, $cipher', async ({ kind, cipher }) => {
    const path = join(dir, 'gnutls.p12');
    makeByCerttool(path, kind, '--outder', '--pkcs-cipher', cipher, '--password', UNICODE);
    expect(await opened(path, UNICODE)).toEqual(whole(kind));
  });

  it('in PEM', async () => {
    const path = join(dir, 'gnutls.pem');
    makeByCerttool(path, 'ec-p256', '--password', PASSWORD);
    expect(readFileSync(path, 'latin1')).toContain('-----BEGIN PKCS12-----');
    expect(await opened(path, PASSWORD)).toEqual(whole('ec-p256'));
  });

  it.each(['--empty-password', '--null-password'])('%s', async (flag) => {
    const path = join(dir, 'gnutls-none.p12');
    makeByCerttool(path, 'ec-p256', '--outder', flag, ...(flag === '--empty-password' ? ['--password', ''] : []));
    expect(await opened(path, '')).toEqual(whole('ec-p256'));
  });

  it('arcfour is refused by its name', async () => {
    const path = join(dir, 'gnutls-rc4.p12');
    makeByCerttool(path, 'ec-p256', '--outder', '--pkcs-cipher', 'arcfour', '--password', 'x');
    const error = await refusal(async () => await loadIdentity({ certificate: path }, { passwords: given('x') }));
    expect(error).toMatchObject({
      code: 'ERR_ENCRYPTION_UNSUPPORTED',
      message: expect.stringContaining('RC4') as string,
    });
  });
});

describe.skipIf(!requireTool('keytool') || !requireTool('openssl'))('PKCS#12 of Java', () => {
  it.each([
    ['as it comes', []],
    ['as Java 8 wrote it', ['-J-Dkeystore.pkcs12.legacy']],
  ])('%s, with a second key and a trusted certificate besides', async (_name, options) => {
    const [store, source] = [join(dir, 'java.p12'), join(dir, 'source.p12')];
    rmSync(store, { force: true });
    const keytool = (...args: string[]): void =>
      void execFileSync(
        'keytool',
        [...options, ...args, '-keystore', store, '-storetype', 'PKCS12', '-storepass', PASSWORD],
        {
          env: cleanEnv(),
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      );
    for (const [alias, kind] of [
      ['other', 'rsa-2048'],
      ['client', 'ec-p256'],
    ] as const) {
      const files = ['-inkey', pkiPath(`${kind}.key.pem`), '-in', pkiPath(`${kind}.crt.pem`)];
      const chain = ['-certfile', pkiPath('intermediate.pem')];
      openssl(['pkcs12', '-export', ...files, ...chain, '-name', alias, '-out', source, '-passout', 'pass:source']);
      keytool(
        '-importkeystore',
        '-srckeystore',
        source,
        '-srcstoretype',
        'PKCS12',
        '-srcstorepass',
        'source',
        '-noprompt',
      );
    }
    keytool('-importcert', '-noprompt', '-alias', 'root', '-file', pkiPath('root.pem'));
    const passwords = given(PASSWORD);
    const identity = await loadIdentity({ certificate: store }, { passwords });
    const leaf = Buffer.from(identity.certificate);
    expect([derOf('rsa-2048.crt.pem'), derOf('ec-p256.crt.pem')]).toContainEqual(leaf);
    expect(verifyWithCertificate(leaf, MESSAGE, await identity.signer.sign(MESSAGE))).toBe(true);
    expect(identity.chain.map((der) => Buffer.from(der))).toEqual([derOf('intermediate.pem')]);
  });
});

describe.skipIf(!requireTool('openssl'))('what certs-dev writes is what openssl reads', () => {
  it.each(['p12', 'legacy.p12', 'no-password.p12'])('%s', (name) => {
    const password = name.startsWith('no-password') ? '' : PASSWORD;
    const text = openssl([
      'pkcs12',
      '-in',
      pkiPath(`ec-p256.${name}`),
      '-passin',
      `pass:${password}`,
      '-noenc',
    ]).toString();
    expect(text.match(/-----BEGIN [A-Z ]+-----/g)).toEqual([
      '-----BEGIN CERTIFICATE-----',
      '-----BEGIN CERTIFICATE-----',
      '-----BEGIN PRIVATE KEY-----',
    ]);
    expect(text).toContain(pkiText('ec-p256.crt.pem').trim());
    expect(text).toContain(pkiText('ec-p256.key.pem').trim());
  });

  it.each(['encrypted.pem', 'encrypted.der'])('%s', (name) => {
    const form = name.endsWith('.der') ? ['-inform', 'DER'] : [];
    const key = openssl(['pkey', '-in', pkiPath(`ec-p256.${name}`), '-passin', `pass:${PASSWORD}`, ...form]);
    expect(key.toString()).toBe(pkiText('ec-p256.key.pem'));
  });
});
