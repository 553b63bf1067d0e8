import { chmodSync, copyFileSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  certificatePem,
  generateKeys,
  issueAuthority,
  issueLeaf,
  leafExtensions,
  privateKeyPem,
} from '../../certs-dev/authority.ts';
import type { BadLeaf } from '../../certs-dev/bad-leaves.ts';
import { type IdentitySpec, type LoadDeps, loadIdentity } from '../../src/identity/load.ts';
import type { IdentityWarning } from '../../src/identity/warnings.ts';
import { ERROR_CLASSES, type ErrorCode } from '../../src/platform/errors.ts';
import { readCertificate } from '../../src/x509/certificate.ts';
import { readPem } from '../../src/x509/pem.ts';
import { brokenRules, rsaBits } from '../../src/x509/rules.ts';
import { freshPki } from '../support/bad-leaves.ts';
import { openssl } from '../support/pki.ts';
import { refusal } from '../support/refusal.ts';
import { requireTool } from '../support/tools.ts';

const hasOpenssl = requireTool('openssl');
const DAY_MS = 86_400_000;
const inThreeYears = (): number => Date.now() + 3 * 365 * DAY_MS;

let pki: Awaited<ReturnType<typeof freshPki>>;
beforeAll(async () => {
  pki = await freshPki();
});
afterAll(() => pki.remove());

/** Loads, and says what it was warned of. */
async function load(
  spec: IdentitySpec,
  deps: LoadDeps = {},
): Promise<{ chainLength: number; warnings: IdentityWarning[] }> {
  const warnings: IdentityWarning[] = [];
  const { chain } = await loadIdentity(spec, { warn: (warning) => void warnings.push(warning), ...deps });
  return { chainLength: chain.length, warnings };
}

const bad = (name: BadLeaf): IdentitySpec => ({
  certificate: pki.path(`bad-${name}.crt.pem`),
  privateKey: pki.path('bad.key.pem'),
  intermediates: pki.path(name === 'six-deep' ? 'bad-six-deep.chain.pem' : 'intermediate.pem'),
});
const good = (): IdentitySpec => ({
  certificate: pki.path('ec-p256.crt.pem'),
  privateKey: pki.path('ec-p256.key.pem'),
  intermediates: pki.path('intermediate.pem'),
});
/** Files by the names in the spec. */
const inMemory = (texts: Readonly<Record<string, string>>): LoadDeps => ({
  read: (flag, name) => ({
    flag,
    source: `${flag} ${name}`,
    bytes: new Uint8Array(Buffer.from(texts[name] ?? '')),
    rereadable: false,
  }),
});

const RULES: [BadLeaf, ErrorCode, RegExp][] = [
  ['expired', 'ERR_CERTIFICATE_EXPIRED', /expired at \d{4}-.*Z \(notAfter\), 2 days ago$/],
  ['not-yet-valid', 'ERR_CERTIFICATE_NOT_YET_VALID', /not valid before \d{4}-.*Z \(notBefore\), in 2 days$/],
  ['ca', 'ERR_CERTIFICATE_IS_CA', /basicConstraints CA:TRUE/],
  [
    'no-digital-signature',
    'ERR_CERTIFICATE_KEY_USAGE',
    /keyUsage does not include digitalSignature \(it is keyEncipherment\)$/,
  ],
  ['no-key-usage', 'ERR_CERTIFICATE_KEY_USAGE', /has no keyUsage/],
  ['sha-1', 'ERR_CERTIFICATE_SIGNATURE_ALGORITHM', /signatureAlgorithm is ECDSA with SHA-1,/],
  ['v1', 'ERR_CERTIFICATE_VERSION', /version 1,/],
  ['empty-subject', 'ERR_CERTIFICATE_SUBJECT_EMPTY', /subject .* empty$/],
];

