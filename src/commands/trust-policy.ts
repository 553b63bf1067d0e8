/** `trust-policy`: the trust policy that lets one certificate assume a role, and what sets up the rest. */
import { parseArn } from '../aws/arn.ts';
import { isPkcs11, loadCertificates } from '../identity/load.ts';
import { findingText, subjectText } from '../identity/verdicts.ts';
import { storeSettings, certificateChoice } from '../options/choice.ts';
import type { FlagsOf } from '../options/flag-values.ts';
import { passwordSources } from '../options/passwords.ts';
import { tokenOptions } from '../options/token.ts';
import { tpmOptions } from '../options/tpm.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { type Certificate, readCertificate } from '../x509/certificate.ts';
import { readName } from '../x509/names.ts';
import { brokenRules } from '../x509/rules.ts';
import { tellingTags, trustPolicy } from '../x509/trust-policy.ts';
import type { Io, RunCommand } from './command.ts';
import { oneShotToken } from './one-shot-token.ts';
import type { Anchor, Setup } from './trust-policy/setup.ts';

type Flags = FlagsOf<'trust-policy'>;

/** Limits of the Roles Anywhere API ("SourceData") and of its console: certificates of an anchor, and characters of PEM. */
const MAX_ANCHOR_CERTIFICATES = 2;
const MAX_BUNDLE = 16_000;

/** The quota of a trust policy in characters, blanks not counted: IAM User Guide, "IAM and AWS STS quotas". */
const MAX_TRUST_POLICY = 2048;

export const run: RunCommand<'trust-policy'> = async (flags, io) => {
  const anchor = await anchorOf(flags, io);
  const certificate = await certificateOf(flags, io);
  const source = flags.certificate === undefined ? 'the certificate' : `--certificate ${flags.certificate}`;
  const { tags, leftOut } = tellingTags(certificate);
  // Any certificate would do.
  if (tags.length === 0)
    throw new RolesAnywhereError(
      'ERR_CERTIFICATE_SUBJECT_EMPTY',
      `${source}: the certificate, ${subjectText(certificate)}, has no name that a trust policy can hold it to`,
      { hint: 'have it issued again with a common name, a DNS name or a URI, of letters, digits and _.:/=+-@' },
    );
  const now = Date.now();
  for (const code of brokenRules(certificate, now))
    io.log.warn(`${source}: ${findingText({ code, certificate }, now)}: Roles Anywhere will refuse it`);
  for (const { key, problem } of leftOut)
    io.log.warn(`the policy says nothing of ${key}, which AWS leaves out of the session: it ${problem}`);
  // An ARN of an anchor to come is as long as any other.
  const text = JSON.stringify(trustPolicy(tags, anchor.kind === 'existing' ? anchor.arn : 'x'.repeat(100)));
  if (text.length > MAX_TRUST_POLICY)
    io.log.warn(
      `the policy has ${text.length} characters, and IAM takes ${MAX_TRUST_POLICY} unless the quota is raised`,
    );
  if (flags.format === 'json') return io.stdout(await policyAlone(tags, anchor));
  const name = nameOf(flags.name, certificate);
  io.stdout(await setupIn(flags.format, { name, subject: subjectText(certificate), anchor, tags }));
};

async function policyAlone(tags: Setup['tags'], anchor: Anchor): Promise<string> {
  if (anchor.kind === 'existing') return `${JSON.stringify(trustPolicy(tags, anchor.arn), undefined, 2)}\n`;
  throw new RolesAnywhereError(
    'ERR_FLAG_REQUIRED',
    'the policy names its trust anchor, which --certificate-bundle and --acm-pca-arn are yet to create',
    { hint: 'give --trust-anchor-arn, or take a --format that creates all of it, such as aws-cli' },
  );
}

async function setupIn(format: Exclude<Flags['format'], 'json'>, setup: Setup): Promise<string> {
  if (format === 'cloudformation') return (await import('./trust-policy/cloudformation.ts')).cloudFormation(setup);
  if (format === 'terraform') return (await import('./trust-policy/terraform.ts')).terraform(setup);
  if (format === 'cdk') return (await import('./trust-policy/cdk.ts')).cdk(setup);
  return (await import('./trust-policy/aws-cli.ts')).awsCli(setup);
}

