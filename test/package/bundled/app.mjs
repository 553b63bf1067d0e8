// What a user's program does with the library, to be bundled: a session directly, through a proxy, by the pooled transport,
// and a key in a token. Prints one JSON object; of each set of credentials the first letters of its key id.
import { createPooledTransport, fromRolesAnywhere } from 'roles-anywhere';

export async function tryAll({ url, tlsUrl, ca, proxy, helperPath, ...identity }) {
  const outcome = async (options) => {
    try {
      const { accessKeyId } = await fromRolesAnywhere({ ...identity, endpoint: url, ...options })();
      return accessKeyId.slice(0, 4);
    } catch (error) {
      return error.code;
    }
  };
  const pool = createPooledTransport();
  const token = { certificate: 'pkcs11:token=none', privateKey: undefined, intermediates: undefined };
  try {
    return {
      direct: await outcome({}),
      proxy: await outcome({ endpoint: tlsUrl, tls: { ca }, proxy }),
      pooled: await outcome({ transport: pool.request }),
      token: await outcome({ ...token, pkcs11: { library: '/nonexistent.so', helperPath } }),
      tokenAlone: await outcome({ ...token, pkcs11: { library: '/nonexistent.so' } }),
    };
  } finally {
    await pool.close();
  }
}
