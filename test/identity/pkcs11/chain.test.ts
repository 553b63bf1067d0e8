import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tokenChain } from '../../../src/identity/pkcs11/chain.ts';
import { readCertificate } from '../../../src/x509/certificate.ts';
import type { Certificate } from '../../../src/x509/certificate.ts';
import { openssl } from '../../support/pki.ts';
import { requireTool } from '../../support/tools.ts';

describe.skipIf(!requireTool('openssl'))('tokenChain', () => {
  const directory = mkdtempSync(join(tmpdir(), 'chain-'));
  const certificates = new Map<string, Certificate>();
  afterAll(() => rmSync(directory, { recursive: true }));

  /** Issues a certificate; without an issuer, to itself. */
  function issue(name: string, subject: string, issuer?: string): void {
    const path = (suffix: string) => join(directory, `${name}.${suffix}`);
    openssl([
      'req',
      '-new',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      path('key'),
      '-subj',
      subject,
      '-out',
      path('csr'),
    ]);
    const by =
      issuer === undefined
        ? ['-signkey', path('key')]
        : ['-CA', join(directory, `${issuer}.crt`), '-CAkey', join(directory, `${issuer}.key`), '-CAcreateserial'];
    writeFileSync(path('crt'), openssl(['x509', '-req', '-in', path('csr'), '-days', '2', ...by]));
    certificates.set(name, readCertificate(new X509Certificate(readFileSync(path('crt'))).raw, name));
  }

  const all = (...names: string[]) => names.flatMap((name) => certificates.get(name) ?? []);
  const namesOf = (chain: readonly Certificate[]) =>
    chain.map((certificate) => [...certificates].find(([, known]) => known === certificate)?.[0]);
  const chainOf = (...names: string[]) => namesOf(tokenChain(all('leaf')[0]!, all(...names)));

  beforeAll(() => {
    issue('root', '/CN=root');
    issue('upper', '/CN=upper', 'root');
    issue('lower', '/CN=lower', 'upper');
    issue('former lower', '/CN=lower', 'upper');
    issue('leaf', '/CN=leaf', 'lower');
    issue('stranger', '/CN=stranger', 'root');
  });

  it('leads from the leaf upwards, whatever the order in the token', () => {
    expect(chainOf('root', 'upper', 'lower', 'leaf', 'stranger')).toEqual(['lower', 'upper']);
  });
  it('leaves out an authority of the same name that did not sign', () => {
    expect(chainOf('former lower', 'lower', 'upper')).toEqual(['lower', 'upper']);
    expect(chainOf('former lower', 'upper')).toEqual([]);
  });
  it('takes the limit of the service, or none', () => {
    const [leaf] = all('leaf');
    expect(() => tokenChain(leaf!, all('lower', 'upper'), 1)).toThrow('the chain has 2 intermediates');
    expect(tokenChain(leaf!, all('lower', 'upper'), Infinity)).toHaveLength(2);
  });
  it('ends where the token has no more', () => {
    expect(chainOf('lower')).toEqual(['lower']);
    expect(chainOf('upper')).toEqual([]);
  });
});
