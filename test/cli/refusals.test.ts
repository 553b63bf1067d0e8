import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EXIT_STATUS, ERROR_CLASSES, type ErrorCode } from '../../src/platform/errors.ts';
import { PKI, runCli } from '../support/cli.ts';
import { scriptedServer, type Answer, type ScriptedServer } from '../support/scripted-server.ts';

const ANCHOR = 'arn:aws:rolesanywhere:us-east-1:123456789012:trust-anchor/11111111-1111-1111-1111-111111111111';
const PROFILE = 'arn:aws:rolesanywhere:us-east-1:123456789012:profile/22222222-2222-2222-2222-222222222222';
const ROLE = 'arn:aws:iam::123456789012:role/Demo';

let dir: string;
let server: ScriptedServer;
let answer: Answer;

const good = (): Record<string, string> => ({
  certificate: `${PKI}ec-p256.crt.pem`,
  'private-key': `${PKI}ec-p256.key.pem`,
  'trust-anchor-arn': ANCHOR,
  'profile-arn': PROFILE,
  'role-arn': ROLE,
  endpoint: server.url,
});

/** The ordinary line with some flags replaced, and some left out (undefined). */
function line(changes: Readonly<Record<string, string | undefined>> = {}, more: readonly string[] = []): string[] {
  const flags = Object.entries({ ...good(), ...changes }).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, value],
  );
  return ['credential-process', ...flags, ...more];
}

function file(name: string, content: string | Buffer): string {
  const path = join(dir, name);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

async function expectRefusal(args: readonly string[], code: ErrorCode): Promise<string> {
  const result = await runCli(args);
  expect(result.stderr).toContain(code);
  expect(result).toMatchObject({ status: EXIT_STATUS[ERROR_CLASSES[code]], stdout: '' });
  expect(result.stderr, 'a stack trace').not.toMatch(/\n\s+at /);
  expect(result.stderr).not.toContain('PRIVATE KEY-----');
  return result.stderr;
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ra-refusals-'));
  server = await scriptedServer((response, request, body) => answer(response, request, body));
});
afterAll(async () => {
  await server.close();
  rmSync(dir, { recursive: true, force: true });
});
beforeEach(() => {
  server.requests.length = 0;
});

describe('refused before anything is sent', () => {
  const key = readFileSync(`${PKI}ec-p256.key.pem`, 'utf8');
  const cert = readFileSync(`${PKI}ec-p256.crt.pem`, 'utf8');
  const cases: [string, ErrorCode, () => string[]][] = [
    ['a certificate file that is not there', 'ERR_FILE_NOT_FOUND', () => line({ certificate: join(dir, 'none.pem') })],
    ['a key file that is not there', 'ERR_FILE_NOT_FOUND', () => line({ 'private-key': join(dir, 'none.pem') })],
    ['an intermediates file that is not there', 'ERR_FILE_NOT_FOUND', () => line({ intermediates: join(dir, 'none') })],
    ['a directory as certificate', 'ERR_FILE_IS_DIRECTORY', () => line({ certificate: dir })],
    ['an empty certificate file', 'ERR_PEM_EMPTY', () => line({ certificate: file('empty.pem', '') })],
    ['an empty key file', 'ERR_PEM_EMPTY', () => line({ 'private-key': file('empty.pem', '') })],
    ['garbage as certificate', 'ERR_FORMAT_UNKNOWN', () => line({ certificate: file('garbage.pem', 'garbage\n') })],
    [
      'binary garbage as key',
      'ERR_FORMAT_UNKNOWN',
      () => line({ 'private-key': file('bin.pem', Buffer.alloc(99, 7)) }),
    ],
    ['a truncated certificate', 'ERR_PEM_TRUNCATED', () => line({ certificate: file('cut.pem', cert.slice(0, 300)) })],
    ['a truncated key', 'ERR_PEM_TRUNCATED', () => line({ 'private-key': file('cut.key', key.slice(0, 120)) })],
    ['a key given as certificate', 'ERR_PEM_LABEL', () => line({ certificate: file('key.pem', key) })],
    ['a certificate given as key', 'ERR_PEM_LABEL', () => line({ 'private-key': file('crt.pem', cert) })],
    [
      'a key under a wrong label',
      'ERR_PEM_LABEL',
      () => line({ 'private-key': file('label.pem', key.replaceAll('PRIVATE KEY', 'SECRET KEY')) }),
    ],
    ['a key of another certificate', 'ERR_KEY_MISMATCH', () => line({ 'private-key': `${PKI}ec-p384.key.pem` })],
    [
      'a key of another certificate of the same kind',
      'ERR_KEY_MISMATCH',
      () => line({ 'private-key': `${PKI}serial-1.key.pem` }),
    ],
    ['no key at all', 'ERR_KEY_MISSING', () => line({ 'private-key': undefined })],
    ['a bad role ARN', 'ERR_ARN', () => line({ 'role-arn': 'arn:aws:iam::123456789012:user/Demo' })],
    ['a bad trust anchor ARN', 'ERR_ARN', () => line({ 'trust-anchor-arn': 'nonsense' })],
    ['a bad profile ARN', 'ERR_ARN', () => line({ 'profile-arn': ANCHOR })],
    [
      'ARNs of different regions',
      'ERR_ARN_MISMATCH',
      () => line({ 'profile-arn': PROFILE.replace('us-east-1', 'eu-west-1') }),
    ],
    ['a duration below the minimum', 'ERR_DURATION', () => line({ 'session-duration': '899' })],
    ['a duration above the maximum', 'ERR_DURATION', () => line({ 'session-duration': '43201' })],
    ['a duration in words', 'ERR_FLAG_VALUE', () => line({ 'session-duration': 'an hour' })],
    ['a session name with a space', 'ERR_SESSION_NAME', () => line({ 'role-session-name': 'two words' })],
    ['an unknown flag', 'ERR_UNKNOWN_FLAG', () => line({}, ['--certificat', 'x'])],
    ['conflicting flags', 'ERR_FLAG_CONFLICT', () => line({ 'system-store-name': 'MY' })],
    [
      'a selector that nothing matches',
      'ERR_CERTIFICATE_NOT_FOUND',
      () => line({ 'cert-selector': 'Key=x509Subject,Value=CN=nobody' }),
    ],
    [
      'a selector where there is no store',
      'ERR_STORE_PLATFORM',
      () => line({ certificate: undefined, 'private-key': undefined, 'cert-selector': 'Key=x509Serial,Value=0A' }),
    ],
    [
      'a bad selector',
      'ERR_SELECTOR',
      () => line({ certificate: undefined, 'private-key': undefined, 'cert-selector': 'Key=nonsense,Value=1' }),
    ],
    ['a missing role', 'ERR_FLAG_REQUIRED', () => line({ 'role-arn': undefined })],
    [
      'a plain http endpoint that is not on this machine',
      'ERR_ENDPOINT',
      () => line({ endpoint: 'http://rolesanywhere.example' }),
    ],
    [
      'an issuer of another scheme, though no renewal is due',
      'ERR_FLAG_VALUE',
      () => ['renew', '--certificate', cert, '--private-key', key, '--renew-from', 'https://ca.example'],
    ],
    [
      'a page of the console that is none',
      'ERR_ENDPOINT',
      () => ['console', ...line().slice(1), '--destination', '//evil.example'],
    ],
    ['a CA bundle that holds no certificate', 'ERR_CA_BUNDLE', () => line({ 'ca-bundle': file('no-ca.pem', key) })],
  ];

  it.each(cases)('%s: %s', async (_what, code, args) => {
    const stderr = await expectRefusal(args(), code);
    expect(stderr, 'a hint').toContain('hint: ');
    expect(server.requests).toEqual([]);
  });

  it('a nearby flag is named for an unknown one', async () => {
    expect(await expectRefusal(line({}, ['--certificat', 'x']), 'ERR_UNKNOWN_FLAG')).toContain('--certificate');
  });
});

