import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { namedRoots, readCaStore, trustedBySystem } from '../../src/http/ca-store.ts';
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

it('SSL_CERT_DIR names folders, of which every file counts, whatever Node reads by itself', async () => {
  const folder = join(dir, 'folder');
  mkdirSync(folder);
  const { root: other } = await makeAuthority('Other');
  writeFileSync(join(folder, 'other.crt'), `text\n${other}\n`);
  writeFileSync(join(folder, 'note'), 'no certificate');
  const env = { SSL_CERT_DIR: `${join(dir, 'none')}:${folder}` };
  expect(readCaStore('system', env, { fromNode: none, files: [file], folders: [] })).toBe(other);
  expect(namedRoots(env)).toBe(other);
  expect(readCaStore('system', { ...env, SSL_CERT_FILE: file })).toBe([root, other].join('\n'));
});

it('what the variables name takes the place of the file or the folders of the distribution, as in Go', async () => {
  const folder = join(dir, 'distribution');
  mkdirSync(folder);
  const { root: other } = await makeAuthority('Other');
  writeFileSync(join(folder, 'other.crt'), other);
  const system = { fromNode: none, files: [file], folders: [folder] };
  expect(trustedBySystem({}, system)).toBe([root, other].join('\n'));
  expect(trustedBySystem({ SSL_CERT_FILE: join(dir, 'gone') }, system)).toBe(other);
  expect(trustedBySystem({ SSL_CERT_DIR: join(dir, 'gone') }, system)).toBe(root);
  expect(trustedBySystem({ SSL_CERT_FILE: '/gone', SSL_CERT_DIR: '/gone' }, system)).toBeUndefined();
});

it('a root that is cut off counts for nothing, and those beside it count', () => {
  const both = join(dir, 'both.pem');
  writeFileSync(both, `${root.slice(0, 200)}\n-----END CERTIFICATE-----\n${root}\n`);
  expect(namedRoots({ SSL_CERT_FILE: both })).toBe(root);
});
