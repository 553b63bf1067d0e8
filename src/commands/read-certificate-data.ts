/** `read-certificate-data`: what upstream prints about a certificate, byte for byte; or a view of it for people. */
import { RolesAnywhereError } from '../platform/errors.ts';
import { isPkcs11, loadCertificates } from '../identity/load.ts';
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
  if (isPkcs11(path)) return await listTokens(path, flags, io);
  const certificates = await loadCertificates(path, {
    passwords: passwordSources(flags, io.env),
    env: io.env,
    tpm: tpmOptions(flags),
  });
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

/** One line, or one text, for each certificate that the URI means, with the URI that finds it and nothing else. */
async function listTokens(uri: string, flags: FlagsOf<'read-certificate-data'>, io: Io): Promise<void> {
  const { listPkcs11Certificates } = await import('../identity/pkcs11/index.ts');
  const listed = await listPkcs11Certificates(uri, tokenOptions(flags), oneShotToken(flags, io));
  if (io.compat && flags.format !== 'text') {
    const { matchingIdentities } = await import('./matching-identities.ts');
    io.stdout(matchingIdentities(listed));
    return;
  }
  if (listed.length === 0) {
    throw new RolesAnywhereError(
      'ERR_OBJECT_NOT_FOUND',
      'no certificate in the tokens matches the URI of --certificate',
      {
        flag: '--certificate',
        hint: 'pkcs11: by itself lists all that can be seen without a login; name a token to have it logged in to',
      },
    );
  }
  for (const { uri: own, certificate } of listed) {
    const read = readCertificate(certificate, own);
    if (flags.format === 'text') io.stdout(`${own}\n${await textOf([read])}\n`);
    else io.stdout(`${JSON.stringify({ uri: own, ...(await dataOf(read, io.compat)) })}\n`);
  }
}