describe('a certificate that breaks a rule of the service', () => {
  it.each(RULES)('is refused: %s', async (name, code, message) => {
    const error = await refusal(async () => await load(bad(name)));
    expect(error).toMatchObject({ code, class: 'identity', message: expect.stringMatching(message) as string });
    expect(error.message.startsWith(`--certificate ${pki.path(`bad-${name}.crt.pem`)}: `)).toBe(true);
    expect(error.hint).toContain('--skip-checks');
  });

  it.each(RULES)('is a warning where checks are skipped: %s', async (name, code, message) => {
    const { warnings } = await load({ ...bad(name), skipChecks: true });
    expect(warnings).toEqual([{ code, message: expect.stringMatching(message) as string }]);
  });

  it('has a code for each rule that callers can compare', () => {
    for (const [, code] of RULES) expect(ERROR_CLASSES[code]).toBe('identity');
  });

  it('breaks none of them when it is good', async () => {
    expect(await load(good())).toEqual({ chainLength: 1, warnings: [] });
  });

  it('is told all that is wrong with it when checks are skipped', async () => {
    const { warnings } = await load({ ...bad('no-digital-signature'), skipChecks: true }, { now: inThreeYears });
    expect(warnings.map(({ code }) => code)).toEqual(['ERR_CERTIFICATE_KEY_USAGE', 'ERR_CERTIFICATE_EXPIRED']);
  });

  it('is refused all the same when the key is not its own', async () => {
    const error = await refusal(
      async () => await load({ ...bad('mismatch'), skipChecks: true }, { pause: async () => {} }),
    );
    expect(error.code).toBe('ERR_KEY_MISMATCH');
  });

  it.each([
    [-1, 'ERR_CERTIFICATE_NOT_YET_VALID'],
    [0, undefined],
  ])('is judged to the millisecond at its beginning: %i', (offset, rule) => {
    const leaf = read(text('ec-p256.crt.pem'));
    expect(brokenRules(leaf, leaf.notBefore.getTime() + offset)[0]).toBe(rule);
  });

  it.each([
    [0, undefined],
    [1, 'ERR_CERTIFICATE_EXPIRED'],
  ])('is judged to the millisecond at its end: %i', (offset, rule) => {
    const leaf = read(text('ec-p256.crt.pem'));
    expect(brokenRules(leaf, leaf.notAfter.getTime() + offset)[0]).toBe(rule);
  });
});

function read(pem: string) {
  return readCertificate(readPem(Buffer.from(pem), 'x')[0]?.der ?? new Uint8Array(), 'x');
}

/** A self-signed leaf; its key comes first when there is a place for it. */
function opensslLeaf(keyOut: string, ...args: string[]): string {
  return openssl([
    ...`req -x509 -nodes -keyout ${keyOut} -subj /CN=x`.split(' '),
    ...'-addext keyUsage=critical,digitalSignature -addext basicConstraints=CA:FALSE'.split(' '),
    ...args,
  ]).toString();
}

describe.skipIf(!hasOpenssl)('signature algorithms', () => {
  it.each([
    ['RSA with SHA-1', ['-sha1'], true],
    ['RSA with SHA-224', ['-sha224'], true],
    ['RSA with SHA-256', ['-sha256'], false],
    ['RSA with SHA-512', ['-sha512'], false],
    ['RSASSA-PSS with SHA-1, the default', ['-sha1', '-sigopt', 'rsa_padding_mode:pss'], true],
    ['RSASSA-PSS with SHA-384', ['-sha384', '-sigopt', 'rsa_padding_mode:pss'], false],
  ])('%s', (_name, args, isWeak) => {
    const certificate = read(opensslLeaf('/dev/null', '-newkey', 'rsa:2048', ...args));
    expect(brokenRules(certificate, Date.now() + 60_000).includes('ERR_CERTIFICATE_SIGNATURE_ALGORITHM')).toBe(isWeak);
  });
});

