import { execFileSync } from 'node:child_process';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Identity } from '../../src/identity/identity.ts';
import type { KeyType } from '../../src/x509/algorithms.ts';
import { signRequest } from '../../src/signing/sigv4-x509.ts';
import { amzDate } from '../../src/signing/string-to-sign.ts';
import { requireTool } from '../support/tools.ts';

const DATE = new Date('2021-11-03T12:00:00.999Z');
const CONTEXT = { region: 'us-east-1', service: 'rolesanywhere', date: DATE };
const REQUEST = {
  method: 'POST',
  url: new URL('https://host.test/sessions?roleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2FA&profileArn=x'),
  headers: { 'content-type': 'application/json' },
  body: '{}',
};

const signer = (): Promise<Uint8Array> => Promise.resolve(Uint8Array.of(0));

function identityWith(signs: Identity['signer']['sign'], keyType: KeyType, chain: Uint8Array[] = []): Identity {
  return {
    certificate: Buffer.from('CERT'),
    serialNumber: '730750818665451459101842416358141509827966271487',
    chain,
    signer: { keyType, sign: signs },
    close: () => Promise.resolve(),
  };
}

describe('signRequest', () => {
  it.each<[KeyType, string]>([
    ['RSA', 'AWS4-X509-RSA-SHA256'],
    ['EC', 'AWS4-X509-ECDSA-SHA256'],
    ['ML-DSA-44', 'AWS4-X509-MLDSA'],
    ['ML-DSA-65', 'AWS4-X509-MLDSA'],
    ['ML-DSA-87', 'AWS4-X509-MLDSA'],
  ])('names the algorithm for %s: %s', async (keyType, algorithm) => {
    let signed = '';
    const identity = identityWith((message) => {
      signed = Buffer.from(message).toString();
      return Promise.resolve(Uint8Array.of(1, 2));
    }, keyType);
    const headers = await signRequest(REQUEST, identity, CONTEXT);
    expect(signed.split('\n')[0]).toBe(algorithm);
    expect(headers['authorization']).toBe(
      `${algorithm} Credential=730750818665451459101842416358141509827966271487/20211103/us-east-1/rolesanywhere/aws4_request, ` +
        'SignedHeaders=content-type;host;x-amz-date;x-amz-x509, Signature=0102',
    );
  });

  it('signs path, sorted query, headers and body as they are sent', async () => {
    let signed = '';
    const identity = identityWith((message) => {
      signed = Buffer.from(message).toString();
      return Promise.resolve(Uint8Array.of(0));
    }, 'EC');
    await signRequest(REQUEST, identity, CONTEXT);
    const canonical = [
      'POST',
      '/sessions',
      'profileArn=x&roleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2FA',
      'content-type:application/json',
      'host:host.test',
      'x-amz-date:20211103T120000Z',
      'x-amz-x509:Q0VSVA==',
      '',
      'content-type;host;x-amz-date;x-amz-x509',
      createHash('sha256').update('{}').digest('hex'),
    ].join('\n');
    expect(signed).toBe(
      [
        'AWS4-X509-ECDSA-SHA256',
        '20211103T120000Z',
        '20211103/us-east-1/rolesanywhere/aws4_request',
        createHash('sha256').update(canonical).digest('hex'),
      ].join('\n'),
    );
  });

  it('sends and signs the chain only if there is one, leaf side first', async () => {
    const without = await signRequest(REQUEST, identityWith(signer, 'RSA'), CONTEXT);
    expect(without).not.toHaveProperty('x-amz-x509-chain');
    const one = await signRequest(REQUEST, identityWith(signer, 'RSA', [Buffer.from('FIRST')]), CONTEXT);
    expect(one['x-amz-x509-chain']).toBe('RklSU1Q=');
    const chain = [Buffer.from('FIRST'), Buffer.from('SECOND')];
    const headers = await signRequest(REQUEST, identityWith(signer, 'RSA', chain), CONTEXT);
    expect(headers['x-amz-x509-chain']).toBe('RklSU1Q=,U0VDT05E');
    expect(headers['authorization']).toContain(
      'SignedHeaders=content-type;host;x-amz-date;x-amz-x509;x-amz-x509-chain,',
    );
  });

  it('tells what it signs, stage by stage', async () => {
    const stages: [string, string][] = [];
    let signed = '';
    const identity = identityWith((message) => {
      signed = Buffer.from(message).toString();
      return Promise.resolve(Uint8Array.of(0));
    }, 'EC');
    await signRequest(REQUEST, identity, { ...CONTEXT, onStage: (stage, text) => void stages.push([stage, text]) });
    expect(stages.map(([stage]) => stage)).toEqual(['canonical request', 'string to sign']);
    expect(stages[1]?.[1]).toBe(signed);
    expect(signed.split('\n')[3]).toBe(
      createHash('sha256')
        .update(stages[0]?.[1] ?? '')
        .digest('hex'),
    );
  });

  it.each([
    ['https://host.test:443/', 'host.test'],
    ['https://host.test:8443/', 'host.test:8443'],
    ['http://host.test:443/', 'host.test:443'],
    ['http://[::1]:80/', '[::1]'],
  ])('names the host of %s as it will be sent: %s', async (url, host) => {
    const identity = identityWith(signer, 'RSA');
    const headers = await signRequest({ ...REQUEST, url: new URL(url) }, identity, CONTEXT);
    expect(headers['host']).toBe(host);
  });

  it('writes the time without a fraction', () => {
    expect(amzDate(DATE)).toBe('20211103T120000Z');
  });
});

