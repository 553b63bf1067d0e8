/** Which certificate is chosen: in folders, bundles and PKCS#12. */
import { createPrivateKey } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type Authority,
  DAY_MS,
  certificatePem,
  generateKeys,
  issueAuthority,
  issueLeaf,
  privateKeyPem,
} from '../../certs-dev/authority.ts';
import { type IdentitySpec, type LoadDeps, loadIdentity } from '../../src/identity/load.ts';
import { watchIdentity } from '../../src/identity/reload.ts';
import type { IdentityWarning } from '../../src/identity/warnings.ts';
import { directoriesOf } from '../../src/identity/watched-paths.ts';
import { openssl } from '../support/pki.ts';
import { refusal } from '../support/refusal.ts';
import { requireTool } from '../support/tools.ts';
import { verifyWithCertificate } from '../support/verify.ts';

const MESSAGE = Buffer.from('to be signed');
const PASSWORD = 'sesame';

interface Issued {
  readonly certificate: string;
  readonly key: string;
}

let root: Authority;
let authority: Authority;
let base: string;
let dir: string;

async function issue(subject: string, serial: number, days: number, from = -1): Promise<Issued> {
  const keys = await generateKeys('ec-p256');
  const leaf = await issueLeaf({
    subject,
    serialNumber: serial.toString(16).padStart(2, '0'),
    issuer: authority,
    publicKey: keys.publicKey,
    notBefore: new Date(Date.now() + from * DAY_MS),
    notAfter: new Date(Date.now() + days * DAY_MS),
  });
  return { certificate: certificatePem(leaf), key: privateKeyPem(keys) };
}

let web: Issued;
let renewed: Issued;
let expired: Issued;
let future: Issued;
let other: Issued;

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), 'ra-choice-'));
  root = await issueAuthority({ subject: 'CN=Root,O=Example', keys: await generateKeys('ec-p256') });
  authority = await issueAuthority({
    subject: 'CN=Issuing,O=Example',
    keys: await generateKeys('ec-p256'),
    issuer: root,
  });
  [web, renewed, expired, future, other] = await Promise.all([
    issue('CN=web,OU=Blue,O=Example', 1, 30),
    issue('CN=web,OU=Blue,O=Example', 2, 60),
    issue('CN=web,OU=Blue,O=Example', 3, -1, -30),
    issue('CN=web,OU=Blue,O=Example', 4, 90, 5),
    issue('CN=other,OU=Blue,O=Example', 5, 45),
  ]);
});
afterAll(() => {
  rmSync(base, { recursive: true, force: true });
});
beforeEach(() => {
  dir = mkdtempSync(join(base, 'd-'));
});

function write(name: string, ...parts: (string | Uint8Array)[]): string {
  const path = join(dir, name);
  writeFileSync(path, Buffer.concat(parts.map((part) => Buffer.from(part))), { mode: 0o600 });
  return path;
}

const put = (name: string, { certificate, key }: Issued): void => {
  write(`${name}.crt`, certificate);
  write(`${name}.key`, key);
};

async function take(spec: IdentitySpec, deps: LoadDeps = {}) {
  const warnings: IdentityWarning[] = [];
  const identity = await loadIdentity(spec, {
    ask: async () => undefined,
    warn: (warning) => warnings.push(warning),
    ...deps,
  });
  expect(verifyWithCertificate(identity.certificate, MESSAGE, await identity.signer.sign(MESSAGE))).toBe(true);
  await identity.close();
  return { serial: identity.serialNumber, chain: identity.chain.length, warnings };
}

/** A private key in PKCS#8, under a password. */
function locked(key: string): string {
  const options = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: PASSWORD } as const;
  return createPrivateKey(key).export(options).toString();
}

/** Certificates with their keys in one file. */
function pem(...issued: readonly Issued[]): string {
  return write('bundle.pem', ...issued.flatMap(({ certificate, key }) => [certificate, key]));
}

const WEB = { selector: 'Key=x509Subject,Value=CN=web' };

