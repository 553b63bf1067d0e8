/** What people give by mistake: told by what it is, with the command that makes it what is wanted. */
import { execFileSync } from 'node:child_process';
import { X509Certificate, createPrivateKey, createPublicKey } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadCertificates, loadSigningKey } from '../../src/identity/load.ts';
import { integer, octets, oid, sequence, tlv } from '../support/der.ts';
import { openssl, pkiText } from '../support/pki.ts';
import { refusal } from '../support/refusal.ts';
import { requireTool } from '../support/tools.ts';

const LEAF = pkiText('ec-p256.crt.pem');
const INTERMEDIATE = pkiText('intermediate.pem');
const KEY = pkiText('ec-p256.key.pem');
const labelled = (label: string, der: Uint8Array): string =>
  `-----BEGIN ${label}-----\n${Buffer.from(der).toString('base64')}\n-----END ${label}-----\n`;
const derOf = (pem: string): Buffer => Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');

async function refused(bytes: Uint8Array | string, flag: '--certificate' | '--private-key') {
  const given = Uint8Array.from(typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
  const read = () => ({ flag, source: `${flag} f`, bytes: given, rereadable: true }) as const;
  const load = flag === '--certificate' ? loadCertificates : loadSigningKey;
  return await refusal(async () => await load('f', { read }));
}

const name = sequence(tlv(0x31, sequence(oid('2.5.4.3'), tlv(0x0c, Buffer.from('x')))));
const algorithm = sequence(oid('1.2.840.10045.4.3.2'));
const signature = tlv(0x03, Buffer.alloc(9));
const spki = createPublicKey(KEY).export({ type: 'spki', format: 'der' });
const request = sequence(sequence(integer(0), name, spki, tlv(0xa0)), algorithm, signature);
const time = tlv(0x17, Buffer.from('260101000000Z'));
const crl = sequence(sequence(integer(1), algorithm, name, time, time), algorithm, signature);
const oldCrl = sequence(sequence(algorithm, name, time), algorithm, signature);
const rsaPublic = createPublicKey(pkiText('rsa-2048.key.pem')).export({ type: 'pkcs1', format: 'der' });
const jwk = createPrivateKey(KEY).export({ format: 'jwk' });

const CASES: [string, Uint8Array | string, string, RegExp][] = [
  ['a request in DER', request, 'a certificate request', /your CA/],
  ['a request under the label of a certificate', labelled('CERTIFICATE', request), 'a certificate request', /your CA/],
  ['a revocation list in DER', crl, 'a certificate revocation list', /ImportCrl/],
  ['a revocation list of version 1', oldCrl, 'a certificate revocation list', /ImportCrl/],
  [
    'a list under the label of a certificate',
    labelled('CERTIFICATE', crl),
    'a certificate revocation list',
    /ImportCrl/,
  ],
  ['a public key in DER', spki, 'a public key', /find the two/],
  ['an RSA public key in DER', rsaPublic, 'a public key', /find the two/],
  ['a public key under the label of a certificate', labelled('CERTIFICATE', spki), 'a public key', /find the two/],
  [
    'PGP, armoured',
    '-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEZ==\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n',
    'OpenPGP',
    /X.509/,
  ],
  ['PGP, binary', Buffer.from('9833046500000016092b06', 'hex'), 'OpenPGP', /X.509/],
  ['PGP, binary, of the new format', Buffer.from('c63304650000001609', 'hex'), 'OpenPGP', /X.509/],
  [
    'JKS',
    Buffer.from('feedfeed0000000200000001', 'hex'),
    'a Java keystore (JKS)',
    /keytool -importkeystore -srcstoretype JKS /,
  ],
  ['JCEKS', Buffer.from('cececece0000000200000001', 'hex'), 'a Java keystore (JCEKS)', /keytool .* JCEKS /],
  ['an NSS database', Buffer.from('SQLite format 3\0', 'latin1'), 'a database of NSS', /pk12util -d sql:/],
  ['PuTTY', 'PuTTY-User-Key-File-3: ecdsa-sha2-nistp256\nEncryption: none\n', "PuTTY's format", /puttygen KEY/],
  ['SSH, its public key', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA me@here\n', 'a public key of SSH', /find the two/],
  [
    'SSH, by RFC 4716',
    '---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----\n',
    'a public key of SSH',
    /find the two/,
  ],
  ['a JWK', JSON.stringify(jwk), 'a key as JWK', /format: "jwk"/],
  ['a set of JWK', JSON.stringify({ keys: [jwk] }), 'a key as JWK', /\.keys\[0\]/],
  ['JSON without PEM', '{"a": [1]}', 'is JSON', /PEM/],
  ['what begins like JSON', '{"a": ', 'looks like JSON', /jq -r/],
  ['UTF-16 with a mark', Buffer.from(`\ufeff${LEAF}`, 'utf16le'), 'UTF-16 text', /iconv/],
  ['UTF-16 without a mark', Buffer.from(LEAF, 'utf16le'), 'UTF-16 text', /iconv/],
  ['UTF-16 without a mark, big-endian', Buffer.from(LEAF, 'utf16le').swap16(), 'UTF-16 text', /iconv/],
  ['base64 of a certificate', derOf(LEAF).toString('base64'), 'base64 without a label', /base64 -d FILE/],
  ['base64 of PEM', Buffer.from(KEY).toString('base64'), 'base64 without a label', /base64 -d FILE/],
  ['base64 of a request', request.toString('base64'), 'a certificate request in base64', /your CA/],
  ['a page', '<!DOCTYPE html><html><body>Sign in</body></html>', 'a page of the web', /open it/],
  ['a ZIP archive', Buffer.from('504b0304140000000800', 'hex'), 'a ZIP archive', /unpack/],
  ['what gzip made', Buffer.from('1f8b08000000000000ff', 'hex'), 'gzip', /gunzip/],
  ['two blocks on a line', `${LEAF.trimEnd()}${INTERMEDIATE}`, 'two blocks on one line', /echo/],
];

describe('what people give by mistake', () => {
  it.each(CASES)('%s is named, as --certificate', async (_name, bytes, what, hint) => {
    const error = await refused(bytes, '--certificate');
    expect(error.code).toMatch(/^ERR_(?:FORMAT_UNKNOWN|PEM_MALFORMED)$/);
    expect(error.message).toContain(what);
    expect(error.message).toContain('--certificate f');
    expect(error.hint).toMatch(hint);
    expect(error.hint).not.toContain('copy it again');
  });

  it.each(CASES)('%s is named, as --private-key', async (_name, bytes, what, hint) => {
    const error = await refused(bytes, '--private-key');
    expect(error.message).toContain(what);
    expect(error.hint).toMatch(hint);
  });

  it.each(['--certificate', '--private-key'] as const)('an empty container says so, as %s', async (flag) => {
    const data = oid('1.2.840.113549.1.7.1');
    const empty = sequence(integer(3), sequence(data, tlv(0xa0, octets(sequence()))));
    const error = await refused(empty, flag);
    expect(error).toMatchObject({ code: 'ERR_PEM_LABEL', hint: expect.stringContaining('export it again') as string });
    expect(error.message).toMatch(/: it is a container with nothing in it$/);
  });

  it('what is none of all that keeps its old words', async () => {
    const cut = derOf(LEAF).subarray(0, 200);
    expect((await refused(cut, '--certificate')).message).toContain('DER that was cut');
    expect((await refused('nothing of that kind', '--certificate')).message).toContain('neither PEM nor DER');
  });
});

describe('JSON that holds PEM', () => {
  const answers: [string, unknown, string, string][] = [
    ['of cfssl', { cert: LEAF, csr: 'x', key: KEY }, '.cert', '.key'],
    [
      "of cfssl's API",
      { success: true, result: { certificate: LEAF, private_key: KEY } },
      '.result.certificate',
      '.result.private_key',
    ],
    [
      'of Vault',
      { lease_id: '', data: { ca_chain: [INTERMEDIATE], certificate: LEAF, private_key: KEY } },
      '.data.ca_chain[0]',
      '.data.private_key',
    ],
    ['with a hyphen in a name', { 'a-b': { 'the-key': KEY, cert: LEAF } }, '.["a-b"].cert', '.["a-b"]["the-key"]'],
    ['in a list', [{ key: KEY, cert: LEAF }], '.[0].cert', '.[0].key'],
  ];

  it.each(answers)('%s is named with the line of jq that takes it out', async (_name, json, forCertificate, forKey) => {
    const text = JSON.stringify(json);
    expect((await refused(text, '--certificate')).hint).toContain(`\`jq -r '${forCertificate}' FILE >NEW\``);
    expect((await refused(text, '--private-key')).hint).toContain(`\`jq -r '${forKey}' FILE >NEW\``);
  });

  it.skipIf(!requireTool('jq')).each(answers)(
    '%s gives the PEM by that line',
    async (_name, json, _certificate, forKey) => {
      const out = execFileSync('jq', ['-r', forKey], { input: JSON.stringify(json) });
      expect(out.toString().trim()).toBe(KEY.trim());
    },
  );

  it('shows no text of it', async () => {
    const error = await refused(JSON.stringify({ [`a ${KEY}`]: KEY, token: 'hvs.SECRET' }), '--certificate');
    expect(`${error.message} ${error.hint}`).not.toMatch(/hvs|PRIVATE KEY-----/);
  });
});

describe('a key of another format', () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'unusual-'));
  });
  afterAll(() => {
    rmSync(dir, { recursive: true });
  });

  it.skipIf(!requireTool('ssh-keygen'))('of OpenSSH is read after the line of the hint', async () => {
    const key = join(dir, 'ssh');
    execFileSync('ssh-keygen', ['-q', '-t', 'ecdsa', '-N', '', '-f', key]);
    const error = await refused(readFileSync(key), '--private-key');
    expect(error).toMatchObject({
      code: 'ERR_KEY_UNSUPPORTED',
      hint: expect.stringContaining('-p -m PKCS8 -f NEW') as string,
    });
    execFileSync('ssh-keygen', ['-q', '-p', '-m', 'PKCS8', '-N', '', '-P', '', '-f', key]);
    expect((await loadSigningKey(key)).signer.keyType).toBe('EC');
  });

  it('as JWK is read after the line of the hint', async () => {
    writeFileSync(join(dir, 'FILE'), JSON.stringify(jwk));
    const { hint = '' } = await refused(JSON.stringify(jwk), '--private-key');
    const line = /`(.*)`/.exec(hint)?.[1] ?? '';
    execFileSync('/bin/sh', ['-c', line], { cwd: dir });
    const { publicKey } = await loadSigningKey(join(dir, 'NEW'));
    expect(Buffer.from(publicKey)).toEqual(new X509Certificate(LEAF).publicKey.export({ type: 'spki', format: 'der' }));
  });

  it.skipIf(!requireTool('openssl'))('of three primes is read in PKCS#1, PEM and DER', async () => {
    const pem = openssl(['genrsa', '-traditional', '-primes', '3', '2048']);
    const der = openssl(['rsa', '-traditional', '-outform', 'DER'], pem);
    for (const [file, bytes] of [
      ['three.pem', pem],
      ['three.der', der],
    ] as const) {
      writeFileSync(join(dir, file), bytes);
      const { signer } = await loadSigningKey(join(dir, file));
      expect(signer.keyType).toBe('RSA');
      expect(await signer.sign(Buffer.from('x'))).toHaveLength(256);
    }
  });

  it('with a curve that has no name is refused with words', async () => {
    const explicit = openssl(['ecparam', '-name', 'prime192v1', '-genkey', '-noout', '-param_enc', 'explicit']);
    const error = await refused(explicit, '--private-key');
    expect(error.code).toBe('ERR_KEY_UNSUPPORTED');
    expect(error.message).not.toContain('UNDEF');
  });
});
