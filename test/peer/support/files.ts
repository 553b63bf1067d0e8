/** Files that people have, made from the development PKI: other forms, other orders, and what is no certificate at all. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cleanEnv, INSTALLED, PKI } from '../../support/cli.ts';

/** Of every file here that has one. */
export const PASSWORD = 'correct horse';

/** Keys and self-signed certificates of kinds that Roles Anywhere does not take. */
const ODD_KINDS: Readonly<Record<string, readonly string[]>> = {
  ed25519: ['-algorithm', 'ED25519'],
  'rsa-pss': ['-algorithm', 'RSA-PSS', '-pkeyopt', 'rsa_keygen_bits:2048'],
  p224: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-224'],
  secp256k1: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:secp256k1'],
};

/** Subjects and serial numbers that are easy to get wrong, in certificates of their own. */
const ODD_CERTIFICATES: Readonly<Record<string, readonly string[]>> = {
  utf8: ['-utf8', '-subj', '/O=Läden \\& Söhne/CN=<é>'],
  'many-rdns': ['-multivalue-rdn', '-subj', '/O=Acme, Ltd+OU=x/CN=web/emailAddress=a@b.example'],
  'serial-zero': ['-subj', '/CN=zero', '-set_serial', '0'],
  'serial-negative': ['-subj', '/CN=negative', '-set_serial', '-5'],
  'serial-21-octets': ['-subj', '/CN=big', '-set_serial', `0x${'ff'.repeat(20)}`],
};

/** How openssl writes a key in other ways; each takes {@link PASSWORD}, if any. */
const KEY_FORMS: Readonly<Record<string, readonly string[]>> = {
  'aes128-sha1': ['pkcs8', '-topk8', '-v2', 'aes-128-cbc', '-v2prf', 'hmacWithSHA1'],
  'aes192-sha256': ['pkcs8', '-topk8', '-v2', 'aes-192-cbc', '-v2prf', 'hmacWithSHA256'],
  'aes256-sha384': ['pkcs8', '-topk8', '-v2', 'aes-256-cbc', '-v2prf', 'hmacWithSHA384'],
  'aes256-sha512': ['pkcs8', '-topk8', '-v2', 'aes-256-cbc', '-v2prf', 'hmacWithSHA512'],
  scrypt: ['pkcs8', '-topk8', '-scrypt'],
  '3des': ['pkcs8', '-topk8', '-v2', 'des3'],
  pbes1: ['pkcs8', '-topk8', '-v1', 'PBE-SHA1-3DES'],
};

function pem(name: string): string {
  return readFileSync(join(PKI, name), 'utf8');
}

/** The command under the name of AWS's helper, in a folder of {@link makeFiles}. */
export const LINK = 'aws_signing_helper';

