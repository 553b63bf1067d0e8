import 'reflect-metadata'; // before @peculiar/x509, which needs it
import * as x509 from '@peculiar/x509';
import { beforeAll, describe, expect, it } from 'vitest';
import { generateKeys, issueAuthority, issueLeaf, leafExtensions } from '../../certs-dev/authority.ts';
import type { Authority, AuthorityOptions } from '../../certs-dev/authority.ts';
import { readCertificate } from '../../src/x509/certificate.ts';
import type { Certificate } from '../../src/x509/certificate.ts';
import { DerError } from '../../src/x509/der.ts';
import { lengthProblem, nameProblem } from '../../src/x509/path-constraints.ts';
import { NAME_CONSTRAINTS, constraints, dns, otherName } from '../support/name-constraints.ts';

type Keys = Awaited<ReturnType<typeof generateKeys>>;
let keys: Keys;
beforeAll(async () => {
  keys = await generateKeys('ec-p256');
});

const read = ({ rawData }: x509.X509Certificate): Certificate => readCertificate(new Uint8Array(rawData), 'a test');

async function authority(subject: string, options: Partial<AuthorityOptions> = {}): Promise<Authority> {
  return await issueAuthority({ subject, keys, ...options });
}

async function leafOf(issuer: Authority, subject: string, names: x509.JsonGeneralNames): Promise<Certificate> {
  return read(await issueLeaf({ subject, issuer, publicKey: keys.publicKey, extensions: leafExtensions(names) }));
}

describe('the name constraints of a CA', () => {
  it.each(NAME_CONSTRAINTS)('are kept to for %s', async (_, extension, subject, names, isGood) => {
    const issuer = await authority('CN=CA', { extensions: [extension()] });
    const problem = nameProblem(read(issuer.certificate), [await leafOf(issuer, subject, names)]);
    expect(problem === undefined).toBe(isGood);
  });

  it.each([
    ['DNS:web.example.net', [{ type: 'dns', value: 'web.example.net' }]],
    ['DNS:a\\0Ab', [{ type: 'dns', value: 'a\nb' }]],
  ] as const)('name the name that they do not permit: %s', async (name, names) => {
    const issuer = await authority('CN=CA', { extensions: [constraints([dns('example.com')])] });
    const leaf = await leafOf(issuer, 'CN=a', [...names]);
    expect(nameProblem(read(issuer.certificate), [leaf])).toEqual({ certificate: leaf, name, isExcluded: false });
  });

  it('hold for every certificate below, but for a CA that was issued to itself', async () => {
    const root = await authority('CN=Root', { extensions: [constraints([], [dns('example.net')])] });
    const between = await authority('CN=Between', { issuer: root });
    const leaf = await leafOf(between, 'CN=a', [{ type: 'dns', value: 'a.example.net' }]);
    expect(nameProblem(read(root.certificate), [leaf, read(between.certificate)])).toMatchObject({
      name: 'DNS:a.example.net',
      isExcluded: true,
    });
    const free = await leafOf(between, 'CN=a', []);
    expect(nameProblem(read(root.certificate), [free, leaf])).toMatchObject({ certificate: leaf });
    const ownIssue = { ...leaf, issuer: leaf.subject };
    expect(nameProblem(read(root.certificate), [free, ownIssue])).toBeUndefined();
  });

  it('count for the e-mail address of a subject where no alternative name is one', async () => {
    const [, extension] = NAME_CONSTRAINTS.find(([name]) => name === 'a mailbox of the host') ?? [];
    if (extension === undefined) throw new Error('no such case');
    const issuer = await authority('CN=CA', { extensions: [extension()] });
    const leaf = await leafOf(issuer, 'E=a@example.net,CN=a', []);
    expect(nameProblem(read(issuer.certificate), [leaf])).toMatchObject({ name: 'email:a@example.net' });
    const named = await leafOf(issuer, 'E=a@example.net,CN=a', [{ type: 'email', value: 'a@example.com' }]);
    expect(nameProblem(read(issuer.certificate), [named])).toBeUndefined();
  });

  it('of a kind that is not known here are left to the service', async () => {
    const issuer = await authority('CN=CA', { extensions: [constraints([otherName()])] });
    const leaf = await leafOf(issuer, 'CN=a', [{ type: 'upn', value: 'a@example.com' }]);
    expect(nameProblem(read(issuer.certificate), [leaf])).toBeUndefined();
  });

  it('that are no constraints are an error of their own', async () => {
    const extension = new x509.Extension('2.5.29.30', true, Buffer.from('0c0161', 'hex'));
    const issuer = await authority('CN=CA', { extensions: [extension] });
    const leaf = await leafOf(issuer, 'CN=a', []);
    expect(() => nameProblem(read(issuer.certificate), [leaf])).toThrow(DerError);
  });
});

describe('the path length constraint of a CA', () => {
  it.each([
    [undefined, 3, undefined],
    [0, 0, undefined],
    [0, 1, { limit: 0, found: 1 }],
    [1, 1, undefined],
    [1, 3, { limit: 1, found: 3 }],
  ])('of %s, with %i CAs below, gives %o', async (pathLength, count, expected) => {
    const root = await authority('CN=Root', { pathLength });
    let issuer = root;
    const below: Certificate[] = [];
    for (let index = 0; index < count; index++) {
      issuer = await authority(`CN=CA ${index}`, { issuer });
      below.unshift(read(issuer.certificate));
    }
    const leaf = await leafOf(issuer, 'CN=a', []);
    expect(lengthProblem(read(root.certificate), [leaf, ...below])).toEqual(expected);
  });

  it('does not count a CA that was issued to itself', async () => {
    const root = await authority('CN=Root', { pathLength: 0 });
    const again = await authority('CN=Root', { issuer: root });
    const leaf = await leafOf(again, 'CN=a', []);
    expect(lengthProblem(read(root.certificate), [leaf, read(again.certificate)])).toBeUndefined();
  });
});
