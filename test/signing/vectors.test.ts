import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import {
  canonicalHeaders,
  canonicalPath,
  canonicalQuery,
  canonicalRequest,
  queryParameters,
  sha256Hex,
} from '../../src/signing/canonical.ts';
import type { QueryParameter } from '../../src/signing/canonical.ts';
import { authorization, credentialScope, stringToSign } from '../../src/signing/string-to-sign.ts';
import { requireTool } from '../support/tools.ts';

const DIRECTORY = fileURLToPath(new URL('../vectors/', import.meta.url));
const FILES = readdirSync(DIRECTORY).filter((name) => name.endsWith('.json'));

interface Vector {
  input: {
    method: string;
    path: string;
    query: QueryParameter[];
    headers: [string, string][];
    body: string;
    algorithm: string;
    serialNumber: string;
    region: string;
    service: string;
    timestamp: string;
  };
  canonicalPath: string;
  canonicalQuery: string;
  canonicalHeaders: string;
  signedHeaders: string;
  bodyHash: string;
  canonicalRequest: string;
  canonicalRequestHash: string;
  credentialScope: string;
  stringToSign: string;
  stringToSignHash: string;
  authorization: string;
}

function read(directory: string, file: string): Vector {
  return JSON.parse(readFileSync(join(directory, file), 'utf8')) as Vector;
}

describe.each(FILES)('the stages of signing, by %s', (file) => {
  const vector = read(DIRECTORY, file);
  const { input } = vector;
  const headers = { lines: vector.canonicalHeaders, names: vector.signedHeaders };
  const scope = { timestamp: input.timestamp, region: input.region, service: input.service };

  it('encode the path', () => {
    expect(canonicalPath(input.path)).toBe(vector.canonicalPath);
  });
  it('encode and sort the query', () => {
    expect(canonicalQuery(input.query)).toBe(vector.canonicalQuery);
  });
  it('read a query that is already canonical back to itself', () => {
    expect(canonicalQuery(queryParameters(`?${vector.canonicalQuery}`))).toBe(vector.canonicalQuery);
  });
  it('leave a query that URL will not encode again', () => {
    const url = new URL('https://h.test/');
    url.search = vector.canonicalQuery;
    expect(url.search.slice(1)).toBe(vector.canonicalQuery);
  });
  it('sort and trim the headers', () => {
    expect(canonicalHeaders(Object.fromEntries(input.headers))).toEqual(headers);
  });
  it('hash the body', () => {
    expect(sha256Hex(input.body)).toBe(vector.bodyHash);
  });
  it('make the canonical request', () => {
    const parts = { method: input.method, path: vector.canonicalPath, query: vector.canonicalQuery, headers };
    const text = canonicalRequest({ ...parts, bodyHash: vector.bodyHash });
    expect(text).toBe(vector.canonicalRequest);
    expect(sha256Hex(text)).toBe(vector.canonicalRequestHash);
  });
  it('make the scope and the string to sign', () => {
    expect(credentialScope(scope)).toBe(vector.credentialScope);
    const text = stringToSign(input.algorithm, scope, vector.canonicalRequest);
    expect(text).toBe(vector.stringToSign);
    expect(sha256Hex(text)).toBe(vector.stringToSignHash);
  });
  it('make the Authorization header', () => {
    expect(
      authorization({
        algorithm: input.algorithm,
        signedBy: input.serialNumber,
        scope,
        signedHeaders: vector.signedHeaders,
        signature: Uint8Array.of(0, 0x0f, 0xf0, 0xff),
      }),
    ).toBe(`${vector.authorization}000ff0ff`);
  });
});

describe('queryParameters', () => {
  it.each([
    [
      '?flag&=x&a=b=c',
      [
        ['flag', ''],
        ['', 'x'],
        ['a', 'b=c'],
      ],
    ],
    [
      '?a=1&&b=%26+',
      [
        ['a', '1'],
        ['b', '&+'],
      ],
    ],
    ['a=1', [['a', '1']]],
    ['?', []],
    ['', []],
  ])('reads %j, where a name ends at its first equals sign', (search, parameters) => {
    expect(queryParameters(search)).toEqual(parameters);
  });
});

describe('canonicalPath', () => {
  it('has a slash where the path is empty', () => {
    expect(canonicalPath('')).toBe('/');
  });
});

describe('the vectors', () => {
  it.each([
    [
      'arns-in-query.json',
      '1a15f67f6619aa540b13e9a4c37d149fb2c9bdea25d82b73a3878826694dfe27',
      'b7339fda658573daafef9e80cf9ced0962105257e19ceec97087eb6e2444e1d7',
      '38cad127906bf363621b8c3f248650b20e7a7289845bd1f543653728fe0bf187',
    ],
    [
      'arns-in-body.json',
      'e6a261166ec5922d3758409875b21a8dad97d7ea289620bd40f59ce2a0ed21b8',
      '398202ed14eac2fdd7db90e567e7e93198df4fe922ea2cea404e0d90a64284a4',
      'ec887e57287612f762c36995101f4d4d44da46ab62ccac2aabde41c3c8ac2557',
    ],
  ])('agree with hashes that were computed elsewhere: %s', (file, body, request, text) => {
    const vector = read(DIRECTORY, file);
    expect([vector.bodyHash, vector.canonicalRequestHash, vector.stringToSignHash]).toEqual([body, request, text]);
  });

  const tools = ['bash', 'openssl', 'sha256sum'].map(requireTool);
  it.skipIf(tools.includes(false))('are what make.sh makes', () => {
    const directory = mkdtempSync(join(tmpdir(), 'vectors-'));
    try {
      execFileSync('bash', [join(DIRECTORY, 'make.sh'), directory], { env: { PATH: process.env['PATH'] } });
      expect(readdirSync(directory).toSorted()).toEqual(FILES.toSorted());
      for (const file of FILES) expect(read(directory, file)).toEqual(read(DIRECTORY, file));
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
