/** `read-certificate-data`: what upstream prints about a certificate, byte for byte; or a view of it for people. */
import { RolesAnywhereError } from '../platform/errors.ts';
import type { CertificateChoice } from '../identity/choice.ts';
import { type LoadDeps, isPkcs11, loadCertificates } from '../identity/load.ts';
import { certificateChoice, storeSettings } from '../options/choice.ts';
import type { FlagsOf } from '../options/flag-values.ts';
import { passwordSources } from '../options/passwords.ts';
import { tokenOptions } from '../options/token.ts';
import { tpmOptions } from '../options/tpm.ts';
import { type Certificate, readCertificate } from '../x509/certificate.ts';
import { brokenRules } from '../x509/rules.ts';
import type { Io, RunCommand } from './command.ts';
import { oneShotToken } from './one-shot-token.ts';

export const run: RunCommand<'read-certificate-data'> = async (flags, io) => {
  const { certificate: path, format } = flags;
  if (path !== undefined && isPkcs11(path)) return await listTokens(path, flags, io);
  const deps = { passwords: passwordSources(flags, io.env), env: io.env, tpm: tpmOptions(flags) };
  const choice = certificateChoice(flags);
  // The table of flags asks for one of the two.
  if (choice !== undefined || path === undefined) return await listMatching(path, choice ?? {}, flags, deps, io);
  const certificates = await loadCertificates(path, deps);
  io.stdout(format === 'text' ? await textOf(certificates) : JSON.stringify(await dataOf(certificates[0], io.compat)));
};

async function textOf(certificates: readonly [Certificate, ...Certificate[]]): Promise<string> {
  const { certificateText } = await import('../identity/certificate-text.ts');
  return certificateText(certificates, Date.now());
}

/**
 * What upstream prints. Under this program's own name, what is wrong with a certificate is in it as well, and a key that
 * cannot be used has its name and no algorithms.
 */
async function dataOf(certificate: Certificate, compat: boolean): Promise<object> {
  const { name, keyType } = certificate.keyAlgorithm;
  // Upstream leaves the type of a key that it does not know empty, and names the digests all the same.
  const upstreamType = keyType ?? (name === 'EC' ? name : '');
  const data = {
    keyType: upstreamType,
    certificateData: Buffer.from(certificate.der).toString('base64'),
    serialNumber: certificate.serialNumber,
    // ML-DSA signs the message itself.
    supportedAlgorithms: upstreamType.startsWith('ML-DSA')
      ? [upstreamType]
      : ['SHA256', 'SHA384', 'SHA512'].map((digest) => `${upstreamType}${digest}`),
  };
  const now = Date.now();
  const problems = compat ? [] : brokenRules(certificate, now);
  if (problems.length === 0) return data;
  const { findingText, keyText } = await import('../identity/verdicts.ts');
  return {
    ...data,
    ...(keyType === undefined && { keyType: keyText(certificate), supportedAlgorithms: [] }),
    problems: problems.map((code) => ({ code, message: findingText({ code, certificate }, now) })),
  };
}

/** One line, or one text, for each certificate that the selector matches, with the file of the folder that it is in. */
async function listMatching(
  path: string | undefined,
  choice: CertificateChoice,
  flags: FlagsOf<'read-certificate-data'>,
  deps: LoadDeps,
  io: Io,
): Promise<void> {
  const { listCertificates } = await import('../identity/listing.ts');
  const listed = await listCertificates(path, choice, storeSettings(flags) ?? {}, deps);
  if (io.compat && flags.format !== 'text') {
    const { matchingIdentities } = await import('./matching-identities.ts');
    io.stdout(matchingIdentities(listed.map(({ certificate }) => ({ certificate: certificate.der }))));
    return;
  }
  for (const { certificate, file } of listed) await print(certificate, { file }, flags, io);
}

/** @param place what finds the certificate again */
async function print(
  certificate: Certificate,
  place: { readonly uri: string } | { readonly file: string | undefined },
  { format }: FlagsOf<'read-certificate-data'>,
  io: Io,
): Promise<void> {
  const [heading] = Object.values(place);
  if (format === 'text') io.stdout(`${heading === undefined ? '' : `${heading}\n`}${await textOf([certificate])}\n`);
  else io.stdout(`${JSON.stringify({ ...place, ...(await dataOf(certificate, io.compat)) })}\n`);
}

/** One line, or one text, for each certificate that the URI means, with the URI that finds it and nothing else. */
async function listTokens(uri: string, flags: FlagsOf<'read-certificate-data'>, io: Io): Promise<void> {
  const { listPkcs11Certificates } = await import('../identity/pkcs11/index.ts');
  const listed = await listPkcs11Certificates(
    uri,
    { ...tokenOptions(flags), choice: certificateChoice(flags) },
    oneShotToken(flags, io),
  );
  if (io.compat && flags.format !== 'text') {
    const { matchingIdentities } = await import('./matching-identities.ts');
    io.stdout(matchingIdentities(listed));
    return;
  }
  if (listed.length === 0) {
    throw new RolesAnywhereError(
      'ERR_OBJECT_NOT_FOUND',
      `no certificate in the tokens matches the URI of --certificate${flags['cert-selector'] === undefined ? '' : ' and --cert-selector'}`,
      {
        flag: '--certificate',
        hint: 'pkcs11: by itself lists all that can be seen without a login; name a token to have it logged in to',
      },
    );
  }
  for (const { uri: own, certificate } of listed) {
    await print(readCertificate(certificate, own), { uri: own }, flags, io);
  }
}