describe('in a folder', () => {
  it('a certificate is chosen by its subject, its key found, and its chain made of the rest', async () => {
    put('web', web);
    put('other', other);
    write('ca.pem', certificatePem(root.certificate), certificatePem(authority.certificate));
    write('README', 'nothing of use');
    expect(await take({ certificate: dir, choice: WEB })).toEqual({ serial: '1', chain: 1, warnings: [] });
  });

  it('whatever the names of the files, and whether they are links', async () => {
    mkdirSync(join(dir, '..data'));
    write('..data/a', web.key);
    write('..data/b', web.certificate);
    symlinkSync(join('..data', 'a'), join(dir, 'z'));
    symlinkSync(join('..data', 'b'), join(dir, 'y'));
    expect(await take({ certificate: dir, choice: WEB })).toMatchObject({ serial: '1' });
  });

  it('of a certificate and those that it was renewed from, the newest that is valid', async () => {
    for (const [name, issued] of Object.entries({ web, renewed, expired, future })) put(name, issued);
    expect(await take({ certificate: dir, choice: WEB })).toMatchObject({ serial: '2' });
  });

  it('the one whose key is there, before one that ends later', async () => {
    put('web', web);
    write('renewed.crt', renewed.certificate);
    expect(await take({ certificate: dir, choice: WEB })).toMatchObject({ serial: '1' });
  });

  it('of several subjects, none: each is listed', async () => {
    put('web', web);
    put('other', other);
    const selector = 'Key=x509Subject,Value=OU=Blue,O=Example';
    const { code, message, hint } = await refusal(() => take({ certificate: dir, choice: { selector } }));
    expect(code).toBe('ERR_CERTIFICATE_AMBIGUOUS');
    expect(message).toBe(`2 certificates in --certificate ${dir} match --cert-selector`);
    expect(hint).toMatch(/CN=other.*serial number 5, until .*CN=web.*serial number 1, until/);
    expect(await take({ certificate: dir, choice: { selector, latest: true } })).toMatchObject({ serial: '5' });
    expect(await take({ certificate: dir, choice: { latest: true } })).toMatchObject({ serial: '5' });
  });

  it.each([
    ['its issuer', 'Key=x509Issuer,Value=CN=Issuing Key=x509Serial,Value=01'],
    ['its serial number', 'Key=x509Serial,Value=0001'],
    ['all of it', 'Key=x509Subject,Value=O=Example,CN=web Key=x509Issuer,Value=CN=Issuing Key=x509Serial,Value=1'],
  ])('by %s', async (_what, selector) => {
    put('web', web);
    put('renewed', renewed);
    expect(await take({ certificate: dir, choice: { selector } })).toMatchObject({ serial: '1' });
  });

  it("an authority's certificate is no rival, although its own name is its issuer's", async () => {
    put('web', web);
    write('root.pem', certificatePem(root.certificate), privateKeyPem(root.keys));
    write('issuing.pem', certificatePem(authority.certificate), privateKeyPem(authority.keys));
    const selector = 'Key=x509Issuer,Value=O=Example';
    expect(await take({ certificate: dir, choice: { selector } })).toMatchObject({ serial: '1' });
  });

  it('with a key of its own that is somewhere else', async () => {
    write('web.crt', web.certificate);
    write('other.crt', other.certificate);
    mkdirSync(join(dir, 'keys'));
    const privateKey = write('keys/k', web.key);
    expect(await take({ certificate: dir, privateKey, choice: WEB })).toMatchObject({ serial: '1' });
    const { code } = await refusal(() =>
      take({ certificate: dir, privateKey, choice: { selector: 'Key=x509Subject,Value=CN=other' } }),
    );
    expect(code).toBe('ERR_CERTIFICATE_NOT_FOUND');
  });

  it('with intermediates that are somewhere else', async () => {
    put('web', web);
    mkdirSync(join(dir, 'ca'));
    const intermediates = write('ca/bundle.pem', certificatePem(authority.certificate));
    expect(await take({ certificate: dir, intermediates, choice: WEB })).toMatchObject({ chain: 1, warnings: [] });
  });

  it('a key is unlocked where no other is the one, and that of a file with the name of the certificate first', async () => {
    write('web.crt.pem', web.certificate);
    write('web-key.pem', locked(web.key));
    write('aaa.key', locked(other.key));
    const asked: string[] = [];
    const ask = async (question: string): Promise<Uint8Array> => {
      asked.push(question);
      return Buffer.from(PASSWORD);
    };
    expect(await take({ certificate: dir, choice: WEB }, { ask })).toMatchObject({ serial: '1' });
    expect(asked).toHaveLength(1);
    expect(asked[0]).toContain('web-key.pem');
    rmSync(join(dir, 'web-key.pem'));
    write('zzz.key', locked(web.key));
    expect(await take({ certificate: dir, choice: WEB }, { ask })).toMatchObject({ serial: '1' });
    expect(await refusal(() => take({ certificate: dir, choice: WEB }))).toMatchObject({
      code: 'ERR_PASSWORD_REQUIRED',
    });
  });

  it('what is missing is named', async () => {
    write('web.crt', web.certificate);
    put('other', other);
    const missing = await refusal(() => take({ certificate: dir, choice: WEB }));
    expect(missing).toMatchObject({ code: 'ERR_KEY_MISSING' });
    expect(missing.message).toContain('CN=web');
    const nothing = await refusal(() =>
      take({ certificate: dir, choice: { selector: 'Key=x509Subject,Value=CN=nobody' } }),
    );
    expect(nothing).toMatchObject({ code: 'ERR_CERTIFICATE_NOT_FOUND', flag: '--cert-selector' });
    expect(nothing.hint).toContain('CN=other');
  });

  it('and without a choice, a folder is none of the things that a certificate can be', async () => {
    put('web', web);
    expect(await refusal(() => take({ certificate: dir }))).toMatchObject({ code: 'ERR_FILE_IS_DIRECTORY' });
  });

  it('what is expired is refused as such where nothing else matches', async () => {
    put('web', expired);
    expect(await refusal(() => take({ certificate: dir, choice: WEB }))).toMatchObject({
      code: 'ERR_CERTIFICATE_EXPIRED',
    });
  });

  it('a folder of more files than any such has is refused', async () => {
    for (let index = 0; index <= 1000; index++) write(`f${index}`, 'x');
    expect(await refusal(() => take({ certificate: dir, choice: WEB }))).toMatchObject({ code: 'ERR_FILE_TOO_LARGE' });
  });

  it.skipIf(process.platform === 'win32')('a pipe in it is not waited for', async () => {
    put('web', web);
    execFileSync('mkfifo', [join(dir, 'pipe')]);
    symlinkSync('pipe', join(dir, 'link'));
    expect(await take({ certificate: dir, choice: WEB })).toMatchObject({ serial: '1' });
  });

  it('a key that others can read is warned of by its own name', async () => {
    put('web', web);
    writeFileSync(join(dir, 'open.key'), web.key, { mode: 0o644 });
    rmSync(join(dir, 'web.key'));
    const { warnings } = await take({ certificate: dir, choice: WEB });
    expect(warnings).toMatchObject([{ code: 'WARN_KEY_READABLE' }]);
    expect(warnings[0]?.message).toContain('open.key');
  });

  it('a new certificate is taken up when its files come, by whoever follows the folder', async () => {
    put('web', web);
    const load = () => loadIdentity({ certificate: dir, choice: WEB }, { ask: async () => undefined });
    expect(await directoriesOf(dir)).toContain(dir);
    const watcher = await watchIdentity({ load, paths: [dir], settleMs: 0 });
    try {
      const serial = (): Promise<string> => watcher.use(async ({ serialNumber }) => serialNumber);
      expect(await serial()).toBe('1');
      write('renewed.crt', renewed.certificate);
      expect(await serial()).toBe('1');
      write('renewed.key', renewed.key);
      expect(await serial()).toBe('2');
      rmSync(join(dir, 'renewed.crt'));
      expect(await serial()).toBe('1');
    } finally {
      await watcher.close();
    }
  });
});

