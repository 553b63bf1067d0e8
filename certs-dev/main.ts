/** `npm run certs`: makes the development PKI in certs-dev/out and says where it is. */
import { dirname, join, relative } from 'node:path';
import { KEY_KINDS } from './authority.ts';
import { PASSWORD } from './containers.ts';
import { ML_DSA_KINDS } from './ml-dsa.ts';
import { makePki } from './pki.ts';

const dir = join(dirname(process.argv[1] ?? ''), 'out');
await makePki(dir);
const shown = relative(process.cwd(), dir) || '.';
console.log(`development PKI in ${shown}/
  trust anchor   ${shown}/root.pem
  intermediate   ${shown}/intermediate.pem
  leaves         ${shown}/{${[...KEY_KINDS, ...ML_DSA_KINDS].join(',')}}.{crt,key,combined,chain}.pem
  encrypted      ${shown}/KIND.{encrypted.pem,encrypted.der,p12,legacy.p12}, password ${PASSWORD}
  TLS server     ${shown}/tls-server.{crt,key}.pem under ${shown}/tls-root.pem`);
