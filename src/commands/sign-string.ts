/** `sign-string`: signs upstream's fixed message, to show that a private key can be used. */
import { createHash, createPublicKey } from 'node:crypto';
import { type IdentitySpec, type LoadDeps, type SigningKey, loadIdentity, loadSigningKey } from '../identity/load.ts';
import { certificateChoice, storeSettings } from '../options/choice.ts';
import { passwordSources } from '../options/passwords.ts';
import { tpmOptions } from '../options/tpm.ts';
import { readCertificate } from '../x509/certificate.ts';
import type { RunCommand } from './command.ts';
import { oneShotToken } from './one-shot-token.ts';

const TEST_NAME = 'AWS Roles Anywhere Credential Helper Signing Test';
const TEST_VERSION = '1';

export const run: RunCommand<'sign-string'> = async (flags, io) => {
  const { certificate, 'private-key': privateKey, digest, format } = flags;
  const key = await loadKey(
    { certificate, privateKey, choice: certificateChoice(flags), store: storeSettings(flags) },
    {
      passwords: passwordSources(flags, io.env),
      env: io.env,
      token: oneShotToken(flags, io),
      tpm: tpmOptions(flags),
    },
  );
  let signature: Uint8Array;
  try {
    signature = await key.signer.sign(testMessage(key), digest);
  } finally {
    await key.close();
  }
  if (format === 'bin') return io.stdout(signature);
  const hex = Buffer.from(signature).toString('hex');
  io.stdout(format === 'json' ? JSON.stringify(hex) : hex); // no line feed, as upstream
};

/** With a certificate, the key is checked to be its own; without one, the key stands for itself. */
async function loadKey(spec: IdentitySpec, deps: LoadDeps): Promise<SigningKey> {
  const { certificate, privateKey, choice } = spec;
  if (certificate !== undefined || choice?.selector !== undefined) {
    const identity = await loadIdentity({ ...spec, skipChecks: true }, deps);
    const { publicKey } = readCertificate(identity.certificate, '--certificate');
    return { signer: identity.signer, publicKey, close: async () => await identity.close() };
  }
  // The table of flags asks for one of the three.
  return await loadSigningKey(privateKey ?? '', deps);
}

/**
 * The message that is signed: `TEST_NAME || TEST_VERSION || SHA256("IAM RA" || PUBLIC_KEY)`; with ML-DSA, as version 1.8 of
 * upstream has it, without the hash.
 */
function testMessage({ signer, publicKey }: SigningKey): Uint8Array {
  const text = Buffer.from(`${TEST_NAME}${TEST_VERSION}`);
  if (signer.keyType.startsWith('ML-DSA')) return text;
  return Buffer.concat([text, createHash('sha256').update('IAM RA').update(publicKeyBytes(publicKey)).digest()]);
}

/** @param publicKey DER of the SubjectPublicKeyInfo */
function publicKeyBytes(publicKey: Uint8Array): Uint8Array {
  const key = createPublicKey({ key: Buffer.from(publicKey), type: 'spki', format: 'der' });
  if (key.asymmetricKeyType === 'rsa') return key.export({ type: 'pkcs1', format: 'der' });
  // The uncompressed point of SEC 1, section 2.3.3, whatever form the key came in.
  const { x = '', y = '' } = key.export({ format: 'jwk' });
  return Buffer.concat([Buffer.from([4]), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
}