describe('what is odd and no reason to refuse', () => {
  it('is said of a short-lived certificate with less than a tenth of its life left', async () => {
    const spec = { ...good(), certificate: pki.path('expires-soon.crt.pem'), privateKey: pki.path('bad.key.pem') };
    const { notBefore, notAfter } = read(readFileSync(spec.certificate, 'latin1'));
    const tenth = (notAfter.getTime() - notBefore.getTime()) / 10;
    expect((await load(spec, { now: () => notAfter.getTime() - tenth - 1000 })).warnings).toEqual([]);
    expect((await load(spec, { now: () => notAfter.getTime() - tenth + 1000 })).warnings).toEqual([
      {
        code: 'WARN_CERTIFICATE_EXPIRES_SOON',
        message: expect.stringMatching(/: the certificate expires in \d+ \w+ \(.*Z\)$/) as string,
      },
    ]);
  });

  it.each([
    [7 * DAY_MS - 1, 'in 6 days'],
    [DAY_MS, 'in 1 day '],
    [DAY_MS - 1, 'in 23 hours'],
    [3_600_000 - 1, 'in 59 minutes'],
    [0, 'in 0 minutes'],
  ])('is said of a certificate with %i ms left', async (left, words) => {
    const { notAfter } = read(text('ec-p256.crt.pem'));
    const [warning] = (await load(good(), { now: () => notAfter.getTime() - left })).warnings;
    expect(warning?.message).toContain(words);
  });

  it('is not said of a certificate with a week left', async () => {
    const { notAfter } = read(text('ec-p256.crt.pem'));
    expect((await load(good(), { now: () => notAfter.getTime() - 7 * DAY_MS })).warnings).toEqual([]);
  });

  it.skipIf(!hasOpenssl)('is said of a short RSA key', async () => {
    const pem = opensslLeaf('-', '-newkey', 'rsa:1024');
    const start = pem.indexOf('-----BEGIN PRIVATE');
    const { warnings } = await load({ certificate: 'both' }, inMemory({ both: pem.slice(start) }));
    expect(warnings.map(({ code }) => code)).toEqual(['WARN_KEY_SHORT']);
    expect(warnings[0]?.message).toContain('1024 bits');
  });

  it.each(['rsa-2048', 'rsa-3072', 'rsa-4096'])('is not said of %s', (kind) => {
    const certificate = read(readFileSync(new URL(`../../certs-dev/out/${kind}.crt.pem`, import.meta.url), 'utf8'));
    expect(rsaBits(certificate)).toBe(Number(kind.slice(4)));
  });

  it.skipIf(process.platform === 'win32').each([
    [0o640, /can be read by its group \(mode 0640\)/],
    [0o604, /can be read by everybody \(mode 0604\)/],
    [0o644, /can be read by its group and everybody \(mode 0644\)/],
  ])('is said of a key file with mode %o', async (mode, message) => {
    const key = pki.path('copy.key.pem');
    copyFileSync(pki.path('ec-p256.key.pem'), key);
    chmodSync(key, mode);
    const { warnings } = await load({ ...good(), privateKey: key });
    expect(warnings).toEqual([{ code: 'WARN_KEY_READABLE', message: expect.stringMatching(message) as string }]);
    expect(warnings[0]?.message).toContain(`--private-key ${key}`);
  });

  it.skipIf(process.platform === 'win32').each([0o600, 0o400, 0o700])(
    'is not said of a key file with mode %o',
    async (mode) => {
      const key = pki.path('closed.key.pem');
      copyFileSync(pki.path('ec-p256.key.pem'), key);
      chmodSync(key, mode);
      expect((await load({ ...good(), privateKey: key })).warnings).toEqual([]);
      chmodSync(key, 0o600);
    },
  );

  // As a secret that Kubernetes mounts for a group, or a key that root lets a service's group read.
  it.skipIf(process.platform === 'win32').each([
    [0o440, 65532, []],
    [0o640, 65532, []],
    [0o644, 65532, [expect.stringMatching(/can be read by everybody \(mode 0644\): chmod o-r$/)]],
    [0o640, 0, [expect.stringMatching(/can be read by its group \(mode 0640\): chmod 600$/)]],
  ])(
    "is not said of the group's permission for another user's file: mode %o, process of %i",
    async (mode, uid, said) => {
      const key = pki.path(`foreign-${mode}-${uid}.key.pem`);
      copyFileSync(pki.path('ec-p256.key.pem'), key);
      chmodSync(key, mode);
      const geteuid = vi.spyOn(process as { geteuid: () => number }, 'geteuid').mockReturnValue(uid);
      const { warnings } = await load({ ...good(), privateKey: key });
      geteuid.mockRestore();
      expect(warnings.map(({ message }) => message)).toEqual(said);
    },
  );

  it.skipIf(process.platform === 'win32')('is said of a certificate file only when the key is in it', async () => {
    const file = pki.path('open.pem');
    copyFileSync(pki.path('ec-p256.crt.pem'), file);
    chmodSync(file, 0o644);
    expect((await load({ ...good(), certificate: file })).warnings).toEqual([]);
    copyFileSync(pki.path('ec-p256.combined.pem'), file);
    chmodSync(file, 0o644);
    const { warnings } = await load({ certificate: file });
    expect(warnings.map(({ code }) => code)).toEqual(['WARN_KEY_READABLE']);
  });
});

