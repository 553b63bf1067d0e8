import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../../src/commands/trust-policy.ts';
import { createAuthority } from '../../src/emulator/certificates/authority.ts';
import type { FlagsOf } from '../../src/options/flag-values.ts';
import { RolesAnywhereError } from '../../src/platform/errors.ts';
import { PKI } from '../support/cli.ts';
import { memoryIo } from '../support/io.ts';

type Flags = FlagsOf<'trust-policy'>;

const ANCHOR = 'arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/11111111-2222-3333-4444-555555555555';
const PRIVATE_CA =
  'arn:aws:acm-pca:eu-central-1:111122223333:certificate-authority/11111111-2222-3333-4444-555555555555';
const FORMATS = ['aws-cli', 'cloudformation', 'terraform', 'cdk'] as const;

let dir: string;
/** A file with a certificate for a subject. */
let issued: (subject: string, dnsNames?: readonly string[]) => Promise<string>;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'trust-policy-'));
  const validity = { notBefore: new Date(0), notAfter: new Date('2090-01-01T00:00:00Z') };
  const authority = await createAuthority(validity);
  let count = 0;
  issued = async (subject, dnsNames = []) => {
    const { certificate } = await authority.issue({ subject, dnsNames, ...validity });
    const path = join(dir, `${(count += 1)}.pem`);
    writeFileSync(path, certificate);
    return path;
  };
});
afterAll(() => rmSync(dir, { recursive: true }));

async function told(flags: Partial<Flags>): Promise<{ out: string; err: string }> {
  const io = memoryIo();
  await run({ certificate: `${PKI}ec-p256.crt.pem`, format: 'json', 'system-store-name': 'MY', ...flags }, io);
  return { out: io.out().toString(), err: io.err() };
}

const refusal = async (flags: Partial<Flags>): Promise<RolesAnywhereError> => {
  const error: unknown = await told(flags).catch((reason: unknown) => reason);
  if (!(error instanceof RolesAnywhereError)) throw new Error(`came to ${JSON.stringify(error)}`);
  return error;
};

describe('the trust policy', () => {
  it('lets the certificate of the trust anchor in, and no other', async () => {
    const { out, err } = await told({ 'trust-anchor-arn': ANCHOR });
    expect(err).toBe('');
    expect(JSON.parse(out)).toEqual({
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Principal: { Service: 'rolesanywhere.amazonaws.com' },
          Action: ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'],
          Condition: {
            ArnEquals: { 'aws:SourceArn': ANCHOR },
            StringEquals: {
              'aws:PrincipalTag/x509Subject/CN': 'ec-p256',
              'aws:PrincipalTag/x509Subject/OU': 'Clients',
              'aws:PrincipalTag/x509Subject/O': 'Roles Anywhere development',
              'aws:PrincipalTag/x509SAN/DNS': 'ec-p256.dev.example',
              'aws:PrincipalTag/x509SAN/URI': 'spiffe://dev.example/ec-p256',
            },
          },
        },
      ],
    });
  });

  it('leaves out with a word what AWS leaves out of the session', async () => {
    const certificate = await issued('CN=web, O="Tom & Jerry"');
    const { out, err } = await told({ certificate, 'trust-anchor-arn': ANCHOR });
    expect(out).toContain('"aws:PrincipalTag/x509Subject/CN": "web"');
    expect(out).not.toContain('x509Subject/O"');
    expect(err).toBe(
      'warning: the policy says nothing of x509Subject/O, which AWS leaves out of the session: it holds characters that STS does not take there\n',
    );
  });

  it('is refused where nothing would tell the certificate from others', async () => {
    const certificate = await issued('CN="*"');
    expect(await refusal({ certificate, 'trust-anchor-arn': ANCHOR })).toMatchObject({
      code: 'ERR_CERTIFICATE_SUBJECT_EMPTY',
      message: expect.stringContaining('has no name that a trust policy can hold it to') as string,
    });
  });

  it('warns of a certificate that the service will refuse', async () => {
    const { err } = await told({ certificate: `${PKI}root.pem`, 'trust-anchor-arn': ANCHOR });
    expect(err).toMatch(/^warning: --certificate .*root\.pem: .*: Roles Anywhere will refuse it$/m);
  });

  it('warns when it is larger than IAM takes', async () => {
    const long = ['OU', 'O', 'L', 'ST', 'DC', '2.5.4.5', '2.5.4.12', '2.5.4.13']
      .map((type, at) => `${type}=${String(at + 1).repeat(250)}`)
      .join(', ');
    const { err } = await told({ certificate: await issued(`CN=web, ${long}`), 'trust-anchor-arn': ANCHOR });
    expect(err).toMatch(/^warning: the policy has \d{4} characters, and IAM takes 2048 unless the quota is raised\n$/);
  });
});

