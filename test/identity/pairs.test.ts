/** Containers and bundles with several certificates and keys: which pair is taken. */
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LoadDeps, loadIdentity } from '../../src/identity/load.ts';
import type { IdentityWarning } from '../../src/identity/warnings.ts';
import { openssl } from '../support/pki.ts';
import { refusal } from '../support/refusal.ts';
import { requireTool } from '../support/tools.ts';
import { verifyWithCertificate } from '../support/verify.ts';

const MESSAGE = Buffer.from('to be signed');
const DAY_MS = 86_400_000;
const passwords = { pkcs12: { password: 'secret', from: 'the test' } };
let dir: string;
const path = (name: string): string => join(dir, name);
const text = (...names: string[]): string => names.map((name) => readFileSync(path(name), 'utf8')).join('');

/** A certificate of its own key, or of another's. */
function issue(name: string, days: number, { usage = 'digitalSignature', key = name, type = 'ec' } = {}): void {
  const newKey = type === 'ec' ? ['-pkeyopt', 'ec_paramgen_curve:prime256v1'] : [];
  const keys =
    key === name
      ? ['-newkey', type, ...newKey, '-nodes', '-keyout', path(`${name}.key`)]
      : ['-key', path(`${key}.key`)];
  const extensions = ['-addext', 'basicConstraints=critical,CA:FALSE', '-addext', `keyUsage=${usage}`];
  const out = ['-out', path(`${name}.crt`), '-days', String(days)];
  openssl(['req', '-x509', ...keys, '-subj', `/CN=${name}`, ...extensions, ...out]);
}

async function load(certificates: string, keys: string, deps: LoadDeps = {}) {
  writeFileSync(path('bundle.crt'), certificates);
  writeFileSync(path('bundle.key'), keys, { mode: 0o600 });
  return await taken({ certificate: path('bundle.crt'), privateKey: path('bundle.key') }, deps);
}

async function taken(spec: { certificate: string; privateKey?: string }, deps: LoadDeps = {}) {
  const warnings: IdentityWarning[] = [];
  const identity = await loadIdentity(spec, { passwords, warn: (warning) => warnings.push(warning), ...deps });
  expect(verifyWithCertificate(identity.certificate, MESSAGE, await identity.signer.sign(MESSAGE))).toBe(true);
  return {
    name: new X509Certificate(identity.certificate).subject.replace('CN=', ''),
    said: warnings.filter(({ code }) => code === 'WARN_SEVERAL_PAIRS').map(({ message }) => message),
    others: warnings.filter(({ code }) => code.startsWith('WARN_CHAIN')),
  };
}

describe.skipIf(!requireTool('openssl'))('of several pairs', () => {
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'pairs-'));
    issue('short', 30);
    issue('long', 60);
    issue('longest-unusable', 90, { usage: 'keyEncipherment' });
    issue('renewed', 45, { key: 'short' });
    issue('other-kind', 99, { type: 'ed25519' });
  });
  afterAll(() => {
    rmSync(dir, { recursive: true });
  });

  it('the one that ends last is taken, wherever it is, and named', async () => {
    for (const order of [
      ['short', 'long'],
      ['long', 'short'],
    ]) {
      const found = await load(
        text(...order.map((name) => `${name}.crt`)),
        text(...order.map((name) => `${name}.key`)),
      );
      expect(found.name).toBe('long');
      expect(found.said).toEqual([
        expect.stringMatching(/holds 2 certificates with their keys: took "CN=long", serial number \d+, until /),
      ]);
      expect(found.others).toEqual([]);
    }
  });

  it('those that break a rule are passed over', async () => {
    const found = await load(text('longest-unusable.crt', 'short.crt'), text('longest-unusable.key', 'short.key'));
    expect(found.name).toBe('short');
  });

  it('those that have expired are passed over', async () => {
    const deps = { now: () => Date.now() + 40 * DAY_MS };
    expect((await load(text('short.crt', 'long.crt'), text('short.key', 'long.key'), deps)).name).toBe('long');
  });

  it('one whose key is of a kind that cannot be used is passed over', async () => {
    const found = await load(text('other-kind.crt', 'short.crt'), text('other-kind.key', 'short.key'));
    expect(found).toMatchObject({ name: 'short', said: [] });
  });

  it('none of a kind that can be used gives the reason of the first', async () => {
    const error = await refusal(async () => await load(text('other-kind.crt'), text('other-kind.key', 'short.key')));
    expect(error.code).toBe('ERR_KEY_UNSUPPORTED');
  });

  it('where each breaks a rule, the one that ends last is refused for it', async () => {
    const deps = { now: () => Date.now() + 100 * DAY_MS };
    const error = await refusal(
      async () => await load(text('short.crt', 'long.crt'), text('short.key', 'long.key'), deps),
    );
    expect(error.code).toBe('ERR_CERTIFICATE_EXPIRED');
    const until = new Date(new X509Certificate(text('long.crt')).validTo).toISOString().slice(0, 19);
    expect(error.message).toContain(until);
  });

  it('two certificates of one key are two pairs', async () => {
    const found = await load(text('short.crt', 'renewed.crt'), text('short.key'));
    expect(found).toMatchObject({
      name: 'renewed',
      said: [expect.stringContaining('CN=renewed') as string],
      others: [],
    });
  });

  it('the same certificate twice is one', async () => {
    expect(await load(text('short.crt', 'short.crt'), text('short.key'))).toMatchObject({ name: 'short', said: [] });
  });

  it('a single file of all is the same', async () => {
    writeFileSync(path('all.pem'), text('short.key', 'short.crt', 'long.crt', 'long.key'), { mode: 0o600 });
    expect((await taken({ certificate: path('all.pem') })).name).toBe('long');
  });

  it.skipIf(!requireTool('keytool'))('a Java keystore that was renewed under a new alias is read so', async () => {
    for (const name of ['longest-unusable', 'short', 'long']) {
      const one = path(`${name}.p12`);
      openssl([
        'pkcs12',
        '-export',
        '-in',
        path(`${name}.crt`),
        '-inkey',
        path(`${name}.key`),
        '-name',
        name,
        '-passout',
        'pass:secret',
        '-out',
        one,
      ]);
      const to = ['-destkeystore', path('java.p12'), '-deststoretype', 'PKCS12', '-deststorepass', 'secret'];
      execFileSync('keytool', ['-importkeystore', '-srckeystore', one, '-srcstorepass', 'secret', ...to], {
        stdio: 'pipe',
      });
    }
    const found = await taken({ certificate: path('java.p12') });
    expect(found).toMatchObject({ name: 'long', said: [expect.stringContaining('holds 3 ') as string] });
  });
});
