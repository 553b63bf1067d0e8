/** The answering server as a process of its own, for bench/standalone.ts: `answering-main.ts CERT KEY ADDRESS` prints its places as JSON. */
import { readFileSync } from 'node:fs';
import { startAnsweringServer } from './answering-server.ts';

const [cert = '', key = '', address = ''] = process.argv.slice(2);
const { url, tlsUrl } = await startAnsweringServer(
  { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') },
  address,
);
console.log(JSON.stringify({ url, tlsUrl }));
