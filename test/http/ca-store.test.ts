import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readCaStore } from '../../src/http/ca-store.ts';
import { makeAuthority } from './support/pki.ts';

let dir: string;
let root: string;
let file: string;
const none = (): undefined => undefined;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ra-store-'));
  ({ root } = await makeAuthority('Store'));
  file = join(dir, 'roots.pem');
  writeFileSync(file, root);
});
afterAll(() => rmSync(dir, { recursive: true }));

it('the bundled store is what came with Node', () => {
  expect(readCaStore('bundled', {})).toBe(rootCertificates.join('\n'));
});

it("the system's store is what Node finds, else the first file of the distribution's that is there", () => {
  expect(readCaStore('system', {}, { fromNode: () => 'FOUND', files: [], folders: [] })).toBe('FOUND');
  expect(readCaStore('system', {}, { fromNode: none, files: [join(dir, 'none'), file], folders: [] })).toBe(root);
});

it('SSL_CERT_FILE names the file', () => {
  expect(readCaStore('system', { SSL_CERT_FILE: file }, { fromNode: () => 'FOUND', files: [], folders: [] })).toBe(
    root,
  );
});

it.each([
  ['there is none', {}],
  ['SSL_CERT_FILE names a file that is not there', { SSL_CERT_FILE: '/nonexistent' }],
])('is an error when %s', (_why, env) => {
  expect(() =>
    readCaStore('system', env as Record<string, string>, { fromNode: none, files: [], folders: [] }),
  ).toThrow(expect.objectContaining({ code: 'ERR_CA_BUNDLE' }) as Error);
});