const available = requireTool('openssl');

/** Signs REQUEST with a key; gives the message that was signed, and the signature from the Authorization header. */
async function signWith(privateKey: KeyObject, keyType: KeyType): Promise<{ message: Uint8Array; signature: Buffer }> {
  let message: Uint8Array = Buffer.alloc(0);
  const identity = identityWith((bytes) => {
    message = bytes;
    return Promise.resolve(sign('sha256', bytes, privateKey));
  }, keyType);
  const { authorization = '' } = await signRequest(REQUEST, identity, CONTEXT);
  return { message, signature: Buffer.from(/Signature=([0-9a-f]+)$/.exec(authorization)?.[1] ?? '', 'hex') };
}

function openssl(input: Uint8Array, ...args: string[]): Buffer {
  const env = { PATH: process.env['PATH'] };
  return execFileSync('openssl', ['dgst', '-sha256', ...args], { input, env, stdio: ['pipe', 'pipe', 'ignore'] });
}

describe.skipIf(!available)('a signature, by openssl', () => {
  let directory: string;
  const file = (name: string, content: string | Uint8Array): string => {
    const path = join(directory, name);
    writeFileSync(path, content);
    return path;
  };
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'signature-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it.each([
    ['RSA 2048', 'RSA', () => generateKeyPairSync('rsa', { modulusLength: 2048 })],
    ['P-256', 'EC', () => generateKeyPairSync('ec', { namedCurve: 'P-256' })],
    ['P-384', 'EC', () => generateKeyPairSync('ec', { namedCurve: 'P-384' })],
    ['P-521', 'EC', () => generateKeyPairSync('ec', { namedCurve: 'P-521' })],
  ] as const)('of %s is good for its message alone', async (_name, keyType, generate) => {
    const { privateKey, publicKey } = generate();
    const { message, signature } = await signWith(privateKey, keyType);
    const key = file('public.pem', publicKey.export({ type: 'spki', format: 'pem' }));
    const args = ['-verify', key, '-signature', file('signature', signature)];
    expect(openssl(message, ...args).toString()).toBe('Verified OK\n');
    expect(() => openssl(Buffer.from('another'), ...args)).toThrow('Command failed');
  });

  it('of RSA is the one that openssl makes, as PKCS#1 v1.5 is deterministic', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 3072 });
    const { message, signature } = await signWith(privateKey, 'RSA');
    const key = file('private.pem', privateKey.export({ type: 'pkcs8', format: 'pem' }));
    expect(openssl(message, '-sign', key)).toEqual(signature);
  });
});
