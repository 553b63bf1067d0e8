/** Requests whose signature is in the query, made with the SDK's signer and by hand. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Emulator, startEmulator } from '../../../src/emulator/emulator.ts';
import { PKI, cleanEnv } from '../../support/cli.ts';
import { requireModule } from '../../support/tools.ts';
import { ADMIN, type Credentials, vend } from '../support/callers.ts';
import { send } from '../support/signed-request.ts';
import { NOW, makeAuthority, makeClient, startWith } from '../support/world.ts';

let emulator: Emulator;
let session: Credentials;
let now = NOW;
beforeAll(async () => {
  const root = await makeAuthority('root');
  emulator = await startWith(root, { now: () => now });
  session = await vend(emulator, await makeClient(root));
});
afterAll(() => emulator.close());

const IDENTITY = { Action: 'GetCallerIdentity', Version: '2011-06-15' };

interface Presigned {
  service?: string;
  credentials?: Credentials;
  method?: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  expiresIn?: number;
  body?: string;
}

/** The query string of a request that is presigned at {@link NOW}. */
async function presign(options: Presigned = {}): Promise<string> {
  const { service = 'sts', credentials = ADMIN, method = 'GET', query = IDENTITY, headers = {}, body } = options;
  const { host, hostname } = new URL(emulator.url);
  const signer = new SignatureV4({ service, region: 'us-east-1', credentials, sha256: Sha256, applyChecksum: false });
  const request = { method, protocol: 'http:', hostname, path: '/', query, headers: { host, ...headers }, body };
  const unsigned = service === 's3' ? { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } : {};
  const signed = await signer.presign(
    { ...request, headers: { ...request.headers, ...unsigned } },
    { signingDate: NOW, expiresIn: options.expiresIn ?? 60, unhoistableHeaders: new Set(Object.keys(headers)) },
  );
  return Object.entries(signed.query ?? {})
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`)
    .join('&');
}

const ask = async (query: string, { method = 'GET', headers = {}, body = '' }: Presigned = {}) => {
  const all: [string, string][] = [['Host', new URL(emulator.url).host], ...Object.entries(headers)];
  return await send(emulator.url, { method, path: '/', query, headers: all, body });
};

const at = async <T>(seconds: number, use: () => Promise<T>): Promise<T> => {
  now = new Date(NOW.getTime() + seconds * 1000);
  try {
    return await use();
  } finally {
    now = NOW;
  }
};

describe('a presigned request to STS', () => {
  it('tells who a user is', async () => {
    const { status, body } = await ask(await presign());
    expect(status).toBe(200);
    expect(body).toContain('<Arn>arn:aws:iam::123456789012:user/admin</Arn>');
  });

  it('tells who a session is, whose token is in the query, and a verdict holds none of it', async () => {
    const { status, body } = await ask(await presign({ credentials: session }));
    expect([status, /assumed-role\/Workload/.test(body)]).toEqual([200, true]);
    const wrong = (await presign({ credentials: session })).replace('GetCallerIdentity', 'GetSessionToken');
    expect((await ask(wrong)).status).toBe(403);
    expect(emulator.verdicts.at(-1)?.expected).toContain('<redacted>');
    expect(JSON.stringify(emulator.verdicts)).not.toContain(encodeURIComponent(session.sessionToken ?? '?'));
  });

  it('signs a header, as tokens for EKS do', async () => {
    const headers = { 'x-k8s-aws-id': 'cluster' };
    const query = await presign({ headers });
    expect((await ask(query, { headers })).status).toBe(200);
    expect((await ask(query, { headers: { 'x-k8s-aws-id': 'another' } })).status).toBe(403);
    expect((await ask(query)).body).toContain('SignatureDoesNotMatch');
  });

  it('is good for 15 minutes, whatever it says', async () => {
    const query = await presign({ expiresIn: 60 });
    expect((await at(15 * 60 - 1, () => ask(query))).status).toBe(200);
    expect((await at(15 * 60 + 1, () => ask(query))).body).toContain('Signature expired');
    const long = await presign({ expiresIn: 3600 });
    expect((await at(15 * 60 + 1, () => ask(long))).status).toBe(403);
  });

  it.each<[string, (query: string) => string, string]>([
    ['another action', (query) => query.replace('GetCallerIdentity', 'AssumeRole'), 'SignatureDoesNotMatch'],
    ['a further parameter', (query) => `${query}&a=b`, 'SignatureDoesNotMatch'],
    ['another time', (query) => query.replace('T120000Z', 'T120001Z'), 'SignatureDoesNotMatch'],
    ['another lifetime', (query) => query.replace('Expires=60', 'Expires=61'), 'SignatureDoesNotMatch'],
    ['no signature', (query) => query.replace(/&X-Amz-Signature=[0-9a-f]+/, ''), 'MissingAuthenticationToken'],
    ['two signatures', (query) => `${query}&X-Amz-Signature=00`, 'IncompleteSignature'],
    ['no credential', (query) => query.replace(/X-Amz-Credential=[^&]+/, ''), 'IncompleteSignature'],
    ['another algorithm', (query) => query.replace('HMAC-SHA256', 'HMAC-SHA1'), 'IncompleteSignature'],
    ['a lifetime that is none', (query) => query.replace('Expires=60', 'Expires=604801'), 'IncompleteSignature'],
    [
      'no header signed',
      (query) => query.replace(/SignedHeaders=[^&]+/, 'SignedHeaders=accept'),
      'SignatureDoesNotMatch',
    ],
  ])('is refused with %s', async (_, change, code) => {
    const before = await presign();
    const after = change(before);
    expect(after).not.toBe(before);
    const { status, body } = await ask(after);
    expect(status).toBeGreaterThanOrEqual(400);
    expect(body).toContain(`<Code>${code}</Code>`);
  });

  it('may be a POST', async () => {
    expect((await ask(await presign({ method: 'POST' }), { method: 'POST' })).status).toBe(200);
  });
});

const list = (options: Presigned = {}) => presign({ service: 's3', query: { 'x-id': 'ListBuckets' }, ...options });

/** A program in Debian's Python, and what it printed. The emulator is in this process, which must not wait for it. */
async function python(program: string, env: Record<string, string> = {}): Promise<string> {
  const child = spawn('/usr/bin/python3', ['-c', program], { env: cleanEnv({ ...KEYS, ...env }) });
  let [out, errors] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const status = await new Promise((resolve) => {
    child.on('close', resolve);
  });
  if (status !== 0) throw new Error(errors);
  return out.trim();
}

const KEYS = { AWS_ACCESS_KEY_ID: ADMIN.accessKeyId, AWS_SECRET_ACCESS_KEY: ADMIN.secretAccessKey };

describe.runIf(requireModule('botocore'))('botocore', () => {
  let current: Emulator;
  beforeAll(async () => {
    current = await startEmulator({ trustAnchors: [{ certificates: readFileSync(`${PKI}root.pem`, 'utf8') }] });
  });
  afterAll(() => current.close());

  const presigned = (service: string, operation: string, method: string) =>
    python(
      `import botocore.session
from botocore.config import Config
config = Config(signature_version='${service}v4' if '${service}' == 's3' else 'v4')
client = botocore.session.get_session().create_client('${service}', 'us-east-1', endpoint_url='${current.url}', config=config)
print(client.generate_presigned_url('${operation}', ExpiresIn=60, HttpMethod='${method}'))`,
    );

  it.each(['GET', 'POST'])('presigns GetCallerIdentity with %s', async (method) => {
    const answer = await fetch(await presigned('sts', 'get_caller_identity', method), { method });
    expect([answer.status, (await answer.text()).includes(':user/admin</Arn>')]).toEqual([200, true]);
  });

  it('presigns ListBuckets', async () => {
    const answer = await fetch(await presigned('s3', 'list_buckets', 'GET'));
    expect([answer.status, (await answer.text()).includes('<Name>roles-anywhere-demo</Name>')]).toEqual([200, true]);
  });

  it('makes the token that `aws eks get-token` makes, whose URL names the cluster in a header', async () => {
    const url = await python(
      `import botocore.session
from botocore.signers import RequestSigner
session = botocore.session.get_session()
client = session.create_client('sts', 'us-east-1', endpoint_url='${current.url}')
signer = RequestSigner(client.meta.service_model.service_id, 'us-east-1', 'sts', 'v4', session.get_credentials(), session.get_component('event_emitter'))
request = {'method': 'GET', 'url': '${current.url}/?Action=GetCallerIdentity&Version=2011-06-15', 'body': {}, 'headers': {'x-k8s-aws-id': 'cluster'}, 'context': {}}
print(signer.generate_presigned_url(request, region_name='us-east-1', expires_in=60, operation_name=''))`,
    );
    const statuses = ['cluster', 'other'].map(
      async (id) => (await fetch(url, { headers: { 'x-k8s-aws-id': id } })).status,
    );
    expect(await Promise.all(statuses)).toEqual([200, 403]);
  });
});

describe('a presigned request to S3', () => {
  it('lists the buckets', async () => {
    const { status, body } = await ask(await list({ credentials: session }));
    expect([status, body.includes('<Name>roles-anywhere-demo</Name>')]).toEqual([200, true]);
  });

  it('is good for as long as it says', async () => {
    const query = await list({ expiresIn: 7200 });
    const own = await list({ expiresIn: 60 });
    expect((await at(7199, () => ask(query))).status).toBe(200);
    expect((await at(7201, () => ask(query))).body).toContain('Request has expired');
    expect((await at(61, () => ask(own))).status).toBe(403);
  });

  it('must say how long', async () => {
    const query = (await list()).replace('&X-Amz-Expires=60', '');
    expect((await ask(query)).body).toContain('AuthorizationHeaderMalformed');
  });
});