const text = (name: string): string => readFileSync(pki.path(name), 'utf8');

describe('the chain', () => {
  it('leaves out the leaf, the root and duplicates without a word', async () => {
    const bundle = ['root.pem', 'intermediate.pem', 'ec-p256.crt.pem', 'intermediate.pem', 'root.pem']
      .map(text)
      .join('');
    const texts = { c: text('ec-p256.crt.pem'), k: text('ec-p256.key.pem'), i: bundle };
    const spec = { certificate: 'c', privateKey: 'k', intermediates: 'i' };
    expect(await load(spec, inMemory(texts))).toEqual({ chainLength: 1, warnings: [] });
  });

  it('leaves out what is unrelated, with one warning that names it', async () => {
    const bundle = ['tls-root.pem', 'intermediate.pem', 'revoked.crt.pem', 'tls-root.pem'].map(text).join('');
    const texts = { c: text('ec-p256.crt.pem'), k: text('ec-p256.key.pem'), i: bundle };
    const { chainLength, warnings } = await load(
      { certificate: 'c', privateKey: 'k', intermediates: 'i' },
      inMemory(texts),
    );
    expect(chainLength).toBe(1);
    expect(warnings.map(({ code }) => code)).toEqual(['WARN_CHAIN_UNRELATED']);
    expect(warnings[0]?.message).toContain('"O=Roles Anywhere development,CN=Development TLS root"; "CN=revoked"');
  });

  it('leaves out an authority of the right name and the wrong key', async () => {
    const { chainLength, warnings } = await load(bad('wrong-issuer'));
    expect(chainLength).toBe(0);
    expect(warnings.map(({ code }) => code)).toEqual(['WARN_CHAIN_UNRELATED']);
    expect(warnings[0]?.message).toMatch(/"[^"]+" \(of another key\)$/);
  });

  it('keeps an authority whose key identifiers disagree but whose signature fits', async () => {
    const keys = await generateKeys('ec-p256');
    const root = await issueAuthority({ subject: 'CN=root', keys: await generateKeys('ec-p256') });
    const issuer = await issueAuthority({ subject: 'CN=issuer', keys: await generateKeys('ec-p256'), issuer: root });
    // The leaf's own key identifier of its issuer is that of the root's key.
    const leaf = await issueLeaf({
      subject: 'CN=leaf',
      issuer: { certificate: issuer.certificate, keys: issuer.keys },
      publicKey: keys.publicKey,
      issuerKey: root.keys.publicKey,
    });
    const texts = { c: certificatePem(leaf) + certificatePem(issuer.certificate) + privateKeyPem(keys) };
    expect(await load({ certificate: 'c' }, inMemory(texts))).toEqual({ chainLength: 1, warnings: [] });
  });

  it('is refused when it has six, and sent when checks are skipped', async () => {
    const spec = bad('six-deep');
    expect((await refusal(async () => await load(spec))).code).toBe('ERR_CHAIN_TOO_LONG');
    expect(await load({ ...spec, skipChecks: true })).toEqual({ chainLength: 6, warnings: [] });
  });

  it('is warned of when an authority in it is out of its time, but not beside its successor', async () => {
    const [keys, rootKeys, leafKeys] = await Promise.all(Array.from({ length: 3 }, () => generateKeys('ec-p256')));
    if (keys === undefined || rootKeys === undefined || leafKeys === undefined) throw new Error('no keys');
    const root = await issueAuthority({ subject: 'CN=root', keys: rootKeys });
    const now = Date.now();
    const old = await issueAuthority({
      subject: 'CN=issuer',
      keys,
      issuer: root,
      notBefore: new Date(now - 10 * DAY_MS),
      notAfter: new Date(now - DAY_MS),
    });
    const renewed = await issueAuthority({ subject: 'CN=issuer', keys, issuer: root });
    const early = await issueAuthority({ subject: 'CN=issuer', keys, issuer: root, notBefore: new Date(now + DAY_MS) });
    const leaf = await issueLeaf({ subject: 'CN=leaf', issuer: old, publicKey: leafKeys.publicKey });
    const c = certificatePem(leaf) + privateKeyPem(leafKeys);
    const withIssuers = async (...issuers: (typeof old)[]) =>
      await load(
        { certificate: 'c' },
        inMemory({ c: c + issuers.map((one) => certificatePem(one.certificate)).join('') }),
      );
    expect(await withIssuers(old)).toEqual({
      chainLength: 1,
      warnings: [
        {
          code: 'WARN_CHAIN_VALIDITY',
          message: expect.stringMatching(/^the intermediate certificate "CN=issuer" expired at /) as string,
        },
      ],
    });
    expect((await withIssuers(early)).warnings[0]?.message).toContain('is not valid before');
    expect(await withIssuers(old, renewed)).toEqual({ chainLength: 2, warnings: [] });
  });

  it("is warned of when an authority in it is not a CA's", async () => {
    const [keys, leafKeys] = await Promise.all([generateKeys('ec-p256'), generateKeys('ec-p256')]);
    const root = await issueAuthority({ subject: 'CN=root', keys: await generateKeys('ec-p256') });
    const certificate = await issueLeaf({
      subject: 'CN=no authority',
      issuer: root,
      publicKey: keys.publicKey,
      extensions: leafExtensions([]),
    });
    const leaf = await issueLeaf({ subject: 'CN=leaf', issuer: { certificate, keys }, publicKey: leafKeys.publicKey });
    const c = certificatePem(leaf) + certificatePem(certificate) + privateKeyPem(leafKeys);
    const { warnings } = await load({ certificate: 'c' }, inMemory({ c }));
    expect(warnings).toEqual([
      {
        code: 'WARN_CHAIN_CERTIFICATE',
        message: `the intermediate certificate "CN=no authority" is not a CA's (basicConstraints CA:TRUE)`,
      },
    ]);
  });

  it('shows control characters of a name as octets', async () => {
    const keys = await generateKeys('ec-p256');
    const stranger = await issueAuthority({ subject: 'CN=stranger', keys });
    const der = Buffer.from(stranger.certificate.rawData);
    const changed = Buffer.from(der.toString('latin1').replaceAll('stranger', 'a\u001b[2J\rbc'), 'latin1');
    const pem = `-----BEGIN CERTIFICATE-----\n${changed.toString('base64')}\n-----END CERTIFICATE-----\n`;
    const { warnings } = await load(
      { certificate: 'c', privateKey: 'k' },
      inMemory({ c: text('ec-p256.crt.pem') + pem, k: text('ec-p256.key.pem') }),
    );
    expect(warnings[0]?.message).toContain(String.raw`"CN=a\1B[2J\0Dbc"`);
  });
});

