/** `read-certificate-data`: what upstream prints about a certificate, byte for byte. */
import { RolesAnywhereError } from '../errors.ts';
import { loadCertificate } from '../identity/load.ts';
import type { RunCommand } from './command.ts';

export const run: RunCommand = async (flags, io) => {
  const path = flags['certificate'];
  if (typeof path !== 'string' || path === '')
    throw new RolesAnywhereError('ERR_FLAG_REQUIRED', '--certificate is missing', {
      hint: 'name the file with the certificate with --certificate',
    });
  const certificate = await loadCertificate(path);
  // Upstream leaves the type of a key that it does not know empty, and names the digests all the same.
  const keyType = certificate.keyAlgorithm.keyType ?? '';
  io.stdout(
    JSON.stringify({
      keyType,
      certificateData: Buffer.from(certificate.der).toString('base64'),
      serialNumber: certificate.serialNumber,
      supportedAlgorithms: ['SHA256', 'SHA384', 'SHA512'].map((digest) => `${keyType}${digest}`),
    }),
  );
};
