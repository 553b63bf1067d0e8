/** `sign-string`: signs upstream's fixed message, to show that a private key can be used. */
import { createHash, createPublicKey } from 'node:crypto';
import { RolesAnywhereError } from '../errors.ts';
import type { Digest } from '../identity/identity.ts';
import { type SigningKey, loadIdentity, loadSigningKey } from '../identity/load.ts';
import { readCertificate } from '../x509/certificate.ts';
import type { FlagValues, RunCommand } from './command.ts';

const TEST_NAME = 'AWS Roles Anywhere Credential Helper Signing Test';
const TEST_VERSION = '1';

export const run: RunCommand = async (flags, io) => {
  const digest = choice(flags, 'digest', ['SHA256', 'SHA384', 'SHA512'] as const satisfies readonly Digest[]);
  const format = choice(flags, 'format', ['json', 'text', 'bin'] as const);
  const key = await loadKey(textOf(flags, 'certificate'), textOf(flags, 'private-key'));
  let signature: Uint8Array;
  try {
    signature = await key.signer.sign(testMessage(key.publicKey), digest);
  } finally {
    await key.close();
  }
  if (format === 'bin') return io.stdout(signature);
  const hex = Buffer.from(signature).toString('hex');
  io.stdout(format === 'json' ? JSON.stringify(hex) : hex); // no line feed, as upstream
};

/** With a certificate, the key is checked to be its own; without one, the key stands for itself. */
async function loadKey(certificate: string | undefined, privateKey: string | undefined): Promise<SigningKey> {
  if (certificate !== undefined) {
    const identity = await loadIdentity({ certificate, privateKey });
    const { publicKey } = readCertificate(identity.certificate, `--certificate ${certificate}`);
    return { signer: identity.signer, publicKey, close: async () => await identity.close() };
  }
  if (privateKey !== undefined) return await loadSigningKey(privateKey);
  throw new RolesAnywhereError('ERR_FLAG_REQUIRED', 'neither --private-key nor --certificate is given', {
    hint: 'name the file with the private key with --private-key',
  });
}

/**
 * What is signed: `TEST_NAME || TEST_VERSION || SHA256("IAM RA" || PUBLIC_KEY)`.
 *
 * @param publicKey DER of the SubjectPublicKeyInfo
 */
function testMessage(publicKey: Uint8Array): Uint8Array {
  const key = createPublicKey({ key: Buffer.from(publicKey), type: 'spki', format: 'der' });
  let bytes: Uint8Array;
  if (key.asymmetricKeyType === 'rsa') bytes = key.export({ type: 'pkcs1', format: 'der' });
  else {
    // The uncompressed point of SEC 1, section 2.3.3, whatever form the key came in.
    const { x = '', y = '' } = key.export({ format: 'jwk' });
    bytes = Buffer.concat([Buffer.from([4]), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
  }
  const fingerprint = createHash('sha256').update('IAM RA').update(bytes).digest();
  return Buffer.concat([Buffer.from(`${TEST_NAME}${TEST_VERSION}`), fingerprint]);
}

function textOf(flags: FlagValues, name: string): string | undefined {
  const value = flags[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** A flag with a fixed set of values; the first of them is the default. */
function choice<T extends string>(flags: FlagValues, name: string, values: readonly [T, ...T[]]): T {
  const given = flags[name] ?? values[0];
  const value = values.find((candidate) => candidate === given);
  if (value !== undefined) return value;
  throw new RolesAnywhereError('ERR_FLAG_VALUE', `--${name} is none of ${values.join(', ')}`, {
    hint: `leave --${name} out for ${values[0]}`,
  });
}
