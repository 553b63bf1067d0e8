// Obtains credentials with the library through a proxy, and asks once with the pooled transport, in a process that reports
// what would have ended it. Usage: node limited.mjs OPTIONS_JSON
import { createPooledTransport, fromRolesAnywhere } from '../../dist/index.js';

const { proxy, ca, url, ...options } = JSON.parse(process.argv[2]);
process.on('uncaughtException', (error) => {
  console.log(`uncaught: ${String(error)}`);
  process.exit(9);
});
const { expiration } = await fromRolesAnywhere({ ...options, proxy, tls: { ca } })();
const pool = createPooledTransport({ proxy: new URL(proxy) });
const { status } = await pool.request({
  method: 'GET',
  url: new URL(url),
  headers: {},
  timeoutMs: 20_000,
  maxResponseBytes: 65_536,
  tls: { ca },
});
await pool.close();
console.log(JSON.stringify({ vended: expiration instanceof Date, status }));
