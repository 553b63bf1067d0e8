import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readCaBundle } from '../../src/http/ca-bundle.ts';
import { makeAuthority } from './support/pki.ts';

describe('readCaBundle', () => {
  let root: string;
  let dir: string;
  const file = (content: string): string => {
    const path = join(dir, 'bundle.pem');
    writeFileSync(path, content);
    return path;
  };

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'ca-bundle-'));
    ({ root } = await makeAuthority('Root'));
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  it('reads certificates with comments around them', () => {
    const text = `# first\n${root}\n# sécond\r\n${root.replaceAll('\n', '\r\n')}`;
    expect(readCaBundle(file(text)).match(/BEGIN CERTIFICATE/g)).toHaveLength(2);
  });

  it.each([['X509 CERTIFICATE'], ['TRUSTED CERTIFICATE']])('reads the label %s', (label) => {
    expect(readCaBundle(file(root.replaceAll('CERTIFICATE', label)))).toContain(label);
  });

  it.each([
    ['an empty file', () => '', /holds no certificate/],
    ['a private key', () => '-----BEGIN PRIVATE KEY-----\nMC4=\n-----END PRIVATE KEY-----\n', /holds no certificate/],
    ['garbage', () => '\0\x01\x02', /holds no certificate/],
    ['a certificate cut off', () => root.slice(0, -60), /certificate 1 .* malformed/],
    [
      'a malformed certificate after a good one',
      () => `${root}\n-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n`,
      /certificate 2 .* malformed/,
    ],
    ['more than 4 MiB', () => root + '#'.repeat(4 * 1024 * 1024), /larger than 4 MiB/],
  ])('refuses %s', (_what, content, message) => {
    const path = file(content());
    expect(() => readCaBundle(path, 'AWS_CA_BUNDLE')).toThrow(
      expect.objectContaining({
        code: 'ERR_CA_BUNDLE',
        message: expect.stringMatching(message) as string,
      }) as Error,
    );
    expect(() => readCaBundle(path, 'AWS_CA_BUNDLE')).toThrow(/^AWS_CA_BUNDLE: /);
  });

  it.each([
    ['a missing file', 'missing.pem', /cannot be read \(ENOENT\)/],
    ['a directory', '.', /is a directory/],
  ])('refuses %s', (_what, path, message) => {
    expect(() => readCaBundle(join(dir, path))).toThrow(
      expect.objectContaining({ code: 'ERR_CA_BUNDLE', message: expect.stringMatching(message) as string }) as Error,
    );
  });
});