/** The regions that a script names. */
const regionsOf = async (flags: Partial<Flags>): Promise<string[]> =>
  (await told({ format: 'aws-cli', ...flags })).out.match(/--region \S+/g) ?? [];

/** The arguments and blocks of a resource. */
const argumentsOf = (text: string): string[] =>
  [...text.matchAll(/^ {2,6}([a-z][a-z\d_]*) +[={]/gm)].map(([, name = '']) => name);

const root = (): string => readFileSync(`${PKI}root.pem`, 'utf8');

describe('a set-up', () => {
  it.each(FORMATS)(
    'in the form %s is whole: anchor, role, profile, and the names of the certificate',
    async (format) => {
      const { out, err } = await told({ format, 'certificate-bundle': `${PKI}root.pem` });
      expect(err).toBe('');
      for (const part of ['CERTIFICATE_BUNDLE', '-----BEGIN CERTIFICATE-----', 'ec-p256', 'sts:SetSourceIdentity'])
        expect(out).toContain(part);
      for (const value of ['Roles Anywhere development', 'ec-p256.dev.example', 'spiffe://dev.example/ec-p256'])
        expect(out).toContain(value);
      expect(out).not.toContain('\u0000');
    },
  );

  it.each(FORMATS)('in the form %s takes a CA of AWS Private CA, and an anchor that is there', async (format) => {
    const { out } = await told({ format, 'acm-pca-arn': PRIVATE_CA });
    expect(out).toContain(PRIVATE_CA);
    expect(out).toContain('AWS_ACM_PCA');
    const { out: existing } = await told({ format, 'trust-anchor-arn': ANCHOR });
    expect(existing).toContain(ANCHOR);
    expect(existing).not.toMatch(/CERTIFICATE_BUNDLE|AWS_ACM_PCA|BEGIN CERTIFICATE|create-trust-anchor|CfnTrustAnchor/);
    expect(existing).not.toMatch(/AWS::RolesAnywhere::TrustAnchor|resource "aws_rolesanywhere_trust_anchor"/);
  });

  it('for the AWS CLI goes to the region of what is there, and to that of the CLI for a new anchor', async () => {
    expect(await regionsOf({ 'trust-anchor-arn': ANCHOR })).toEqual(['--region eu-west-1']);
    expect(await regionsOf({ 'acm-pca-arn': PRIVATE_CA })).toEqual(['--region eu-central-1', '--region eu-central-1']);
    expect(await regionsOf({ 'certificate-bundle': `${PKI}root.pem` })).toEqual([]);
  });

  // The arguments that the provider documents (Terraform Registry, hashicorp/aws); test/clients has it check them where it is.
  it('for Terraform has the arguments of the resources, and no others', async () => {
    const { out } = await told({ format: 'terraform', 'certificate-bundle': `${PKI}root.pem` });
    const blocks = out.split(/^(?=(?:resource|output) )/m).slice(1);
    expect(
      blocks
        .filter((text) => text.startsWith('resource'))
        .map((text) => [/"(\w+)"/.exec(text)?.[1], argumentsOf(text)]),
    ).toEqual([
      [
        'aws_rolesanywhere_trust_anchor',
        ['name', 'enabled', 'source', 'source_type', 'source_data', 'x509_certificate_data'],
      ],
      ['aws_iam_role', ['name', 'assume_role_policy']],
      ['aws_rolesanywhere_profile', ['name', 'enabled', 'role_arns']],
    ]);
    const { out: authority } = await told({ format: 'terraform', 'acm-pca-arn': PRIVATE_CA });
    expect(authority).toContain(`acm_pca_arn = "${PRIVATE_CA}"`);
  });

  it.each(FORMATS)('in the form %s prints certificates alone, whatever else is in the files', async (format) => {
    const bundle = join(dir, `bundle-${format}.pem`);
    writeFileSync(bundle, readFileSync(`${PKI}root.pem`, 'utf8') + readFileSync(`${PKI}ec-p256.key.pem`, 'utf8'));
    const { out, err } = await told({
      format,
      certificate: `${PKI}ec-p256.combined.pem`,
      'certificate-bundle': bundle,
    });
    const [, secret = ''] = /KEY-----\n(\S+)/.exec(readFileSync(`${PKI}ec-p256.key.pem`, 'utf8')) ?? [];
    expect(secret.length).toBeGreaterThan(40);
    for (const text of [out, err]) {
      expect(text).not.toContain('PRIVATE KEY');
      expect(text).not.toContain(secret);
    }
  });

  it.each(FORMATS)('in the form %s holds no code that a name brings', async (format) => {
    const certificate = await issued(
      `CN="x'; $(id) \`id\` \${path} %{if} ''' \\"", OU="a\nresource b\n# c\u2028d", O=web`,
    );
    const { out } = await told({ format, certificate, 'certificate-bundle': `${PKI}root.pem` });
    const [, subject = ''] = out.split('\n').filter((line) => /^(?:#|\/\/) /.test(line));
    const rest = out.replace(subject, '');
    expect(subject).toContain('$(id)');
    for (const code of ['$(id)', '`id`', '${path}', '%{if}', 'resource b']) expect(rest).not.toContain(code);
    expect(out).not.toMatch(/^(?:resource b|# c|d)/m);
    expect(out).not.toContain('\u2028');
  });

  it.each<[string, string | undefined, string]>([
    ['CN=build agent 7', undefined, 'build-agent-7'],
    ['CN=*.example.com', undefined, 'example-com'],
    ['CN=--', undefined, 'workload'],
    ['O=web', undefined, 'workload'],
    ['CN=web', 'other_1', 'other_1'],
    [`CN=${'a'.repeat(64)}b`.slice(0, 67), undefined, 'a'.repeat(64)],
  ])('of the subject %s with the name %s is called %s', async (subject, name, expected) => {
    const certificate = await issued(`${subject}, OU=one`);
    const { out } = await told({ certificate, name, format: 'terraform', 'trust-anchor-arn': ANCHOR });
    expect(/^ {2}name += "(.*)"$/m.exec(out)?.[1]).toBe(expected);
  });
});

describe('what cannot be set up', () => {
  it.each<[string, () => Partial<Flags>, RolesAnywhereError['code'], RegExp]>([
    [
      'the policy alone, for an anchor to come',
      () => ({ 'certificate-bundle': `${PKI}root.pem` }),
      'ERR_FLAG_REQUIRED',
      /yet to create/,
    ],
    [
      'an alias of an anchor',
      () => ({ 'trust-anchor-arn': 'arn:aws:rolesanywhere:eu-west-1:111122223333:alias/trust-anchor/corp' }),
      'ERR_ARN',
      /aws:SourceArn/,
    ],
    [
      'the ARN of a role',
      () => ({ 'trust-anchor-arn': 'arn:aws:iam::111122223333:role/R' }),
      'ERR_ARN',
      /trust anchor/,
    ],
    ['a private CA by its name', () => ({ format: 'cdk', 'acm-pca-arn': 'corp' }), 'ERR_ARN', /--acm-pca-arn/],
    [
      'a certificate of no CA',
      () => ({ format: 'cdk', 'certificate-bundle': `${PKI}ec-p256.crt.pem` }),
      'ERR_FLAG_VALUE',
      /"O=.*CN=ec-p256", that is not of a CA/,
    ],
    [
      'three certificates of CAs',
      () => {
        writeFileSync(join(dir, 'three.pem'), root().repeat(3));
        return { format: 'cdk', 'certificate-bundle': join(dir, 'three.pem') };
      },
      'ERR_FLAG_VALUE',
      /holds 3 certificates/,
    ],
    [
      'no such file',
      () => ({ format: 'cdk', 'certificate-bundle': '/nowhere' }),
      'ERR_FILE_NOT_FOUND',
      /--certificate-bundle \/nowhere/,
    ],
    [
      'a name with a blank',
      () => ({ format: 'cdk', name: 'a b', 'trust-anchor-arn': ANCHOR }),
      'ERR_FLAG_VALUE',
      /--name/,
    ],
    [
      'a name that would be a flag',
      () => ({ format: 'cdk', name: '-x', 'trust-anchor-arn': ANCHOR }),
      'ERR_FLAG_VALUE',
      /--name/,
    ],
    [
      'several certificates that a selector matches',
      () => ({
        certificate: PKI,
        'cert-selector': 'Key=x509Issuer,Value=CN=Development intermediate',
        'trust-anchor-arn': ANCHOR,
      }),
      'ERR_CERTIFICATE_AMBIGUOUS',
      /--cert-selector/,
    ],
  ])('%s', async (_, flags, code, message) => {
    const error = await refusal(flags());
    expect({ code: error.code, message: error.message }).toEqual({
      code,
      message: expect.stringMatching(message) as string,
    });
  });
});
