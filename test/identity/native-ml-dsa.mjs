// Run by a Node whose OpenSSL knows ML-DSA. Reads { key, certificate, issuer, message, signature } for each name, all in
// base64 DER; prints what OpenSSL makes of them.
import { X509Certificate, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';

const bytes = (text) => Buffer.from(text, 'base64');
const cases = JSON.parse(readFileSync(0, 'utf8'));
const answers = cases.map(({ key, certificate, issuer, message, signature }) => {
  const privateKey = createPrivateKey({ key: bytes(key), format: 'der', type: 'pkcs8' });
  const leaf = new X509Certificate(bytes(certificate));
  return {
    keyType: privateKey.asymmetricKeyType,
    isItsKey: leaf.checkPrivateKey(privateKey),
    isSigned: leaf.verify(new X509Certificate(bytes(issuer)).publicKey),
    verified: verify(null, bytes(message), leaf.publicKey, bytes(signature)),
    signature: sign(null, bytes(message), privateKey).toString('base64'),
    publicKey: createPublicKey(privateKey).export({ type: 'spki', format: 'der' }).toString('base64'),
  };
});
console.log(JSON.stringify(answers));