const json =
  (status: number, body: string, headers: Record<string, string> = {}): Answer =>
  (response) => {
    response.writeHead(status, { 'content-type': 'application/json', 'x-amzn-requestid': 'req-1', ...headers });
    response.end(body);
  };
const set = (expiration: string): string =>
  JSON.stringify({
    credentialSet: [
      { credentials: { accessKeyId: 'ASIAX', secretAccessKey: 'hidden-secret', sessionToken: 'hidden', expiration } },
    ],
  });

describe('refused by the other side', () => {
  const cases: [string, ErrorCode, number, Answer][] = [
    [
      '403',
      'ERR_ACCESS_DENIED',
      1,
      json(403, '{"message":"Untrusted certificate. Insufficient certificate"}', {
        'x-amzn-errortype': 'AccessDeniedException',
      }),
    ],
    [
      '404',
      'ERR_NOT_FOUND',
      1,
      json(404, '{"message":"no such anchor"}', { 'x-amzn-errortype': 'ResourceNotFoundException' }),
    ],
    ['400', 'ERR_VALIDATION', 1, json(400, '{"__type":"a#ValidationException:http","message":"bad"}')],
    ['429', 'ERR_THROTTLED', 3, json(429, '{"message":"slow down"}', { 'x-amzn-errortype': 'ThrottlingException' })],
    ['500', 'ERR_SERVICE_FAILED', 3, json(500, '')],
    [
      'an HTML page with 200',
      'ERR_RESPONSE_INVALID',
      1,
      json(200, '<html>proxy</html>', { 'content-type': 'text/html' }),
    ],
    ['an HTML page with 403', 'ERR_ACCESS_DENIED', 1, json(403, '<html>proxy</html>', { 'content-type': 'text/html' })],
    [
      'a cut-off answer',
      'ERR_RESPONSE_INVALID',
      3,
      (response) => {
        response.writeHead(201, { 'content-length': '1000' });
        response.write('{"credentialSet":[');
        setImmediate(() => response.destroy());
      },
    ],
    ['an empty credential set', 'ERR_CREDENTIALS_EMPTY', 1, json(201, '{"credentialSet":[]}')],
    ['expired credentials', 'ERR_CREDENTIALS_EXPIRED', 1, json(201, set('2020-01-01T00:00:00Z'))],
    ['credentials without a readable expiry', 'ERR_RESPONSE_INVALID', 1, json(201, set('tomorrow'))],
  ];

  it.each(cases)('%s: %s after %i attempts', async (_what, code, attempts, script) => {
    answer = script;
    // Without a limit, throttling is retried until --timeout.
    const stderr = await expectRefusal(line({}, attempts === 3 ? ['--max-attempts', '3'] : []), code);
    expect(server.requests).toHaveLength(attempts);
    expect(stderr).not.toContain('hidden');
  });

  it('the service’s own code, message and request id are shown', async () => {
    answer = json(403, '{"message":"Untrusted signing certificate"}', { 'x-amzn-errortype': 'AccessDeniedException' });
    const stderr = await expectRefusal(line(), 'ERR_ACCESS_DENIED');
    for (const part of ['AccessDeniedException', 'Untrusted signing certificate', 'req-1'])
      expect(stderr).toContain(part);
  });

  it('a server that refuses the connection: ERR_CONNECT', async () => {
    const gone = await scriptedServer(() => undefined);
    await gone.close();
    await expectRefusal(line({ endpoint: gone.url }), 'ERR_CONNECT');
  });
});