/** Makes them all, in a folder of their own. */
export async function makeFiles(): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'ra-peer-'));
  const at = (name: string): string => join(dir, name);
  const write = (name: string, content: string | Uint8Array): void => {
    writeFileSync(at(name), content, { mode: 0o600 });
  };
  symlinkSync(INSTALLED, at(LINK));
  mkdirSync(at('home'));
  mkdirSync(at('directory'));

  const [leaf, key, issuer, root] = ['ec-p256.crt.pem', 'ec-p256.key.pem', 'intermediate.pem', 'root.pem'].map((name) =>
    pem(name),
  );
  write('empty', '');
  write('blank', ' \n\t\n');
  write('junk', 'this is no PEM at all\n');
  write('truncated.pem', String(leaf).slice(0, 300));
  write('full-chain.pem', `${leaf}${issuer}`);
  write('issuer-first.pem', `${issuer}${leaf}`);
  write('key-first.pem', `${key}${leaf}`);
  write('crlf.pem', String(leaf).replaceAll('\n', '\r\n'));
  write('bom.pem', `\uFEFF${leaf}`);
  write('old-label.pem', String(leaf).replaceAll('CERTIFICATE', 'X509 CERTIFICATE'));
  write('trusted-label.pem', String(leaf).replaceAll('CERTIFICATE', 'TRUSTED CERTIFICATE'));
  write('text-behind.pem', `${leaf}and words behind it\n`);
  write('two-issuers.pem', `${issuer}${root}`);
  write('root-first.pem', `${root}${issuer}`);
  write('with-leaf.pem', `${leaf}${issuer}`);
  write('twice.pem', `${issuer}${issuer}`);
  write('with-key.pem', `${issuer}${key}`);
  write('bundle-crlf.pem', String(issuer).replaceAll('\n', '\r\n'));
  write('not-closed.pem', String(issuer).slice(0, -40));
  write('selector.json', JSON.stringify([{ Key: 'x509Subject', Value: 'CN=web' }]));
  write('selector-bad.json', '[{"Key":"x509Subject"}]');

  const openssl = async (...args: string[]): Promise<void> => {
    await promisify(execFile)('openssl', args, { env: cleanEnv(), cwd: dir });
  };
  for (const [kind, options] of Object.entries(ODD_KINDS)) {
    await openssl('genpkey', ...options, '-out', `${kind}.key.pem`);
    await openssl('req', '-x509', '-key', `${kind}.key.pem`, '-subj', `/CN=${kind}`, '-out', `${kind}.crt.pem`);
  }
  const own = join(PKI, 'ec-p256.key.pem');
  for (const [name, options] of Object.entries(ODD_CERTIFICATES))
    await openssl('req', '-x509', '-key', own, ...options, '-out', `${name}.crt.pem`);
  for (const kind of ['rsa-2048', 'ec-p256']) {
    const from = ['-in', join(PKI, `${kind}.key.pem`)];
    for (const [name, [command = '', ...options]] of Object.entries(KEY_FORMS))
      await openssl(command, ...from, ...options, '-passout', `pass:${PASSWORD}`, '-out', `${kind}.${name}.pem`);
    const traditional = kind.startsWith('rsa') ? ['rsa', '-traditional'] : ['ec'];
    const cipher = ['-aes256', '-passout', `pass:${PASSWORD}`];
    await openssl(...traditional, ...from, ...cipher, '-out', `${kind}.traditional.pem`);
    const whole = ['-inkey', join(PKI, `${kind}.key.pem`), '-in', join(PKI, `${kind}.crt.pem`)];
    const old = ['-keypbe', 'PBE-SHA1-3DES', '-certpbe', 'PBE-SHA1-3DES', '-macalg', 'sha1'];
    const more = ['-certfile', join(PKI, 'intermediate.pem')];
    await openssl('pkcs12', '-export', ...whole, ...more, ...old, '-passout', 'pass:', '-out', `${kind}.old.p12`);
    await openssl('pkcs12', '-export', ...whole, ...old, '-passout', 'pass:', '-out', `${kind}.alone.p12`);
    const locked = ['-passout', `pass:${PASSWORD}`, '-out', `${kind}.locked.p12`];
    await openssl('pkcs12', '-export', ...whole, ...more, ...old, ...locked);
    await openssl('pkcs12', '-export', ...whole, ...more, '-passout', 'pass:', '-out', `${kind}.new.p12`);
  }
  await openssl('req', '-new', '-key', own, '-subj', '/CN=web', '-out', 'request.pem');
  await openssl('x509', '-in', join(PKI, 'ec-p256.crt.pem'), '-text', '-out', 'openssl-text.pem');
  await openssl(
    'x509',
    '-in',
    join(PKI, 'ec-p256.crt.pem'),
    '-trustout',
    '-addtrust',
    'clientAuth',
    '-out',
    'trusted.pem',
  );
  await openssl('ecparam', '-name', 'prime256v1', '-out', 'ec-parameters.pem');
  write('ec-with-parameters.pem', `${readFileSync(at('ec-parameters.pem'), 'utf8')}${pem('ec-p256.sec1.pem')}`);
  return dir;
}