/** A certificate of a key of its own, and the key. */
const made = (...options: string[]) => {
  const args = ['req', '-x509', '-nodes', '-keyout', '-', '-subj', '/CN=x', ...options];
  const extensions = ['-addext', 'basicConstraints=critical,CA:FALSE', '-addext', 'keyUsage=digitalSignature'];
  return openssl([...args, ...extensions]).toString();
};

describe.skipIf(!hasOpenssl)('what no service takes', () => {
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];

  it('a negative serial number is refused, and named after a refusal where checks are skipped', async () => {
    const deps = inMemory({ one: made(...ec, '-set_serial', '-5') });
    const error = await refusal(async () => await loadIdentity({ certificate: 'one' }, deps));
    expect(error.code).toBe('ERR_CERTIFICATE_SERIAL_NUMBER');
    expect(error.message).toContain('negative (-5)');
    const skipped = await loadIdentity({ certificate: 'one', skipChecks: true }, { ...deps, warn: () => {} });
    expect(skipped.skippedRule).toBe("the certificate's serial number is negative (-5)");
  });

  it.each([
    ['P-224', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp224r1']],
    ['secp256k1', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp256k1']],
    ['Ed25519', ['-newkey', 'ed25519']],
  ])('the certificate of a key on %s breaks a rule of its own', (_name, newKey) => {
    const block = readPem(Buffer.from(made(...newKey)), 'x').find(({ label }) => label === 'CERTIFICATE');
    const certificate = readCertificate(block?.der ?? new Uint8Array(), 'x');
    expect(brokenRules(certificate, Date.now())).toEqual(['ERR_KEY_UNSUPPORTED']);
  });

  it('an empty subject is refused with what to do over ACME', async () => {
    const { hint } = await refusal(async () => await loadIdentity(bad('empty-subject')));
    expect(hint).toContain('--force-cn');
    expect(hint).toContain('lego');
  });
});
