// Asks the library for credentials as an application would, and prints what came. Usage: node library.mjs OPTIONS_JSON
import { readFileSync } from 'node:fs';
import { fromRolesAnywhere } from '../../../dist/index.js';

const { caBundle, intermediates, ...options } = JSON.parse(process.argv[2]);
try {
  const { expiration, ...rest } = await fromRolesAnywhere({
    ...options,
    intermediates: readFileSync(intermediates, 'utf8'),
    tls: { ca: readFileSync(caBundle, 'utf8') },
  })();
  const answer = {
    Version: 1,
    AccessKeyId: rest.accessKeyId,
    SecretAccessKey: rest.secretAccessKey,
    SessionToken: rest.sessionToken,
    Expiration: expiration.toISOString(),
  };
  process.stdout.write(`${JSON.stringify(answer)}\n`);
} catch (error) {
  process.stderr.write(`${error.code}: ${error.message}\n`);
  process.exitCode = { usage: 2, identity: 3, refused: 4, unavailable: 5 }[error.class] ?? 1;
}