async function anchorOf(flags: Flags, io: Io): Promise<Anchor> {
  const { 'trust-anchor-arn': arn, 'acm-pca-arn': authority, 'certificate-bundle': bundle } = flags;
  if (arn !== undefined) {
    const { region, id, known } = parseArn('trust-anchor', arn, '--trust-anchor-arn');
    // A policy that names an alias does not apply to what it stands for: User Guide, "Resource aliases".
    if (id.startsWith('alias/') || !known)
      throw new RolesAnywhereError(
        'ERR_ARN',
        '--trust-anchor-arn is not the ARN that the service gives in aws:SourceArn',
        {
          flag: '--trust-anchor-arn',
          hint: 'give the ARN with the id: arn:aws:rolesanywhere:REGION:ACCOUNT:trust-anchor/UUID',
        },
      );
    return { kind: 'existing', arn, region };
  }
  if (authority !== undefined) {
    const region =
      /^arn:aws(?:-[a-z]+)*:acm-pca:([a-z]{2,}(?:-[a-z]+)+-\d{1,2}):\d{12}:certificate-authority\/[\w-]{1,64}$/.exec(
        authority,
      )?.[1];
    if (region !== undefined) return { kind: 'private-ca', arn: authority, region };
    throw new RolesAnywhereError('ERR_ARN', '--acm-pca-arn is not the ARN of a CA of AWS Private CA', {
      flag: '--acm-pca-arn',
      hint: 'it looks like arn:aws:acm-pca:REGION:ACCOUNT:certificate-authority/UUID',
    });
  }
  return { kind: 'bundle', pem: await bundleOf(bundle ?? '', flags, io) };
}

/** Certificates as PEM, written anew: nothing else that is in the file is in it. */
async function bundleOf(path: string, flags: Flags, io: Io): Promise<string> {
  const deps = { passwords: passwordSources(flags, io.env), env: io.env };
  const certificates = await loadCertificates(path, deps, '--certificate-bundle');
  const refuse = (what: string, hint: string): RolesAnywhereError =>
    new RolesAnywhereError('ERR_FLAG_VALUE', `--certificate-bundle ${path} ${what}`, {
      flag: '--certificate-bundle',
      hint,
    });
  const other = certificates.find(({ isAuthority }) => !isAuthority);
  if (other !== undefined)
    throw refuse(`holds a certificate, ${subjectText(other)}, that is not of a CA`, 'give those of the CA alone');
  if (certificates.length > MAX_ANCHOR_CERTIFICATES)
    throw refuse(
      `holds ${certificates.length} certificates, and a trust anchor has one or two`,
      'give that of the root, or of the intermediate that issues; clients send the others',
    );
  const pem = certificates.map(({ der }) => pemOf(der)).join('');
  if (pem.length > MAX_BUNDLE)
    throw refuse(`comes to more than ${MAX_BUNDLE} characters of PEM`, 'give one certificate of the CA');
  return pem;
}

function pemOf(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

/** The certificate that is meant: one. */
async function certificateOf(flags: Flags, io: Io): Promise<Certificate> {
  const { certificate: path } = flags;
  const choice = certificateChoice(flags);
  if (path !== undefined && isPkcs11(path)) {
    const { listPkcs11Certificates } = await import('../identity/pkcs11/index.ts');
    const listed = await listPkcs11Certificates(path, { ...tokenOptions(flags), choice }, oneShotToken(flags, io));
    return only(
      listed.map(({ uri, certificate }) => readCertificate(certificate, uri)),
      'the URI of --certificate',
    );
  }
  const deps = { passwords: passwordSources(flags, io.env), env: io.env, tpm: tpmOptions(flags) };
  if (choice === undefined && path !== undefined) return (await loadCertificates(path, deps))[0];
  const { listCertificates } = await import('../identity/listing.ts');
  const listed = await listCertificates(path, choice ?? {}, storeSettings(flags) ?? {}, deps);
  return only(
    listed.map(({ certificate }) => certificate),
    '--cert-selector',
  );
}

function only(found: readonly Certificate[], what: string): Certificate {
  const [first] = found;
  if (first === undefined)
    throw new RolesAnywhereError('ERR_OBJECT_NOT_FOUND', `no certificate in the tokens matches ${what}`, {
      flag: '--certificate',
      hint: 'read-certificate-data --certificate pkcs11: lists those that can be seen',
    });
  if (found.length === 1) return first;
  throw new RolesAnywhereError('ERR_CERTIFICATE_AMBIGUOUS', `${found.length} certificates match ${what}`, {
    hint: 'name one: read-certificate-data with the same flags lists them',
  });
}

/** Names that IAM and Roles Anywhere both take. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$/;

function nameOf(given: string | undefined, certificate: Certificate): string {
  if (given !== undefined) {
    if (NAME.test(given)) return given;
    throw new RolesAnywhereError(
      'ERR_FLAG_VALUE',
      '--name is not a name that role, profile and trust anchor can all have',
      {
        flag: '--name',
        hint: 'give 1 to 64 letters, digits, - and _, with no - in front',
      },
    );
  }
  const commonName = readName(certificate.subject)
    .flat()
    .find(({ type }) => type === 'CN')?.value;
  const name = (commonName ?? '')
    .replaceAll(/[^A-Za-z0-9_]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 64);
  return NAME.test(name) ? name : 'workload';
}
