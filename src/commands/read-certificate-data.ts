/** `read-certificate-data`: what upstream prints about a certificate, byte for byte; or a view of it for people. */
import { RolesAnywhereError } from '../platform/errors.ts';
import { isPkcs11, loadCertificates } from '../identity/load.ts';
import type { FlagsOf } from '../options/flag-values.ts';
import { passwordSources } from '../options/passwords.ts';
import { tokenOptions } from '../options/token.ts';
import { tpmOptions } from '../options/tpm.ts';
import { type Certificate, readCertificate } from '../x509/certificate.ts';
import type { Io, RunCommand } from './command.ts';

export const run: RunCommand<'read-certificate-data'> = async (flags, io) => {
  const { certificate: path, format } = flags;
  if (isPkcs11(path)) return await listTokens(path, flags, io);
  const certificates = await loadCertificates(path, {
    passwords: passwordSources(flags, io.env),
    env: io.env,
    tpm: tpmOptions(flags),
  });
  io.stdout(format === 'text' ? await textOf(certificates) : JSON.stringify(dataOf(certificates[0])));
};

async function textOf(certificates: readonly [Certificate, ...Certificate[]]): Promise<string> {
  const { certificateText } = await import('../identity/certificate-text.ts');
  return certificateText(certificates, Date.now());
}

function dataOf(certificate: Certificate): object {
  // Upstream leaves the type of a key that it does not know empty, and names the digests all the same.
  const keyType = certificate.keyAlgorithm.keyType ?? '';
  return {
    keyType,
    certificateData: Buffer.from(certificate.der).toString('base64'),
    serialNumber: certificate.serialNumber,
    // ML-DSA hashes by itself.
    supportedAlgorithms: keyType.startsWith('ML-DSA')
      ? [keyType]
      : ['SHA256', 'SHA384', 'SHA512'].map((digest) => `${keyType}${digest}`),
  };
}

/** One line, or one text, for each certificate that the URI means, with the URI that finds it and nothing else. */
async function listTokens(uri: string, flags: FlagsOf<'read-certificate-data'>, io: Io): Promise<void> {
  const { listPkcs11Certificates } = await import('../identity/pkcs11/index.ts');
  const listed = await listPkcs11Certificates(uri, tokenOptions(flags), {
    mode: 'in-process',
    env: io.env,
    warn: io.log.warn,
  });
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
    else io.stdout(`${JSON.stringify({ uri: own, ...dataOf(read) })}\n`);
  }
}
