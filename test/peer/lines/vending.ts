/** `credential-process`: the request that is sent, and what is printed. */
import type { Line } from '../support/compare.ts';
import { ARNS, CHAIN, EC, ENDPOINT, arns, pair, vend } from './words.ts';

const line = (identity: readonly string[], ...more: string[]): string[] => [
  'credential-process',
  ...ARNS,
  ...identity,
  ...ENDPOINT,
  ...more,
];
const withChain = (file: string): string[] => vend('--intermediates', file);

export const VENDING_LINES: readonly Line[] = [
  ...['rsa-1024', 'rsa-2048', 'rsa-3072', 'rsa-4096', 'ec-p256', 'ec-p384', 'ec-p521', 'serial-1', 'serial-80'].map(
    (kind) => ({ name: `vends with ${kind}`, args: line(pair(kind)) }),
  ),
  ...['rsa-2048', 'ec-p256', 'ec-p384', 'serial-20-bytes'].map((kind): Line => ({
    name: `vends with ${kind} from the emulator, which checks all`,
    args: line(pair(kind), ...CHAIN),
    answer: 'emulator',
  })),
  { name: 'vends with certificate and key in one file', args: line(['--certificate', '{pki}/rsa-2048.combined.pem']) },
  { name: 'vends with the key first', args: line(['--certificate', '{files}/key-first.pem']) },
  {
    name: 'vends with PKCS#12 that holds the leaf alone',
    args: line(['--certificate', '{files}/ec-p256.alone.p12']),
    differs: { by: 'chain', in: ['requests'] },
  },
  {
    name: 'vends with PKCS#12 that holds the chain',
    args: line(['--certificate', '{files}/ec-p256.old.p12']),
    differs: { by: 'chain', in: ['requests'] },
  },
  {
    name: 'vends with PKCS#12 of OpenSSL 3',
    args: line(['--certificate', '{files}/ec-p256.new.p12']),
    differs: { by: 'more-files', in: 'theirs refuses' },
  },
  { name: 'sends the chain', args: withChain('{pki}/intermediate.pem') },
  { name: 'sends the chain of a bundle with comments', args: withChain('{pki}/ec-p256.chain.pem') },
  { name: 'sends the chain of a bundle with CR LF', args: withChain('{files}/bundle-crlf.pem') },
  {
    name: 'sends a chain with the root',
    args: withChain('{files}/two-issuers.pem'),
    differs: { by: 'chain', in: ['requests'] },
  },
  {
    name: 'sends a chain with the root first',
    args: withChain('{files}/root-first.pem'),
    differs: { by: 'chain', in: ['requests'] },
  },
  {
    name: 'sends a chain with the leaf',
    args: withChain('{files}/with-leaf.pem'),
    differs: { by: 'chain', in: ['requests'] },
  },
  {
    name: 'sends a chain with the same certificate twice',
    args: withChain('{files}/twice.pem'),
    differs: { by: 'chain', in: ['requests'] },
  },
  {
    name: 'sends a chain with a key behind it',
    args: withChain('{files}/with-key.pem'),
    differs: { by: 'more-files', in: 'theirs refuses' },
  },
  { name: 'takes no heed of empty intermediates', args: withChain('{files}/empty') },
  { name: 'takes no heed of intermediates of white space', args: withChain('{files}/blank') },
  {
    name: 'takes intermediates of words',
    args: withChain('{files}/junk'),
    differs: { by: 'junk-intermediates', in: 'ours refuses' },
  },
  { name: 'takes intermediates in DER', args: withChain('{pki}/ec-p256.crt.der') },
  { name: 'refuses intermediates that are not there', args: withChain('{files}/missing') },
  { name: 'takes an empty --intermediates', args: withChain('') },
  {
    name: 'takes a certificate file with its chain',
    args: line(['--certificate', '{files}/full-chain.pem', '--private-key', '{pki}/ec-p256.key.pem']),
    differs: { by: 'chain-in-file', in: ['requests'] },
  },
  {
    name: 'takes a certificate file with the issuer first',
    args: line(['--certificate', '{files}/issuer-first.pem', '--private-key', '{pki}/ec-p256.key.pem']),
    differs: { by: 'chain-in-file', in: ['requests'] },
  },
  {
    name: 'refuses a missing certificate file',
    args: line(['--certificate', '{files}/missing', '--private-key', '{pki}/ec-p256.key.pem']),
  },
  {
    name: 'refuses a missing key file',
    args: line(['--certificate', '{pki}/ec-p256.crt.pem', '--private-key', '{files}/missing']),
  },
  {
    name: 'meets a key of another certificate',
    args: line(['--certificate', '{pki}/ec-p256.crt.pem', '--private-key', '{pki}/rsa-2048.key.pem']),
    differs: { by: 'key-mismatch', in: 'ours refuses' },
  },
  ...['expired', 'not-yet-valid', 'ca', 'no-digital-signature', 'no-key-usage', 'sha-1', 'v1', 'empty-subject'].map(
    (kind): Line => ({
      name: `meets a certificate that the service refuses (${kind})`,
      args: line(['--certificate', `{pki}/bad-${kind}.crt.pem`, '--private-key', '{pki}/bad.key.pem']),
      differs: { by: 'certificate-checks', in: 'ours refuses' },
    }),
  ),
  {
    name: 'meets a key of P-224',
    args: line(['--certificate', '{files}/p224.crt.pem', '--private-key', '{files}/p224.key.pem']),
    differs: { by: 'curves', in: 'ours refuses' },
  },
  { name: 'asks for a duration', args: vend('--session-duration', '900') },
  { name: 'asks for the longest duration', args: vend('--session-duration=43200') },
  { name: 'sends a session name', args: vend('--role-session-name', 'nightly-job') },
  { name: 'sends a session name of every character', args: vend('--role-session-name', 'aZ09_+=,.@-') },
  { name: 'sends no session name that is empty', args: vend('--role-session-name', '') },
  { name: 'signs for another region', args: vend('--region', 'eu-west-1') },
  { name: 'takes no heed of an empty region', args: vend('--region', '') },
  {
    name: 'takes no heed of AWS_REGION',
    args: vend(),
    env: { AWS_REGION: 'eu-west-1', AWS_DEFAULT_REGION: 'eu-west-2' },
  },
  {
    name: 'takes a role without a path',
    args: ['credential-process', ...arns({ role: 'Worker' }), ...EC, ...ENDPOINT],
  },
  {
    name: 'encodes a role of every character',
    args: ['credential-process', ...arns({ role: 'a/b/W_+=,.@-' }), ...EC, ...ENDPOINT],
    answer: 'of another name',
  },
  {
    name: 'takes an endpoint with a slash',
    args: ['credential-process', ...ARNS, ...EC, '--endpoint', 'http://127.0.0.1:{port}/'],
  },
  {
    name: 'takes an endpoint with a path',
    args: ['credential-process', ...ARNS, ...EC, '--endpoint', 'http://127.0.0.1:{port}/base/path'],
    differs: { by: 'endpoint-path', in: ['requests'] },
  },
  {
    name: 'refuses an endpoint without a scheme',
    args: ['credential-process', ...ARNS, ...EC, '--endpoint', '127.0.0.1:{port}'],
  },
  {
    name: 'meets an endpoint with a query',
    args: ['credential-process', ...ARNS, ...EC, '--endpoint', 'http://127.0.0.1:{port}/?x=1'],
    differs: { by: 'endpoint-form', in: 'ours refuses' },
  },
  {
    name: 'meets a duration that is too short',
    args: vend('--session-duration', '899'),
    differs: { by: 'early-checks', in: 'ours refuses' },
  },
  {
    name: 'meets a duration that is too long',
    args: vend('--session-duration', '43201'),
    differs: { by: 'early-checks', in: 'ours refuses' },
  },
  {
    name: 'meets a hexadecimal duration',
    args: vend('--session-duration', '0xE10'),
    differs: { by: 'integers', in: 'ours refuses' },
  },
  {
    name: 'meets a duration with a leading zero',
    args: vend('--session-duration', '03600'),
    differs: { by: 'integers', in: 'ours refuses' },
  },
  {
    name: 'meets a duration with underscores',
    args: vend('--session-duration', '3_600'),
    differs: { by: 'integers', in: 'ours refuses' },
  },
  { name: 'refuses a duration in words', args: vend('--session-duration', 'an hour') },
  { name: 'refuses a fraction', args: vend('--session-duration', '3600.5') },
  {
    name: 'meets a session name with a blank',
    args: vend('--role-session-name', 'a b'),
    differs: { by: 'early-checks', in: 'ours refuses' },
  },
  {
    name: 'meets an ARN that is none',
    args: vend('--role-arn', 'Worker'),
    differs: { by: 'early-checks', in: 'ours refuses' },
  },
  {
    name: 'meets a profile of another account',
    args: vend(
      '--profile-arn',
      'arn:aws:rolesanywhere:us-east-1:999999999999:profile/22222222-2222-2222-2222-222222222222',
    ),
    differs: { by: 'early-checks', in: 'ours refuses' },
  },
  {
    name: 'refuses a profile of another region',
    args: vend(
      '--profile-arn',
      'arn:aws:rolesanywhere:eu-west-1:123456789012:profile/22222222-2222-2222-2222-222222222222',
    ),
  },
  {
    name: 'takes no heed of --use-latest-expiring-certificate with PKCS#12',
    args: line(['--certificate', '{files}/ec-p256.alone.p12', '--use-latest-expiring-certificate']),
    differs: { by: 'chain', in: ['requests'] },
  },
  { name: 'takes no heed of --tpm-key-password', args: vend('--tpm-key-password', 'x') },
  { name: 'takes no heed of --no-tpm-key-password', args: vend('--no-tpm-key-password') },
  { name: 'takes no heed of --no-tpm-key-password --reuse-pin', args: vend('--no-tpm-key-password', '--reuse-pin') },
  { name: 'takes no heed of --reuse-pin', args: vend('--reuse-pin') },
  { name: 'takes no heed of --pkcs11-lib', args: vend('--pkcs11-lib', '/nonexistent.so') },
  {
    name: 'takes no heed of --pkcs8-password',
    args: vend('--pkcs8-password', 'not-needed'),
    differs: { by: 'needless-password', in: 'theirs refuses' },
  },
  {
    name: 'takes no heed of --with-proxy on this machine',
    args: vend('--with-proxy'),
    env: { HTTP_PROXY: 'http://127.0.0.1:1', HTTPS_PROXY: 'http://127.0.0.1:1' },
  },
  {
    name: 'takes no heed of a profile in the environment',
    args: vend(),
    env: { AWS_PROFILE: 'nope' },
    differs: { by: 'sdk-trifles', in: 'theirs refuses' },
  },
  {
    name: 'takes no heed of a mode of IMDS',
    args: vend(),
    env: { AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE: 'zzz' },
    differs: { by: 'sdk-trifles', in: 'theirs refuses' },
  },
  { name: 'meets --debug', args: vend('--debug'), differs: { by: 'debug', in: ['stderr'] } },
  {
    name: 'sends what is not checked',
    args: vend('--skip-checks'),
    differs: { by: 'own-flags', in: 'theirs refuses' },
  },
  {
    name: 'takes no heed of static keys in the environment',
    args: vend(),
    env: { AWS_ACCESS_KEY_ID: 'AKIAX', AWS_SECRET_ACCESS_KEY: 'x' },
  },
];