describe.skipIf(!requireTool('openssl'))('in a container', () => {
  const passwords = { pkcs12: { password: PASSWORD, from: 'the test' } };

  function p12(name: string, { certificate, key }: Issued): string {
    const [input, path] = [write(`${name}.pem`, certificate, key), join(dir, `${name}.p12`)];
    openssl(['pkcs12', '-export', '-in', input, '-out', path, '-passout', `pass:${PASSWORD}`]);
    rmSync(input);
    return path;
  }

  it('a pair of a bundle is chosen, and several are refused', async () => {
    const certificate = pem(web, other, renewed);
    expect(await take({ certificate, choice: { selector: 'Key=x509Subject,Value=CN=other' } })).toMatchObject({
      serial: '5',
      warnings: [],
    });
    expect(await refusal(() => take({ certificate, choice: WEB }))).toMatchObject({
      code: 'ERR_CERTIFICATE_AMBIGUOUS',
    });
    expect(await take({ certificate, choice: { ...WEB, latest: true } })).toMatchObject({ serial: '2' });
    expect(await refusal(() => take({ certificate, choice: { selector: 'Key=x509Serial,Value=77' } }))).toMatchObject({
      code: 'ERR_CERTIFICATE_NOT_FOUND',
    });
  });

  it('that of a PKCS#12 file is taken if it matches', async () => {
    const certificate = p12('web', web);
    expect(await take({ certificate, choice: WEB }, { passwords })).toMatchObject({ serial: '1' });
    expect(
      await refusal(() => take({ certificate, choice: { selector: 'Key=x509Serial,Value=77' } }, { passwords })),
    ).toMatchObject({ code: 'ERR_CERTIFICATE_NOT_FOUND', hint: expect.stringContaining('CN=web') as string });
  });

  it('PKCS#12 files of a folder are opened with the password that was given, and passed over without', async () => {
    p12('web', web);
    p12('other', other);
    expect(await take({ certificate: dir, choice: WEB }, { passwords })).toMatchObject({ serial: '1' });
    const selector = 'Key=x509Subject,Value=CN=other';
    expect(await take({ certificate: dir, choice: { selector } }, { passwords })).toMatchObject({ serial: '5' });
    expect(await refusal(() => take({ certificate: dir, choice: WEB }))).toMatchObject({
      code: 'ERR_CERTIFICATE_NOT_FOUND',
    });
  });
});
